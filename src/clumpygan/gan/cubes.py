"""Velocity cubes of galaxies of given parameters, from a trained generator."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.disks.cube_conditions import GAS_CONDITIONS, SEEING, check_conditions
from clumpygan.galaxies.disks.disk_model import DiskModel
from clumpygan.galaxies.disks.disk_table import PARAMETERS
from clumpygan.galaxies.disks.light_radius import RADII, growth_curves
from clumpygan.galaxies.gas.population import FOLLOWING, GasDisks
from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.gan.cube_rendering import ConditionRenderer, CubeFrame, rows_of
from clumpygan.gan.galaxies import random_input
from clumpygan.networks.conv3d_cube import Conv3dCubeGenerator
from clumpygan.networks.gas.structure import COMPANION_POINTS, EXTENT, Painting
from clumpygan.networks.physical_cube import PhysicalCubeGenerator
from clumpygan.settings import from_mapping, told_span

BATCH = 16
"""Cubes generated at once."""

ACCURACY = 1e-3
"""Of the renderer over the brightest voxel: that of trainings leaves out 0.5 % of the flux, which
fits at a high S/N see."""

_SLACK = 0.01
"""How far beyond the values of the training one may ask, over their range."""

Progress = Callable[[int], object]


class UntrainedError(InputError):
    """Values that a network has not seen."""


class CubeGenerator:
    """Noiseless cubes of galaxies, from a checkpoint of one of the two generators.

    Parameters
    ----------
    network : nn.Module
    card : mapping
        Of the checkpoint; its section `images` tells what the training saw.
    name : str
        For messages.

    Attributes
    ----------
    name : str
    names : tuple of str
        What the generator is told of a galaxy, the columns of its parameters.
    ranges : dict of str to (float, float)
        Between which values the galaxies of the training were; the flux has no limits.
    frame : dict
        Settings of the cubes of the training (`data.cube_frame.FrameSettings`).
    signal_to_noise : (float, float)
        Range of the training: of the brightest voxel over the noise of a voxel.
    population : dict
        Name -> number or range, from which the training drew what it didn't draw from the priors
        of the parameter table; the ranges of real galaxies.
    gas : GasDisks or None
        From which it drew its galaxies otherwise.
    shape : tuple of int or None
        The only shape (v, y, x) that it can make; None if it makes any.

    Raises
    ------
    InputError
        If the network wasn't trained on cubes with their parameters.
    """

    def __init__(self, network: nn.Module, card: Mapping[str, Any], name: str) -> None:
        known = card.get("images") or {}
        missing = {"frame", "condition_names", "ranges", "signal_to_noise"} - set(known)
        if missing:
            raise InputError(
                f"checkpoint {name} doesn't know what its cubes are: expected one trained by "
                "train.py model=cube_gan"
            )
        self.network, self.name = network, name
        self.names: tuple[str, ...] = tuple(known["condition_names"])
        check_conditions(self.names)
        self.ranges = {one: (float(a), float(b)) for one, (a, b) in known["ranges"].items()}
        self.frame: dict[str, Any] = dict(known["frame"])
        data = card.get("data") or {}
        # Trainings on real cubes have settings of rendered galaxies too, but don't use them.
        galaxies = {} if "measured_seeing" in data else data.get("galaxies") or {}
        self._drawn = _drawn_between(galaxies) if galaxies else {}
        self.gas: GasDisks | None = None
        if galaxies.get("population") == "gas_disks":
            self.gas = from_mapping(GasDisks, galaxies.get("gas", {}))
            # What follows from the mass has no ends but those of the galaxies.
            self._drawn = {
                one: ends
                for one, ends in self._drawn.items()
                if one not in FOLLOWING or one in galaxies.get("parameters", {})
            }
        drawn = {one: span for one, span in self.ranges.items() if one != SEEING}
        self.population: dict[str, Any] = dict(galaxies.get("parameters", drawn))
        low, high = known["signal_to_noise"]
        self.signal_to_noise = float(low), float(high)
        fixed = isinstance(network, Conv3dCubeGenerator)
        self.shape: tuple[int, int, int] | None = network.shapes[-1] if fixed else None

    @classmethod
    def load(cls, name: str = "cube_gan", device: str = "cpu") -> "CubeGenerator":
        """Load a checkpoint by its name or path.

        Raises
        ------
        InputError
            If there is none, or it is of another network.
        """
        network, card = load_checkpoint(name, ("cube_gas", "cube_physical", "cube_conv3d"))
        return cls(network.to(device), card, name)

    def check(self, name: str, low: float, high: float) -> tuple[float, float]:
        """Return values of a condition, or refuse them if the training didn't see them.

        Raises
        ------
        InputError
            If it is no condition; the message lists `names` with units and ranges.
        UntrainedError
            If it isn't one of `names`, or `low` or `high` is out of range; then the message has the
            nearest values that are inside.
        """
        if name not in self.names:
            known = ", ".join(self._told(one) for one in self.names)
            kind = UntrainedError if name in GAS_CONDITIONS else InputError
            raise kind(f"{self.name} isn't told {name!r}: expected one of {known}")
        least, most = self.limits(name)
        # The limits are those of the galaxies that happened to be drawn, a little inside of those
        # between which they were drawn.
        slack = _SLACK * (most - least) if np.isfinite(most) else 0.0
        row = GAS_CONDITIONS[name].row
        if not max(least - slack, row.minimum) <= low <= high <= min(most + slack, row.maximum):
            given = f"{low:g}" if low == high else f"{low:g}:{high:g}"
            nearest = [f"{min(max(end, least), most):g}" for end in (low, high)]
            raise UntrainedError(
                f"{name} of {given}: {self.name} was trained on {self._told(name)}; the nearest is "
                f"{':'.join(dict.fromkeys(nearest))}"
            )
        return low, high

    def check_noise(self, wanted: tuple[float, float], stacklevel: int = 2) -> None:
        """Warn if the training didn't see such a S/N of the brightest voxel."""
        seen = self.signal_to_noise
        if not seen[0] <= wanted[0] <= wanted[1] <= seen[1]:
            warnings.warn(
                f"`signal_to_noise` {told_span(wanted)}: the network has seen {told_span(seen)}",
                InputWarning,
                stacklevel=stacklevel + 1,
            )

    @torch.no_grad()
    def cubes(
        self,
        parameters: ArrayLike,
        seed: int,
        frame: CubeFrame,
        indices: Sequence[int] | None = None,
        progress: Progress = lambda done: None,
    ) -> NDArray[np.float32]:
        """Generate a noiseless cube for each galaxy.

        Parameters
        ----------
        parameters : array_like (N, K)
            In physical units, in the order of `names`. The networks know fluxes relative to the
            noise of a voxel: give them so.
        seed : int
            A galaxy depends on the seed, its index and its own parameters alone.
        frame : CubeFrame
            Voxels and sharpest PSF.
        indices : sequence of int, optional
            Of the galaxies; 0, 1, ... by default.
        progress : callable, optional
            Called with the number of cubes of each batch.

        Returns
        -------
        ndarray of shape (N, v, y, x), float32
            In the unit of the flux.

        Raises
        ------
        InputError
            If it can't make cubes of that shape.
        """
        if self.shape is not None and tuple(frame.grid.shape) != tuple(self.shape):
            raise InputError(
                f"{self.name} makes cubes of shape {tuple(self.shape)} alone, not "
                f"{tuple(frame.grid.shape)}: leave the grid as it is, or take a physical generator"
            )
        if isinstance(self.network, PhysicalCubeGenerator):
            self.network.renderer = _OneByOne(ConditionRenderer(self.names, frame, ACCURACY))
        device = next(self.network.parameters()).device
        places = range(len(np.asarray(parameters))) if indices is None else indices

        def make(rows: Tensor, begin: int) -> Tensor:
            z, noise = random_input(self.network, seed, places[begin : begin + len(rows)])
            told = tuple(one.to(device) for one in noise)
            cubes: Tensor = self.network(z.to(device), rows.to(device), told)
            return cubes

        return _in_batches(parameters, frame.grid.shape, make, progress)

    @torch.no_grad()
    def growth_curves(
        self, parameters: ArrayLike, seed: int, indices: Sequence[int]
    ) -> NDArray[np.float64] | None:
        """Return the shares (N, rings) of the light of galaxies within `RADII`, seen face-on.

        In half-light radii of the smooth disks on which a network paints, which it is told.

        Parameters
        ----------
        parameters, seed, indices
            See `cubes`.

        Returns
        -------
        ndarray (N, rings)
            None of a network that doesn't paint in the plane of the disk.
        """
        if not isinstance(self.network, PhysicalCubeGenerator):
            return None
        device = next(self.network.parameters()).device
        rows = torch.from_numpy(np.asarray(parameters, dtype=np.float32))
        z, noise = random_input(self.network, seed, indices)
        told = tuple(one.to(device) for one in noise)
        given = dict(zip(self.names, rows.double().numpy().T, strict=True))
        model = DiskModel()
        index = given.get(
            "sersic_index", np.full(len(rows), model.defaults()[model.index("sersic_index")])
        )
        painted = self.network.paint(z.to(device), rows.to(device), told)
        if isinstance(painted, Painting):
            return _growth_of(painted, index)
        assert isinstance(painted, Tensor)
        return growth_curves(painted[:, 0].cpu().numpy(), index, EXTENT)

    @torch.no_grad()
    def smooth(
        self,
        parameters: ArrayLike,
        frame: CubeFrame,
        progress: Progress = lambda done: None,
    ) -> NDArray[np.float32]:
        """Render the smooth disks of the parameters (N, K); see `cubes`."""
        renderer = _OneByOne(ConditionRenderer(self.names, frame, ACCURACY))
        return _in_batches(
            parameters, frame.grid.shape, lambda rows, begin: renderer(rows), progress
        )

    def limits(self, name: str) -> tuple[float, float]:
        """Return the values of a condition between which the training was."""
        if GAS_CONDITIONS[name].kind == "angle":
            return -360.0, 720.0
        low, high = self.ranges.get(name, (0.0, np.inf))
        least, most = self._drawn.get(name, (low, high))
        return min(low, least), max(high, most)

    def _told(self, name: str) -> str:
        low, high = self.limits(name)
        unit = GAS_CONDITIONS[name].unit
        span = f"{low:g} to {high:g}" if np.isfinite(high) else f"above {low:g}"
        return f"{name} ({span}{f' {unit}' if unit else ''})"


