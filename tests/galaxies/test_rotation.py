from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammaincinv, i0e, i1e, k0e, k1e

from clumpygan.errors import InputError
from clumpygan.galaxies import rotation, rotation_torch
from clumpygan.galaxies.parameters import CURVES, DiskModel
from clumpygan.galaxies.profiles import sersic_surface_brightness

MODEL = DiskModel()
PLACES = {name: MODEL.index(name) for name in MODEL.names}
TABLE = np.array([0.2, 0.5, 1.5]), np.array([90.0, 150.0, 130.0])
RADII = np.geomspace(1e-3, 30.0, 60)

USED = {
    "arctan": ("maximum_velocity", "turnover_radius"),
    "tanh": ("maximum_velocity", "turnover_radius"),
    "exponential": ("maximum_velocity", "turnover_radius"),
    "courteau": ("maximum_velocity", "turnover_radius", "curve_slope", "curve_sharpness"),
    "freeman": ("maximum_velocity", "half_light_radius"),
    "mass_following": ("maximum_velocity", "half_light_radius", "sersic_index"),
    "nfw": ("maximum_velocity", "half_light_radius", "halo_velocity", "halo_radius"),
    "isothermal": ("maximum_velocity", "half_light_radius", "halo_velocity", "halo_radius"),
    "table": (),
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


def compiled(curve: str, radii, p=None, drift: bool = False) -> np.ndarray:
    p = MODEL.defaults() if p is None else p
    number = CURVES.index(curve)
    return np.array([rotation.rotation_velocity(number, r, p, *TABLE, drift) for r in radii])


def columns(vectors: torch.Tensor) -> Callable[[str], torch.Tensor]:
    return lambda name: vectors[:, PLACES[name], None]


def on_tensors(curve, radii, vectors, drift=False) -> torch.Tensor:
    table = tuple(torch.from_numpy(column) for column in TABLE)
    return rotation_torch.rotation_velocity(curve, radii, columns(vectors), table, drift)


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


def test_table_is_interpolated_from_the_origin():
    radii = np.array([1e-6, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 40.0])
    expected = np.interp(radii, [0.0, *TABLE[0]], [0.0, *TABLE[1]])
    np.testing.assert_allclose(compiled("table", radii), expected, rtol=1e-12)


def test_a_table_may_start_at_radius_0_and_jump():
    radii, velocities = np.array([0.0, 1.0, 1.0, 2.0]), np.array([50.0, 60.0, 90.0, 80.0])
    at = np.array([1e-6, 0.5, 0.999999, 1.0, 1.5, 2.0, 3.0])
    expected = [50.00001, 55.0, 59.99999, 90.0, 85.0, 80.0, 80.0]
    number, p = CURVES.index("table"), MODEL.defaults()
    ours = [rotation.rotation_velocity(number, r, p, radii, velocities, False) for r in at]
    np.testing.assert_allclose(ours, expected, atol=1e-8)
    tensors = rotation_torch.rotation_velocity(
        "table",
        torch.from_numpy(at)[None],
        columns(torch.from_numpy(p)[None]),
        (torch.from_numpy(radii), torch.from_numpy(velocities)),
    )
    np.testing.assert_allclose(tensors[0].numpy(), expected, atol=1e-8)


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
    far = {"nfw": 0.0, "isothermal": 120.0, "freeman": 0.0, "mass_following": 0.0, "table": 130.0}
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
        "mass_following": (reach / rotation.sersic_b(index)) ** index,
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
    assert rotation.dispersion(0.5, 150.0, p) == pytest.approx(expected)
    assert np.isfinite(rotation.dispersion(0.0, 0.0, p))


# --- compiled and tensors -------------------------------------------------------------------------


@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("curve", CURVES)
def test_tensors_agree_with_the_compiled_functions(curve, drift):
    vectors = random_vectors()
    radii = np.concatenate([[1e-6], np.geomspace(1e-3, 1e3, 80)])
    expected = np.array([compiled(curve, radii, p, drift) for p in vectors])
    sigmas = np.array(
        [
            [rotation.dispersion(r, v, p) for r, v in zip(radii, row, strict=True)]
            for row, p in zip(expected, vectors, strict=True)
        ]
    )
    for dtype, share in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        tensors = torch.from_numpy(vectors).to(dtype)
        radius = torch.from_numpy(radii).to(dtype).expand(len(vectors), -1)
        velocity = on_tensors(curve, radius, tensors, drift)
        sigma = rotation_torch.dispersion(radius, velocity, columns(tensors))
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
        "halo_velocity": 1.3,
        "halo_radius": 0.9,
        "velocity_dispersion": 0.1,
    }
    given = [torch.tensor([[values[name]]], dtype=torch.float64) for name in names]
    return names, [value.requires_grad_() for value in given]


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own forward AD
@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("curve", CURVES)
def test_gradients_by_finite_differences(curve, drift):
    names, given = gradient_inputs(curve, drift)
    radius = torch.tensor([[0.05, 0.4, 1.1, 6.0]], dtype=torch.float64, requires_grad=True)
    radii = torch.from_numpy(TABLE[0]).requires_grad_()
    velocities = torch.from_numpy(TABLE[1] / 100).requires_grad_()

    def velocity(radius, radii, velocities, *given):
        p = dict(zip(names, given, strict=True)).__getitem__
        return rotation_torch.rotation_velocity(curve, radius, p, (radii, velocities), drift)

    forward = curve == "mass_following"  # slow to import
    inputs = (radius, radii, velocities, *given)
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
        p = dict(zip(DISPERSIONS, given, strict=True)).__getitem__
        return rotation_torch.dispersion(radius, velocity, p)

    assert torch.autograd.gradcheck(sigma, (radius, velocity, *values), atol=1e-7)


