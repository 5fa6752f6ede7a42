"""How good a recovered image is: numbers against the truth, and the baselines."""
