"""Cubes written and read back, and files as other programs write them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.cubes.reading import Cube, read_cube
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.units import Beam
from clumpygan.io.cubes.writing import write_cube
from clumpygan.io.region import Region
from clumpygan.io.wcs import mirrored, north_angle

Write = Callable[..., Path]
SHAPE = (8, 5, 6)
AXIS = SpectralAxis("wavelength", 7100.0, 1.25, 8, medium="air")
MUSE_UNIT = "10**(-20)*erg/s/cm**2/Angstrom"


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(1).normal(3.0, 1.0, SHAPE).astype(np.float32)


@pytest.fixture
def muse_header() -> fits.Header:
    header = fits.Header()
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"})
    header.update({"CRVAL1": 215.7, "CRVAL2": -0.02, "CRPIX1": 3.0, "CRPIX2": 2.0})
    header.update({"CD1_1": -0.2 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.2 / 3600})
    header.update({"CTYPE3": "AWAV", "CUNIT3": "Angstrom", "CRVAL3": 7100.0, "CRPIX3": 1.0})
    header.update({"CD3_3": 1.25, "CD1_3": 0.0, "CD2_3": 0.0, "CD3_1": 0.0, "CD3_2": 0.0})
    header["BUNIT"] = MUSE_UNIT
    return header


@pytest.fixture
def save(tmp_path: Path, muse_header: fits.Header, data: np.ndarray) -> Write:
    """Save a cube as MUSE's pipeline does, with whatever else the test wants otherwise."""

    def _save(
        array: np.ndarray | None = None,
        *,
        variance: np.ndarray | None = None,
        name: str = "cube.fits",
        data_name: str = "DATA",
        noise_name: str = "STAT",
        noise_unit: str = "",
        others: dict[str, np.ndarray] | None = None,
        **cards: object,
    ) -> Path:
        header = muse_header.copy()
        for keyword, value in cards.items():
            if value is None:
                del header[keyword]
            else:
                header[keyword] = value
        hdus = [fits.PrimaryHDU()]
        hdus.append(fits.ImageHDU(data if array is None else array, header, name=data_name))
        if variance is not None:
            header["BUNIT"] = noise_unit
            hdus.append(fits.ImageHDU(variance, header, name=noise_name))
        hdus += [fits.ImageHDU(one, header, name=key) for key, one in (others or {}).items()]
        fits.HDUList(hdus).writeto(tmp_path / name)
        return tmp_path / name

    return _save


def rewritten(cube: Cube, path: Path) -> Cube:
    """Write a cube that was read, and read it again."""
    write_cube(
        path,
        cube.data,
        axis=cube.axis,
        pixel_scale=cube.pixel_scale,
        variance=cube.variance,
        mask=cube.mask,
        wcs=cube.wcs,
        unit=cube.unit,
        beam=cube.beam,
        parameters=cube.parameters,
        seed=cube.seed,
    )
    return read_cube(path)


