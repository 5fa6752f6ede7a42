"""Velocity cubes in batches: rendered, prepared on disk, or measured."""
