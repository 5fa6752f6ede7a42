"""Whether a fit is to be believed: the noise as it is, what the model leaves, and the verdict."""
