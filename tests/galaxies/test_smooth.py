import galsim
import numpy as np
import pytest

from clumpygan.galaxies import (
    COLUMNS,
    StampRenderer,
    draw_population,
    smooth_disks,
    without_neighbours,
)

SIDE, SCALE = 64, 0.06


@pytest.fixture(scope="module")
def table():
    return draw_population(40, seed=4, split="test", max_magnitude=24.0)


def test_disks_keep_what_isnt_structure(table):
    before = table.copy()
    disks = smooth_disks(table)
    assert disks.colnames == list(COLUMNS)
    kept = ("flux", "half_light_radius", "inclination", "position_angle", "g1", "offset_x")
    for name in (*kept, "companion_flux", "neighbour_flux"):
        assert (disks[name] == table[name]).all()
    structure = ("bulge_fraction", "bar_fraction", "arm_fraction", "tail_fraction")
    for name in (*structure, "clump_count", "turbulence", "lopsidedness", "dust_depth"):
        assert not disks[name].any()
        assert table[name].any()
    assert all((before[name] == table[name]).all() for name in COLUMNS)


def test_a_disk_is_galsims_exponential(table):
    disk = without_neighbours(smooth_disks(table))[0]
    psf = galsim.Gaussian(fwhm=0.19)
    stamp = StampRenderer(SIDE, SCALE, psf=psf).render(disk)
    cosine = np.cos(np.radians(disk["inclination"]))
    ratio = np.sqrt(cosine**2 + 0.2**2 * (1 - cosine**2))
    model = galsim.Exponential(half_light_radius=disk["half_light_radius"], flux=disk["flux"])
    # along y first, position angles count from there; the major axis keeps its length
    model = model.transform(ratio, 0.0, 0.0, 1.0).withFlux(disk["flux"])
    model = model.rotate(disk["position_angle"] * galsim.degrees)
    model = model.shear(g1=disk["g1"], g2=disk["g2"])
    model = model.shift(disk["offset_x"], disk["offset_y"])
    image = galsim.Convolve(model, psf).drawImage(
        nx=SIDE, ny=SIDE, scale=SCALE, method="no_pixel", dtype=np.float64
    )
    assert stamp.max() > 0
    np.testing.assert_allclose(stamp, image.array, atol=2e-3 * stamp.max())


def test_structure_is_gone(table):
    renderer = StampRenderer(SIDE, SCALE, psf=galsim.Gaussian(fwhm=0.19))
    clumpy = table[np.argmax(table["clump_fraction"])]
    disk = smooth_disks(table)[np.argmax(table["clump_fraction"])]
    lumpy, smooth = renderer.render(clumpy), renderer.render(disk)
    assert np.abs(lumpy - smooth).sum() > 0.1 * smooth.sum()
    assert lumpy.sum() == pytest.approx(smooth.sum(), rel=0.1)


def test_galaxies_alone_keep_themselves(table):
    lonely = without_neighbours(table)
    assert table["neighbour_count"].sum() > 40
    for name in ("companion_flux", "neighbour_count", "neighbour_flux"):
        assert not lonely[name].any()
    around = ("companion_flux", "neighbour_count", "neighbour_flux")
    assert all((lonely[name] == table[name]).all() for name in COLUMNS if name not in around)
