"""The picture of a cube."""

import itertools
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import ndtr

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.moments import moments
from clumpygan.plots.cube import Slit, cube_picture
from clumpygan.plots.cube_view import CubeView, view_of

VELOCITIES = np.linspace(-400.0, 400.0, 41) + 1000.0
NOISE = 0.01


def disk(position_angle: float, velocities: np.ndarray = VELOCITIES) -> np.ndarray:
    """Return a disk in 31 x 27 pixels that recedes towards a position angle, about 1000 km/s."""
    y, x = np.mgrid[-15:16, -13:14].astype(float)
    angle = np.radians(position_angle)
    along, across = -x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)
    radius = np.hypot(along, 2 * across)
    velocity = 1000 + 200 * np.tanh(radius / 3) * along / np.maximum(radius, 0.1)
    half = 0.5 * (velocities[1] - velocities[0])
    edges = np.append(velocities - half, velocities[-1] + half)[:, None, None]
    return np.exp(-radius / 4) * np.diff(ndtr((edges - velocity) / 40.0), axis=0)


def noisy(cube: np.ndarray) -> np.ndarray:
    return cube + np.random.default_rng(1).normal(0, NOISE, cube.shape)


def view(cube: np.ndarray, variance: float | None = None) -> CubeView:
    return view_of(
        cube, VELOCITIES, 0.2, variance=variance, maps=None, systemic_velocity=1000.0, slit=None,
        slit_width=0.6, noise_correlation=1.0,
    )  # fmt: skip


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the figures that were saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def remember(figure: Figure, *args: object, **kwargs: object) -> None:
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", remember)
    return figures


def texts(figure: Figure) -> str:
    parts = [*figure.texts, *(text for axis in figure.axes for text in axis.texts)]
    return "\n".join(part.get_text() for part in parts)


def test_a_noisy_cube_is_drawn(tmp_path: Path, written: list[Figure]) -> None:
    path = tmp_path / "disk.png"
    cube = noisy(disk(130.0))
    cube[:, :4, :4] = np.nan
    cube_picture(
        path, cube, VELOCITIES, 0.2, variance=NOISE**2, systemic_velocity=1000.0, title="A disk",
        lines=["inclination 60°"], flux_unit="Jy", psf_fwhm=0.7,
    )  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["disk.png"]
    picture = matplotlib.image.imread(path)[..., :3]
    assert min(picture.shape[:2]) > 1200
    panels = [axis for axis in written[0].axes if axis.images or axis.lines or axis.collections]
    assert len(panels) >= 10
    height, width = picture.shape[:2]
    for panel in panels:  # none is blank
        box = panel.get_position()
        rows = slice(int((1 - box.y1) * height), int((1 - box.y0) * height))
        part = picture[rows, int(box.x0 * width) : int(box.x1 * width)]
        assert part.std() > 0.05
    words = texts(written[0])
    for expected in ("A disk", "inclination 60°", "relative to 1000 km/s", "Jy", "PSF", "N", "E"):
        assert expected in words


def test_colours_are_centred_on_the_systemic_velocity(
    tmp_path: Path, written: list[Figure]
) -> None:
    """Red recedes: to the lower left (south-east) at a position angle of 130 degrees."""
    cube_picture(tmp_path / "a.png", disk(130.0), VELOCITIES, 0.2, systemic_velocity=1000.0)
    velocity = written[0].axes[1].images[0]
    low, high = velocity.get_clim()
    assert low == -high
    assert 150 <= high <= 250
    red, _, blue, _ = velocity.to_rgba(velocity.get_array())[15 - 5, 13 - 6]
    assert red > blue
    assert velocity.get_array()[15 - 5, 13 - 6] > 100
    assert velocity.get_extent() == pytest.approx((-2.7, 2.7, -3.1, 3.1))


@pytest.mark.parametrize("position_angle", [10.0, 130.0, 250.0])
def test_the_slit_lies_along_the_major_axis(position_angle: float) -> None:
    seen = view(noisy(disk(position_angle)), NOISE**2)
    assert seen.slit.position_angle == pytest.approx(position_angle, abs=5)
    assert seen.slit.centre == pytest.approx((0, 0), abs=0.15)
    far = seen.diagram.offsets > 1
    diagram = np.nan_to_num(seen.diagram.diagram[:, far]).sum(axis=1)
    assert (diagram * seen.diagram.velocities).sum() / diagram.sum() > 100


def test_channel_maps_go_from_approaching_to_receding_without_gap() -> None:
    channels = view(disk(0.0)).channels
    assert len(channels) == 5
    for before, after in itertools.pairwise(channels):
        assert before.high == after.low
    assert channels[0].low == pytest.approx(-channels[-1].high)
    rows = [np.average(np.arange(31), weights=channel.image.sum(axis=1)) for channel in channels]
    assert (np.diff(rows) > 0).all()


def test_maps_slit_and_few_channels_may_be_given(tmp_path: Path, written: list[Figure]) -> None:
    velocities = np.array([-200.0, 0.0, 200.0]) + 1000
    cube = disk(40.0, velocities)
    cube_picture(
        tmp_path / "a.pdf", cube, velocities, 0.2, maps=moments(cube, velocities),
        systemic_velocity=1000.0, slit=Slit(45.0, (0.1, -0.2), 0.5), north_angle=None,
    )  # fmt: skip
    shown = written[0].axes[1].images[0].get_array()
    assert abs(shown[15, 13]) < 1
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert 'Slit of 0.5" at 45°' in [axis.get_title(loc="left") for axis in written[0].axes]
    assert "N" not in [text.get_text() for text in written[0].axes[1].texts]


def test_where_nothing_can_be_drawn_nothing_is_written(tmp_path: Path) -> None:
    noise = noisy(np.zeros((41, 20, 20)))
    with pytest.raises(InputError, match="no line stands out of the noise"):
        cube_picture(tmp_path / "a.png", noise, VELOCITIES, 0.2, variance=NOISE**2)
    with pytest.raises(InputError, match=r"a.xyz: expected a name that ends in .png"):
        cube_picture(tmp_path / "a.xyz", disk(0.0), VELOCITIES, 0.2)
    with pytest.raises(InputError, match="doesn't exist"):
        cube_picture(tmp_path / "no" / "a.png", disk(0.0), VELOCITIES, 0.2)
    assert not list(tmp_path.iterdir())