def test_a_mock_comes_back_exactly(tmp_path: Path, data: np.ndarray) -> None:
    variance = np.linspace(0.5, 2.0, data.size, dtype=np.float32).reshape(SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[3, 4, 5] = True
    write_cube(
        tmp_path / "mock.fits",
        data,
        axis=AXIS,
        pixel_scale=0.2,
        variance=variance,
        mask=mask,
        centre=(150.1, 2.2),
        unit="1e-20 erg/s/cm2/Angstrom",
        seed=0,
    )
    cube = read_cube(tmp_path / "mock.fits")
    np.testing.assert_array_equal(cube.mask, mask)
    np.testing.assert_array_equal(cube.data, np.where(mask, 0, data))
    assert cube.variance is not None
    np.testing.assert_array_equal(cube.variance, np.where(mask, np.inf, variance))
    assert cube.data.dtype == cube.variance.dtype == np.float32
    assert cube.axis == AXIS
    assert cube.seed == 0
    assert cube.parameters == {}
    assert cube.pixel_scale == pytest.approx(0.2, rel=1e-12)
    assert cube.unit == units.Unit("1e-20 erg / (s cm2 Angstrom)")
    assert cube.masked_fraction == 1 / data.size
    assert cube.wcs is not None
    centre = cube.wcs.wcs_pix2world([[2.5, 2.0]], 0)[0]
    np.testing.assert_allclose(centre, (150.1, 2.2), atol=1e-10)
    assert north_angle(cube.wcs) == pytest.approx(0, abs=1e-9)
    assert not mirrored(cube.wcs)


def test_both_extensions_have_the_whole_wcs(tmp_path: Path, data: np.ndarray) -> None:
    path = tmp_path / "mock.fits"
    write_cube(path, data, axis=AXIS, pixel_scale=0.2, variance=data**2, unit=MUSE_UNIT)
    with fits.open(path, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "DATA", "STAT"]
        assert hdus["DATA"].header["BUNIT"] == "10**-20 erg Angstrom-1 s-1 cm-2"
        assert (
            units.Unit(hdus["STAT"].header["BUNIT"])
            == units.Unit(hdus["DATA"].header["BUNIT"]) ** 2
        )
        for hdu in hdus[1:]:
            assert hdu.header["CUNIT1"] == "deg"
            assert hdu.header["CUNIT3"] == "Angstrom"
            assert hdu.header["CTYPE3"] == "AWAV"
            assert hdu.header["CDELT2"] == pytest.approx(0.2 / 3600)
            np.testing.assert_allclose(
                WCS(hdu.header).spectral.wcs_pix2world([[0], [7]], 0)[:, 0] * 1e10, (7100, 7108.75)
            )


def test_parameters_come_back_to_the_last_bit(tmp_path: Path, data: np.ndarray) -> None:
    values = np.random.default_rng(0).normal(size=30) * 10.0 ** np.arange(-300, 300, 20)
    parameters = {f"clump_{i}_dispersion": float(value) for i, value in enumerate(values)}
    parameters |= {"flux": 1e-17, "inclination": 60, "curve": "tanh", "note": "it's 5 / wide"}
    comments = {"inclination": "deg", "curve": "rotation curve " * 10}
    path = tmp_path / "mock.fits"
    write_cube(
        path, data, axis=AXIS, pixel_scale=0.2, parameters=parameters, comments=comments, seed=7
    )
    cube = read_cube(path)
    assert cube.parameters == parameters
    assert list(cube.parameters) == list(parameters)
    assert cube.seed == 7
    header = fits.getheader(path)
    assert str(header.cards["CLUMPYGAN inclination"]).strip() == (
        "HIERARCH CLUMPYGAN inclination = 60.0 / deg"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("flux", np.nan), ("flux", np.inf), ("note", "x" * 80), ("note", "ü"), ("note", "a "),
     ("note", "a' / b"), ("Flux", 1.0), ("a b", 1.0)],
)  # fmt: skip
def test_parameters_that_fit_no_card(
    tmp_path: Path, data: np.ndarray, name: str, value: float | str
) -> None:
    with pytest.raises(InputError, match=name):
        write_cube(tmp_path / "a.fits", data, axis=AXIS, pixel_scale=0.2, parameters={name: value})
    assert not list(tmp_path.iterdir())


def test_a_velocity_cube_counts_from_the_source(tmp_path: Path, data: np.ndarray) -> None:
    axis = SpectralAxis("velocity", -200.0, 57.0, 8, rest_wavelength=6564.6, origin=0.91)
    write_cube(tmp_path / "v.fits", data, axis=axis, pixel_scale=0.2)
    cube = read_cube(tmp_path / "v.fits")
    np.testing.assert_allclose(cube.velocities(), axis.values, atol=1e-9)
    assert cube.axis.rest_wavelength == pytest.approx(6564.6, rel=1e-14)
    assert cube.axis.redshift == cube.axis.origin == 0.91


def test_a_muse_cube(save: Write, data: np.ndarray) -> None:
    variance = np.full(SHAPE, 2.0, np.float32)
    cube = read_cube(save(variance=variance), rest_wavelength=3728.5, redshift=0.905)
    np.testing.assert_array_equal(cube.data, data)
    np.testing.assert_array_equal(cube.variance, variance)
    assert cube.data.dtype.isnative
    assert cube.pixel_scale == pytest.approx(0.2)
    assert cube.axis.medium == "air"
    assert cube.velocities()[0] < 0 < cube.velocities()[-1]
    assert cube.wcs is not None
    np.testing.assert_allclose(cube.wcs.wcs_pix2world([[2.0, 1.0]], 0)[0], (215.7, -0.02))


