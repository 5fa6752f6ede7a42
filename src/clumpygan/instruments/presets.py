"""Imaging presets: the surveys and cameras of `surveys/*.yaml`, each number with its source.

A file describes one survey: the fields of `ImagingInstrument`, those that differ from band to
band under `bands`, and under `sources` where the numbers come from. An instrument of several
bands is called after its file and band, as in hsc_wide_i; another file is another survey, and
nothing else names it.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError
from clumpygan.instruments.imaging import ImagingInstrument, noise_equivalent_radius
from clumpygan.settings import did_you_mean, from_mapping
from clumpygan.settings.documents import read_yaml

QUANTITIES = ("pixel_scale", "zero_point", "psf", "depth", "noise")
"""What a file has to name the source of."""

DEFAULT_SURVEY, DEFAULT_TARGET = "hsc_wide_i", "hst_wfc3_f160w"
"""What is observed, and what is recovered, where nothing else is said."""

_LEADING = ("hst_wfc3_f160w", "hst_acs_f814w_30mas", "hst_acs_f814w_60mas", "hsc_wide")
"""Surveys that come first: theirs is a filter of which nothing but the name is known."""


def read_survey(path: Path) -> dict[str, ImagingInstrument]:
    """Read the file of a survey: its instruments, one a band, by name.

    Raises
    ------
    InputError
        If it isn't such a file, a number is missing or out of range, or a source is missing.
    """
    section = read_yaml(path, "expected the fields of an imaging instrument")
    if not isinstance(section, dict):
        raise InputError(f"{path} is no survey: expected the fields of an imaging instrument")
    bands = section.pop("bands", None)
    sources = section.get("sources")
    missing = [one for one in QUANTITIES if not isinstance(sources, dict) or one not in sources]
    if missing:
        raise InputError(f"{path}: sources.{missing[0]} is missing; say where its numbers are from")
    if bands is None:
        return {path.stem: _instrument(path, path.stem, section)}
    if not isinstance(bands, dict):
        raise InputError(f"{path}: expected the fields of each band under `bands`")
    found = {f"{path.stem}_{band}".lower(): {"band": band, **more} for band, more in bands.items()}
    return {name: _instrument(path, name, section | more) for name, more in found.items()}


def get_instrument(name: str) -> ImagingInstrument:
    """Return the preset of a name.

    Parameters
    ----------
    name : str
        A key of `INSTRUMENTS`, in any case.

    Returns
    -------
    ImagingInstrument
        The preset.

    Raises
    ------
    InputError
        If there is none; the message lists the names.

    Examples
    --------
    >>> camera = get_instrument("lsst_i")
    >>> camera.pixel_scale, camera.band
    (0.2, 'i')
    """
    try:
        return INSTRUMENTS[name.lower()]
    except KeyError:
        raise InputError(
            f"no instrument {name!r}{did_you_mean(name.lower(), INSTRUMENTS)}, expected one of: "
            f"{', '.join(INSTRUMENTS)}"
        ) from None


def _instrument(path: Path, name: str, section: Mapping[str, Any]) -> ImagingInstrument:
    fields = {"name": name, "moffat_beta_range": None, **section}
    fields["sources"] = tuple(section["sources"].items())
    if fields.get("depth_aperture_radius") == "point_source":
        beta = fields["moffat_beta_range"]
        fields["depth_aperture_radius"] = noise_equivalent_radius(
            float(fields["psf_fwhm"]), None if beta is None else sum(beta) / 2
        )
    try:
        return from_mapping(ImagingInstrument, fields)
    except (InputError, TypeError, KeyError) as error:
        raise InputError(f"{path}, {name}: {error}") from error


def _all_instruments() -> dict[str, ImagingInstrument]:
    folder = Path(str(files("clumpygan.instruments") / "surveys"))
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    order = [*_LEADING, *(name for name in names if name not in _LEADING)]
    found: dict[str, ImagingInstrument] = {}
    for name in order:
        found |= read_survey(folder / f"{name}.yaml")
    return found


INSTRUMENTS: dict[str, ImagingInstrument] = _all_instruments()
"""All presets by name."""

HST_WFC3_F160W = INSTRUMENTS["hst_wfc3_f160w"]
HST_ACS_F814W_30MAS = INSTRUMENTS["hst_acs_f814w_30mas"]
HST_ACS_F814W_60MAS = INSTRUMENTS["hst_acs_f814w_60mas"]
HSC_WIDE_G = INSTRUMENTS["hsc_wide_g"]
HSC_WIDE_R = INSTRUMENTS["hsc_wide_r"]
HSC_WIDE_I = INSTRUMENTS["hsc_wide_i"]
HSC_WIDE_Z = INSTRUMENTS["hsc_wide_z"]
HSC_WIDE_Y = INSTRUMENTS["hsc_wide_y"]
