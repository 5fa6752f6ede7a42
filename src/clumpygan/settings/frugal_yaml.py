"""YAML that takes no more time and memory than its length warrants."""

from __future__ import annotations

from typing import Any

import yaml


class FrugalLoader(yaml.SafeLoader):
    """Loads plain values as `yaml.SafeLoader`, but for what costs the square of its length.

    Whole numbers of too many letters are refused (those in base 60, 1:30:00, take hours), merges
    (``<<``) that touch too many pairs, and brackets that are nested too deeply (each letter is
    compared with every one that is open).

    Parameters
    ----------
    stream : str
    digits : int
        Letters of a whole number, at most.
    pairs : int
        Of all sections, at most, each as often as it is merged.
    depth : int
        Brackets that are open, at most.
    """

    def __init__(self, stream: str, digits: int, pairs: int, depth: int) -> None:
        super().__init__(stream)
        self._digits, self._left, self._depth = digits, pairs, depth

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        """Open a bracket.

        Raises
        ------
        RecursionError
            If too many are open.
        """
        if self.flow_level >= self._depth:
            raise RecursionError
        super().fetch_flow_collection_start(token)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return a whole number.

        Raises
        ------
        ValueError
            If it has too many letters.
        """
        if len(node.value) > self._digits:
            raise ValueError(f"a number of more than {self._digits} digits")
        number: int = super().construct_yaml_int(node)
        return number

    def flatten_mapping(self, node: Any) -> None:
        """Put the pairs of merged sections, each of which comes here before, into a section.

        Raises
        ------
        ValueError
            If those of the document are too many.
        """
        super().flatten_mapping(node)
        self._left -= len(node.value)
        if self._left < 0:
            raise ValueError("more than a million values, merged")


FrugalLoader.add_constructor("tag:yaml.org,2002:int", FrugalLoader.construct_yaml_int)