@pytest.mark.parametrize(
    ("name", "stored", "unit"),
    [
        ("STAT", 4.0, ""),
        ("STAT", 4.0, MUSE_UNIT + "**2"),  # as MUSE wrote for years: the bracket is missing
        ("STAT", 4.0, f"({MUSE_UNIT})**2"),
        ("STAT", 4e-40, "erg2 s-2 cm-4 Angstrom-2"),
        ("ERR", 2.0, MUSE_UNIT),
        ("NOISE", 2e-20, "erg/s/cm**2/Angstrom"),
        ("IVAR", 0.25, ""),
    ],
)
def test_noise_of_any_kind_becomes_a_variance(
    save: Write, name: str, stored: float, unit: str
) -> None:
    path = save(variance=np.full(SHAPE, stored), noise_name=name, noise_unit=unit)
    cube = read_cube(path)
    assert cube.variance is not None
    np.testing.assert_allclose(cube.variance, 4.0, rtol=1e-6)


def test_a_variance_in_a_file_of_its_own(save: Write, tmp_path: Path) -> None:
    path = save(CDELT3=-1.25, CD3_3=-1.25)
    variance = np.arange(1.0, 1.0 + np.prod(SHAPE)).reshape(SHAPE)
    fits.writeto(tmp_path / "variance.fits", variance)
    cube = read_cube(path, variance=tmp_path / "variance.fits")
    np.testing.assert_allclose(cube.variance, variance[::-1])
    fits.writeto(tmp_path / "short.fits", variance[1:])
    with pytest.raises(InputError, match=r"short.fits: the variance has shape \(7, 5, 6\)"):
        read_cube(path, variance=tmp_path / "short.fits")
    sigma = fits.ImageHDU(np.full(SHAPE, 3.0), name="NOISE")
    fits.HDUList([fits.PrimaryHDU(), sigma]).writeto(tmp_path / "sigma.fits")
    assert (read_cube(path, variance=tmp_path / "sigma.fits").variance == 9).all()


def test_a_mask_in_a_file_of_its_own(save: Write, tmp_path: Path) -> None:
    path = save(CDELT3=-1.25, CD3_3=-1.25)
    mask = np.zeros(SHAPE, np.int16)
    mask[0, 1, 2] = 3
    fits.writeto(tmp_path / "mask.fits", mask)
    fits.writeto(tmp_path / "image.fits", mask[0])
    cube = read_cube(path, mask=tmp_path / "mask.fits")
    np.testing.assert_array_equal(cube.mask, mask[::-1] != 0)
    assert (cube.data[cube.mask] == 0).all()
    cube = read_cube(path, mask=tmp_path / "image.fits")
    np.testing.assert_array_equal(cube.mask, np.broadcast_to(mask[0] != 0, SHAPE))
    part = read_cube(path, mask=tmp_path / "image.fits", region=Region(pixel=(3, 1), size=0.2))
    assert part.data.shape[1:] == (1, 1)
    for wrong in (mask[1:], mask[0, 1:]):
        fits.writeto(tmp_path / "short.fits", wrong, overwrite=True)
        with pytest.raises(InputError, match=r"short.fits: the mask has shape .*; expected \(8, 5"):
            read_cube(path, mask=tmp_path / "short.fits")
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(InputError, match=r"empty.fits: holds no image; expected a mask"):
        read_cube(path, mask=tmp_path / "empty.fits")


def test_a_falling_axis_is_turned_around(save: Write, data: np.ndarray) -> None:
    cube = read_cube(save(variance=data**2 + 1, CD3_3=-1.25))
    np.testing.assert_allclose(cube.axis.values, 7100 - 1.25 * np.arange(8)[::-1])
    np.testing.assert_array_equal(cube.data, data[::-1])
    np.testing.assert_array_equal(cube.variance, (data**2 + 1)[::-1])


def test_a_file_of_kmos(save: Write, data: np.ndarray) -> None:
    cards = {"CTYPE3": "WAVE", "CUNIT3": "um", "CRVAL3": 2.1, "CD3_3": 2.8e-4}
    path = save(
        variance=np.full(SHAPE, 2.0),
        data_name="IFU.3.DATA",
        noise_name="IFU.3.NOISE",
        others={"IFU.5.DATA": data + 1, "IFU.5.NOISE": np.full(SHAPE, 3.0)},
        **cards,
    )
    with pytest.raises(InputError, match=r"holds 2 cubes \(IFU.3.DATA, IFU.5.DATA\); say which"):
        read_cube(path)
    cube, other = read_cube(path, hdu="IFU.3"), read_cube(path, hdu="ifu.5.data")
    np.testing.assert_array_equal(other.data, data + 1)
    assert (cube.variance == 4).all()
    assert (other.variance == 9).all()
    assert cube.axis.medium == "vacuum"
    assert cube.axis.step == pytest.approx(2.8)


