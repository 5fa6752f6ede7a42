"""Velocity cubes of disks, by numba and by torch, from one set of formulas."""
