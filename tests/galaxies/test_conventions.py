"""Round trips; that the numbers are right was seen in cubes of GalPaK3D 1.35 and KinMS 3.0."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers.galpak import from_galpak, to_galpak
from benchmarks.peers.kinms import from_kinms, to_kinms
from clumpygan.errors import InputError
from clumpygan.galaxies import GALPAK_HEIGHT, Clump, CubeGrid, DiskParameters

GRID = CubeGrid.velocities((20, 31, 40), 0.2, 50.0, line_spread=45.0)
GALAXY = DiskParameters(
    flux=2.5,
    offset_x=0.3,
    offset_y=-0.4,
    systemic_velocity=60.0,
    half_light_radius=0.8,
    inclination=55.0,
    position_angle=250.0,
    maximum_velocity=180.0,
    turnover_radius=0.3,
    velocity_dispersion=35.0,
    scale_height=0.1,
    thick_dispersion=GALPAK_HEIGHT["gaussian"],
    curve="tanh",
)
FLAT = replace(GALAXY, vertical="exponential", thick_dispersion=0.0)


def same(ours: DiskParameters, theirs: DiskParameters, **tolerance: float) -> None:
    assert ours.model == theirs.model
    np.testing.assert_allclose(theirs.to_vector(), ours.to_vector(), **tolerance)


# --- GalPaK3D -------------------------------------------------------------------------------------


def test_galpak_counts_in_pixels_towards_the_approaching_side():
    values = to_galpak(GALAXY, GRID)
    parameters = values["parameters"]
    assert parameters["x"] == pytest.approx(19.5 + 0.3 / 0.2)
    assert parameters["y"] == pytest.approx(15.0 - 0.4 / 0.2)
    assert parameters["z"] == pytest.approx(9.5 + 60.0 / 50.0)
    assert parameters["pa"] == pytest.approx(70.0)
    assert parameters["turnover_radius"] == pytest.approx(1.5)
    assert parameters["maximum_velocity"] == pytest.approx(180.0)
    # the scale length of its exponential disk is ours
    assert parameters["radius"] * 0.2 / 1.6721 == pytest.approx(0.8 / 1.6783469900)
    # and so is the standard deviation of its height
    height = values["model"]["aspect"] * parameters["radius"] * 0.2
    assert height / 1.17 == pytest.approx(0.1)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"curve": "arctan", "sersic_index": 0.5},
        {"curve": "exponential", "sersic_index": 2.0, "vertical": "exponential"},
        {"curve": "freeman", "sersic_index": 4.0, "vertical": "sech2"},
        {"curve": "mass_following", "position_angle": 10.0},
    ],
)
def test_galpak_and_back(change):
    galaxy = replace(GALAXY, **change)
    galaxy = replace(galaxy, thick_dispersion=GALPAK_HEIGHT[galaxy.vertical])
    values = to_galpak(galaxy, GRID, velocity_step=50.1)
    back = from_galpak(values["parameters"], GRID, 50.1, **values["model"])
    same(galaxy, back, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("curve", ["nfw", "isothermal"])
def test_halos_of_galpak_and_back(curve):
    galaxy = replace(
        GALAXY, curve=curve, maximum_velocity=0.0, halo_velocity=150.0, halo_radius=0.7
    )
    values = to_galpak(galaxy, GRID)
    assert values["parameters"]["maximum_velocity"] == pytest.approx(150.0)
    assert values["parameters"]["turnover_radius"] == pytest.approx(3.5)
    back = from_galpak(values["parameters"], GRID, **values["model"])
    # it has no turnover radius beside that of the halo
    same(galaxy, replace(back, turnover_radius=0.3), rtol=1e-12, atol=1e-12)


def test_velocities_follow_the_step_of_galpak():
    parameters = to_galpak(GALAXY, GRID, velocity_step=100.0)["parameters"]
    assert parameters["maximum_velocity"] == pytest.approx(360.0)
    assert parameters["velocity_dispersion"] == pytest.approx(70.0)
    assert parameters["z"] == pytest.approx(10.7)


def test_systemic_velocities_off_the_axis_and_uneven_channels():
    uneven = CubeGrid.wavelengths((30, 5, 5), 0.2, 6545.0, 1.25, lines=[6562.8])
    for velocity in (-2000.0, -333.0, 0.0, 1234.0):
        galaxy = replace(GALAXY, systemic_velocity=velocity)
        values = to_galpak(galaxy, uneven)
        back = from_galpak(values["parameters"], uneven, **values["model"])
        assert back.systemic_velocity == pytest.approx(velocity, abs=1e-9)
    edge = to_galpak(replace(GALAXY, systemic_velocity=uneven.edges[0, 3]), uneven)
    assert edge["parameters"]["z"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("inclination", "pa", "expected"),
    [(-4.0, 30.0, (4.0, 30.0)), (90.4, 30.0, (89.6, 210.0)), (60.0, 400.0, (60.0, 220.0))],
)
def test_angles_of_a_galpak_chain_are_folded_back(inclination, pa, expected):
    values = to_galpak(GALAXY, GRID)
    parameters = values["parameters"] | {"inclination": inclination, "pa": pa}
    back = from_galpak(parameters, GRID, **values["model"])
    assert (back.inclination, back.position_angle) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"g1": 0.1}, "g1 is 0.1; GalPaK3D can only have 0"),
        ({"magnification": 2.0}, "magnification is 2; GalPaK3D can only have 1"),
        ({"continuum": 0.1}, "continuum is 0.1; GalPaK3D can only have 0"),
        ({"warp_inclination": 5.0}, "warp_inclination is 5; GalPaK3D can only have 0"),
        ({"lopsidedness": 0.1}, "lopsidedness is 0.1"),
        ({"bulge_fraction": 0.2}, "bulge_fraction is 0.2"),
        ({"central_dispersion": 20.0}, "central_dispersion is 20"),
        ({"thick_dispersion": 0.0}, "thick_dispersion is 0; GalPaK3D can only have 1.17"),
        ({"clumps": (Clump(),)}, "the galaxy has 1 clumps; GalPaK3D has none"),
        ({"arms": 2, "arm_amplitude": 0.3}, "the galaxy has 2 spiral arms"),
        ({"scale_height": 0.0}, "scale_height is 0 arcsec; GalPaK3D needs a number above 0"),
        ({"sersic_index": 1.5}, "the light is sersic_index 1.5; GalPaK3D has Sersic indices"),
        ({"light": "ring"}, "the light is ring; GalPaK3D has Sersic indices"),
        ({"curve": "courteau"}, "curve is 'courteau'; GalPaK3D has arctan, tanh"),
        ({"curve": "nfw"}, "maximum_velocity is 180; GalPaK3D can only have 0"),
        ({"curve": "mass_following", "sersic_index": 2.0}, "right for 0.5 and 1 alone"),
        ({"asymmetric_drift": True}, "asymmetric_drift is on; GalPaK3D has none"),
    ],
)
def test_what_galpak_cannot_express_is_named(change, message):
    with pytest.raises(InputError, match=message):
        to_galpak(replace(GALAXY, **change), GRID)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"rotation_curve": "Burkert"}, "rotation_curve is 'Burkert'; expected one of arctan"),
        ({"flux_profile": "user"}, "flux_profile is 'user'; expected one of gaussian"),
        ({"thickness_profile": "none"}, "thickness_profile is 'none'; expected one of gaussian"),
        ({"dispersion_profile": "thin"}, "dispersion_profile is 'thin'; expected 'thick'"),
    ],
)
def test_choices_of_galpak_that_are_not_ours_are_named(choices, message):
    with pytest.raises(InputError, match=message):
        from_galpak(to_galpak(GALAXY, GRID)["parameters"], GRID, **choices)


def test_missing_and_bad_values_of_galpak_are_named():
    parameters = to_galpak(GALAXY, GRID)["parameters"]
    some = {name: value for name, value in parameters.items() if name not in ("y", "radius")}
    with pytest.raises(InputError, match="GalPaK3D's parameters lack y, radius"):
        from_galpak(some, GRID)
    with pytest.raises(InputError, match="maximum_velocity is nan km/s"):
        from_galpak(parameters | {"maximum_velocity": math.nan}, GRID)
    with pytest.raises(InputError, match=r"velocity_step is -1.0 km/s; expected a number above 0"):
        to_galpak(GALAXY, GRID, velocity_step=-1.0)


@pytest.mark.parametrize("convert", [to_galpak, to_kinms])
def test_grids_of_neither_code_are_refused(convert):
    doublet = CubeGrid.wavelengths((20, 5, 5), 0.2, 3720.0, 1.25, lines=[3726.0, 3728.8])
    with pytest.raises(InputError, match="the grid has 2 lines; expected one"):
        convert(FLAT, doublet)
    with pytest.raises(InputError, match="velocities fall along the grid"):
        convert(FLAT, CubeGrid.velocities((20, 5, 5), 0.2, -50.0))
    with pytest.raises(InputError, match="channels are 50 to 100 km/s wide"):
        convert(FLAT, CubeGrid((2, 5, 5), 0.2, np.array([0.0, 50.0, 150.0])))


# --- KinMS ----------------------------------------------------------------------------------------


def test_kinms_has_its_own_middle():
    values = to_kinms(FLAT, GRID)
    assert values["cube"]["xs"] == pytest.approx(8.0)
    assert values["cube"]["vs"] == pytest.approx(1000.0)
    model = values["model"]
    assert model["posAng"] == 250.0
    # half a pixel along the even axis; its beam is off by as much again along the odd one
    assert model["phaseCent"] == pytest.approx([0.3 - 0.1, -0.4 - 0.2])
    assert to_kinms(FLAT, GRID, beam=False)["model"]["phaseCent"][1] == pytest.approx(-0.5)
    assert model["vOffset"] == pytest.approx(60.0 - 25.0)


def test_tables_of_kinms_hold_light_rotation_and_dispersion():
    galaxy = replace(FLAT, thick_dispersion=1.0, central_dispersion=50.0, bulge_fraction=0.3)
    model = to_kinms(galaxy, GRID)["model"]
    radii, light = model["sbRad"], model["sbProf"]
    total = np.trapezoid(2 * np.pi * radii * light, radii)
    assert total == pytest.approx(1.0, abs=1e-4)
    velocities = 180 * np.tanh(radii[1:] / 0.3)
    np.testing.assert_allclose(model["velProf"][1:], velocities, rtol=1e-9)
    squared = 35**2 + (0.1 * velocities / radii[1:]) ** 2 + (50 * np.exp(-radii[1:] / 0.5)) ** 2
    np.testing.assert_allclose(model["gasSigma"][1:], np.sqrt(squared), rtol=1e-9)
    assert model["gasSigma"][0] == pytest.approx(model["gasSigma"][1])


@pytest.mark.parametrize("beam", [True, False])
def test_kinms_and_back(beam):
    back = from_kinms(to_kinms(FLAT, GRID, beam=beam)["model"], GRID, beam=beam)
    radii, velocities = np.array(back.rotation_table).T
    np.testing.assert_allclose(velocities, 180 * np.tanh(radii / 0.3), atol=1e-9)
    expected = replace(FLAT, curve="table", rotation_table=back.rotation_table)
    # the table has the curve's two parameters
    back = replace(back, maximum_velocity=180.0, turnover_radius=0.3)
    same(expected, back, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertical": "gaussian"}, "vertical is 'gaussian'; KinMS has 'exponential' alone"),
        ({"g2": 0.1}, "g2 is 0.1; KinMS can only have 0"),
        ({"clumps": (Clump(),)}, "the galaxy has 1 clumps; KinMS has none"),
    ],
)
def test_what_kinms_cannot_express_is_named(change, message):
    with pytest.raises(InputError, match=message):
        to_kinms(replace(FLAT, **change), GRID)


def test_missing_and_changing_values_of_kinms_are_named():
    model = to_kinms(FLAT, GRID)["model"]
    with pytest.raises(InputError, match="KinMS's arguments lack inc, velProf"):
        from_kinms({k: v for k, v in model.items() if k not in ("inc", "velProf")}, GRID)
    with pytest.raises(InputError, match="inc goes from 40 to 50; expected one number"):
        from_kinms(model | {"inc": [40.0, 50.0]}, GRID)
    with pytest.raises(InputError, match=r"sbProf has shape .* expected as many as sbRad"):
        from_kinms(model | {"sbProf": [1.0, 2.0, 3.0]}, GRID)
