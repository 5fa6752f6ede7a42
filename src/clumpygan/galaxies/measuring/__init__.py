"""What is measured on a cube: moments, slits, spectra, continuum."""
