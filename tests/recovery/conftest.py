"""Fixtures of the tests of recoveries."""

from tests.recovery.examples import save, without_network

__all__ = ["save", "without_network"]
