"""Which galaxies are taken, and which of them are the same."""

import numpy as np
import pytest
from astropy import units
from astropy.table import MaskedColumn, QTable, Table

from clumpygan.data.cutouts.selection import identifiers, select_galaxies
from clumpygan.data.cutouts.settings import CutoutSettings, Cuts, FieldFiles
from clumpygan.errors import InputError

BASE = {"id": [1, 2, 3, 4], "ra": [10.0, 20.0, 30.0, 40.0], "dec": [0.0, 1.0, 2.0, 3.0]}


@pytest.fixture
def chosen(tmp_path):
    """Select from a catalogue of these columns."""

    def _chosen(columns=None, table=None, **cuts):
        path = tmp_path / "cat.fits"
        (Table(BASE | (columns or {})) if table is None else table).write(path, overwrite=True)
        files = FieldFiles("gs", str(path), ("m.fits",))
        return select_galaxies(files, CutoutSettings((files,), cuts=Cuts(**cuts)), 0.06)

    return _chosen


def test_each_galaxy_counts_for_the_first_reason(chosen):
    table, dropped = chosen(
        {
            "ra": [np.nan, 20.0, 30.0, 40.0],
            "z_best": [9.0, 9.0, 1.0, 1.0],
            "Hmag": [30.0, 30.0, 30.0, 22.0],
        },
        max_redshift=2,
        max_magnitude=26,
    )
    assert list(table["id"]) == ["4"]
    counts = {"no position": 1, "star": 0, "redshift": 1, "magnitude": 1}
    assert dropped == counts


@pytest.mark.parametrize(
    ("cuts", "kept"),
    [
        ({"max_redshift": 1.0}, ["1"]),
        ({"min_redshift": 1.0}, ["2", "3"]),
        ({"min_magnitude": 22.0, "max_magnitude": 24.0}, ["2", "3"]),
        ({"where": (("F", 0.0, 1.0),)}, ["1", "2"]),
        ({"where": (("f", 1.0, 2.0), ("Hmag", 0, 22.5))}, ["2"]),
        ({}, ["1", "2", "3", "4"]),
    ],
)
def test_cuts(chosen, cuts, kept):
    columns = {"z": [0.5, 1.0, 1.5, -1.0], "Hmag": [21.0, 22, 23, 24], "F": [0.0, 1, 2, np.nan]}
    assert list(chosen(columns, **cuts)[0]["id"]) == kept


@pytest.mark.parametrize(
    ("name", "values", "kept"),
    [
        ("CLASS_STAR", [0.0, 0.89, 0.9, 1.0], "12"),
        ("star_flag", [0, 1, 2, 0], "134"),
        ("is_star", [True, False, False, True], "23"),
        ("class", ["GALAXY", "Star", "QSO", "galaxy"], "134"),
        ("use_phot", [1, 1, 0, 1], "124"),
    ],
)
def test_stars_and_bad_photometry(chosen, name, values, kept):
    assert "".join(chosen({name: values})[0]["id"]) == kept
    assert len(chosen({name: values}, stars=True)[0]) == 4


@pytest.mark.parametrize(
    ("name", "unit", "scale"),
    [
        ("re", None, 1),
        ("FLUX_RADIUS", None, 0.06),
        ("FLUX_RADIUS", units.arcsec, 1),
        ("half_light_radius", units.pixel, 0.06),
        ("r50", units.arcmin, 60),
    ],
)
def test_radii_are_in_arcsec(chosen, name, unit, scale):
    table = QTable(BASE)
    table[name] = np.array([1.0, 2.0, -1.0, np.nan]) * (unit or 1)
    found = chosen(table=table)[0]["half_light_radius"]
    np.testing.assert_allclose(found, [scale, 2 * scale, np.nan, np.nan])


def test_sersic_indices_are_taken_where_there_are_any(chosen):
    found = chosen({"n": [1.0, 4.0, -1.0, np.nan]})[0]["sersic_index"]
    np.testing.assert_allclose(found, [1.0, 4.0, np.nan, np.nan])
    assert np.isnan(chosen()[0]["sersic_index"]).all()


def test_masked_values_fail_a_cut(chosen):
    column = MaskedColumn([1.0, 1.0, 1.0, 1.0], mask=[0, 1, 0, 0])
    assert "".join(chosen({"F": column}, where=(("F", 0, 2),))[0]["id"]) == "134"


def test_a_column_without_numbers_is_none(chosen):
    with pytest.raises(InputError, match="no column name with numbers; its columns are id, ra"):
        chosen({"name": list("abcd")}, where=(("name", 0, 1),))


def test_the_same_galaxy_in_two_fields():
    arcsec = 1 / 3600
    ra = np.array([10.0, 10.0, 350.0, 10.0, 359.99999])
    dec = np.array([0.0, 0.49 * arcsec, 0.0, 0.51 * arcsec, 50.0])
    names = ["a-1", "b-7", "a-2", "c-3", "a-4"]
    # The third is a friend of a friend.
    assert identifiers(names, ra, dec).tolist() == ["a-1", "a-1", "a-2", "a-1", "a-4"]
    assert identifiers(["x", "y"], ra[[0, 3]], dec[[0, 3]]).tolist() == ["x", "y"]
    assert identifiers(["x"], ra[:1], dec[:1]).tolist() == ["x"]
    # On both sides of right ascension 0.
    assert identifiers(["x", "y"], np.array([359.99999, 0.00001]), np.zeros(2)).tolist() == 2 * [
        "x"
    ]
