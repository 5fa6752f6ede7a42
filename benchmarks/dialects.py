"""Write one galaxy as telescopes, pipelines and old programs write cubes, and fit each.

    python benchmarks/dialects.py                 # all, two minutes
    python benchmarks/dialects.py vopt manga      # those whose names have one of these words

Each case is either fitted right (inclination, position angle, systemic and maximum velocity,
dispersion and radius within 4 standard errors of the truth) or refused in one line that says what
to do. Channels are laid out by the formulas of the FITS standard (Greisen et al. 2006), not by the
code that reads them. Radio cubes are at 6020 km/s, where the definitions of velocity are 120 km/s
apart.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from clumpygan import fit
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.instruments.spread import FWHM_PER_SIGMA, GaussianPSF, MoffatPSF
from clumpygan.io.cubes.spectral_axis import vacuum_of

C, HALPHA, HI, REDSHIFT = 299792.458, 6564.61, 1420405751.77, 0.5
SHAPE, SCALE, FWHM, BRIGHT = (30, 18, 18), 0.25, 0.7, 30.0
MIDDLE = HALPHA * (1 + REDSHIFT)
TRUTH = {
    "flux": 1000.0, "offset_x": 0.1, "offset_y": -0.1, "systemic_velocity": 20.0,
    "half_light_radius": 0.9, "sersic_index": 1.0, "inclination": 55.0, "position_angle": 130.0,
    "maximum_velocity": 180.0, "turnover_radius": 0.3, "velocity_dispersion": 40.0,
    "scale_height": 0.1,
}  # fmt: skip
CHECKED = ("half_light_radius", "inclination", "position_angle", "maximum_velocity",
           "systemic_velocity", "velocity_dispersion")  # fmt: skip
OPTICAL: dict[str, Any] = {"line": "halpha", "redshift": REDSHIFT, "psf_fwhm": FWHM}
NUMBERS = np.arange(SHAPE[0] + 1) + 0.5
"""FITS pixel coordinates of the edges of the channels."""

Maker = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One file, how it is fitted, and what is expected of it."""

    name: str
    make: Maker
    settings: dict[str, Any] = field(default_factory=dict)
    refused: str = ""
    systemic: float = 20.0


def velocity(stretch: np.ndarray) -> np.ndarray:
    """Return relativistic velocities of observed over emitted wavelengths."""
    return np.asarray(C * (stretch**2 - 1) / (stretch**2 + 1))


@lru_cache(maxsize=4)
def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(11).standard_normal(shape)


