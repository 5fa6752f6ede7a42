"""Sets of cubes are told apart where they differ, and not where they are equal."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.conditional_fidelity import (
    PARAMETERS,
    conditional_fidelity,
    departures,
)
from clumpygan.evaluation.cubes.cube_realism import CubeRealism, measure_cubes
from clumpygan.evaluation.cubes.cube_realism_table import TESTS, definitions, text_table
from clumpygan.evaluation.cubes.cube_sets import CubeSet, quantities
from clumpygan.evaluation.cubes.line_maps import CubeAxes
from clumpygan.plots.reports.cube_realism import (
    blind_page,
    conditional_fidelity_scatter,
    distributions,
    maps_side_by_side,
    realisation_grid,
)
from clumpygan.plots.reports.html import cube_realism_page

COUNT, SIDE = 40, 24
VELOCITIES = np.arange(-300.0, 301.0, 60.0)
AXES = CubeAxes(VELOCITIES, 0.2)


def galaxies(name, seed, clumpy=1.0, rotation=None):
    """Rotating disks, face-on, with one bright clump each."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - 11.5
    angle = generator.uniform(0.0, 360.0, COUNT)
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    along = cosine[:, None, None] * y - sine[:, None, None] * x
    speed = (rotation or 150.0) * np.tanh(along / 3.0)
    light = 60.0 * np.exp(-(x**2 + y**2) / 18.0) * np.ones((COUNT, 1, 1))
    places = generator.uniform(-5.0, 5.0, (2, COUNT, 1, 1))
    clump = 50.0 * np.exp(-0.5 * ((x - places[0]) ** 2 + (y - places[1]) ** 2) / 2.0)

    def cube(light, speed):
        lines = np.exp(-0.5 * ((VELOCITIES[:, None, None] - speed[:, None]) / 60.0) ** 2)
        return (0.3 * light[:, None] * lines).astype(np.float32)

    smooth = cube(light, 150.0 * np.tanh(along / 3.0))
    clean = cube(light + clumpy * clump, speed)
    noise = generator.normal(size=clean.shape).astype(np.float32)
    told = {
        "inclination": np.zeros(COUNT), "position_angle": angle, "seeing": np.full(COUNT, 0.5),
        "offset_x": np.zeros(COUNT), "offset_y": np.zeros(COUNT),
        "systemic_velocity": np.zeros(COUNT),
    }  # fmt: skip
    maps = [(clean + noise).sum(axis=1), np.zeros_like(light), np.zeros_like(light)]
    expected = np.stack([*maps, smooth.sum(axis=1)], axis=1)
    return CubeSet(name, clean + noise, smooth, told, expected, clean)


@pytest.fixture(scope="module")
def sets():
    return [galaxies("reference", 1), galaxies("floor", 2), galaxies("made <&>", 2, clumpy=0.0)]


@pytest.fixture(scope="module")
def result(sets) -> CubeRealism:
    reference, *candidates = sets
    found = measure_cubes(
        reference,
        candidates,
        AXES,
        reference.observed - reference.clean,
        generator=np.random.default_rng(0),
        training=np.concatenate([candidates[0].clean[:1], galaxies("t", 9).clean]).sum(axis=1),
        epochs=1,
    )
    asked = {name: np.linspace(40.0, 80.0, 12) for name in PARAMETERS}
    back = departures(asked, {name: values + 1.0 for name, values in asked.items()})
    for name in found.numbers:
        found.conditional_fidelity[name] = {
            parameter: {key: number._asdict() for key, number in vars(one).items()}
            for parameter, one in conditional_fidelity(back, back, np.random.default_rng(0)).items()
        }
    return found


def test_disks_without_clumps_are_found_out_and_the_truth_is_not(result):
    floor, smooth = result.numbers["floor"], result.numbers["made <&>"]
    assert floor["strongest"]["value"] < 0.72
    assert smooth["strongest"]["value"] > 0.9
    assert smooth["ks clump_number"]["value"] > 0.9
    assert floor["ks clump_number"]["value"] < 0.3
    assert smooth["frechet"]["value"] > 5 * abs(floor["frechet"]["value"])
    assert result.strongest["made <&>"] in smooth
    assert smooth[result.strongest["made <&>"]] == smooth["strongest"]


def test_clumps_are_counted(result):
    medians = result.medians
    assert medians["floor"]["clump_number"]["value"] == pytest.approx(1.0, abs=0.2)
    assert medians["made <&>"]["clump_number"]["value"] == 0.0
    assert medians["made <&>"]["clump_radius"]["value"] is None
    assert set(quantities(result.looks["floor"])) == set(medians["floor"])


