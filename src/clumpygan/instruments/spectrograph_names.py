"""Names of the spectrographs, for --help, which has no time to import what the presets need."""

SPECTROGRAPH_NAMES = (
    "muse_wfm",
    "kmos_yj",
    "kmos_h",
    "kmos_k",
    "sinfoni_j",
    "sinfoni_h",
    "sinfoni_k",
)
"""Keys of `clumpygan.instruments.SPECTROGRAPHS`."""
