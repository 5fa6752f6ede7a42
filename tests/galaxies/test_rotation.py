import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.special import gammaincinv, i0e, i1e, k0e, k1e

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.disk_model import HALOS, MASS_CURVES
from clumpygan.galaxies.disks.parameters import CURVES, DiskModel
from clumpygan.galaxies.images.profiles import sersic_surface_brightness
from clumpygan.galaxies.rendering import rotation
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.curve_tables import ring_splines
from clumpygan.galaxies.rendering.halos import halo_velocity
from clumpygan.galaxies.rendering.thick_sersic import GRAVITY, largest_square, squared_velocity

MODEL = DiskModel()
PLACES = {name: MODEL.index(name) for name in MODEL.names}
TABLE = np.array([0.2, 0.5, 1.5]), np.array([90.0, 150.0, 130.0])
TURNOVER = MODEL.defaults()[MODEL.index("turnover_radius")]
RING_SIGMAS = np.array([70.0, 40.0, 30.0])
RADII = np.geomspace(1e-3, 30.0, 60)

SERSIC = (
    "maximum_velocity",
    "half_light_radius",
    "sersic_index",
    "bulge_fraction",
    "bulge_radius",
    "bulge_index",
)
MASSES = (
    *SERSIC[1:], "log_baryonic_mass", "concentration", "galaxy_redshift", "angular_scale",
)  # fmt: skip
USED = {
    "arctan": ("maximum_velocity", "turnover_radius"),
    "tanh": ("maximum_velocity", "turnover_radius"),
    "exponential": ("maximum_velocity", "turnover_radius"),
    "courteau": ("maximum_velocity", "turnover_radius", "curve_slope", "curve_sharpness"),
    "freeman": ("maximum_velocity", "half_light_radius"),
    "mass_following": ("maximum_velocity", "half_light_radius", "sersic_index"),
    "nfw": ("maximum_velocity", "half_light_radius", "halo_velocity", "halo_radius"),
    "isothermal": ("maximum_velocity", "half_light_radius", "halo_velocity", "halo_radius"),
    "sersic_disk": SERSIC,
    "sersic_nfw": (*SERSIC, "halo_velocity", "halo_radius"),
    "sersic_burkert": (*SERSIC, "halo_velocity", "halo_radius"),
    "burkert": ("maximum_velocity", "half_light_radius", "halo_velocity", "halo_radius"),
    "table": (),
    "rings": ("turnover_radius",),
    "nfw_mass": (*MASSES, "log_halo_mass"),
    "burkert_mass": (*MASSES, "log_halo_mass"),
    "dekel_zhao_mass": (*MASSES, "log_halo_mass", "halo_slope"),
    "nfw_fraction": (*MASSES, "dark_matter_fraction"),
}
DISPERSIONS = (
    "velocity_dispersion",
    "thick_dispersion",
    "scale_height",
    "central_dispersion",
    "dispersion_radius",
)


def vector(**values: float) -> np.ndarray:
    p = MODEL.defaults()
    for name, value in values.items():
        p[MODEL.index(name)] = value
    return p


def table_of(curve: str):
    if curve == "rings":
        return ring_splines(tuple(TABLE[0])).table(np.stack([TABLE[1], RING_SIGMAS], 1), TURNOVER)
    return *TABLE, np.empty(0), np.empty(0), np.empty(0)


def tensor_table(curve: str, dtype=torch.float64, batch=1):
    """Return the table for `batch` galaxies."""
    radii, *rest = (torch.from_numpy(column).to(dtype) for column in table_of(curve))
    return radii, *(rest if curve == "table" else (one.expand(batch, -1) for one in rest))


TENSOR_TABLES = {curve: tensor_table(curve, batch=12) for curve in CURVES}


def compiled(curve: str, radii, p=None, drift: bool = False) -> np.ndarray:
    p = MODEL.defaults() if p is None else p
    number, table = CURVES.index(curve), table_of(curve)
    return np.array([rotation.rotation_velocity(number, r, p, table, drift) for r in radii])


class columns:  # noqa: N801
    """Parameters as columns (B, 1)."""

    def __init__(self, vectors: torch.Tensor) -> None:
        self.vectors = vectors

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.vectors[:, place, None]


def at_places(names, given) -> dict[int, torch.Tensor]:
    return {PLACES[name]: value for name, value in zip(names, given, strict=True)}


