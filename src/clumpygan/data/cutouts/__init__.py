"""Cutouts of the mosaics of a survey: selected, masked, stored and served."""
