"""Small convolutional networks that try to tell two sets of images or cubes apart."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clumpygan.evaluation.realism.two_sample import Accuracy, cross_validated

FOLDS = 3
"""Parts of the cross-validation."""

EPOCHS = 16
"""Times each image is seen, turned and mirrored at random."""

BATCH_SIZE = 64

Progress = Callable[[int, int], object]

_WIDTHS, _CUBE_WIDTHS = (16, 32, 64, 64), (8, 16, 32, 32)
_LEARNING_RATE, _WEIGHT_DECAY = 1e-2, 1e-2
_LAYERS = {2: (nn.Conv2d, nn.BatchNorm2d), 3: (nn.Conv3d, nn.BatchNorm3d)}


def pixel_classifier(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    generator: np.random.Generator,
    *,
    epochs: int = EPOCHS,
    device: str = "cpu",
    kept: float = 0.75,
    progress: Progress = lambda done, of: None,
) -> Accuracy:
    """Return how well a small convolutional network tells two sets apart by their pixels.

    Classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545) on the middle three
    quarters of the stamps, asinh-stretched: four strided convolutions, trained on two thirds and
    tested on the last one, three times. 0.5 is indistinguishable. It says nothing about a network
    trained on more images for longer.

    Parameters
    ----------
    a, b : numpy.ndarray, (N, y, x) and (M, y, x)
        In units of the noise per pixel; the larger set is cut to the size of the smaller.
    generator : numpy.random.Generator
        For folds, weights, order and orientations.
    epochs : int
        Times each image is seen.
    device : str
        Where the network is trained.
    kept : float
        Share of the sides that it sees.
    progress : callable, optional
        Called with how many more epochs are done, of how many.

    Returns
    -------
    Accuracy

    Raises
    ------
    InputError
        If a set has fewer than six images.
    """
    return _classify(a, b, generator, epochs, device, kept, _WIDTHS, 2, progress)


def cube_classifier(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    generator: np.random.Generator,
    *,
    epochs: int = EPOCHS,
    device: str = "cpu",
    progress: Progress = lambda done, of: None,
) -> Accuracy:
    """Return how well a small 3-D convolutional network tells two sets of cubes apart.

    As `pixel_classifier`, with strided convolutions in three dimensions on the whole cubes. They
    are turned and mirrored on the sky alone: velocities keep their order.

    Parameters
    ----------
    a, b : numpy.ndarray, (N, C, v, y, x) and (M, C, v, y, x)
        C cubes of each galaxy that are seen together, in units of the noise per voxel; the larger
        set is cut to the size of the smaller. Where one of the C is the smooth disk of the same
        parameters, the test is whether a cube is a likely one for its parameters.
    generator, epochs, device, progress
        As for `pixel_classifier`.

    Returns
    -------
    Accuracy

    Raises
    ------
    InputError
        If a set has fewer than six cubes.
    """
    return _classify(a, b, generator, epochs, device, 1.0, _CUBE_WIDTHS, 3, progress)


def _classify(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    generator: np.random.Generator,
    epochs: int,
    device: str,
    kept: float,
    widths: tuple[int, ...],
    dimensions: int,
    progress: Progress,
) -> Accuracy:
    """Cross-validate a network on samples (N, y, x) or (N, C, ..., y, x)."""

    def predict(
        train: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        seed = int(generator.integers(2**62))
        network = _train(
            _stretched(train, device, kept, dimensions),
            torch.from_numpy(labels).to(device),
            seed,
            epochs,
            widths,
            lambda: progress(1, FOLDS * epochs),
        )
        shown = _stretched(test, device, kept, dimensions)
        with torch.inference_mode():
            scores = [network(part) for part in torch.split(shown, 8 * BATCH_SIZE)]
        return (torch.cat(scores) > 0).long().cpu().numpy()

    first, second = (np.asarray(one, dtype=np.float32) for one in (a, b))
    return cross_validated(first, second, predict, FOLDS, generator)


def _stretched(samples: NDArray[np.float32], device: str, kept: float, dimensions: int) -> Tensor:
    """Return asinh of the middle of the sky (N, C, ..., y, x); images have one channel."""
    cut = (int(side * (1.0 - kept) / 2) for side in samples.shape[-2:])
    rows, columns = (slice(c, side - c) for c, side in zip(cut, samples.shape[-2:], strict=True))
    samples = np.ascontiguousarray(samples[..., rows, columns])
    shown = torch.asinh(torch.from_numpy(samples)).to(device)
    return shown if shown.ndim == dimensions + 2 else shown[:, None]


def _train(
    images: Tensor,
    labels: Tensor,
    seed: int,
    epochs: int,
    widths: tuple[int, ...],
    after_epoch: Callable[[], object],
) -> nn.Module:
    noise = torch.Generator().manual_seed(seed)
    network = _network(noise, images.shape[1], widths, images.ndim - 2).to(images.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
    )
    steps = epochs * -(-len(images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    loss = nn.BCEWithLogitsLoss()
    for _ in range(epochs):
        for members in torch.split(torch.randperm(len(images), generator=noise), BATCH_SIZE):
            batch = _turned(images[members.to(images.device)], noise)
            optimiser.zero_grad()
            loss(network(batch), labels[members.to(images.device)].float()).backward()
            optimiser.step()
            schedule.step()
        after_epoch()
    return network.eval()


def _turned(images: Tensor, noise: torch.Generator) -> Tensor:
    """Turn and mirror a batch; one orientation for all of it, another for the next."""
    turns, mirror = torch.randint(4, (2,), generator=noise).tolist()
    turned = torch.rot90(images, turns, dims=(-2, -1))
    return turned.flip(-1) if mirror % 2 else turned


def _network(
    noise: torch.Generator, channels: int, widths: tuple[int, ...], dimensions: int
) -> nn.Module:
    layers: list[nn.Module] = []
    convolve, normalise = _LAYERS[dimensions]
    for before, after in zip((channels, *widths), widths, strict=False):
        convolution = convolve(before, after, 3, stride=2, padding=1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu", generator=noise)
        assert convolution.bias is not None
        nn.init.zeros_(convolution.bias)
        layers += [convolution, normalise(after), nn.ReLU()]
    last = nn.Linear(2 * widths[-1], 1)
    nn.init.normal_(last.weight, std=0.02, generator=noise)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, _MeanAndMaximum(), last, nn.Flatten(0))


class _MeanAndMaximum(nn.Module):
    """Pool a map of features over its pixels or voxels in two ways."""

    def forward(self, maps: Tensor) -> Tensor:
        flat = maps.flatten(2)
        return torch.cat([flat.mean(dim=2), flat.amax(dim=2)], dim=1)
