"""Smooth disks in place of galaxies: what simulations of surveys draw when structure is ignored."""

from astropy.table import Table

from clumpygan.galaxies.geometry import apparent_axis_ratio

DISK_THICKNESS = 0.2
"""Edge-on axis ratio, between the 0.15 and 0.3 that the disks of the sample have."""

_STRUCTURE = ("bulge_fraction", "arm_count", "arm_fraction", "clump_count", "clump_fraction")


def smooth_disks(table: Table) -> Table:
    """Return the galaxies of a table as inclined exponential disks without any structure.

    Magnitude, half-light radius along the major axis, inclination, position angle, shear, offset
    and neighbour are kept (the neighbour becomes an exponential disk too); bulge, arms and clumps
    are left out, their light goes to the disk. Drawn by `StampRenderer` such a galaxy is GalSim's
    `Exponential`, sheared to the axis ratio of an oblate disk of thickness 0.2.

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
    disks["sersic_index"] = 1.0
    disks["companion_sersic_index"] = 1.0
    disks["axis_ratio"] = [
        apparent_axis_ratio(inclination, DISK_THICKNESS) for inclination in disks["inclination"]
    ]
    for name in _STRUCTURE:
        disks[name] = 0
    return disks
