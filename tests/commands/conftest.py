"""Fixtures of the programs' tests."""

from tests.recovery.examples import save, without_network

__all__ = ["save", "without_network"]