@njit
def compiled_sersic_b(index):
    return rotation.sersic_b(index)


def on_tensors(curve, radii, vectors, drift=False) -> torch.Tensor:
    table = tuple(one[: len(vectors)] if one.dim() > 1 else one for one in TENSOR_TABLES[curve])
    return rotation.tensor_rotation_velocity(curve, radii, columns(vectors), table, drift)


def random_vectors(count: int = 12) -> np.ndarray:
    generator = np.random.default_rng(3)
    ranges = {
        "half_light_radius": (0.1, 2.0),
        "sersic_index": (0.3, 6.2),
        "maximum_velocity": (50.0, 300.0),
        "turnover_radius": (0.02, 0.5),
        "curve_slope": (-1.0, 1.0),
        "curve_sharpness": (0.5, 10.0),
        "halo_velocity": (50.0, 300.0),
        "halo_radius": (0.1, 10.0),
        "velocity_dispersion": (5.0, 60.0),
        "thick_dispersion": (0.0, 2.0),
        "central_dispersion": (0.0, 100.0),
        "log_baryonic_mass": (9.0, 11.5),
        "log_halo_mass": (10.5, 13.5),
        "concentration": (2.0, 20.0),
        "halo_slope": (0.0, 1.8),
        "dark_matter_fraction": (0.05, 0.9),
        "galaxy_redshift": (0.0, 3.0),
    }
    vectors = np.stack([MODEL.defaults()] * count)
    for name, (low, high) in ranges.items():
        vectors[:, MODEL.index(name)] = generator.uniform(low, high, count)
    return vectors


# --- each curve against something else ------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "shape"),
    [
        ("arctan", lambda x: 2 / np.pi * np.arctan(x)),
        ("tanh", np.tanh),
        ("exponential", lambda x: 1 - np.exp(-x)),
        ("courteau", lambda x: (1 + 1 / x) ** -0.3 / (1 + x**-4.0) ** (1 / 4.0)),
    ],
)
def test_curves_of_the_turnover_radius(curve, shape):
    p = vector(maximum_velocity=210, turnover_radius=0.3, curve_slope=-0.3, curve_sharpness=4)
    np.testing.assert_allclose(compiled(curve, RADII, p), 210 * shape(RADII / 0.3), rtol=1e-10)


def freeman(radii, half_light_radius) -> np.ndarray:
    def squared(y):
        return y**2 * (i0e(y) * k0e(y) - i1e(y) * k1e(y))

    scale = half_light_radius / gammaincinv(2.0, 0.5)
    return np.sqrt(squared(radii / (2 * scale)) / squared(np.linspace(1.0, 1.2, 20001)).max())


def test_freeman_disk_is_that_of_bessel_functions():
    p = vector(maximum_velocity=180, half_light_radius=0.7, sersic_index=3.0)
    np.testing.assert_allclose(compiled("freeman", RADII, p), 180 * freeman(RADII, 0.7), rtol=2e-8)


@pytest.mark.parametrize("index", [0.3, 0.5, 1.0, 2.7, 4.0, 6.2])
def test_mass_follows_the_enclosed_light(index):
    p = vector(maximum_velocity=1.0, half_light_radius=0.8, sersic_index=index)
    radii = 0.8 * np.array([0.02, 0.3, 1.0, 2.5, 9.0])

    def enclosed(radius):
        # in the cube root of the radius, for the cusp of high indices
        end = (radius / 0.8) ** (1 / 3)
        ring = quad(
            lambda t: 6 * np.pi * t**5 * sersic_surface_brightness(t**3, index),
            0.0,
            end,
            epsabs=1e-13,
            epsrel=1e-11,
        )
        return ring[0]

    ratio = np.array([enclosed(r) / r for r in radii])
    velocities = compiled("mass_following", radii, p)
    np.testing.assert_allclose((velocities / velocities[2]) ** 2, ratio / ratio[2], rtol=1e-6)
    everywhere = compiled("mass_following", np.geomspace(1e-3, 8.0, 4000), p)
    assert everywhere.max() == pytest.approx(1.0, abs=2e-6)


