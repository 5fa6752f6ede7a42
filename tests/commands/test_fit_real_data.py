"""Real cubes, and one of GalPaK3D's mocks, by the command line."""

import contextlib
import tarfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import clumpygan
from clumpygan.commands.fit import main

pytestmark = pytest.mark.real_data


def fitted(path, folder, *words):
    """Fit; return the table, with rows by name."""
    more = ["--method", "laplace", "--no-picture", "--output", str(folder / "out")]
    with contextlib.suppress(SystemExit):  # a parameter near its bound, perhaps
        main([str(path), *map(str, words), *more])
    table = Table.read(folder / "out" / f"{path.stem}_table.ecsv")
    table.add_index("name")
    return table


def test_a_mock_of_galpak(real_data: Path, tmp_path: Path, capsys) -> None:
    """Inclination 60, 199 km/s, as its name says; without variance and world coordinates."""
    path = real_data / "cubes" / "MOCK_galpak_1101_incl60_vmax199_disp80.fits"
    table = fitted(path, tmp_path, "--line", "Ha", "--redshift", 0, "--medium", "vacuum",
                   "--pixel-scale", 0.2, "--psf-fwhm", 0.8, "--line-spread", 50)  # fmt: skip
    assert "no variance; estimated from the sides of the field" in capsys.readouterr().err
    assert table.loc["inclination"]["median"] == pytest.approx(60, abs=8)
    speed = table.loc["maximum_velocity"]
    assert abs(speed["median"] - 199) < 2 * speed["deviation"]
    assert table.meta["reduced_chi_squared"] == pytest.approx(1, abs=0.1)


def test_a_mock_of_galpak_at_its_own_seeing(real_data: Path, tmp_path: Path) -> None:
    """Its seeing is 1.0", as large as the galaxy: size, speed and dispersion come out.

    The inclination doesn't: that of the least squares of GalPaK3D's own model is 69.3 +- 2.5 too.
    That the fit hangs on the PSF is said: of the size, for the 4 degrees by which a PSF 10 % wider
    turns the disk are within the errors, which include how irregular galaxies are.
    """
    path = real_data / "cubes" / "MOCK_galpak_1101_incl60_vmax199_disp80.fits"
    table = fitted(path, tmp_path, "--line", "Ha", "--redshift", 0, "--medium", "vacuum",
                   "--pixel-scale", 0.2, "--psf-fwhm", 1.0, "--line-spread", 50)  # fmt: skip
    for name, truth in (
        ("half_light_radius", 0.816), ("maximum_velocity", 199), ("velocity_dispersion", 80),
    ):  # fmt: skip
        assert abs(table.loc[name]["median"] - truth) < 2 * table.loc[name]["deviation"]
    assert table.loc["inclination"]["median"] == pytest.approx(69.3, abs=3)
    (told,) = [text for text in table.meta["remarks"] if "PSF 10 % wider" in text]
    assert "half_light_radius by -0.05" in told
    assert 3 < table.loc["inclination"]["deviation"] < 6


def test_the_doublet_of_j1422(real_data: Path, tmp_path: Path) -> None:
    """An [OII] emitter at z = 0.91 beside the residual of a quasar, which is masked."""
    path = real_data / "cubes" / "MUSE_J1422_OII_subcube.fits"
    y, x = (np.indices((30, 30)) - 14.5) * 0.2
    mask = (np.hypot(x + 1.5, y - 0.9) < 1.25) | (np.hypot(x, y) > 2.5)
    fits.writeto(tmp_path / "mask.fits", mask.astype(np.int16))
    variance = real_data / "cubes" / "MUSE_J1422_OII_variance.fits"
    table = fitted(path, tmp_path, "--variance", variance, "--mask", tmp_path / "mask.fits",
                   "--line", "[OII]", "--redshift", 0.91, "--instrument", "muse_wfm",
                   "--medium", "air", "--psf-fwhm", 0.8,
                   "--subtract-continuum", -320, 420)  # fmt: skip
    assert abs(table.loc["offset_x"]["median"]) < 1
    assert abs(table.loc["offset_y"]["median"]) < 1
    assert table.loc["systemic_velocity"]["median"] == pytest.approx(-60, abs=60)
    assert 0.3 < table.loc["doublet_ratio"]["median"] < 1.5
    assert table.meta["reduced_chi_squared"] < 2


def test_ngc_4324(real_data: Path, tmp_path: Path) -> None:
    """A ring of CO at an inclination of 65, PA 230, 175 km/s."""
    path = real_data / "cubes" / "NGC4324_CARMA_CO10.fits"
    table = fitted(path, tmp_path, "--light", "ring", "--size", 50)
    assert table.loc["inclination"]["median"] == pytest.approx(65, abs=4)
    assert table.loc["position_angle"]["median"] == pytest.approx(230, abs=8)
    assert table.loc["maximum_velocity"]["median"] == pytest.approx(175, abs=40)
    assert table.loc["systemic_velocity"]["median"] == pytest.approx(1662, abs=8)
    assert np.isfinite(table["deviation"]).all()


@pytest.mark.parametrize(
    ("name", "angle", "speed"),
    [("10496-12702", 65, 430), ("10504-12702", 222, 232)],
)
def test_stellar_velocities_of_manga(
    name: str, angle: float, speed: float, real_data: Path, tmp_path: Path
) -> None:
    """Voronoi-binned maps with errors in files of their own."""
    with tarfile.open(real_data / "velocity_maps" / "manga_stellar_402.tar") as tar:
        for kind in ("kin_maps", "kin_maps_e"):
            tar.extract(f"{kind}/{name}.fits.gz", tmp_path, filter="data")
    path = tmp_path / "kin_maps" / f"{name}.fits.gz"
    errors = tmp_path / "kin_maps_e" / "{name}.fits.gz"
    result = clumpygan.fit(path, map=True, errors=str(errors), unit="km/s", pixel_scale=0.5,
                           psf_fwhm=2.5, method="laplace")  # fmt: skip
    rows = {row["name"]: row for row in result.table}
    assert result.verdict.word == "good"
    assert result.settings["bins"] < 0.5 * result.observation.valid.sum()
    for parameter, value in (("position_angle", angle), ("maximum_velocity", speed)):
        row = rows[parameter]
        assert abs(row["median"] - value) < 4 * row["deviation"]
    assert rows["position_angle"]["deviation"] < 5
