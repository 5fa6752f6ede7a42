"""Fits of velocity maps: rotating disks from velocities with errors alone."""