def test_nfw_halo_is_added_in_quadrature():
    p = vector(maximum_velocity=100, half_light_radius=0.6, halo_velocity=170, halo_radius=1.4)
    x = RADII / 1.4
    peak = (np.log(3.16258) - 2.16258 / 3.16258) / 2.16258
    halo = 170 * np.sqrt((np.log1p(x) - x / (1 + x)) / x / peak)
    expected = np.hypot(halo, 100 * freeman(RADII, 0.6))
    np.testing.assert_allclose(compiled("nfw", RADII, p), expected, rtol=2e-8)


def test_nfw_halo_alone_peaks_at_its_velocity():
    p = vector(maximum_velocity=0, halo_velocity=170, halo_radius=1.4)
    radii = np.geomspace(1.0, 10.0, 3000)
    velocities = compiled("nfw", radii, p)
    assert velocities.max() == pytest.approx(170, rel=1e-6)
    assert radii[velocities.argmax()] == pytest.approx(2.163 * 1.4, rel=2e-3)


def test_isothermal_halo_is_added_in_quadrature():
    p = vector(maximum_velocity=100, half_light_radius=0.6, halo_velocity=170, halo_radius=0.9)
    x = RADII / 0.9
    halo = 170 * np.sqrt(1 - np.arctan(x) / x)
    expected = np.hypot(halo, 100 * freeman(RADII, 0.6))
    np.testing.assert_allclose(compiled("isothermal", RADII, p), expected, rtol=2e-8)


def test_burkert_halo_is_added_in_quadrature():
    p = vector(maximum_velocity=100, half_light_radius=0.6, halo_velocity=170, halo_radius=0.9)
    # From the density 1 / [(1 + x) (1 + x^2)] itself.
    masses = [quad(lambda x: x**2 / (1 + x) / (1 + x**2), 0, r / 0.9)[0] for r in RADII]
    fine = np.linspace(2.0, 5.0, 4000)
    square = np.array([quad(lambda x: x**2 / (1 + x) / (1 + x**2), 0, x)[0] / x for x in fine])
    halo = 170 * np.sqrt(np.array(masses) / (RADII / 0.9) / square.max())
    expected = np.hypot(halo, 100 * freeman(RADII, 0.6))
    np.testing.assert_allclose(compiled("burkert", RADII, p), expected, rtol=3e-7)
    assert fine[square.argmax()] == pytest.approx(3.245, abs=0.002)


def by_quadrature(radius, index, axis_ratio):
    """Return V^2 R_e / (G M) of a spheroid, by SciPy's quadrature of its double integral."""
    b = gammaincinv(2 * index, 0.5)

    def slope(r):
        return -b / index * r ** (1 / index - 1) * sersic_surface_brightness(r, index)

    def density(m):
        last = np.log(2 * (80 / b) ** index / m)
        return -quad(lambda t: slope(m * np.cosh(t)), 0, max(last, 1.0), epsrel=1e-7)[0] / np.pi

    eccentric = 1 - axis_ratio**2
    # In the cube root of the radius the centre is smooth.
    integral = quad(
        lambda w: 3 * w**8 * density(radius * w**3) / np.sqrt(1 - eccentric * w**6), 1e-3, 1,
        epsrel=1e-6,
    )[0]  # fmt: skip
    return 4 * np.pi * radius**2 * integral


@pytest.mark.parametrize("index", [0.5, 1.0, 4.0])
def test_thick_disks_and_bulges_are_spheroids(index):
    radii = np.array([0.1, 1.0, 4.0])
    disk = vector(maximum_velocity=1.0, half_light_radius=1.0, sersic_index=index)
    disk[MODEL.index("bulge_fraction")] = 0.0
    square = compiled("sersic_disk", radii, disk) ** 2 * largest_square(index)
    expected = [by_quadrature(r, index, 0.2) for r in radii]
    np.testing.assert_allclose(square, expected, rtol=2e-4)
    both = vector(
        maximum_velocity=1.0, half_light_radius=1.0, sersic_index=1.0, bulge_fraction=0.4,
        bulge_index=index, bulge_radius=0.5,
    )  # fmt: skip
    alone = vector(maximum_velocity=1.0, half_light_radius=1.0, sersic_index=1.0)
    bulge = compiled("sersic_disk", radii, both) ** 2 - compiled("sersic_disk", radii, alone) ** 2
    expected = [by_quadrature(r / 0.5, index, 1.0) * 0.4 / 0.6 / 0.5 for r in radii]
    np.testing.assert_allclose(bulge * largest_square(1.0), expected, rtol=5e-4)


