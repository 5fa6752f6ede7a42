"""A galaxy as a flat mapping of numbers and words, for FITS headers and JSON: nothing is lost."""

from collections.abc import Mapping

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.parameters import CLUMP_PARAMETERS, DiskModel, DiskParameters

_CHOICES = ("light", "vertical", "curve")


def describe(galaxy: DiskParameters) -> dict[str, float | str]:
    """Return name -> value of all parameters and choices of the model.

    The rows of a rotation table are `rotation_radius_1` and `rotation_velocity_1`, and so on,
    the radii of rings `ring_1_radius`.

    Raises
    ------
    InputError
        If the light is a map: that is no number.
    """
    model = galaxy.model
    if model.light == "map":
        raise InputError("a galaxy whose light is a map can't be described by numbers and words")
    description: dict[str, float | str] = {**galaxy.to_dict()}
    description |= {name: getattr(model, name) for name in _CHOICES}
    description |= {"asymmetric_drift": float(model.asymmetric_drift), "arms": float(model.arms)}
    for number, (radius, velocity) in enumerate(model.rotation_table, 1):
        description[f"rotation_radius_{number}"] = radius
        description[f"rotation_velocity_{number}"] = velocity
    for number, radius in enumerate(model.ring_radii, 1):
        description[f"ring_{number}_radius"] = radius
    return description


def galaxy_of(description: Mapping[str, float | str]) -> DiskParameters:
    """Build the galaxy of a description; what else is in the mapping is left alone.

    Raises
    ------
    InputError
        If a value is out of range or no number.
    """
    clumps = _count(description, f"clump_{{}}_{CLUMP_PARAMETERS[0].name}")
    table = tuple(
        (
            _number(description, f"rotation_radius_{number}"),
            _number(description, f"rotation_velocity_{number}"),
        )
        for number in range(1, _count(description, "rotation_radius_{}") + 1)
    )
    rings = range(1, _count(description, "ring_{}_radius") + 1)
    extra_lines = 0
    while f"line_{extra_lines + 3}_ratio" in description:
        extra_lines += 1
    chosen = {name: description[name] for name in _CHOICES if name in description}
    model = DiskModel(
        **chosen,  # type: ignore[arg-type]
        asymmetric_drift=bool(_number(description, "asymmetric_drift", 0.0)),
        arms=int(_number(description, "arms", 0.0)),
        clumps=clumps,
        extra_lines=extra_lines,
        rotation_table=table,
        ring_radii=tuple(_number(description, f"ring_{number}_radius") for number in rings),
    )
    values = {name: _number(description, name) for name in model.names if name in description}
    return DiskParameters.from_dict(values, model)


def _count(description: Mapping[str, float | str], pattern: str) -> int:
    number = 0
    while pattern.format(number + 1) in description:
        number += 1
    return number


def _number(
    description: Mapping[str, float | str], name: str, default: float | None = None
) -> float:
    value = description.get(name, default)
    if value is None or isinstance(value, str):
        raise InputError(f"{name} is {value!r}; expected a number")
    return float(value)
