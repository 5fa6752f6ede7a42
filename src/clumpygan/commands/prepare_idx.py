"""`prepare.py idx`: images into the MNIST format, and back."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan.commands.flag_types import integer, number
from clumpygan.errors import InputError
from clumpygan.io.atomic import check_output_path
from clumpygan.io.image_stack import ENDINGS
from clumpygan.io.stretch import STRETCHES

if TYPE_CHECKING:
    from clumpygan.commands.idx_source import Source
    from clumpygan.io.idx_card import ImageCard

DESCRIPTION = """\
Write images as an IDX file, the format of MNIST, so that any code for MNIST runs on them; or turn
an IDX file into a NumPy array (.npy) or a FITS cube (.fits) again.

uint8 levels hold a stretch of the images in units of their noise. The format has no room to say
which, so NAME.json beside NAME (or NAME.gz) does: stretch, noise and unit. With it the way back
undoes the stretch, to half a level; without it, as for MNIST itself, levels come back as they are.
float32 is exact."""

EPILOG = """\
examples:
  %(prog)s --input cutouts/gs --output gs-images-idx3-ubyte.gz
  %(prog)s --input cutouts/gs --output gs-images-idx3-ubyte.gz --labels h_magnitude --bins 5
  %(prog)s --input stamps.npy --output stamps-images-idx3-float --noise-sigma 0.8
  %(prog)s --input gs-images-idx3-ubyte.gz --output gs.fits"""


_INTO = ("dtype", "stretch", "scale", "range", "noise_sigma", "band", "labels", "bins")


def add_idx(subparsers: Any) -> None:
    """Add the subcommand to those of prepare.py."""
    parser: ArgumentParser = subparsers.add_parser(
        "idx",
        help="images in the MNIST format, and back",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    # fmt: off
    parser.add_argument("--input", type=Path, required=True, metavar="PATH",
                        help="folder of cutouts, .npy or FITS cube (N, y, x); or an IDX file,"
                        " gzipped or not")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE",
                        help="an IDX file (its name has idx in it; gzipped if it ends in .gz), or"
                        " for the way back .npy or .fits")
    group = parser.add_argument_group("into IDX")
    group.add_argument("--dtype", choices=("uint8", "float32"),
                       help="of the values (default: float32 if the name says float, else uint8)")
    group.add_argument("--stretch", choices=(*STRETCHES, "none"),
                       help="of uint8 levels; none keeps integers from 0 to 255 as they are"
                       " (default: asinh, or none for images that are uint8 already)")
    group.add_argument("--scale", type=number(0), metavar="SIGMA",
                       help="asinh is linear below so many sigma of the noise, logarithmic above"
                       " (default: 1)")
    group.add_argument("--range", nargs=2, type=number(), metavar=("LOW", "HIGH"),
                       help="in sigma, what becomes level 0 and 255 (default: the darkest and the"
                       " brightest pixel)")
    group.add_argument("--noise-sigma", type=number(0), metavar="SIGMA",
                       help="of a pixel, in the unit of the images (default: the median of the"
                       " cutouts', or of what the borders of the images show)")
    group.add_argument("--band", metavar="NAME",
                       help="of the cutouts, where the set has several")
    group.add_argument("--labels", metavar="COLUMN",
                       help="also write labels (labels-idx1 instead of images-idx3): bins of a"
                       " column of the cutouts' table, each with as many galaxies")
    group.add_argument("--bins", type=integer(2, 256), metavar="N",
                       help="of the labels (default: 10)")
    # fmt: on
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> None:
    check_output_path(options.output)
    if options.output.suffix in ENDINGS:
        _refuse(options, _INTO, f"{options.output} is for the way back, and the card says it all")
        _backward(options)
    elif "idx" in options.output.name:
        _forward(options)
    else:
        raise InputError(
            f"--output {options.output}: expected a name with idx in it, such as "
            f"gs-images-idx3-ubyte.gz, or one that ends in {' or '.join(ENDINGS)} for the way back"
        )


def _refuse(options: Namespace, flags: tuple[str, ...], reason: str) -> None:
    """Refuse flags that nothing would read.

    Raises
    ------
    InputError
        If one of them was given.
    """
    for flag in flags:
        if getattr(options, flag) is not None:
            raise InputError(f"--{flag.replace('_', '-')}: leave it out; {reason}")


def _backward(options: Namespace) -> None:
    """Turn an IDX file into a stack of images."""
    begin = time.perf_counter()
    import numpy as np

    from clumpygan.io.idx import idx_blocks, read_idx_header
    from clumpygan.io.idx_card import read_card
    from clumpygan.io.image_stack import write_stack

    if options.input.is_dir() or options.input.suffix in ENDINGS:
        raise InputError(
            f"--input {options.input}: expected an IDX file, since {options.output} is for the way "
            "back; or give --output a name with idx in it"
        )
    header, card = read_idx_header(options.input), read_card(options.input)
    if len(header.shape) != 3:
        raise InputError(
            f"{options.input}: {' x '.join(map(str, header.shape))} values; expected images "
            "(N, y, x)"
        )
    blocks, dtype, unit = idx_blocks(options.input), header.dtype, None
    if card is not None:
        blocks, dtype, unit = map(card.pixels, blocks), np.dtype(np.float32), card.unit
    write_stack(options.output, blocks, header.shape, dtype, unit)
    meaning = f"in {unit}, {_error(card)}" if card else f"{dtype} as they are, there is no card"
    print(f"{options.output}: {_words(header.shape)} {meaning} ({_since(begin)})")


def _forward(options: Namespace) -> None:
    """Turn images into an IDX file, with its card."""
    begin = time.perf_counter()
    import numpy as np

    from clumpygan.commands.idx_labels import bin_labels, label_path
    from clumpygan.commands.idx_source import open_source
    from clumpygan.io.idx import write_idx, write_idx_blocks
    from clumpygan.io.idx_card import card_path, write_images

    dtype = _dtype(options)
    if dtype == "float32":
        _refuse(options, ("stretch", "scale", "range"), "float32 holds the images themselves")
    if options.labels is None:
        _refuse(options, ("bins",), "it is of --labels")
    source = open_source(options.input, options.band)
    stretch = options.stretch
    if stretch is None:
        stretch = "none" if source.images.dtype == np.uint8 else "asinh"
    if stretch == "linear":
        _refuse(options, ("scale",), "it is of asinh, the stretch is linear")
    notes: dict[str, Any] = {"source": str(options.input)}
    if options.labels is not None:
        if source.table is None:
            raise InputError(f"--labels {options.labels}: {options.input} has no catalogue")
        labels, edges = bin_labels(source.table, options.labels, options.bins or 10)
        place = label_path(options.output)
        notes["labels"] = {"file": place.name, "column": options.labels, "edges": edges}
    if stretch == "none" and dtype == "uint8":
        _refuse(options, ("scale", "range", "noise_sigma"), "levels stay as they are")
        levels = (source.levels(block) for block in source.blocks())
        write_idx_blocks(options.output, levels, source.images.shape, np.uint8)
        # That of another file of the same name would be believed.
        card_path(options.output).unlink(missing_ok=True)
        meaning = "uint8 as they are"
    else:
        card, clipped = _card(source, stretch if dtype == "uint8" else None, notes, options)
        write_images(options.output, source.blocks(), source.images.shape, card)
        meaning = f"{dtype}, {_error(card)}{clipped}; {card_path(options.output).name} says how"
    print(f"{options.output}: {_words(source.images.shape)} {meaning} ({_since(begin)})")
    if options.labels is not None:
        write_idx(place, labels)
        print(f"{place}: bins of {options.labels} between {', '.join(f'{e:.4g}' for e in edges)}")


def _dtype(options: Namespace) -> str:
    """Return the type of the values that the flag or the name asks for."""
    name = options.output.name.lower()
    if options.dtype == "float32" and "ubyte" in name:
        raise InputError(f"--output {options.output}: says ubyte, but --dtype is float32")
    if options.dtype == "uint8" and "float" in name:
        raise InputError(f"--output {options.output}: says float, but --dtype is uint8")
    return options.dtype or ("float32" if "float" in name else "uint8")


def _card(
    source: Source, stretch: str | None, notes: dict[str, Any], options: Namespace
) -> tuple[ImageCard, str]:
    """Return the card, and how many pixels will be clipped in words."""
    from clumpygan.io.idx_card import ImageCard
    from clumpygan.io.stretch import Stretch

    sigma = options.noise_sigma or source.noise_sigma()
    darkest, brightest = source.extremes()
    if stretch is None:
        return ImageCard(source.unit, sigma, None, notes), ""
    low, high = options.range or (darkest / sigma, brightest / sigma)
    if darkest == brightest:
        raise InputError(f"{options.input}: all pixels are {darkest:g}; expected images")
    card = ImageCard(source.unit, sigma, Stretch(stretch, low, high, options.scale or 1.0), notes)
    outside = source.count_outside(low * sigma, high * sigma) if options.range else 0
    return card, f", {outside} pixels beyond the range clipped" if outside else ""


def _error(card: ImageCard) -> str:
    """Return how exact the values are, in words."""
    if card.stretch is None:
        return "exact"
    near, relative = card.stretch.rounding_error()
    bright = f" in the sky, {100 * relative:.2g} % of bright pixels" if relative else ""
    return f"{card.stretch.name} rounded to {near:.2g} sigma ({card.noise_sigma:.3g}){bright}"


def _words(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} images of {shape[1]} x {shape[2]},"


def _since(begin: float) -> str:
    return f"{time.perf_counter() - begin:.1f} s"