def test_a_thin_exponential_disk_is_freeman_s_and_far_out_all_are_kepler_s():
    radii = np.geomspace(0.05, 6.0, 30)
    y = 0.5 * radii * gammaincinv(2, 0.5)
    thin = squared_velocity(radii, 1.0, 0.004) / gammaincinv(2, 0.5)
    np.testing.assert_allclose(thin, 2 * y**2 * (i0e(y) * k0e(y) - i1e(y) * k1e(y)), rtol=0.01)
    for axis_ratio in (0.2, 1.0):
        far = np.array([20.0, 25.0])
        np.testing.assert_allclose(squared_velocity(far, 1.0, axis_ratio) * far, 1.0, rtol=0.01)
    p = vector(maximum_velocity=200, half_light_radius=1.0, sersic_index=1.0)
    speeds = compiled("sersic_disk", [30.0, 120.0, 480.0], p)
    np.testing.assert_allclose(speeds[1:] / speeds[:-1], 0.5, rtol=1e-9)


@pytest.mark.parametrize("curve", HALOS)
def test_the_halo_is_what_the_disk_lacks(curve):
    p = vector(maximum_velocity=130, half_light_radius=0.6, halo_velocity=170, halo_radius=0.9)
    both, number = compiled(curve, RADII, p), CURVES.index(curve)
    halo = np.array([halo_velocity(number, r, p) for r in RADII])
    disk = "sersic_disk" if curve.startswith("sersic") else "freeman"
    if curve in MASS_CURVES:
        disk = "sersic_disk"
        square = 10**10.5 * GRAVITY / (5.0 * 0.6) * largest_square(1.0)
        p[MODEL.index("maximum_velocity")] = np.sqrt(square)
    np.testing.assert_allclose(np.hypot(halo, compiled(disk, RADII, p)), both, rtol=1e-10)
    assert halo.max() > 100
    assert halo_velocity(CURVES.index("arctan"), 1.0, p) == 0.0


def test_table_is_interpolated_from_the_origin():
    radii = np.array([1e-6, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 40.0])
    expected = np.interp(radii, [0.0, *TABLE[0]], [0.0, *TABLE[1]])
    np.testing.assert_allclose(compiled("table", radii), expected, rtol=1e-12)


def test_a_table_may_start_at_radius_0_and_jump():
    radii, velocities = np.array([0.0, 1.0, 1.0, 2.0]), np.array([50.0, 60.0, 90.0, 80.0])
    at = np.array([1e-6, 0.5, 0.999999, 1.0, 1.5, 2.0, 3.0])
    expected = [50.00001, 55.0, 59.99999, 90.0, 85.0, 80.0, 80.0]
    number, p = CURVES.index("table"), MODEL.defaults()
    none = np.empty(0)
    table = (radii, velocities, none, none, none)
    ours = [rotation.rotation_velocity(number, r, p, table, False) for r in at]
    np.testing.assert_allclose(ours, expected, atol=1e-8)
    tensors = rotation.tensor_rotation_velocity(
        "table",
        torch.from_numpy(at)[None],
        columns(torch.from_numpy(p)[None]),
        (torch.from_numpy(radii), torch.from_numpy(velocities)),
    )
    np.testing.assert_allclose(tensors[0].numpy(), expected, atol=1e-8)


def test_rings_are_joined_by_splines():
    velocities, sigmas = TABLE[1], RING_SIGMAS
    radii = np.array([1e-9, 0.05, 0.2, 0.33, 0.5, 0.9, 1.5, 4.0])
    # SciPy's, through the rings and their mirror images; constant beyond the last.
    ratio, even = (
        CubicSpline([*-TABLE[0][::-1], *TABLE[0]], [*values[::-1], *values], bc_type="natural")
        for values in (velocities / np.arctan(TABLE[0] / TURNOVER), sigmas)
    )
    inside = np.minimum(radii, 1.5)
    expected = ratio(inside) * np.arctan(radii / TURNOVER)
    np.testing.assert_allclose(compiled("rings", radii), expected, rtol=1e-9)
    ours = [
        rotation.dispersion(
            CURVES.index("rings"), r, 0.0, vector(velocity_dispersion=500.0), table_of("rings")
        )
        for r in radii
    ]
    np.testing.assert_allclose(ours, even(inside), rtol=1e-9)
    np.testing.assert_allclose(compiled("rings", TABLE[0]), velocities, rtol=1e-12)
    assert ours[4] == pytest.approx(sigmas[1])


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", ["freeman", "mass_following"])
def test_peak_is_the_maximum_velocity(curve):
    p = vector(maximum_velocity=200, half_light_radius=0.6)
    velocities = compiled(curve, np.linspace(0.3, 3.0, 4000), p)
    assert velocities.max() == pytest.approx(200, rel=1e-6)
    assert velocities.argmax() not in (0, len(velocities) - 1)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("drift", [False, True])
