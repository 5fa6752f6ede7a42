"""The page to play with, in a browser on the same machine: recover, cubes, generate."""