def galaxy(
    edges: np.ndarray,
    systemic: float = 20.0,
    psf: Any = None,
    spread: float = 0.0,
    lines: tuple[float, ...] = (1.0,),
    **responses: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return data and variance (v, y, x) in channels of these edges in km/s."""
    rising = np.atleast_2d(edges)
    falls = rising[0, 0] > rising[0, -1]
    grid = CubeGrid(SHAPE, SCALE, rising[:, ::-1] if falls else rising, lines,
                    (spread,) * len(rising), **{"pixel_response": False, **responses})  # fmt: skip
    values = TRUTH | {"systemic_velocity": systemic}
    extra = {"doublet_ratio": lines[0] / lines[1]} if len(lines) > 1 else {}
    if len(lines) > 2:
        extra["line_3_ratio"] = lines[2] / lines[1]
    model = DiskModel(extra_lines=max(len(lines) - 2, 0))
    parameters = DiskParameters.from_dict(values | extra, model)
    transfer = partial((psf or GaussianPSF(FWHM)).transfer, wavelength=7000.0)
    cube = CubeRenderer(grid, model, transfer)(parameters.to_vector()[None])[0]
    sigma = float(cube.max()) / BRIGHT
    data = cube + sigma * _noise(SHAPE)
    variance = np.full(SHAPE, sigma**2)
    return (data[::-1].copy() if falls else data), variance


def sky(**more: Any) -> dict[str, Any]:
    return {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 53.0, "CRVAL2": -27.0,
            "CRPIX1": 9.5, "CRPIX2": 9.5, "CDELT1": -SCALE / 3600, "CDELT2": SCALE / 3600,
            "CUNIT1": "deg", "CUNIT2": "deg", **more}  # fmt: skip


def hdu(name: str, data: np.ndarray, cards: dict[str, Any]) -> fits.ImageHDU:
    values = data if data.dtype.kind in "iu" else np.asarray(data, np.float32)
    made = fits.ImageHDU(values, name=name or None)
    made.header.update(cards)
    return made


def write(path: Path, *hdus: Any, primary: Any = None, **cards: Any) -> None:
    first = fits.PrimaryHDU(None if primary is None else np.asarray(primary, np.float32))
    first.header.update(cards)
    fits.HDUList([first, *hdus]).writeto(path)


def steps(factor: float = 1.0, step: float = 1.5) -> tuple[dict[str, Any], np.ndarray]:
    """Return cards of equal steps in wavelength, and the wavelengths of the edges in Angstrom."""
    cards = {"CRVAL3": MIDDLE * factor, "CRPIX3": 15.5, "CDELT3": step * factor}
    return cards, MIDDLE + step * (NUMBERS - 15.5)


def optical(
    unit: str = "Angstrom",
    factor: float = 1.0,
    step: float = 1.5,
    ctype: str = "WAVE",
    names: tuple[str, str] = ("DATA", "STAT"),
    noise: Callable[[np.ndarray], np.ndarray] = np.asarray,
    **how: Any,
) -> Maker:
    """Return what writes a cube of wavelengths."""

    def make(path: Path) -> None:
        cards, waves = steps(factor, step)
        vacuum = vacuum_of(waves) if ctype.startswith("AWAV") else waves
        middle = velocity(vacuum / MIDDLE)
        data, variance = galaxy(middle, **how)
        cards = sky(CTYPE3=ctype, CUNIT3=unit, **cards)
        write(path, hdu(names[0], data, cards), hdu(names[1], noise(variance), cards))

    return make


def logarithmic(ctype: str, decimal: bool = False) -> Maker:
    def make(path: Path) -> None:
        waves = MIDDLE * np.exp((NUMBERS - 15.5) * 1.5 / MIDDLE)
        data, variance = galaxy(velocity((vacuum_of(waves) if "AWAV" in ctype else waves) / MIDDLE))
        cards = sky(CTYPE3=ctype, CUNIT3="Angstrom", CRPIX3=15.5, CRVAL3=MIDDLE, CD3_3=1.5,
                    CD1_1=-SCALE / 3600, CD2_2=SCALE / 3600)  # fmt: skip
        if decimal:
            cards = sky(CTYPE3=ctype, CUNIT3="Angstrom", CRPIX3=15.5, CRVAL3=np.log10(MIDDLE),
                        CDELT3=1.5 / MIDDLE / np.log(10)) | {"DC-FLAG": 1}  # fmt: skip
        flags = np.full(SHAPE, 8, np.int32)
        data[:, 4, 5], flags[:, 4, 5] = 1e4, 1024 + 8
        write(path, hdu("FLUX", data, cards), hdu("IVAR", 1 / variance, cards),
              hdu("MASK", flags, {}), PLATEIFU="7443-12703")  # fmt: skip

    return make


def flagged(names: tuple[str, str, str], bad: int, harmless: int, stat: bool = False) -> Maker:
    """Return what writes a cube with bad voxels that flags (or the noise) name."""

    def make(path: Path) -> None:
        cards, waves = steps()
        data, variance = galaxy(velocity(waves / MIDDLE))
        cards = sky(CTYPE3="WAVE", CUNIT3="Angstrom", **cards)
        flags = np.full(SHAPE, harmless, np.int32)
        for place in ((14, 8, 9), (15, 9, 9), (16, 10, 8)):
            data[place], flags[place] = 1e4, bad
        noise = np.sqrt(variance) if names[1] in ("ERR", "ERROR", "UNCERT") else variance
        if stat:
            noise[flags == bad] = 0.0
        write(path, hdu(names[0], data, cards), hdu(names[1], noise, cards),
              *([] if stat else [hdu(names[2], flags, {})]))  # fmt: skip

    return make


def radio(
    ctype: str, unit: str = "m/s", *, beam: str = "header", rest: bool = True, **more: Any
) -> Maker:
    """Return what writes a cube of a radio telescope, of a galaxy at 6020 km/s."""

    def make(path: Path) -> None:
        at, step = 6.0e6, 25e3
        frequencies = None
        if ctype.startswith("FREQ"):
            factor = {"Hz": 1.0, "GHz": 1e-9, "MHZ": 1e-6}[unit]
            reference, width = HI / (1 + at / C / 1e3), -HI * step / C / 1e3
            frequencies = reference + width * (NUMBERS - 15.5)
            own = {"CRVAL3": reference * factor, "CDELT3": width * factor}
        else:
            own = {"CRVAL3": at, "CDELT3": step}
            values = (at + step * (NUMBERS - 15.5)) / 1e3
            if ctype in ("VOPT-F2W", "FELO-HEL"):
                reference = HI / (1 + at / C / 1e3)
                frequencies = reference - reference**2 / HI * step / C / 1e3 * (NUMBERS - 15.5)
            elif ctype == "VELO-F2V":
                beta = at / C / 1e3
                reference = HI * np.sqrt((1 - beta) / (1 + beta))
                slope = reference / (1 - beta**2) / C / 1e3
                frequencies = reference - slope * step * (NUMBERS - 15.5)
            if unit == "km/s":
                own = {key: value / 1e3 for key, value in own.items()}
        if frequencies is not None:
            edges = velocity(HI / frequencies)
        elif ctype.startswith("VRAD") or more.get("VELREF", 0) > 256:
            edges = velocity(1 / (1 - values / C))
        elif ctype.startswith(("VOPT", "VELREF")) or more.get("VELREF", 0) > 0:
            edges = velocity(1 + values / C)
        else:
            edges = values
        psf = GaussianPSF(0.8, axis_ratio=0.7, angle=40.0)
        data, _ = galaxy(edges, 6020.0, psf)
        cards = sky(CTYPE3=ctype, CUNIT3=unit, CRPIX3=15.5, BUNIT="Jy/beam", **own, **more)
        if unit == "":
            del cards["CUNIT3"]
        if rest:
            cards["RESTFRQ"] = HI
        tables = []
        if beam == "header":
            cards |= {"BMAJ": 0.8 / 3600, "BMIN": 0.56 / 3600, "BPA": 40.0}
        elif beam == "table":
            table = Table({"BMAJ": [0.8] * 30, "BMIN": [0.56] * 30, "BPA": [40.0] * 30})
            tables = [fits.BinTableHDU(table, name="BEAMS")]
        write(path, *tables, primary=data[None], **cards, CTYPE4="STOKES", CRVAL4=1.0, CDELT4=1.0,
              CRPIX4=1.0)  # fmt: skip

    return make


def changed(make: Maker, change: Callable[[fits.HDUList], None]) -> Maker:
    """Return what writes a cube and changes the file."""

    def other(path: Path) -> None:
        make(path)
        with fits.open(path, memmap=False) as hdus:
            change(hdus)
            hdus.writeto(path, overwrite=True)

    return other


def _in_primary(hdus: fits.HDUList) -> None:
    for keyword in ("CTYPE3", "CUNIT3"):
        hdus[0].header[keyword] = hdus[1].header[keyword]
        for one in hdus[1:]:
            del one.header[keyword]


def _without(*keywords: str) -> Callable[[fits.HDUList], None]:
    def change(hdus: fits.HDUList) -> None:
        for one in hdus:
            for keyword in keywords:
                one.header.remove(keyword, ignore_missing=True)

    return change


def _with(**cards: Any) -> Callable[[fits.HDUList], None]:
    return lambda hdus: [one.header.update(cards) for one in hdus[1:]] and None


def _spectrum_first(hdus: fits.HDUList) -> None:
    """Put wavelength on axis 1, x on 2 and y on 3."""
    for one in hdus[1:]:
        old = one.header.copy()
        one.data = np.ascontiguousarray(one.data.transpose(1, 2, 0))
        for new, before in ((1, 3), (2, 1), (3, 2)):
            for stem in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"):
                if f"{stem}{before}" in old:
                    one.header[f"{stem}{new}"] = old[f"{stem}{before}"]


def _shorter_noise(hdus: fits.HDUList) -> None:
    hdus[2].data = hdus[2].data[:-1]


def _drop_noise(hdus: fits.HDUList) -> None:
    del hdus[2]


def beside(make: Maker, name: str, content: Callable[[Path], None]) -> Maker:
    """Return what writes a cube, and another file beside it."""

    def both(path: Path) -> None:
        make(path)
        content(path.with_name(name))

    return both


def _psf_image(psf: Any, scale: float, planes: tuple[float, ...] = ()) -> Callable[[Path], None]:
    def write_it(path: Path) -> None:
        y, x = (np.mgrid[:81, :81] - 40.0) * scale
        turn = np.radians(psf.angle)
        along, across = y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)
        radius = np.hypot(along, across / psf.axis_ratio)

        def image(fwhm: float) -> np.ndarray:
            if isinstance(psf, MoffatPSF):
                core = fwhm / 2 / np.sqrt(2 ** (1 / psf.beta) - 1)
                return np.asarray((1 + (radius / core) ** 2) ** -psf.beta)
            return np.asarray(np.exp(-0.5 * (radius * FWHM_PER_SIGMA / fwhm) ** 2))

        cards = sky(CDELT1=-scale / 3600, CDELT2=scale / 3600, CRPIX1=41.0, CRPIX2=41.0)
        data = np.stack([image(fwhm) for fwhm in planes]) if planes else image(psf.fwhm)
        if planes:
            cards |= {"CTYPE3": "WAVE", "CUNIT3": "Angstrom", "CRVAL3": MIDDLE - 1000,
                      "CRPIX3": 1.0, "CDELT3": 1000.0}  # fmt: skip
        fits.writeto(path, data.astype(np.float32), fits.Header(cards))

    return write_it


def _table(**columns: list[float]) -> Callable[[Path], None]:
    return lambda path: Table(columns).write(path, format="ascii.ecsv")


def three_lines(order: tuple[int, ...]) -> Maker:
    def make(path: Path) -> None:
        waves = MIDDLE + 4.0 * (NUMBERS - 15.5)
        rest, fluxes = (6564.61, 6585.27, 6549.86), (1.0, 0.33, 0.11)
        edges = np.stack([velocity(waves / (rest[k] * 1.5)) for k in order])
        data, variance = galaxy(edges, lines=tuple(fluxes[k] for k in order))
        cards = sky(CTYPE3="WAVE", CUNIT3="Angstrom", CRVAL3=MIDDLE, CRPIX3=15.5, CDELT3=4.0)
        write(path, hdu("DATA", data, cards), hdu("STAT", variance, cards))

    return make


def two_dimensional(path: Path) -> None:
    write(path, hdu("DATA", np.ones((9, 9)), sky()))


def cases() -> Iterator[Case]:
    """Yield all cases."""
    for unit, factor in (("Angstrom", 1.0), ("ANGSTROM", 1.0), ("ANGSTROMS", 1.0), ("A", 1.0),
                         ("nm", 0.1), ("um", 1e-4), ("MICRON", 1e-4), ("MICROMETER", 1e-4),
                         ("m", 1e-10), ("0.1nm", 1.0)):  # fmt: skip
        yield Case(f"wavelengths in {unit}", optical(unit, factor), OPTICAL)
    yield Case("MUSE: AWAV, DATA and STAT", optical(ctype="AWAV"), OPTICAL)
    yield Case("falling wavelengths", optical(step=-1.5), OPTICAL)
    yield Case("MaNGA LOGCUBE: WAVE-LOG, IVAR, bits of MASK", logarithmic("WAVE-LOG"), OPTICAL)
    yield Case("AWAV-LOG", logarithmic("AWAV-LOG"), OPTICAL)
    yield Case("IRAF: DC-FLAG 1", logarithmic("LINEAR", True), {**OPTICAL, "medium": "vacuum"})
    yield Case("CTYPE3 and CUNIT3 in the primary header", changed(optical(), _in_primary), OPTICAL)
    yield Case("LINEAR, medium given", optical(ctype="LINEAR"), {**OPTICAL, "medium": "vacuum"})
    yield Case("WAVE-TAB", optical(ctype="WAVE-TAB"), OPTICAL, "resample the cube first")
    yield Case("AWAV-GRI", optical(ctype="AWAV-GRI"), OPTICAL, "resample the cube first")
    bare = changed(optical(), _without("CUNIT3"))
    yield Case("no CUNIT3", bare, OPTICAL, "spectral_unit")
    yield Case("no CUNIT3, unit given", bare, {**OPTICAL, "spectral_unit": "Angstrom"})
    for name, kind in (("ERR", np.sqrt), ("SIGMA", np.sqrt), ("IVAR", np.reciprocal),
                       ("VARIANCE", np.asarray), ("UNCERT", np.sqrt)):  # fmt: skip
        yield Case(f"noise as {name}", optical(names=("SCI", name), noise=kind), OPTICAL)
    kmos = optical(names=("IFU.3.DATA", "IFU.3.NOISE"), noise=np.sqrt)
    yield Case("KMOS: IFU.3.DATA and IFU.3.NOISE", kmos, OPTICAL)
    yield Case("no noise", changed(optical(), _drop_noise), OPTICAL)
    yield Case("noise of another shape", changed(optical(), _shorter_noise), OPTICAL)
    yield Case("CALIFA: BADPIX", flagged(("DATA", "ERROR", "BADPIX"), 1, 0), OPTICAL)
    yield Case("JWST: DO_NOT_USE among jumps", flagged(("SCI", "ERR", "DQ"), 5, 4), OPTICAL)
    yield Case("a MASK of ones", flagged(("DATA", "STAT", "MASK"), 1, 0), OPTICAL)
    yield Case("KCWI: UNCERT and FLAGS", flagged(("FLUX", "UNCERT", "FLAGS"), 2, 0), OPTICAL)
    yield Case("a variance of 0", flagged(("DATA", "STAT", ""), 1, 0, True), OPTICAL)
    all_bad = flagged(("DATA", "STAT", "MASK"), 1, 1)
    yield Case("all voxels flagged", all_bad, OPTICAL, "all voxels are flagged")

    for ctype, unit, more in (
        ("VRAD", "m/s", {}), ("VRAD", "km/s", {}), ("VOPT", "m/s", {}), ("VOPT", "km/s", {}),
        ("VOPT-F2W", "m/s", {}), ("FELO-HEL", "m/s", {}), ("VELO-F2V", "m/s", {}),
        ("VELO", "m/s", {}), ("VELO-LSR", "m/s", {"VELREF": 257}),
        ("VELO-HEL", "km/s", {"VELREF": 2}), ("VELOCITY", "", {}), ("FREQ", "Hz", {}),
        ("FREQ", "GHz", {}), ("FREQ", "MHZ", {}),
    ):  # fmt: skip
        name = f"{ctype} in {unit or 'no unit'}" + "".join(f", {k} {v}" for k, v in more.items())
        yield Case(name, radio(ctype, unit, **more), systemic=6020.0)
    yield Case("CASA: table of BEAMS", radio("FREQ", "Hz", beam="table"), systemic=6020.0)
    yield Case("VRAD without a rest frequency", radio("VRAD", rest=False), systemic=6020.0)
    lost = radio("FREQ", "Hz", rest=False)
    yield Case("FREQ without a rest frequency", lost, {}, "rest wavelength of the line isn't known")
    yield Case("FREQ, line given", lost, {"line": C * 1e13 / HI}, systemic=6020.0)
    lost = radio("VOPT-F2W", rest=False)
    yield Case("VOPT-F2W without one", lost, {}, "without a rest frequency")
    yield Case("VOPT-F2W, line given", lost, {"line": C * 1e13 / HI}, systemic=6020.0)
    yield Case("neither beam nor PSF", radio("VRAD", beam="none"), {}, "give the PSF's FWHM")
    yield Case("FREQ-LOG", radio("FREQ-LOG", "Hz"), {}, "resample the cube first")

    stretched = changed(optical(), _with(CDELT2=2 * SCALE / 3600))
    yield Case("pixels that aren't square", stretched, OPTICAL, "expected square ones")
    flat = changed(optical(), _without("CTYPE1", "CTYPE2", "CDELT1", "CDELT2"))
    yield Case("no sky", flat, OPTICAL, "pixel scale in arcsec")
    yield Case("no sky, scale given", flat, {**OPTICAL, "pixel_scale": SCALE})
    matrix = _with(CD1_1=-SCALE / 3600, CD2_2=SCALE / 3600, CD3_3=1.5)
    yield Case("CD matrix", changed(optical(), matrix), OPTICAL)
    galactic = _with(CTYPE1="GLON-CAR", CTYPE2="GLAT-CAR", CRVAL2=0.0)
    yield Case("galactic coordinates", changed(optical(), galactic), OPTICAL)
    yield Case("wavelength on the first axis", changed(optical(), _spectrum_first), OPTICAL)
    yield Case("an image", two_dimensional, OPTICAL, "2-D")

    bare = {"line": "halpha", "redshift": REDSHIFT}
    oval, moffat = GaussianPSF(0.9, axis_ratio=0.6, angle=20.0), MoffatPSF(0.7, 2.5)
    yield Case("elliptical Gaussian", optical(psf=oval),
               {**bare, "psf_fwhm": 0.9, "psf_axis_ratio": 0.6, "psf_angle": 20.0})  # fmt: skip
    yield Case("Moffat", optical(psf=moffat), {**bare, "psf_fwhm": 0.7, "psf_beta": 2.5})
    for name, scale, how in (("as large", SCALE, {}), ("finer", 0.1, {"pixel_response": True})):
        for kind, psf in (("elliptical Gaussian", oval), ("Moffat", moffat)):
            made = beside(optical(psf=psf, **how), "psf.fits", _psf_image(psf, scale))
            yield Case(f"PSF image, {kind}, pixels {name}", made, {**bare, "psf": "psf.fits"})
    planes = beside(optical(), "psf.fits", _psf_image(GaussianPSF(FWHM), SCALE, (0.9, 0.7, 0.5)))
    yield Case("PSF cube", planes, {**bare, "psf": "psf.fits"})
    width, waves = 60.0 / C * MIDDLE * FWHM_PER_SIGMA, [MIDDLE - 500.0, MIDDLE + 500.0]
    wide = optical(spread=60.0, channel_response=False)
    widths = [width - 0.5, width + 0.5]
    tables = {"fwhm": widths, "R": [w / b for w, b in zip(waves, widths, strict=True)]}
    for kind, values in tables.items():
        made = beside(wide, "lsf.ecsv", _table(wavelength=waves, **{kind: values}))
        yield Case(f"line spread as a table of {kind}", made, {**OPTICAL, "lsf": "lsf.ecsv"})
    power = MIDDLE / width
    yield Case("R(lambda)", wide, {**OPTICAL, "resolving_power": (0.5 * power, 0.5 / width)})

    names = ("halpha", 6585.27, 6549.86)
    for order in ((0, 1, 2), (2, 0, 1)):
        lines = tuple(str(names[k]) for k in order)
        made, own = three_lines(order), {**bare, "psf_fwhm": FWHM, "line": lines}
        yield Case(f"three lines, {order}", made, own)
        narrow = {**own, "velocity_range": (-600.0, 600.0)}
        yield Case(f"three lines, {order}, 600 km/s", made, narrow, "leave it out of `line`")


def run(case: Case, folder: Path) -> tuple[bool, str]:
    """Fit one case; return whether it went as it should, and words."""
    path = folder / "cube.fits"
    case.make(path)
    settings = dict(case.settings)
    for name in ("psf", "lsf"):
        if name in settings:
            settings[name] = str(folder / settings[name])
    fixed = {"sersic_index": 1.0, "scale_height": 0.1}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            result = fit(path, fix=fixed, method="laplace", **settings)
    except InputError as refusal:
        text = str(refusal).replace(str(folder), "")
        sound = bool(case.refused) and case.refused in text and "\n" not in text
        return sound, f"refused: {text}"
    pulls = {}
    truth = TRUTH | {"systemic_velocity": case.systemic}
    for row in result.table:
        if row["name"] in CHECKED:
            pulls[row["name"]] = (row["median"] - truth[row["name"]]) / row["deviation"]
    worst = max(pulls, key=lambda name: abs(pulls[name]))
    words = f"fitted: {worst} {pulls[worst]:+.1f} sigma, {result.verdict.word}"
    return not case.refused and abs(pulls[worst]) < 4 and len(pulls) == len(CHECKED), words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only cases whose names have one of these")
    wanted = [word.casefold() for word in parser.parse_args().words]
    begin, wrong, count = time.process_time(), 0, 0
    for case in cases():
        if wanted and not any(word in case.name.casefold() for word in wanted):
            continue
        with tempfile.TemporaryDirectory() as folder:
            sound, words = run(case, Path(folder))
        count, wrong = count + 1, wrong + (not sound)
        print(f"{'ok   ' if sound else 'WRONG'}  {case.name:48s} {words}", flush=True)
    print(f"{count - wrong} of {count} as they should be, {time.process_time() - begin:.0f} CPU s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
