"""The fast renderer against GalSim's drawImage of the same model, and against first principles."""

import galsim
import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies import (
    StampRenderer,
    draw_population,
    galsim_galaxy,
    without_neighbours,
)

LUMPS = {
    "axis_ratio": 0.6,
    "position_angle": 35.0,
    "arm_count": 3,
    "arm_fraction": 0.2,
    "clump_count": 2,
    "clump_fraction": 0.25,
    "clump_flux": np.array([0.15, 0.1]),
    "clump_x": np.array([1.2, -0.4]),
    "clump_y": np.array([0.3, 1.5]),
    "clump_size": np.array([0.05, 0.15]),
}
COMPANION = {"companion_flux": 400.0, "companion_x": 0.7, "companion_y": -0.3}
CASES = {
    "round disk": {},
    "inclined disk": {"axis_ratio": 0.3, "position_angle": 50.0},
    "de Vaucouleurs": {"sersic_index": 4.0, "half_light_radius": 0.6},
    "index 6": {"sersic_index": 6.0, "half_light_radius": 0.4, "axis_ratio": 0.8},
    "tiny bulge": {"bulge_fraction": 0.5, "bulge_half_light_radius": 0.03},
    "huge disk": {"half_light_radius": 2.0, "bulge_fraction": 0.1},
    "off centre": {"offset_x": 0.021, "offset_y": -0.084},
    "lumps": LUMPS,
    "sheared lumps": {**LUMPS, "g1": 0.1, "g2": -0.2},
    "sheared companion": {**COMPANION, "g1": -0.15, "g2": 0.05, "offset_x": 0.03},
}


@pytest.fixture(scope="module")
def renderer(psf):
    return StampRenderer(psf=psf)


def centroid(image, scale=0.06):
    axis = scale * (np.arange(image.shape[0]) - 0.5 * (image.shape[0] - 1))
    total = image.sum(dtype=np.float64)
    return (image.sum(axis=0) @ axis) / total, (image.sum(axis=1) @ axis) / total


@pytest.mark.parametrize("case", CASES)
def test_equals_galsim(case, renderer, psf, exact, plain):
    galaxy = plain | CASES[case]
    expected = exact(galaxy, psf)
    assert expected.max() > 1.0
    assert np.abs(renderer.render(galaxy) - expected).max() < 1e-4 * expected.max()


def even(table):
    """The galaxies without what is sampled on a grid, which GalSim's model leaves out."""
    found = table.copy()
    for name in ("turbulence", "lopsidedness", "dust_depth"):
        found[name] = 0.0
    return found


def test_a_population_equals_galsim(renderer, psf, exact):
    table = even(without_neighbours(draw_population(4, seed=3, split="battery")))
    for stamp, row in zip(renderer.render_table(table), table, strict=True):
        expected = exact(row, psf)
        assert np.abs(stamp - expected).max() < 1e-4 * expected.max()


def test_neighbours_equal_galsim(renderer, psf, exact):
    """The wings of the PSF of those at the edge come in from the other side, in GalSim too."""
    table = even(draw_population(3, seed=3, split="battery"))
    assert table["neighbour_count"].min() > 2
    for stamp, row in zip(renderer.render_table(table), table, strict=True):
        expected = exact(row, psf)
        assert np.abs(stamp - expected).max() < 3e-4 * expected.max()


@pytest.mark.parametrize(("size", "scale"), [(61, 0.1), (80, 0.05)])
def test_other_stamps_equal_galsim(size, scale, psf, exact, plain):
    """Odd stamps, and pixels that can't hold all that the PSF passes."""
    galaxy = plain | LUMPS
    expected = exact(galaxy, psf, size, scale)
    stamp = StampRenderer(size, scale, psf=psf).render(galaxy)
    assert np.abs(stamp - expected).max() < 1e-4 * expected.max()


def test_measured_psf_equals_galsim(psf, exact, plain):
    """A PSF given as an image: not round, and not cut off sharply."""
    star = psf.shear(g1=0.05).drawImage(nx=63, ny=63, scale=0.06, method="no_pixel")
    measured = galsim.InterpolatedImage(star, x_interpolant="quintic", flux=1.0)
    galaxy = plain | {"bulge_fraction": 0.2}
    expected = exact(galaxy, measured)
    stamp = StampRenderer(psf=measured).render(galaxy)
    assert np.abs(stamp - expected).max() < 1e-4 * expected.max()


def test_flux_is_conserved(plain):
    gaussian = galsim.Gaussian(fwhm=0.2, flux=3.0)
    stamp = StampRenderer(psf=gaussian).render(plain | LUMPS)
    assert stamp.dtype == np.float32
    assert stamp.shape == (112, 112)
    assert stamp.sum(dtype=np.float64) == pytest.approx(1000.0, rel=1e-3)


@pytest.mark.parametrize("size", [111, 112])
def test_centre_of_the_stamp_is_the_origin(size, psf, plain):
    stamp = StampRenderer(size, psf=psf).render(plain)
    np.testing.assert_allclose(stamp, stamp[::-1, ::-1], atol=1e-5 * stamp.max())
    moved = StampRenderer(size, psf=galsim.Gaussian(fwhm=0.2)).render(
        plain | {"offset_x": 0.05, "offset_y": -0.02}
    )
    assert centroid(moved) == pytest.approx((0.05, -0.02), abs=2e-4)


