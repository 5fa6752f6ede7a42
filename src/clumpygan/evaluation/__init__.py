"""How good a recovered image is: numbers against the truth, baselines, and the table of both."""
