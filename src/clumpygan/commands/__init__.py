"""The programs: one module each, with its `main()`."""
