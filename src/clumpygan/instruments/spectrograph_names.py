"""Names of the spectrographs, for --help, which has no time to import what the presets need."""

SPECTROGRAPH_NAMES = (
    "muse_wfm",
    "muse_nfm",
    "kmos",
    "kmos_yj",
    "kmos_h",
    "kmos_k",
    "sinfoni",
    "sinfoni_j",
    "sinfoni_h",
    "sinfoni_k",
    "jwst_nirspec_ifu",
    "jwst_nirspec_ifu_g140h",
    "jwst_nirspec_ifu_g235h",
    "jwst_nirspec_ifu_g395h",
)
"""What `clumpygan.instruments.get_spectrograph` knows: presets and instruments with bands."""