@pytest.mark.parametrize("order", [(3, 4), (4, 3)])
def test_a_radio_cube_of_four_axes(
    tmp_path: Path, data: np.ndarray, order: tuple[int, int]
) -> None:
    spectral, stokes = order
    header = fits.Header()
    header.update({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 185.8, "CRVAL2": 5.25})
    header.update({"CRPIX1": 1.0, "CRPIX2": 1.0, "CDELT1": -1 / 3600, "CDELT2": 1 / 3600})
    header.update({f"CTYPE{stokes}": "STOKES", f"CRVAL{stokes}": 1.0, f"CDELT{stokes}": 1.0})
    header.update({f"CTYPE{spectral}": "FREQ", f"CUNIT{spectral}": "Hz"})
    header.update({f"CRVAL{spectral}": 1.15e11, f"CDELT{spectral}": -1e6, f"CRPIX{spectral}": 1.0})
    header.update({"RESTFRQ": 1.15271202e11, "BMAJ": 4e-3, "BMIN": 2e-3, "BPA": 15.0})
    header["BUNIT"] = "JY/BEAM"
    array = data[None] if stokes == 4 else data[:, None]
    fits.writeto(tmp_path / "co.fits", array, header)
    cube = read_cube(tmp_path / "co.fits")
    np.testing.assert_array_equal(cube.data, data)
    assert cube.unit == units.Jy / units.beam
    assert cube.beam == Beam(pytest.approx(14.4), pytest.approx(7.2), 15.0)
    expected = (cube.axis.values * units.Hz).to(
        units.km / units.s, units.doppler_relativistic(1.15271202e11 * units.Hz)
    )
    np.testing.assert_allclose(cube.velocities(), expected.value, atol=1e-6)
    assert cube.pixel_scale == pytest.approx(1.0)


