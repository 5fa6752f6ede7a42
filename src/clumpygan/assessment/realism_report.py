"""How real generated stamps of galaxies are: sets made or read, and compared in every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.assessment.progress import Progress, silent
from clumpygan.assessment.real_sets import real, stamps_of
from clumpygan.assessment.settings import NOTHING, RealismSettings
from clumpygan.assessment.stamp_sets import (
    StampSet,
    check_same_frame,
    read_catalog_stamps,
    read_cube_of_stamps,
)
from clumpygan.assessment.synthetic_sets import (
    SIZE,
    SMOOTH,
    HeldOut,
    made_by,
    noiseless_like,
    synthetic,
    training_sample,
)
from clumpygan.errors import InputError
from clumpygan.evaluation.realism.image_statistics import DEFINITIONS
from clumpygan.evaluation.realism.realism import REFERENCE, Realism, measure_realism
from clumpygan.evaluation.realism.table import text_table
from clumpygan.evaluation.realism.two_networks import TwoNetworks, two_networks
from clumpygan.gan.checkpoint import find_checkpoint, read_card
from clumpygan.instruments import HST_WFC3_F160W


@dataclass(frozen=True, eq=False)
class RealismReport:
    """What was compared, and what came out.

    Attributes
    ----------
    settings : RealismSettings
    held_out : HeldOut
    candidates : list of StampSet
        All that is compared with the reference: the floor, what was generated, smooth disks.
    made : list of StampSet
        What was generated.
    ways : numpy.ndarray, (R, S, y, x), optional
        From one generated galaxy to another, where a generator was asked.
    result : Realism
    two_networks : TwoNetworks, optional
        Where a second generator was asked.
    """

    settings: RealismSettings
    held_out: HeldOut
    candidates: list[StampSet]
    made: list[StampSet]
    ways: NDArray[np.floating] | None
    result: Realism
    two_networks: TwoNetworks | None = None

    def __str__(self) -> str:
        """Return the tables as text."""
        lines = [text_table(self.result)]
        for name, ratio in shares_of_smooth(self.result).items():
            lines.append(f"Frechet distance of {name} / smooth disks: {ratio:.3f}")
        if self.two_networks is not None:
            lines.append(str(self.two_networks))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, their definitions and the settings for JSON."""
        training = self.held_out.training
        return {
            "settings": asdict(self.settings)
            | {
                "pixel_scale_arcsec": self.held_out.reference.pixel_scale,
                "training_images": 0 if training is None else len(training.images),
            },
            "sets": {one.name: one.text for one in self.candidates},
            **self.result.as_dict(),
            "frechet_in_units_of_smooth_disks": shares_of_smooth(self.result),
            "two_networks": None if self.two_networks is None else asdict(self.two_networks),
            "definitions": DEFINITIONS,
        }

    def facts(self) -> dict[str, str]:
        """Return what was compared, line by line: name -> text."""
        facts = {"reference": self.held_out.reference.text}
        facts |= {one.name: one.text for one in self.candidates}
        if self.held_out.training is not None:
            facts["training"] = self.held_out.training.text
        if self.two_networks is not None:
            facts["two networks"] = str(self.two_networks)
        return facts | {"seed": str(self.settings.seed)}


def realism(
    settings: RealismSettings | None = None,
    *,
    progress: Progress = silent,
    report: Callable[[str], object] = lambda stage: None,
    **given: Any,
) -> RealismReport:
    """Compare generated galaxies with held-out real ones, in every way.

    Parameters
    ----------
    settings : RealismSettings, optional
    progress : callable, optional
        Called with how many stamps were rendered or generated, of how many, and the stage.
    report : callable, optional
        Told the name of each stage as it begins.
    **given
        Settings by their names, in place of `settings`.

    Returns
    -------
    RealismReport

    Raises
    ------
    InputError
        If files can't be read, hold too few galaxies, or stamps of other sizes or pixels.
    """
    settings = settings or RealismSettings(**given)
    for name in ("real", "train", "catalog", "other_train"):
        path = getattr(settings, name)
        if path is not None and not path.exists():
            raise InputError(f"`{name}` {path}: no such file or folder")
    report("galaxies")
    held_out, candidates, made, ways = _sets(settings, progress)
    result = measure_realism(
        held_out.reference.images,
        {one.name: one.images for one in candidates},
        generator=np.random.default_rng(settings.seed),
        training=None if held_out.training is None else held_out.training.images,
        magnitudes={
            name: one.magnitudes
            for name, one in {
                REFERENCE: held_out.reference,
                **{c.name: c for c in candidates},
            }.items()
            if one.magnitudes is not None
        },
        pixel_epochs=settings.pixel_epochs,
        device=settings.device,
        report=report,
        progress=progress,
    )
    compared = None
    if settings.other != NOTHING:
        report("two networks")
        compared = _compare_networks(settings, held_out, progress)
    return RealismReport(settings, held_out, candidates, made, ways, result, compared)


