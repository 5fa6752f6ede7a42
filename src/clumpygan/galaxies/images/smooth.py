"""Smooth disks in place of galaxies: what simulations of surveys draw when structure is ignored."""

from astropy.table import Table

from clumpygan.galaxies.geometry import apparent_axis_ratio

DISK_THICKNESS = 0.2
"""Edge-on axis ratio, between the 0.15 and 0.3 that the disks of the sample have."""

_STRUCTURE = (
    "bulge_fraction", "bar_fraction", "ring_fraction", "tail_fraction", "arm_count",
    "arm_fraction", "clump_count", "clump_fraction", "turbulence", "lopsidedness", "dust_depth",
)  # fmt: skip


def without_neighbours(table: Table) -> Table:
    """Return the galaxies of a table without companions and neighbours.

    Parameters
    ----------
    table : astropy.table.Table
        The columns of `clumpygan.galaxies.COLUMNS`.

    Returns
    -------
    astropy.table.Table
        A copy with the same columns.
    """
    found = table.copy()
    found["companion_flux"] = 0.0
    found["neighbour_count"] = 0
    found["neighbour_flux"] = 0.0
    return found


def smooth_disks(table: Table) -> Table:
    """Return the galaxies of a table as inclined exponential disks without any structure.

    Magnitude, half-light radius along the major axis, inclination, position angle, shear, offset,
    companion (which becomes an exponential disk too) and neighbours are kept; bulge, arms, clumps
    and all other structure are left out, their light goes to the disk. Drawn by `StampRenderer`
    such a galaxy is GalSim's `Exponential`, sheared to the axis ratio of an oblate disk of
    thickness 0.2.

    Parameters
    ----------
    table : astropy.table.Table
        The columns of `clumpygan.galaxies.COLUMNS`.

    Returns
    -------
    astropy.table.Table
        A copy with the same columns.
    """
    disks = table.copy()
    disks["sersic_index"] = disks["disk_sersic_index"] = 1.0
    disks["disk_half_light_radius"] = disks["half_light_radius"]
    disks["companion_sersic_index"] = 1.0
    disks["axis_ratio"] = [
        apparent_axis_ratio(inclination, DISK_THICKNESS) for inclination in disks["inclination"]
    ]
    for name in _STRUCTURE:
        disks[name] = 0
    return disks
