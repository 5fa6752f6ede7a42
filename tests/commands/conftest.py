"""Fixtures of the programs' tests."""

from tests.commands.recovering import save, without_network

__all__ = ["save", "without_network"]