def _compare_networks(
    settings: RealismSettings, held_out: HeldOut, progress: Progress
) -> TwoNetworks:
    """Compare galaxies of two networks with what both learnt from.

    Raises
    ------
    InputError
        If a card says another seed, or stamps differ in size.
    """
    own = held_out.training
    if own is None:
        raise InputError("`other`: nothing is known of what `checkpoint` learnt from; give `train`")
    names = settings.checkpoint, settings.other
    sizes = [settings.searched]
    for name, seed in zip(
        names, (settings.training_seed, settings.other_training_seed), strict=True
    ):
        data = read_card(find_checkpoint(name).with_suffix(".yaml")).get("data") or {}
        if settings.other_train is None and data.get("seed", seed) != seed:
            raise InputError(
                f"checkpoint {name} was trained with the seed {data['seed']}, not {seed}: give it"
                " as `training_seed` or `other_training_seed`"
            )
        sizes.append(data.get("train_size", settings.searched))
    side = own.images.shape[1]
    if settings.other_train is None:
        others = training_sample(min(sizes), settings.other_training_seed, progress=progress)
    else:
        others = stamps_of(settings.other_train, side, settings)
    check_same_frame(others, own)
    count = min(len(own.images), len(others.images), *sizes)
    made = [
        noiseless_like(name, held_out.floor, settings.seed, settings.device, progress)
        for name in names
    ]
    return two_networks(
        (made[0], made[1]),
        (own.images[:count], others.images[:count]),
        np.random.default_rng(settings.seed),
    )


def shares_of_smooth(result: Realism) -> dict[str, float]:
    """Return the Frechet distance of each other set in units of that of the smooth disks."""
    unit = result.numbers.get(SMOOTH, {}).get("frechet", {}).get("value") or 0.0
    distances = {name: tests["frechet"]["value"] for name, tests in result.numbers.items()}
    return {
        name: value / unit
        for name, value in distances.items()
        if name != SMOOTH and unit > 0 and value is not None
    }


def _sets(
    settings: RealismSettings, progress: Progress
) -> tuple[HeldOut, list[StampSet], list[StampSet], NDArray[np.floating] | None]:
    """Return held-out galaxies, candidates, those that were generated, and ways between them."""
    # Files first: what is wrong with them is said before anything is drawn.
    noise = HST_WFC3_F160W.noise()
    early = [read_cube_of_stamps(path, noise, settings.seed) for path in settings.generated]
    size = early[0].images.shape[1] if early else SIZE
    if settings.real is None:
        searched = 0 if settings.train is not None else settings.searched
        held_out = synthetic(settings.n, settings.seed, settings.training_seed, searched, progress)
        if settings.train is not None:
            training = stamps_of(settings.train, size, settings)
            held_out = replace(held_out, training=training.part(slice(0, settings.searched)))
    else:
        held_out = real(settings.real, settings, size)
    made, ways = [one.part(slice(0, settings.n)) for one in early], None
    if not made and settings.checkpoint != NOTHING:
        galaxies, ways = made_by(
            settings.checkpoint, held_out.floor, settings.seed, settings.device, progress
        )
        made = [galaxies]
    candidates = [held_out.floor, *made, *held_out.opponents]
    if settings.catalog is not None:
        side = held_out.reference.images.shape[1]
        candidates.append(read_catalog_stamps(settings.catalog, side, settings.seed))
    training_sets = [] if held_out.training is None else [held_out.training]
    for one in (*candidates, *training_sets):
        check_same_frame(one, held_out.reference)
    names = [one.name for one in candidates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two sets are called {twice[0]}: rename the file")
    return held_out, candidates, made, ways
