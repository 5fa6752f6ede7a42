"""A small convolutional network that tries to tell two sets of images apart."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clumpygan.evaluation.two_sample import Accuracy, cross_validated

FOLDS = 3
"""Parts of the cross-validation."""

EPOCHS = 16
"""Times each image is seen, turned and mirrored at random."""

BATCH_SIZE = 64

_WIDTHS = (16, 32, 64, 64)
_LEARNING_RATE, _WEIGHT_DECAY = 1e-2, 1e-2


def pixel_classifier(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    generator: np.random.Generator,
    *,
    epochs: int = EPOCHS,
    device: str = "cpu",
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

    Returns
    -------
    Accuracy

    Raises
    ------
    InputError
        If a set has fewer than six images.
    """

    def predict(
        train: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        seed = int(generator.integers(2**62))
        network = _train(
            _stretched(train, device), torch.from_numpy(labels).to(device), seed, epochs
        )
        with torch.inference_mode():
            scores = [network(part) for part in _stretched(test, device).split(8 * BATCH_SIZE)]
        return (torch.cat(scores) > 0).long().cpu().numpy()

    sets = (np.asarray(one, dtype=np.float32) for one in (a, b))
    return cross_validated(*sets, predict, FOLDS, generator)


def _stretched(images: NDArray[np.float32], device: str) -> Tensor:
    """Return asinh of the middle three quarters (N, 1, y, x)."""
    rows, columns = (slice(side // 8, side - side // 8) for side in images.shape[1:])
    images = np.ascontiguousarray(images[:, rows, columns])
    return torch.asinh(torch.from_numpy(images)[:, None]).to(device)


def _train(images: Tensor, labels: Tensor, seed: int, epochs: int) -> nn.Module:
    noise = torch.Generator().manual_seed(seed)
    network = _network(noise).to(images.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
    )
    steps = epochs * -(-len(images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    loss = nn.BCEWithLogitsLoss()
    for _ in range(epochs):
        for members in torch.randperm(len(images), generator=noise).split(BATCH_SIZE):
            batch = _turned(images[members.to(images.device)], noise)
            optimiser.zero_grad()
            loss(network(batch), labels[members.to(images.device)].float()).backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def _turned(images: Tensor, noise: torch.Generator) -> Tensor:
    """Turn and mirror a batch; one orientation for all of it, another for the next."""
    turns, mirror = torch.randint(4, (2,), generator=noise).tolist()
    turned = torch.rot90(images, turns, dims=(2, 3))
    return turned.flip(3) if mirror % 2 else turned


def _network(noise: torch.Generator) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in zip((1, *_WIDTHS), _WIDTHS, strict=False):
        convolution = nn.Conv2d(before, after, 3, stride=2, padding=1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu", generator=noise)
        nn.init.zeros_(convolution.bias)
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
    last = nn.Linear(2 * _WIDTHS[-1], 1)
    nn.init.normal_(last.weight, std=0.02, generator=noise)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, _MeanAndMaximum(), last, nn.Flatten(0))


class _MeanAndMaximum(nn.Module):
    """Pool a map of features over its pixels in two ways."""

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
