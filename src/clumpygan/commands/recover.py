"""Recover an HST image of a galaxy from its Subaru HSC view: `recover.py`."""

from __future__ import annotations

import secrets
import time
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, Any

from clumpygan.commands.program import Parser, check_device, run_program
from clumpygan.commands.recovery_options import (
    DESCRIPTION,
    EPILOG,
    add_flags,
    check_options,
    source_of,
)
from clumpygan.errors import InputWarning

if TYPE_CHECKING:
    from clumpygan.commands.recovery_scene import Recovery, Scene


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(_recover, _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="recover.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_flags(parser)
    return parser


def _recover(options: Namespace) -> None:
    begin = time.perf_counter()
    check_options(options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.commands.recovery_captions import headline, measurement_table
    from clumpygan.commands.recovery_output import check_outputs, write_outputs
    from clumpygan.commands.recovery_remarks import remarks_on_data, remarks_on_fit
    from clumpygan.commands.recovery_run import add_measured_magnitude, recover_scene
    from clumpygan.gan.recovery import SuperResolver

    check_outputs(options)
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    print(f"seed {seed}" + ("" if options.seed is not None else ", drawn at random"))
    check_device(options.device)
    resolver = SuperResolver.from_checkpoint(options.checkpoint, device=options.device)
    scene = _scene(options, seed)
    recovery = recover_scene(
        scene,
        resolver,
        samples=options.samples,
        seed=seed,
        compare=not options.no_richardson_lucy,
    )
    add_measured_magnitude(scene, recovery)
    scene.remarks += [*remarks_on_data(scene, recovery.nucleus), *remarks_on_fit(recovery)]
    print(headline(scene))
    for remark in scene.remarks:
        print(f"note: {remark}")
    report = _report(options, seed, scene, recovery)
    report["seconds"] = round(time.perf_counter() - begin, 2)
    written = write_outputs(options, scene, recovery, report)
    print(measurement_table(recovery))
    print(f"wrote {', '.join(map(str, written))} in {report['seconds']:.1f} s")


def _scene(options: Namespace, seed: int) -> Scene:
    """Make the scene, and remember what was mended on the way."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", InputWarning)
        scene = _scene_of(source_of(options), options, seed)
    for one in heard:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    mended = (one for one in heard if issubclass(one.category, InputWarning))
    scene.facts["warnings"] = [str(one.message) for one in mended]
    return scene


def _scene_of(source: str, options: Namespace, seed: int) -> Scene:
    if source == "hsc":
        from clumpygan.commands.recovery_hsc import hsc_scene

        return hsc_scene(options, seed)
    from clumpygan.commands import recovery_hst

    makers = {
        "synthetic": recovery_hst.synthetic_scene,
        "image": recovery_hst.image_scene,
        "catalog": recovery_hst.catalog_scene,
    }
    return makers[source](options, seed)


def _report(options: Namespace, seed: int, scene: Scene, recovery: Recovery) -> dict[str, Any]:
    """Return all that was measured, for the JSON file."""
    from clumpygan import __version__

    return {
        "program": f"clumpygan {__version__}",
        "seed": seed,
        "source": source_of(options),
        "title": scene.title,
        "checkpoint": str(options.checkpoint),
        "samples": recovery.count,
        "redshift": scene.redshift,
        "magnitude": scene.magnitude,
        "unit": scene.unit,
        "sigma": scene.sigma,
        "seeing": scene.seeing,
        "shape_hsc": list(scene.observed.shape),
        "shape_hst": list(scene.reference_mask.shape),
        "masked_fraction": float(scene.reference_mask.mean()),
        **scene.facts,
        "remarks": scene.remarks,
        "methods": recovery.metrics,
    }
