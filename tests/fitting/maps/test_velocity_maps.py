"""Velocity maps: the field of a disk, bins, fits of mocks, verdicts, the program."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from scipy.ndimage import gaussian_filter

from clumpygan import fit
from clumpygan.commands.fit import main
from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter
from clumpygan.fitting.maps.fitter import MapFitter
from clumpygan.fitting.maps.observation import observe_map, spatial_bins
from clumpygan.galaxies.disks.disk_model import DiskModel
from clumpygan.galaxies.rendering.velocity_field import VelocityFieldRenderer
from clumpygan.instruments.spread import FWHM_PER_SIGMA, GaussianPSF, MeasuredPSF
from clumpygan.io.velocity_map import VelocityMap

SIDE, SCALE, FWHM = 31, 0.5, 2.0
TRUTH = {
    "offset_x": 0.3, "offset_y": -0.4, "systemic_velocity": 1020.0, "inclination": 58.0,
    "position_angle": 300.0, "maximum_velocity": 210.0, "turnover_radius": 1.2,
}  # fmt: skip
PSF = partial(GaussianPSF(FWHM).transfer, wavelength=7000.0)


def vector_of(**values: float) -> np.ndarray:
    model = DiskModel()
    vector = model.defaults()
    for name, value in {**TRUTH, "half_light_radius": 4.0, "sersic_index": 1.0, **values}.items():
        vector[model.index(name)] = value
    return vector


def mock(sigma: float = 6.0, seed: int = 3, **values: float) -> VelocityMap:
    renderer = VelocityFieldRenderer((SIDE, SIDE), SCALE, psf=PSF, psf_fwhm=FWHM)
    field, light = renderer.render(vector_of(**values))
    noise = sigma * np.random.default_rng(seed).standard_normal(field.shape)
    return VelocityMap(field + noise, np.full(field.shape, sigma), SCALE, light)


@pytest.mark.parametrize("samples", [3, 4, 5])
def test_a_small_disk_has_velocities_all_over_a_large_field(samples: int) -> None:
    """Where there is no light, what few samples make of the PSF isn't taken for some."""
    renderer = VelocityFieldRenderer((40, 40), FWHM / samples, psf=PSF, psf_fwhm=FWHM)
    field, _ = renderer.render(vector_of(half_light_radius=0.4, inclination=78.0))
    assert np.abs(field - 1020.0).max() < 210.0
    assert np.ptp(field) > 200


@pytest.mark.parametrize("radius", [0.4, 4.0])
@pytest.mark.parametrize("scale", [FWHM / 3, 1.0, 2 * FWHM])
def test_a_measured_psf_below_zero_leaves_velocities_finite(scale: float, radius: float) -> None:
    """Noise of an image of the PSF takes light from where there is none."""
    y, x = np.indices((25, 25)) - 12
    noise = 1e-3 * np.random.default_rng(1).standard_normal(x.shape)
    array = np.exp(-0.5 * (x**2 + y**2) * (FWHM_PER_SIGMA / 3) ** 2) + noise
    measured = MeasuredPSF(array / array.sum(), FWHM / 3)
    transfer = partial(measured.transfer, wavelength=7000.0)
    renderer = VelocityFieldRenderer((40, 40), scale, psf=transfer, psf_fwhm=FWHM)
    vector = vector_of(half_light_radius=radius * max(scale, 1), inclination=78.0)
    field, light = renderer.render(vector)
    assert light.min() > 0
    assert np.abs(field - 1020.0).max() < 1000.0
    exact, seen = VelocityFieldRenderer((40, 40), scale, psf=PSF, psf_fwhm=FWHM).render(vector)
    bright = seen > 0.1 * seen.max()
    assert np.abs(field - exact)[bright].max() < 8.0


@pytest.mark.parametrize("flow", [0.0, -40.0])
def test_the_field_is_that_of_the_formula(flow: float) -> None:
    vector = vector_of(radial_velocity=flow)
    field = VelocityFieldRenderer((SIDE, SIDE + 4), SCALE)(vector)[0]
    y, x = np.indices(field.shape) * SCALE
    x = x - 0.5 * (SIDE + 3) * SCALE - 0.3
    y = y - 0.5 * (SIDE - 1) * SCALE + 0.4
    angle, tilt = np.radians(300.0), np.radians(58.0)
    along = -x * np.sin(angle) + y * np.cos(angle)
    across = (-x * np.cos(angle) - y * np.sin(angle)) / np.cos(tilt)
    radius = np.hypot(along, across)
    curve = 210.0 * 2 / np.pi * np.arctan(radius / 1.2)
    inwards = flow * radius / np.hypot(radius, 0.2 * 4.0)
    expected = 1020 + np.sin(tilt) * (curve * along + inwards * across) / radius
    np.testing.assert_allclose(field, expected, atol=1e-6)
    assert np.ptp(field) > 200


