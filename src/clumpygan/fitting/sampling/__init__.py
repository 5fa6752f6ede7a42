"""Draws from the posterior: a Gaussian, importance sampling, or the no-U-turn sampler."""
