"""What is chosen about images in the MNIST format: served, and written."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.data.stream_settings import StreamSettings
from clumpygan.errors import InputError
from clumpygan.settings import check, check_rising, setting


@dataclass(frozen=True)
class IdxSettings(StreamSettings):
    """What images of an IDX file are served, and how."""

    train_size: int = setting(1_000_000, "images to train on, at most", least=1)
    images: str | None = setting(
        None, "IDX file of images (N, y, x), gzipped or not; null: scikit-learn's 1797 digits"
    )
    stretch: tuple[float, float] | None = setting(
        None, "what levels 0 and 255 are in units of the noise, as prepare.py idx said; null:"
        " levels are a picture's, black to white", "SIGMA",
    )  # fmt: skip
    labels: str | None = setting(None, "IDX file of whole numbers from 0, for `conditional`")
    conditional: bool = setting(False, "tell the network the label")
    size: int | None = setting(
        None, "pixels per side, a multiple of 8, to which images are cropped or padded; null: the"
        " next that holds them", "pixels", least=8,
    )  # fmt: skip
    noise: float | None = setting(
        None, "standard deviation of the noise that is added; null: 0.5 to pictures, none to images"
        " in units of their noise", least=0, most=1e6,
    )  # fmt: skip
    augment: bool = setting(
        False, "turn and mirror training images: for galaxies; a mirrored digit is none"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rising(self, "stretch")
        if self.size is not None and self.size % 8:
            raise InputError(f"`data.size` is {self.size}: expected a multiple of 8, or null")
        if self.labels is not None and self.images is None:
            raise InputError("`data.labels`: the digits have their own; give `data.images` too")


@dataclass(frozen=True)
class WriteIdxSettings:
    """Which images become an IDX file, and what its values are."""

    input: Path = setting(
        help="folder of cutouts, .npy or FITS cube (N, y, x); or an IDX file, gzipped or not",
        metavar="PATH",
    )
    output: Path = setting(
        help="an IDX file, gzipped if it ends in .gz, with float in its name for float32; or, to"
        " unpack an IDX file, .npy or .fits", metavar="FILE",
    )  # fmt: skip
    range: tuple[float, float] | None = setting(
        None, "in units of the noise, what becomes level 0 and 255", metavar=("LOW", "HIGH"),
        default_words="the darkest and the brightest pixel",
    )  # fmt: skip
    noise_sigma: float | None = setting(
        None, "noise of a pixel, in the unit of the images", "SIGMA", above=0,
        default_words="the median of the cutouts', or of what the borders of the images show",
    )  # fmt: skip
    band: str | None = setting(None, "of the cutouts, where the set has several", metavar="NAME")

    def __post_init__(self) -> None:
        check(self)
        check_rising(self, "range")

    @property
    def dtype(self) -> str:
        """Type of the values, by the name of the file."""
        return "float32" if "float" in self.output.name.lower() else "uint8"