@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_smearing_is_the_mean_over_light_and_psf(scale: float) -> None:
    """Against a sum over fine samples and a Gaussian, in a pixel near the centre."""
    renderer = VelocityFieldRenderer((11, 11), scale, psf=PSF, psf_fwhm=FWHM)
    field, _ = renderer.render(vector_of())
    fine = VelocityFieldRenderer((401, 401), 0.1)
    velocity, light = fine.render(vector_of())
    y, x = (np.indices(velocity.shape) - 200) * 0.1
    for row, column in ((5, 5), (6, 4)):
        at = (column - 5) * scale, (row - 5) * scale
        seen = np.exp(-0.5 * ((x - at[0]) ** 2 + (y - at[1]) ** 2) * (FWHM_PER_SIGMA / FWHM) ** 2)
        if scale > 1:
            # Pixels of the size of the PSF add up what lies in them.
            seen = sum(
                np.exp(-0.5 * ((x - at[0] - dx) ** 2 + (y - at[1] - dy) ** 2)
                       * (FWHM_PER_SIGMA / FWHM) ** 2)
                for dx in np.linspace(-0.5, 0.5, 11) * scale
                for dy in np.linspace(-0.5, 0.5, 11) * scale
            )  # fmt: skip
        expected = float((seen * light * velocity).sum() / (seen * light).sum())
        assert field[row, column] == pytest.approx(expected, abs=1.5)
    unsmeared = VelocityFieldRenderer((11, 11), scale)(vector_of())[0]
    assert np.abs(field - unsmeared).max() > 10


@pytest.mark.parametrize("widths", [2.0, 5.0])
def test_pixels_wider_than_the_psf_see_the_mean_of_their_light(widths: float) -> None:
    """Against a Gaussian over samples several times as fine, wherever there is light."""
    scale, side, fine = widths * FWHM, 9, int(13 * widths)
    vector = vector_of(half_light_radius=2 * scale, turnover_radius=0.6 * scale)
    field = VelocityFieldRenderer((side, side), scale, psf=PSF, psf_fwhm=FWHM)(vector)[0]
    velocity, light = VelocityFieldRenderer((side * fine,) * 2, scale / fine).render(vector)
    sigma = fine / widths / FWHM_PER_SIGMA
    sums = [
        gaussian_filter(image, sigma, mode="constant")
        .reshape(side, fine, side, fine)
        .sum((1, 3))[1:-1, 1:-1]
        for image in (light * velocity, light)
    ]
    bright = sums[1] > 0.01 * sums[1].max()
    assert bright.sum() > 40
    away = field[1:-1, 1:-1] - sums[0] / sums[1]
    assert np.abs(away[bright]).max() < 0.35


def test_a_disk_is_measured_with_its_errors() -> None:
    result = fit(mock(), map=True, psf_fwhm=FWHM, seed=1)
    rows = {row["name"]: row for row in result.table}
    assert set(rows) == set(TRUTH)
    for name, truth in TRUTH.items():
        assert abs(rows[name]["median"] - truth) < 3.5 * rows[name]["deviation"], name
    assert rows["maximum_velocity"]["deviation"] < 25
    assert result.verdict.word == "good"
    assert result.verdict.chi_squared_of_signal == pytest.approx(1, abs=0.15)
    curve = result.rotation_curve()
    truth = 210 * 2 / np.pi * np.arctan(curve["radius"] / 1.2)
    assert np.median(np.abs(curve["velocity"] - truth)) < 15
    assert (curve["velocity_lower"] <= curve["velocity_upper"]).all()
    known = result.residual_map[result.observation.valid[0]]
    assert float(np.std(known)) == pytest.approx(6.0, rel=0.1)


def test_light_of_a_map_is_sharpened() -> None:
    """The observed flux, smeared itself, gives the turnover radius that the true light gives."""
    found = mock(sigma=2.0)
    with_map = fit(found, map=True, psf_fwhm=FWHM, method="laplace")
    rows = {row["name"]: row for row in with_map.table}
    assert with_map.settings["light"] == "map"
    row = rows["turnover_radius"]
    assert abs(row["median"] - 1.2) < 3.5 * row["deviation"]
    assert row["deviation"] < 0.15


