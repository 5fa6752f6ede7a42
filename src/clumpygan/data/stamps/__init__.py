"""Pairs of a sharp and a blurred image: synthetic galaxies or real stamps."""