def test_axes_in_another_order(tmp_path: Path, data: np.ndarray) -> None:
    header = fits.Header()
    header.update({"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 7100.0, "CDELT1": 1.25})
    header.update({"CTYPE2": "RA---TAN", "CRVAL2": 10.0, "CDELT2": -1e-4})
    header.update({"CTYPE3": "DEC--TAN", "CRVAL3": 20.0, "CDELT3": 1e-4})
    header.update({f"CRPIX{n}": 1.0 for n in (1, 2, 3)})
    fits.writeto(tmp_path / "cube.fits", data.transpose(1, 2, 0), header)
    cube = read_cube(tmp_path / "cube.fits")
    np.testing.assert_array_equal(cube.data, data)
    assert cube.axis.first == 7100
    assert cube.wcs is not None
    np.testing.assert_allclose(cube.wcs.wcs_pix2world([[0.0, 5.0]], 0)[0], (10, 20.0005), atol=1e-9)


def test_flags_and_nan_are_masked(save: Write, data: np.ndarray) -> None:
    data[0, 0, 0], data[1, 1, 1] = np.nan, np.inf
    flags = np.zeros(SHAPE, np.uint8)
    flags[2, 2, 2] = 1
    variance = np.full(SHAPE, 2.0)
    variance[3, 3, 3] = np.inf
    cube = read_cube(save(data, variance=variance, others={"DQ": flags}))
    assert set(zip(*np.nonzero(cube.mask), strict=True)) == {(i, i, i) for i in range(4)}
    assert (cube.data[cube.mask] == 0).all()
    assert np.isinf(cube.variance[cube.mask]).all()


def test_rotated_fields_keep_their_orientation(save: Write, tmp_path: Path) -> None:
    angle = np.radians(42)
    step = 0.2 / 3600
    rotated = {
        "CD1_1": -step * np.cos(angle), "CD1_2": step * np.sin(angle),
        "CD2_1": step * np.sin(angle), "CD2_2": step * np.cos(angle),
    }  # fmt: skip
    cube = read_cube(save(**rotated))
    assert cube.pixel_scale == pytest.approx(0.2)
    assert north_angle(cube.wcs) == pytest.approx(-42)
    again = rewritten(cube, tmp_path / "again.fits")
    header = fits.getheader(tmp_path / "again.fits", "DATA")
    assert header["CDELT2"] == pytest.approx(step)  # what programs without PC look at
    places = [[0.0, 0.0], [5.0, 4.0], [0.0, 4.0]]
    np.testing.assert_allclose(
        again.wcs.wcs_pix2world(places, 0), cube.wcs.wcs_pix2world(places, 0), atol=1e-10
    )


def test_a_pc_matrix(save: Write) -> None:
    angle = np.radians(30)
    path = save(
        **{f"CD{i}_{j}": None for i in (1, 2, 3) for j in (1, 2, 3)},
        CDELT1=-0.2 / 3600, CDELT2=0.2 / 3600, CDELT3=1.25,
        PC1_1=np.cos(angle), PC1_2=np.sin(angle), PC2_1=-np.sin(angle), PC2_2=np.cos(angle),
    )  # fmt: skip
    cube = read_cube(path)
    assert cube.pixel_scale == pytest.approx(0.2)
    assert abs(north_angle(cube.wcs)) == pytest.approx(30)
    assert cube.axis.step == 1.25


@pytest.mark.parametrize("dtype", [">i2", ">i4", "u1", ">f8", "<f4"])
def test_numbers_of_any_type(save: Write, data: np.ndarray, dtype: str) -> None:
    values = np.round(data * 10).astype(dtype)
    cube = read_cube(save(values))
    np.testing.assert_array_equal(cube.data, values)
    assert cube.data.dtype == np.float32


def test_scaled_integers_with_blanks(tmp_path: Path, muse_header: fits.Header) -> None:
    stored = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    hdu = fits.PrimaryHDU(stored, muse_header)
    hdu.header.update({"BSCALE": 0.5, "BZERO": 100.0, "BLANK": 7})
    hdu.writeto(tmp_path / "scaled.fits")
    cube = read_cube(tmp_path / "scaled.fits")
    with fits.open(tmp_path / "scaled.fits") as hdus:
        expected = hdus[0].data
    np.testing.assert_array_equal(cube.mask, np.isnan(expected))
    np.testing.assert_array_equal(cube.data[~cube.mask], expected[~cube.mask])
    assert cube.data.max() > 150
    assert cube.mask.sum() == 1


def test_compressed_files(save: Write, tmp_path: Path, data: np.ndarray) -> None:
    np.testing.assert_array_equal(read_cube(save(name="cube.fits.gz")).data, data)
    header = fits.getheader(tmp_path / "cube.fits.gz", "DATA")
    tiles = fits.CompImageHDU(data, header, name="DATA", compression_type="GZIP_2")
    tiles.quantize_level = 0
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(tmp_path / "cube.fits.fz")
    np.testing.assert_allclose(read_cube(tmp_path / "cube.fits.fz").data, data, rtol=1e-5)


def test_tiny_fluxes_keep_their_variance(save: Write, data: np.ndarray, tmp_path: Path) -> None:
    path = save(data * 1e-20, variance=np.full(SHAPE, 2e-40), BUNIT="erg/s/cm2/Angstrom")
    cube = read_cube(path)
    assert cube.unit is not None
    assert cube.variance is not None
    factor = cube.unit.to("erg/(s cm2 Angstrom)")
    np.testing.assert_allclose(cube.data * factor, data * 1e-20, rtol=1e-6)
    np.testing.assert_allclose(cube.variance.astype(float) * factor**2, 2e-40, rtol=1e-6)
    again = rewritten(cube, tmp_path / "again.fits")
    np.testing.assert_array_equal(again.data, cube.data)
    assert again.unit == cube.unit


def test_a_cube_that_was_read_is_written_as_it_was(save: Write, tmp_path: Path) -> None:
    variance = np.full(SHAPE, 2.0)
    variance[0, 0, 0] = np.nan
    with pytest.warns(InputWarning, match="NaN in 1 voxels"):
        cube = read_cube(save(variance=variance), rest_wavelength=3728.5, redshift=0.9)
    again = rewritten(cube, tmp_path / "again.fits")
    for name in ("data", "mask", "variance"):
        np.testing.assert_array_equal(getattr(again, name), getattr(cube, name))
    assert again.unit == cube.unit
    assert again.axis.rest_wavelength == pytest.approx(3728.5, rel=1e-12)
    np.testing.assert_allclose(again.velocities(), cube.velocities(), atol=1e-8)


def test_a_cube_without_a_sky(tmp_path: Path, data: np.ndarray) -> None:
    header = fits.Header({"CTYPE3": "AWAV", "CUNIT3": "Angstrom", "CRVAL3": 6564.0, "CDELT3": 1.25})
    header["CRPIX3"] = 1.0
    fits.writeto(tmp_path / "cube.fits", data, header)
    with pytest.raises(InputError, match="no celestial WCS; give the pixel scale in arcsec"):
        read_cube(tmp_path / "cube.fits")
    cube = read_cube(tmp_path / "cube.fits", pixel_scale=0.2)
    assert cube.wcs is None
    assert cube.pixel_scale == 0.2
    assert rewritten(cube, tmp_path / "again.fits").pixel_scale == pytest.approx(0.2)
