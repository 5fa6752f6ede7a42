"""How the networks of cubes are told the parameters of a galaxy."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Row = tuple[str, str, float, float, bool]
"""Name, kind ("linear", "logarithmic", "angle"), centre, scale, and whether it is a matter of how
the galaxy lies in the field, or of its lines, alone."""

LARGEST = 4.0
"""Beyond so many scales conditions are told as that: nothing was learnt out there."""


class ConditionEncoder(nn.Module):
    """Turn physical parameters into numbers of about 0 +- 1.

    Parameters
    ----------
    rows : sequence of Row
        One for each column of the parameters.

    Attributes
    ----------
    count, intrinsic_count : int
        Numbers that `forward` and `intrinsic` return for each galaxy.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__()
        self.names = tuple(row[0] for row in rows)
        for name, kind, *_ in rows:
            if kind not in ("linear", "logarithmic", "angle"):
                raise ValueError(f"condition {name} of the kind {kind!r}")
        self.rows = tuple(rows)
        angles = [kind == "angle" for _, kind, *_ in rows]
        own = [not placing for *_, placing in rows]
        self.count = len(rows) + sum(angles)
        self.intrinsic_count = sum(own) + sum(a and o for a, o in zip(angles, own, strict=True))

    def forward(self, parameters: Tensor) -> Tensor:
        """Return all of it (B, count) for parameters (B, K)."""
        return torch.cat([self._told(i, parameters) for i in range(len(self.rows))], 1)

    def intrinsic(self, parameters: Tensor) -> Tensor:
        """Return (B, intrinsic_count): what isn't a matter of how it lies, or of its lines."""
        own = [i for i, row in enumerate(self.rows) if not row[4]]
        return torch.cat([self._told(i, parameters) for i in own], 1)

    def column(self, name: str, parameters: Tensor) -> Tensor:
        """Return one parameter (B,)."""
        return parameters[:, self.names.index(name)]

    def _told(self, place: int, parameters: Tensor) -> Tensor:
        _, kind, centre, scale, _ = self.rows[place]
        value = parameters[:, place : place + 1].float()
        if kind == "angle":
            turned = torch.deg2rad(value)
            return torch.cat([turned.cos(), turned.sin()], 1)
        if kind == "logarithmic":
            value = value.clamp(min=1e-30).log10()
        return ((value - centre) / scale).clamp(-LARGEST, LARGEST)