def test_a_copy_of_the_training_set_is_near(result):
    nearest = result.neighbours["floor"]
    assert nearest.index[0] == 0
    assert nearest.distance[0] == pytest.approx(0.0, abs=1e-2)
    assert (nearest.distance[1:] > 0.05).all()


def test_all_numbers_go_into_json_and_all_are_defined(result):
    told = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert set(told["tests"]) == {"floor", "made <&>"}
    explained = definitions()
    assert set(told["tests"]["floor"]) <= set(explained["tests"])
    assert set(told["tests"]["floor"]) | {"diversity_flux", "diversity_velocity"} == set(TESTS)
    known = set(explained["quantities"]) | set(explained["statistics"])
    assert {name.removeprefix("observed ") for name in told["ks"]["floor"]} == known
    assert set(told["conditional_fidelity"]["floor"]["inclination"]) <= set(
        explained["conditional_fidelity"]
    )


def test_cubes_known_with_noise_alone_are_compared_with_noise_alone(sets):
    noisy = [replace(one, clean=None) for one in sets]
    noise = sets[0].observed - sets[0].clean
    found = measure_cubes(
        noisy[0], noisy[1:], AXES, noise, generator=np.random.default_rng(0), epochs=0
    )
    assert "cube_network" not in found.numbers["floor"]
    for name in ("clump_number", "velocity_residual"):
        medians = found.medians["made <&>"]
        assert medians[name]["value"] == medians[f"observed {name}"]["value"]


def test_cubes_that_cannot_be_compared_are_refused(sets):
    def compare(one):
        measure_cubes(
            sets[0], [one], AXES, sets[0].observed, generator=np.random.default_rng(0), epochs=0
        )

    few = replace(sets[1], observed=sets[1].observed[:19])
    with pytest.raises(InputError, match="19 floor cubes are too few"):
        compare(few)
    with pytest.raises(InputError, match="the floor cubes have shape"):
        compare(replace(sets[1], observed=sets[1].observed[:, :, :-1]))
    broken = sets[1].observed.copy()
    broken[3, 2, 1, 0] = np.nan
    with pytest.raises(InputError, match="hold NaN"):
        compare(replace(sets[1], observed=broken))


def test_the_table_and_the_page_tell_it_all(sets, result):
    pictures = [
        maps_side_by_side(sets[1:], result, clean=True),
        maps_side_by_side(sets[1:], result, clean=False),
        distributions(result),
        realisation_grid({"truth": sets[1].clean[:8].reshape(2, 4, *sets[1].clean.shape[1:])}),
    ]
    asked = {name: np.arange(1.0, 6.0) for name in PARAMETERS}
    pictures.append(conditional_fidelity_scatter(asked, {"floor": asked, "made <&>": asked}))
    for picture in pictures:
        (path,) = [picture.png]
        assert path.startswith(b"\x89PNG")
    report = SimpleNamespace(result=result, facts=lambda: {"cubes": "a & b"})
    page = cube_realism_page(report, pictures)

    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open, self.sources = [], []

        def handle_starttag(self, tag, attributes):
            if tag not in ("img", "meta"):
                self.open.append(tag)
            self.sources += [value for name, value in attributes if name in ("src", "href")]

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert all(source.startswith("data:image/png;base64,") for source in checker.sources)
    assert len(checker.sources) == len(pictures)
    assert "made &lt;&amp;&gt;" in page
    assert "a &amp; b" in page
    text = text_table(result)
    for word in ("classifier, strongest", "velocity residual", "scatter ratio", "floor"):
        assert word in text
    assert f"+- {result.numbers['floor']['strongest']['error']:.3f}" in text


def test_the_blind_page_has_both_sets_and_a_key(sets, result, tmp_path):
    def report(seed):
        compared = SimpleNamespace(made=[sets[2]], floor=sets[1])
        return SimpleNamespace(
            compared=compared, result=result, settings=SimpleNamespace(seed=seed)
        )

    page, key = blind_page(report(4))
    lines = key.splitlines()
    assert [line.split()[0] for line in lines] == [str(i) for i in range(1, 17)]
    assert sum("floor" in line for line in lines) == 8
    path = tmp_path / "blind.png"
    path.write_bytes(page)
    assert matplotlib.image.imread(path).std() > 0.05
    assert blind_page(report(4))[1] == key
    assert blind_page(report(5))[1] != key