def test_limits_at_the_centre_and_far_out(curve, drift):
    p = vector(maximum_velocity=200, velocity_dispersion=30 if drift else 0)
    velocities = compiled(curve, [0.0, 1e-6, 1e6, 1e12], p, drift)
    assert np.isfinite(velocities).all()
    assert velocities[0] == pytest.approx(0.0, abs=1e-6)
    assert 0.0 <= velocities[1] < 1.0
    far = {"nfw": 0.0, "burkert": 0.0, "sersic_disk": 0.0, "sersic_nfw": 0.0}
    far |= {"sersic_burkert": 0.0, "isothermal": 120.0, "freeman": 0.0, "mass_following": 0.0}
    far |= {"table": 130.0, "rings": 130.0 * 0.5 * np.pi / np.arctan(1.5 / TURNOVER)}
    far |= dict.fromkeys(MASS_CURVES, 0.0)
    expected = 0.0 if drift else far.get(curve, 200.0)
    assert velocities[3] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("curve", ["freeman", "mass_following"])
def test_far_out_the_decline_is_keplerian(curve):
    near, far = compiled(curve, [1e3, 4e3])
    assert near / far == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("index", [0.3, 1.0, 6.2])
def test_series_join_where_they_end(index):
    """No step in the curve where one formula takes over from another."""
    p = vector(half_light_radius=1.0, sersic_index=index, halo_radius=1.0, maximum_velocity=1.0)
    reach = 2 * index + 5 * np.sqrt(2 * index) + 12
    joints = {
        "mass_following": (reach / compiled_sersic_b(index)) ** index,
        "freeman": 4 / 1.6783469900166605,
        "nfw": 1.0,
        "isothermal": 1.0,
    }
    for curve, joint in joints.items():
        inside, outside = compiled(curve, [joint * (1 - 1e-12), joint * (1 + 1e-12)], p)
        assert inside == pytest.approx(outside, rel=1e-7), curve


# --- asymmetric drift and dispersion --------------------------------------------------------------


def test_asymmetric_drift_takes_off_the_pressure():
    p = vector(maximum_velocity=200, velocity_dispersion=50, half_light_radius=0.6)
    squared = compiled("arctan", RADII, p) ** 2 - 2 * 50**2 * RADII * 1.67834699 / 0.6
    velocities = compiled("arctan", RADII, p, drift=True)
    plenty = squared > 0.02 * compiled("arctan", RADII, p) ** 2
    assert plenty.any()
    assert (squared < 0).any()
    np.testing.assert_allclose(velocities[plenty], np.sqrt(squared[plenty]), rtol=1e-8)
    np.testing.assert_array_equal(velocities[squared < 0], 0.0)


def test_drift_reaches_zero_smoothly():
    p = vector(maximum_velocity=200, velocity_dispersion=50, half_light_radius=0.6)
    radii = np.linspace(1.8, 2.8, 20001)
    velocities = compiled("arctan", radii, p, drift=True)
    slopes = np.diff(velocities) / np.diff(radii)
    assert velocities[0] > 10.0
    assert velocities[-1] == 0.0
    assert np.abs(slopes).max() < 3e3
    assert np.abs(np.diff(slopes)).max() < 0.03 * np.abs(slopes).max()


def test_dispersions_add_in_quadrature():
    p = vector(
        velocity_dispersion=30,
        thick_dispersion=1.2,
        scale_height=0.1,
        central_dispersion=80,
        dispersion_radius=0.4,
    )
    thick, central = 1.2 * 0.1 * 150 / 0.5, 80 * np.exp(-0.5 / 0.4)
    expected = np.sqrt(30**2 + thick**2 + central**2)
    table = table_of("arctan")
    assert rotation.dispersion(0, 0.5, 150.0, p, table) == pytest.approx(expected)
    assert np.isfinite(rotation.dispersion(0, 0.0, 0.0, p, table))


