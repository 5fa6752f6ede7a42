"""Velocity fields of cubes: several lines of unequal strength are told apart."""

import numpy as np

from clumpygan.assessment.real_fields import read_cube_folder
from clumpygan.generation.cubes import write_cubes


def test_weak_lines_are_not_taken_for_strong_ones(tmp_path):
    """Of gas that is poor in oxygen, [NII] is a tenth of H alpha; it is 943 km/s away."""
    write_cubes(
        tmp_path / "gas.fits", 3, checkpoint="cube_gas", line="halpha,nii", shape=(44, 24, 24),
        oxygen_abundance=8.3, signal_to_noise=40.0, seed=3,
    )  # fmt: skip
    fields = read_cube_folder(tmp_path / "gas")
    found = np.concatenate([one.velocity[np.isfinite(one.velocity)] for one in fields])
    assert found.size > 300
    # With lines that are taken to be as strong as each other, one in fifty.
    assert (np.abs(found) > 400).mean() < 0.006


def test_cubes_without_a_line_have_no_velocities(tmp_path):
    write_cubes(
        tmp_path / "gas.fits", 1, population="gas_disks", line="halpha,nii", shape=(44, 12, 12),
        signal_to_noise=0.05, seed=3,
    )  # fmt: skip
    (field,) = read_cube_folder(tmp_path)
    assert np.isfinite(field.light).mean() < 0.1
