"""Many cubes: where they come from, the fits, their files, and the summary of all."""
