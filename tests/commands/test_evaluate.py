"""The program `evaluate.py super_resolution`, with networks that know nothing yet."""

import functools
import json
import pickle
from contextlib import contextmanager

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.commands.evaluate import main
from clumpygan.engine import Engine
from clumpygan.engine.units import one_thread
from clumpygan.evaluation.recovery import baselines
from clumpygan.evaluation.recovery.report import MAGNITUDE_BINS
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.recovery import bench
from clumpygan.recovery.bench_settings import DEFAULT_METHODS

NETWORKS = {
    "super_resolution": {
        "channels": 4, "blocks": [1, 1], "fine_channels": 4, "fine_blocks": 1, "noise_channels": 2,
    },
    "ancestor": {"channels": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A folder with an untrained network of either kind."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, arguments in NETWORKS.items():
        network = build_network(name, arguments)
        save_checkpoint(folder / name, network, {"network": {"name": name, "arguments": arguments}})
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Few iterations; the whole program in this process."""
    few = functools.partial(baselines.richardson_lucy, iterations=(5, 10))
    monkeypatch.setattr(baselines, "richardson_lucy", few)


def run(*arguments):
    main(["super_resolution", "--workers", "1", *map(str, arguments)])


def networks(folder):
    return [
        "--checkpoint", folder / "super_resolution.safetensors",
        "--ancestor-checkpoint", folder / "ancestor.safetensors",
    ]  # fmt: skip


@pytest.fixture
def catalog(tmp_path):
    """A catalogue of two stamps of different size, with noise, pixels of 0.06"."""
    rng = np.random.default_rng(0)
    rows = []
    for i, size in enumerate((98, 130)):
        galaxy = galsim.Exponential(half_light_radius=0.3, flux=3000.0)
        sharp = galsim.Convolve(galaxy, galsim.Gaussian(fwhm=0.185))
        image = sharp.drawImage(nx=size, ny=size, scale=0.06, method="no_pixel").array
        noisy = image + 2.0 * rng.standard_normal(image.shape)
        fits.writeto(tmp_path / f"{i}.fits", noisy.astype(np.float32))
        rows.append((i, f"{i}.fits", 0.06, 31.4, 22.7 + i, 0.5 + i))
    names = ("id", "image", "pixel_scale", "zero_point", "h_magnitude", "redshift")
    path = tmp_path / "catalog.csv"
    Table(rows=rows, names=names).write(path)
    return path


def test_the_table_of_all_methods(checkpoints, tmp_path, capsys):
    metrics, picture = tmp_path / "sr.json", tmp_path / "sr.png"
    run("--n", 3, "--seed", 11, "--samples", 4, "--metrics", metrics, "--picture", picture,
        *networks(checkpoints))  # fmt: skip
    report = json.loads(metrics.read_text())
    names = ["bicubic", "wiener", "richardson_lucy", "ancestor", "network", "sample", "hst"]
    assert list(report["methods"]) == names
    assert report["galaxies"]["all"] == 3
    for name, columns in report["methods"].items():
        assert {"psnr", "nrmse", "ssim", "abs_dm", "dm", "half_light_radius_error",
                "centroid_shift", "clump_completeness", "clump_purity", "chi2",
                "power_spectrum_distance"} <= set(columns)  # fmt: skip
        assert ("coverage_68" in columns) == (name == "network")
        assert list(columns["nrmse"]) == list(MAGNITUDE_BINS)
        assert columns["nrmse"]["all"] > 0
        assert report["uncertainties"][name]["nrmse"]["all"] > 0
    assert 0 <= report["methods"]["network"]["coverage_95"]["all"] <= 1
    assert report["iterations"]["richardson_lucy"]["best"]["all"] in (5, 10)
    assert report["settings"]["seeing_fwhm_arcsec"] == [0.55, 0.75]
    assert report["settings"]["sigma_njy_per_hsc_pixel"] == pytest.approx(2.28, abs=0.01)
    assert len(report["settings"]["checkpoint_sha256"]["network"]) == 64
    assert set(report["definitions"]) >= set(report["methods"]["network"])
    assert report["seconds"] > 0
    assert picture.stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "magnitude all: 3 galaxies" in out
    assert str(metrics) in out


def test_the_same_seed_gives_the_same_numbers(checkpoints, tmp_path):
    tables = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run("--n", 2, "--seed", seed, "--samples", 2, "--methods", "bicubic,network",
            "--metrics", tmp_path / name, *networks(checkpoints))  # fmt: skip
        tables.append(json.loads((tmp_path / name).read_text())["methods"])
    assert tables[0] == tables[1] != tables[2]


class EngineInThisProcess:
    """Sends everything through pickle, as other processes are given it, and works here."""

    def map(self, function, items):
        for item in items:
            send, sent = pickle.loads(pickle.dumps((function, item)))
            with one_thread():  # as workers do
                found = send(sent)
            yield pickle.loads(pickle.dumps(found))


@contextmanager
def engine_in_this_process(units, workers, cluster):
    yield EngineInThisProcess() if workers > 1 else Engine()


def test_processes_change_nothing(monkeypatch):
    monkeypatch.setattr("clumpygan.engine.batches.BATCH_SIZE", 1)
    monkeypatch.setattr("clumpygan.engine.batches.open_engine", engine_in_this_process)
    one, two = (
        bench.measure_methods(n=2, seed=2, methods=("bicubic",), workers=workers)
        for workers in (1, 2)
    )
    np.testing.assert_array_equal(one.magnitude, two.magnitude)
    np.testing.assert_array_equal(
        one.records["bicubic"]["magnitude_error"], two.records["bicubic"]["magnitude_error"]
    )
    assert (
        one.records["bicubic"]["magnitude_error"][0] != one.records["bicubic"]["magnitude_error"][1]
    )


def test_batches_of_the_network_have_noise_of_their_own(checkpoints):
    from clumpygan.evaluation.recovery.observations import SyntheticGalaxies
    from clumpygan.recovery.resolver import SuperResolver

    resolver = SuperResolver.from_checkpoint(str(checkpoints / "super_resolution.safetensors"))
    seeds = []
    original = resolver.recover
    resolver.recover = lambda *args, **kwargs: (
        seeds.append(kwargs["seed"]) or original(*args, **kwargs)
    )
    method = bench._network(resolver, 2, seed=1)
    galaxies = SyntheticGalaxies(seed=1)
    for index in (0, 1, 0):
        method(galaxies.batch([index]))
    assert seeds[0] == seeds[2] != seeds[1]


def test_a_catalogue_of_stamps(catalog, tmp_path):
    metrics = tmp_path / "cat.json"
    run("--catalog", catalog, "--methods", "bicubic,wiener", "--metrics", metrics)
    report = json.loads(metrics.read_text())
    assert list(report["methods"]) == ["bicubic", "wiener"]
    assert report["galaxies"] == {"all": 2, "20-22": 0, "22-24": 2, "24-25": 0, "25-26": 0}
    # the noise of the stamp is part of that of HSC, not added to it; where it is deeper at large
    # scales, half as much again for an independent judge shows
    assert 2.28 <= report["settings"]["sigma_njy_per_hsc_pixel"] < 2.45
    assert report["methods"]["wiener"]["chi2"]["all"] == pytest.approx(1.0, abs=0.2)
    assert report["methods"]["wiener"]["abs_dm"]["all"] < 0.1


def test_cuts_on_the_catalogue(catalog, tmp_path):
    metrics = tmp_path / "cat.json"
    run("--catalog", catalog, "--methods", "bicubic", "--max-redshift", 1, "--metrics", metrics)
    assert json.loads(metrics.read_text())["galaxies"]["all"] == 1


@pytest.mark.real_data
def test_real_cosmos_galaxies(real_data, tmp_path):
    metrics = tmp_path / "cosmos.json"
    table = real_data / "cosmos_f814w" / "real_galaxy_catalog.fits"
    run("--catalog", table, "--n", 2, "--methods", "wiener", "--metrics", metrics)
    numbers = json.loads(metrics.read_text())["methods"]["wiener"]
    assert numbers["chi2"]["all"] == pytest.approx(1.0, abs=0.15)
    assert numbers["nrmse"]["all"] < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--n", "0"], "'0' (expected an integer >= 1)"),
        (["--n", "many"], "'many' (expected an integer >= 1)"),
        (["--seed", "-1"], "'-1' (expected an integer from 0"),
        (["--samples", "3"], "'3' (expected an even integer >= 2)"),
        (["--methods", "bicubic,magic"], "expected one of bicubic, wiener, "),
        (["--methods", ","], "expected one of bicubic, wiener, "),
        (["--instrument", "hst_wfc3_f160w"], "from the ground"),
        (["--instrument", "hsc_deep_u"], "no instrument 'hsc_deep_u'"),
        (["--data-root", "."], "--data-root goes with --catalog"),
        (["--max-hmag", "25"], "--max-hmag goes with --catalog"),
        (["--catalog", "missing.fits"], "missing.fits: no such file"),
        (["--picture", "six.txt"], "expected a name ending in .png"),
        (["--metrics", "no/such/folder/sr.json"], "doesn't exist"),
        (["--device", "toaster"], "--device toaster"),
        (["--methods", "network", "--checkpoint", "absent"], "no checkpoint absent"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, words, checkpoints, capsys):
    rest = [] if "--checkpoint" in arguments else ["--checkpoint", str(checkpoints / "absent")]
    with pytest.raises(SystemExit) as stop:
        run(*arguments, *rest)
    assert stop.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in line
    assert line.startswith("evaluate.py")


def test_a_checkpoint_of_the_other_network_is_refused(checkpoints, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        run("--n", 1, "--checkpoint", checkpoints / "ancestor.safetensors", "--methods", "network",
            "--metrics", tmp_path / "sr.json")  # fmt: skip
    assert stop.value.code == 2
    assert "is of network ancestor, expected super_resolution" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_more_galaxies_than_the_catalogue_has(catalog, capsys):
    with pytest.raises(SystemExit) as stop:
        run("--catalog", catalog, "--n", 5, "--methods", "bicubic")
    assert stop.value.code == 2
    assert "only 2 galaxies" in capsys.readouterr().err


def test_help_explains_every_flag(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["super_resolution", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for flag in ("--n", "--seed", "--instrument", "--catalog", "--data-root", "--max-redshift",
                 "--max-hmag", "--methods", "--checkpoint", "--ancestor-checkpoint", "--samples",
                 "--metrics", "--picture", "--device", "--workers"):  # fmt: skip
        assert f"{flag} " in text
    assert ",".join(DEFAULT_METHODS) in text.replace("\n", "").replace(" ", "")


def test_pictured_galaxies_go_from_bright_to_faint():
    magnitude = np.array([25.0, 20.0, 24.0, 22.0, 23.0, 21.0, 25.5, 20.5])
    picks = bench.representative(magnitude)
    assert len(set(picks)) == 6
    assert magnitude[picks[0]] == 20.0
    assert magnitude[picks[-1]] == 25.5
    assert (np.diff(magnitude[picks]) > 0).all()
    assert bench.representative(magnitude[:2]) == [1, 0]