# --- compiled and tensors -------------------------------------------------------------------------


@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("curve", CURVES)
def test_tensors_agree_with_the_compiled_functions(curve, drift):
    vectors = random_vectors()
    radii = np.concatenate([[1e-6], np.geomspace(1e-3, 1e3, 80)])
    expected = np.array([compiled(curve, radii, p, drift) for p in vectors])
    sigmas = np.array(
        [
            [
                rotation.dispersion(CURVES.index(curve), r, v, p, table_of(curve))
                for r, v in zip(radii, row, strict=True)
            ]
            for row, p in zip(expected, vectors, strict=True)
        ]
    )
    # The logarithm of a mass of 10^12 leaves fewer digits.
    single = 1e-4 if curve == "nfw_fraction" else 1e-5
    for dtype, share in ((torch.float64, 1e-9), (torch.float32, single)):
        tensors = torch.from_numpy(vectors).to(dtype)
        radius = torch.from_numpy(radii).to(dtype).expand(len(vectors), -1)
        velocity = on_tensors(curve, radius, tensors, drift)
        table = tensor_table(curve, dtype, len(vectors))
        sigma = rotation.tensor_dispersion(curve, radius, velocity, columns(tensors), table)
        assert velocity.dtype == sigma.dtype == dtype
        # where drift nearly stops the rotation, rounding errors of V_c^2 are what is left
        largest = compiled(curve, radii, vectors[0]).max()
        error = np.abs(velocity.numpy() - expected).max()
        assert error < share * largest * (20 if drift else 1)
        if not drift:
            np.testing.assert_allclose(sigma.numpy(), sigmas, rtol=10 * share)


def gradient_inputs(curve, drift):
    names = list(USED[curve])
    if drift:
        names += ["velocity_dispersion", *({"half_light_radius"} - set(names))]
    values = {
        "maximum_velocity": 1.6,
        "turnover_radius": 0.3,
        "half_light_radius": 0.7,
        "sersic_index": 1.7,
        "curve_slope": -0.2,
        "curve_sharpness": 1.8,
        "bulge_fraction": 0.3,
        "bulge_radius": 0.25,
        "bulge_index": 2.2,
        "halo_velocity": 1.3,
        "halo_radius": 0.9,
        "velocity_dispersion": 0.1,
        "log_baryonic_mass": 6.3,
        "log_halo_mass": 8.2,
        "concentration": 7.0,
        "halo_slope": 0.6,
        "dark_matter_fraction": 0.4,
        "galaxy_redshift": 0.9,
        "angular_scale": 3.0,
    }
    given = [torch.tensor([[values[name]]], dtype=torch.float64) for name in names]
    return names, [value.requires_grad_() for value in given]


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own forward AD
@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("curve", CURVES)
def test_gradients_by_finite_differences(curve, drift):
    names, given = gradient_inputs(curve, drift)
    radius = torch.tensor([[0.05, 0.4, 1.1, 6.0]], dtype=torch.float64, requires_grad=True)
    table = [column / 100 if k else column for k, column in enumerate(tensor_table(curve))]
    table = [column.requires_grad_() for column in table]

    def velocity(radius, *inputs):
        p = at_places(names, inputs[len(table) :])
        return rotation.tensor_rotation_velocity(curve, radius, p, inputs[: len(table)], drift)

    forward = curve == "mass_following"  # slow to import
    inputs = (radius, *table, *given)
    assert velocity(*inputs).min() > 0
    assert torch.autograd.gradcheck(velocity, inputs, eps=1e-6, atol=1e-7, check_forward_ad=forward)


def test_gradients_of_the_dispersion_by_finite_differences():
    values = [
        torch.full((2, 1), x, dtype=torch.float64, requires_grad=True)
        for x in (0.3, 1.2, 0.2, 0.8, 0.5)
    ]
    radius = torch.tensor([[0.1, 0.7], [0.3, 2.0]], dtype=torch.float64, requires_grad=True)
    velocity = torch.tensor([[0.5, 1.5], [1.0, 1.4]], dtype=torch.float64, requires_grad=True)

    def sigma(radius, velocity, *given):
        p = at_places(DISPERSIONS, given)
        return rotation.tensor_dispersion("arctan", radius, velocity, p)

    assert torch.autograd.gradcheck(sigma, (radius, velocity, *values), atol=1e-7)