def test_spaxels_of_a_bin_count_once() -> None:
    found = mock()
    velocity, error = found.velocity.copy(), found.error.copy()
    velocity[20:28, 3:9], error[20:28, 3:9] = 931.25, 4.5
    velocity[3:5, 20:22], error[3:5, 20:22] = 931.25, 4.5  # another one of the same value
    error[0] = np.inf
    binned = VelocityMap(velocity, error, SCALE)
    bins = spatial_bins(binned)
    assert (bins[0] == -1).all()
    assert len(np.unique(bins[20:28, 3:9])) == len(np.unique(bins[3:5, 20:22])) == 1
    assert bins[20, 3] != bins[3, 20]
    assert bins.max() + 1 == 30 * SIDE - 48 - 4 + 2
    assert observe_map(binned).binned().data.size == bins.max() + 1
    # Rounded to whole numbers, the same velocities may be chance.
    rounded = VelocityMap(np.rint(velocity), error, SCALE)
    assert spatial_bins(rounded).max() + 1 == 30 * SIDE


def test_what_neighbours_share_widens_the_errors() -> None:
    clean = mock()
    y, x = np.indices((SIDE, SIDE))
    wave = 12 * np.sin(x / 3.0) * np.cos(y / 2.5)
    shaken = VelocityMap(clean.velocity + wave, clean.error, SCALE, clean.light)
    results = [fit(one, map=True, psf_fwhm=FWHM, method="laplace") for one in (clean, shaken)]
    assert results[0].verdict.misfit < 1.3
    assert results[1].verdict.misfit > 2
    assert any("neighbouring residuals" in text for text in results[1].verdict.remarks)


def test_no_rotation_is_no_detection() -> None:
    still = VelocityMap(
        1020 + 6 * np.random.default_rng(2).standard_normal((SIDE, SIDE)),
        np.full((SIDE, SIDE), 6.0), SCALE,
    )  # fmt: skip
    result = fit(still, map=True, psf_fwhm=FWHM)
    assert result.verdict.word == "no detection"
    assert "one velocity for all is as good" in result.problems[0]


def test_the_program_fits_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = mock()
    for name, data in (("m", found.velocity), ("m_errors", found.error), ("m_flux", found.light)):
        fits.writeto(tmp_path / f"{name}.fits", data)
    words = [str(tmp_path / "m.fits"), "--map", "--errors", str(tmp_path / "{name}_errors.fits"),
             "--flux-map", str(tmp_path / "{name}_flux.fits"), "--pixel-scale", "0.5", "--psf-fwhm",
             "2", "--unit", "km/s", "--method", "laplace", "--curve", "arctan,tanh",
             "--output", str(tmp_path / "out")]  # fmt: skip
    main(words)
    text = capsys.readouterr().out
    assert "per velocity" in text
    assert "model arctan: probability" in text
    table = Table.read(tmp_path / "out" / "m_table.ecsv")
    assert table.meta["settings"]["bins"] == SIDE**2
    with fits.open(tmp_path / "out" / "m_residual.fits") as hdus:
        assert hdus[0].data.shape == (SIDE, SIDE)
        assert hdus[0].header["BUNIT"] == "km/s"
        assert float(np.nanstd(hdus[0].data)) == pytest.approx(6.0, rel=0.1)
    assert (tmp_path / "out" / "m_picture.png").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"map": True, "line": "halpha"}, "`line` is about cubes, not velocity maps"),
        ({"map": True, "clumps": 2}, "`clumps` is about cubes, not velocity maps"),
        ({"map": True, "method": "nuts"}, "`method` nuts is for cubes"),
        ({"map": True, "curve": "nfw_mass"}, "`curve` nfw_mass is for cubes"),
        ({"errors": "5"}, "`errors` is about velocity maps, not cubes"),
        ({"map": True, "errors": "-5"}, "`errors` -5: expected a number above 0, or a file"),
    ],
)
def test_settings_that_do_not_go_with_maps(settings: dict, message: str, tmp_path: Path) -> None:
    fits.writeto(tmp_path / "m.fits", mock().velocity)
    with pytest.raises(InputError, match=message):
        fit(tmp_path / "m.fits", **settings)


def test_maps_that_cannot_be_fitted() -> None:
    same = VelocityMap(np.full((9, 9), 5.0) + np.arange(81).reshape(9, 9) * 0, np.ones((9, 9)), 0.5)
    with pytest.raises(InputError, match=r"all velocities are 5 km/s"):
        fit(same, map=True)
    with pytest.raises(InputError, match=r"the PSF is 20 arcsec wide, the field 15\.5 arcsec"):
        fit(mock(), map=True, psf_fwhm=20.0)
    with pytest.raises(InputError, match=r"`curve` nfw_mass is for cubes; choose another one"):
        MapFitter(DiskModel(curve="nfw_mass")).fit(mock())
    with pytest.raises(InputError, match=r"is a velocity map; expected a cube, or `map`"):
        DiskFitter(psf_fwhm=1.0).observe(mock())
