import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.declaration import Parameter, Prior, draw
from clumpygan.galaxies.disks.parameters import (
    CLUMP_PARAMETERS,
    CURVES,
    PARAMETERS,
    Clump,
    DiskModel,
    DiskParameters,
    stack,
)


def test_every_row_is_complete_and_its_default_and_prior_are_in_range():
    for row in (*PARAMETERS, *CLUMP_PARAMETERS):
        assert row.description
        assert row.minimum <= row.default <= row.maximum, row.name
        if row.prior.kind in ("uniform", "log_uniform", "isotropic"):
            assert row.minimum <= row.prior.low < row.prior.high <= row.maximum, row.name
        if row.prior.kind == "normal":
            assert row.minimum < row.prior.low < row.maximum, row.name
    assert {row.name for row in PARAMETERS if row.period} == {
        "position_angle",
        "arm_phase",
        "lopsidedness_phase",
    }


def test_vectors_and_dicts_come_back_without_loss():
    galaxy = DiskParameters(
        inclination=60.000000000000014,
        curve="table",
        rotation_table=((0.1, 50.0), (1.0, 1 / 3)),
        vertical="sech2",
        arms=2,
        asymmetric_drift=True,
        clumps=(Clump(x=0.1), Clump(fraction=1e-3, y=-2.0)),
        warp_inclination=3.0,
    )
    model = galaxy.model
    assert model.warped
    assert model.clumps == 2
    assert DiskParameters.from_vector(galaxy.to_vector(), model) == galaxy
    assert DiskParameters.from_dict(galaxy.to_dict(), model) == galaxy
    assert model.names[model.index("clump_2_y")] == "clump_2_y"
    assert galaxy.to_vector()[model.index("clump_2_y")] == -2.0


def test_what_is_left_out_has_its_default():
    galaxy = DiskParameters.from_dict({"clump_1_x": 2.0}, DiskModel(clumps=1))
    assert galaxy.clumps == (Clump(x=2.0),)
    assert np.array_equal(DiskModel().defaults(), DiskParameters().to_vector())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inclination": 95}, "inclination is 95 deg; expected a number from 0 to 90 deg"),
        ({"half_light_radius": -1}, "half_light_radius is -1 arcsec; expected a number from"),
        ({"sersic_index": float("nan")}, "sersic_index is nan; expected"),
        ({"maximum_velocity": "fast"}, "maximum_velocity is 'fast'; expected a number"),
        ({"clumps": (Clump(), Clump(radius=9.0))}, "clump_2_radius is 9 arcsec; expected"),
        ({"clumps": (Clump(fraction=0.6),) * 2}, "the clumps share 1.2 of the light"),
        ({"curve": "flat"}, "`curve` is 'flat': expected one of arctan, tanh"),
        ({"curve": "table"}, "`rotation_table`: expected at least 2 rows"),
        ({"arms": 9}, "`arms` is 9"),
    ],
)
def test_bad_values_name_the_parameter_its_range_and_unit(values, message):
    with pytest.raises(InputError, match=message):
        DiskParameters(**values)


def test_bad_vectors_names_and_batches_are_named():
    with pytest.raises(InputError, match=r"shape \(3,\); expected"):
        DiskParameters.from_vector([1, 2, 3])
    with pytest.raises(InputError, match="no parameter 'inclnation'"):
        DiskParameters.from_dict({"inclnation": 3.0})
    with pytest.raises(InputError, match="different models"):
        stack([DiskParameters(), DiskParameters(curve="tanh")])
    with pytest.raises(InputError, match="no galaxies"):
        stack([])
    with pytest.raises(InputError, match="`clumps` is 99"):
        DiskModel(clumps=99)


def test_drawn_galaxies_are_in_range_and_depend_on_the_generator_alone():
    model = DiskModel(clumps=5, arms=2)
    vectors = model.draw(np.random.default_rng(3), 500)
    assert np.array_equal(vectors, model.draw(np.random.default_rng(3), 500))
    assert not np.array_equal(vectors, model.draw(np.random.default_rng(4), 500))
    for column, row in zip(vectors.T, model.table, strict=True):
        assert row.minimum <= column.min() <= column.max() <= row.maximum, row.name
    for vector in vectors[:20]:
        DiskParameters.from_vector(vector, model)
    fractions = vectors[:, [model.index(f"clump_{i}_fraction") for i in range(1, 6)]].sum(1)
    assert fractions.max() <= 0.6 + 1e-12
    height, radius = (vectors[:, model.index(n)] for n in ("scale_height", "half_light_radius"))
    assert (height <= 0.4 * radius + 1e-12).all()


def test_priors_have_their_distributions():
    def drawn(kind, low, high):
        row = Parameter("x", "", -10.0, 90.0, 0.0, Prior(kind, low, high), "")
        return draw(row, np.random.default_rng(0), 40000)

    cosines = np.cos(np.radians(drawn("isotropic", 0.0, 90.0)))
    assert np.histogram(cosines, 4, (0, 1))[0] == pytest.approx([10000] * 4, rel=0.04)
    assert np.log(drawn("log_uniform", 1.0, 10.0)).mean() == pytest.approx(np.log(10) / 2, rel=0.02)
    assert drawn("uniform", 2.0, 4.0).mean() == pytest.approx(3.0, rel=0.01)
    assert drawn("normal", -10.0, 1.0).min() >= -10.0
    assert (drawn("fixed", 0.0, 0.0) == 0.0).all()


def test_curves_are_numbered_in_the_order_that_kernels_know():
    assert CURVES.index("arctan") == 0
    assert CURVES[-2:] == ("table", "rings")
