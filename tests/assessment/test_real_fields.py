"""Velocity fields of cubes: several lines of unequal strength are told apart."""

import numpy as np

from clumpygan.assessment.real_fields import read_cube_folder
from clumpygan.generation.cubes import write_cubes


def test_weak_lines_are_not_taken_for_strong_ones(tmp_path):
    """Of gas that is poor in oxygen, [NII] is a tenth of H alpha."""
    write_cubes(
        tmp_path / "gas.fits", 2, population="gas_disks", line="halpha,nii", shape=(44, 20, 20),
        oxygen_abundance=8.3, signal_to_noise=40.0, seed=3, maximum_velocity=(60.0, 150.0),
        half_light_radius=(0.5, 0.9),
    )  # fmt: skip
    for field in read_cube_folder(tmp_path / "gas"):
        seen = np.isfinite(field.velocity)
        assert seen.sum() > 30
        assert (np.abs(field.velocity[seen]) > 400).mean() < 0.03