def test_second_derivatives_exist():
    names, given = gradient_inputs("mass_following", True)
    radius = torch.tensor([[0.2, 1.3, 8.0]], dtype=torch.float64)

    def velocity(*given):
        p = dict(zip(names, given, strict=True)).__getitem__
        return rotation_torch.rotation_velocity("mass_following", radius, p, None, True)

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
        sigma = rotation_torch.dispersion(radius, velocity, columns(tensors))
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
    table = torch.ones(3, device="meta"), torch.ones(3, device="meta")
    velocity = rotation_torch.rotation_velocity(curve, radius, columns(vectors), table, True)
    sigma = rotation_torch.dispersion(radius, velocity, columns(vectors))
    assert velocity.device.type == sigma.device.type == "meta"
    assert velocity.shape == sigma.shape == (2, 5)


def test_curves_are_one_graph():
    torch._dynamo.reset()
    vectors = torch.from_numpy(random_vectors())
    radius = torch.from_numpy(RADII).expand(len(vectors), -1)
    for curve in ("mass_following", "nfw", "table"):
        compiled_curve = torch.compile(on_tensors, backend="eager", fullgraph=True)
        torch.testing.assert_close(
            compiled_curve(curve, radius, vectors, True), on_tensors(curve, radius, vectors, True)
        )


# --- b_n ------------------------------------------------------------------------------------------


def test_sersic_b_halves_the_light():
    indices = np.linspace(0.3, 6.2, 301)
    expected = gammaincinv(2 * indices, 0.5)
    compiled_b = [rotation.sersic_b(index) for index in indices]
    np.testing.assert_allclose(compiled_b, expected, rtol=1e-9)
    tensors = rotation_torch.sersic_b(torch.from_numpy(indices))
    np.testing.assert_allclose(tensors.numpy(), expected, rtol=1e-9)
    single = rotation_torch.sersic_b(torch.from_numpy(indices).float())
    np.testing.assert_allclose(single.numpy(), expected, rtol=1e-6)


# --- bad values -----------------------------------------------------------------------------------


def test_an_unknown_curve_is_named():
    radius = torch.ones(1, 1)
    with pytest.raises(InputError, match=r"curve is 'atan'; expected one of arctan, tanh"):
        rotation_torch.rotation_velocity("atan", radius, columns(torch.ones(1, 36)))
    assert np.isnan(rotation.rotation_velocity(99, 1.0, MODEL.defaults(), *TABLE, False))


def test_a_missing_table_is_named():
    with pytest.raises(InputError, match="'table' has no table"):
        rotation_torch.rotation_velocity("table", torch.ones(1, 1), columns(torch.ones(1, 36)))


@pytest.mark.parametrize("curve", CURVES)
def test_what_is_not_a_number_stays_so(curve):
    assert np.isnan(compiled(curve, [np.nan])).all()
    for name in USED[curve]:
        assert np.isnan(compiled(curve, [0.5], vector(**{name: np.nan}))).all(), name
