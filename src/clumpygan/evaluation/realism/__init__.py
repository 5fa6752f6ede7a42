"""How real images are: features, distances between samples, classifiers."""