def test_second_derivatives_exist():
    names, given = gradient_inputs("mass_following", True)
    radius = torch.tensor([[0.2, 1.3, 8.0]], dtype=torch.float64)

    def velocity(*given):
        p = at_places(names, given)
        return rotation.tensor_rotation_velocity("mass_following", radius, p, None, True)

    assert torch.autograd.gradgradcheck(velocity, given, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("curve", CURVES)
def test_gradients_are_finite_where_everything_vanishes(curve, dtype):
    vectors = np.stack([MODEL.defaults()] * 3)
    zero = ["maximum_velocity", "halo_velocity", "velocity_dispersion"]
    vectors[1, [MODEL.index(name) for name in zero]] = 0.0  # nothing moves
    vectors[2, MODEL.index("velocity_dispersion")] = 500.0  # nothing is left after drift
    tensors = torch.tensor(vectors, dtype=dtype, requires_grad=True)
    radius = torch.tensor([[0.0, 1e-6, 1e-3, 0.5, 1e5, 1e12]] * 3, dtype=dtype, requires_grad=True)
    total = torch.zeros((), dtype=dtype)
    for drift in (False, True):
        velocity = on_tensors(curve, radius, tensors, drift)
        table = tensor_table(curve, dtype, 3)
        sigma = rotation.tensor_dispersion(curve, radius, velocity, columns(tensors), table)
        assert torch.isfinite(velocity).all()
        total = total + velocity.sum() + sigma.sum()
    gradients = torch.autograd.grad(total, (tensors, radius))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("curve", CURVES)
def test_nothing_is_bound_to_a_device(curve):
    vectors, radius = (
        torch.ones(2, len(MODEL.names), device="meta"),
        torch.ones(2, 5, device="meta"),
    )
    table = tuple(one.to("meta") for one in tensor_table(curve, batch=2))
    velocity = rotation.tensor_rotation_velocity(curve, radius, columns(vectors), table, True)
    sigma = rotation.tensor_dispersion(curve, radius, velocity, columns(vectors), table)
    assert velocity.device.type == sigma.device.type == "meta"
    assert velocity.shape == sigma.shape == (2, 5)


def test_curves_are_one_graph():
    torch._dynamo.reset()
    vectors = torch.from_numpy(random_vectors())
    radius = torch.from_numpy(RADII).expand(len(vectors), -1)
    for curve in ("mass_following", "nfw", "table", "rings"):
        compiled_curve = torch.compile(on_tensors, backend="eager", fullgraph=True)
        torch.testing.assert_close(
            compiled_curve(curve, radius, vectors, True), on_tensors(curve, radius, vectors, True)
        )


# --- b_n ------------------------------------------------------------------------------------------


def test_sersic_b_halves_the_light():
    indices = np.linspace(0.3, 6.2, 301)
    expected = gammaincinv(2 * indices, 0.5)
    compiled_b = [compiled_sersic_b(index) for index in indices]
    np.testing.assert_allclose(compiled_b, expected, rtol=1e-9)
    tensors = rotation.sersic_b(torch.from_numpy(indices))
    np.testing.assert_allclose(tensors.numpy(), expected, rtol=1e-9)
    single = rotation.sersic_b(torch.from_numpy(indices).float())
    np.testing.assert_allclose(single.numpy(), expected, rtol=1e-6)


# --- bad values -----------------------------------------------------------------------------------


def test_an_unknown_curve_is_named():
    radius = torch.ones(1, 1)
    with pytest.raises(InputError, match=r"curve is 'atan'; expected one of arctan, tanh"):
        rotation.tensor_rotation_velocity("atan", radius, columns(torch.ones(1, 46)))
    assert np.isnan(rotation.rotation_velocity(99, 1.0, MODEL.defaults(), table_of("table"), False))


@pytest.mark.parametrize("curve", ["table", "rings"])
def test_a_missing_table_is_named(curve):
    with pytest.raises(InputError, match=f"'{curve}' has no table"):
        rotation.tensor_rotation_velocity(curve, torch.ones(1, 1), columns(torch.ones(1, 46)))


@pytest.mark.parametrize("curve", CURVES)
def test_what_is_not_a_number_stays_so(curve):
    assert np.isnan(compiled(curve, [np.nan])).all()
    for name in USED[curve]:
        assert np.isnan(compiled(curve, [0.5], vector(**{name: np.nan}))).all(), name
