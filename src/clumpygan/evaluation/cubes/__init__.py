"""How real velocity cubes are: maps, kinematics, clumps, and whether they obey."""
