"""YAML that takes no more time and memory than its length warrants."""

from __future__ import annotations

from typing import Any

import yaml

_LONGEST = 100  # letters of a whole number
_MOST_PAIRS = 1_000_000


class FrugalLoader(yaml.SafeLoader):
    """Loads plain values as `yaml.SafeLoader`, but for what costs the square of its length.

    Whole numbers of more than 100 letters are refused (those in base 60, 1:30:00, take hours), and
    merges (``<<``) that touch more than a million pairs.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._pairs = 0

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return a whole number.

        Raises
        ------
        ValueError
            If it has more than 100 letters.
        """
        if len(node.value) > _LONGEST:
            raise ValueError(f"a number of more than {_LONGEST} digits")
        number: int = super().construct_yaml_int(node)
        return number

    def flatten_mapping(self, node: Any) -> None:
        """Put the pairs of merged sections, each of which comes here before, into a section.

        Raises
        ------
        ValueError
            If those of the document are more than a million.
        """
        super().flatten_mapping(node)
        self._pairs += len(node.value)
        if self._pairs > _MOST_PAIRS:
            raise ValueError("more than a million values, merged")


FrugalLoader.add_constructor("tag:yaml.org,2002:int", FrugalLoader.construct_yaml_int)