def test_position_angle_is_from_plus_y_towards_minus_x(renderer, plain):
    north = renderer.render(plain | {"axis_ratio": 0.3, "position_angle": 0.0})
    assert galsim.hsm.FindAdaptiveMom(galsim.Image(north)).observed_shape.g1 < -0.2
    tilted = renderer.render(plain | {"axis_ratio": 0.3, "position_angle": 45.0})
    assert galsim.hsm.FindAdaptiveMom(galsim.Image(tilted)).observed_shape.g2 < -0.2


def test_a_clump_on_the_major_axis_lies_there(renderer, plain):
    one = {
        "clump_count": 1,
        "clump_fraction": 0.2,
        "clump_flux": np.array([0.2]),
        "clump_x": np.array([3.0]),
        "clump_y": np.array([0.0]),
        "position_angle": 90.0,
    }
    stamp = renderer.render(plain | one) - 0.8 * renderer.render(plain)
    y, x = np.unravel_index(stamp.argmax(), stamp.shape)
    assert (x, y) == (pytest.approx(55.5 - 0.9 / 0.06, abs=0.6), pytest.approx(55.5, abs=0.6))


def test_shear_equals_galsim_s(psf, plain):
    """The shape that GalSim measures of a sheared round Gaussian galaxy is the shear."""
    tiny = StampRenderer(psf=galsim.Gaussian(fwhm=0.12))
    stamp = tiny.render(
        plain | {"sersic_index": 0.5, "half_light_radius": 0.4, "g1": 0.12, "g2": -0.07}
    )
    moments = galsim.hsm.FindAdaptiveMom(galsim.Image(stamp, scale=0.06))
    sigma = 0.4 / np.sqrt(2.0 * np.log(2.0))
    shear = galsim.Shear(g1=0.12, g2=-0.07)
    # the round PSF dilutes the ellipticity by the ratio of the traces of the second moments
    trace = 2.0 * sigma**2 * np.cosh(2.0 * np.arctanh(shear.g))
    dilution = trace / (trace + 2.0 * (0.12 / 2.3548) ** 2)
    assert moments.observed_shape.e1 == pytest.approx(shear.e1 * dilution, rel=2e-3)
    assert moments.observed_shape.e2 == pytest.approx(shear.e2 * dilution, rel=2e-3)


def test_a_clump_smaller_than_the_psf_is_still_resolved_into_a_peak(renderer, plain):
    """At HST's resolution a clump of 8 % stands out of the disk; the smooth galaxy has none."""
    smooth = plain | {"half_light_radius": 0.6}
    clump = {
        "clump_count": 1,
        "clump_fraction": 0.08,
        "clump_flux": np.array([0.08]),
        "clump_x": np.array([1.0]),
        "clump_y": np.array([0.0]),
    }
    lumpy = renderer.render(smooth | clump)[55:, 55]
    peak = slice(8, 13)
    assert lumpy[peak].max() > 1.3 * lumpy[5]
    assert np.all(np.diff(renderer.render(smooth)[56:80, 55]) < 0.0)


def test_table_into_a_given_array(renderer, tmp_path):
    table = draw_population(3, seed=1)
    out = np.lib.format.open_memmap(
        tmp_path / "stamps.npy", mode="w+", dtype=np.float32, shape=(3, 112, 112)
    )
    assert renderer.render_table(table, out) is out
    assert np.array_equal(out[1], renderer.render(table[1]))
    with pytest.raises(ValueError, match="zip"):
        renderer.render_table(table, out[:2])


def test_order_of_rendering_doesn_t_matter(psf):
    table = draw_population(4, seed=1)
    forward = StampRenderer(psf=psf).render_table(table)
    backward = StampRenderer(psf=psf).render_table(table[::-1])
    assert np.array_equal(forward, backward[::-1])


def test_galsim_model_has_the_row_s_flux():
    row = draw_population([4], seed=9)[0]
    around = row["companion_flux"] + row["neighbour_flux"].sum()
    assert around > 0.0
    assert galsim_galaxy(row).flux == pytest.approx(row["flux"] + around)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flux": -1.0}, r"flux is -1.0; expected a positive number of nJy"),
        ({"flux": float("nan")}, "flux is nan"),
        ({"bulge_fraction": 0.9, "arm_fraction": 0.3}, r"clump_fraction is 1.200; expected at"),
        ({"sersic_index": 7.0}, "sersic_index is 7.0"),
        ({"axis_ratio": 1.5}, "axis_ratio is 1.5"),
        ({"g1": 1.0}, r"shear is \(1.0, 0.0\)"),
    ],
)
def test_impossible_galaxies_are_named(change, message, renderer, plain):
    with pytest.raises(InputError, match=message):
        renderer.render(plain | change)


@pytest.mark.parametrize(("size", "scale"), [(0, 0.06), (112, 0.0), (112, float("nan"))])
def test_impossible_stamps_are_named(size, scale, psf):
    with pytest.raises(InputError, match=f"stamps of {size} pixels of {scale} arcsec"):
        StampRenderer(size, scale, psf=psf)