def _drawn_between(galaxies: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the ends between which a training drew parameters, where they have such.

    Parameters
    ----------
    galaxies : mapping
        Settings of the rendered galaxies: ranges, in place of the priors of the table.
    """
    found = {
        row.name: (row.prior.low, row.prior.high)
        for row in PARAMETERS
        if row.prior.kind in ("uniform", "log_uniform", "isotropic")
    }
    given = {**galaxies.get("parameters", {}), SEEING: galaxies.get(SEEING)}
    for name, ends in given.items():
        if isinstance(ends, list | tuple):
            found[name] = float(ends[0]), float(ends[-1])
        elif ends is not None:
            found[name] = float(ends), float(ends)
    return found


def _growth_of(painted: Painting, indices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shares (N, rings) of the light of galaxies without companions within `RADII`.

    In half-light radii of their profiles, whose Sersic indices (N,) are given.
    """
    disks = growth_curves(painted.maps[:, 0].cpu().numpy(), indices, EXTENT)
    knots = painted.knots[..., :-COMPANION_POINTS].cpu().numpy()
    away, shares = np.hypot(knots[:, 0], knots[:, 1]), knots[:, 4]
    within = (shares[:, None] * (away[:, None] < RADII[:, None])).sum(2)
    grown = (1 - painted.taken.cpu().numpy())[:, None] * disks + within
    return np.asarray(grown / grown[:, -1:])


class _OneByOne:
    """Render the galaxies of a batch one by one: each as finely as it needs, whatever the others.

    Parameters
    ----------
    renderer : callable
        Maps conditions, and what is painted if anything is, to cubes.
    """

    def __init__(self, renderer: ConditionRenderer) -> None:
        self.renderer = renderer

    def __call__(self, parameters: Tensor, painted: Tensor | Painting | None = None) -> Tensor:
        """Return cubes (B, 1, v, y, x)."""
        rows = torch.arange(len(parameters), device=parameters.device).split(1)
        return torch.cat([self.renderer(parameters[i], rows_of(painted, i)) for i in rows])


def _in_batches(
    parameters: ArrayLike,
    shape: tuple[int, ...],
    make: Callable[[Tensor, int], Tensor],
    progress: Progress,
) -> NDArray[np.float32]:
    table = np.asarray(parameters, dtype=np.float32)
    cubes = np.empty((len(table), *shape), dtype=np.float32)
    for begin in range(0, len(table), BATCH):
        rows = torch.from_numpy(table[begin : begin + BATCH])
        cubes[begin : begin + BATCH] = make(rows, begin)[:, 0].cpu().numpy()
        progress(len(rows))
    return cubes
