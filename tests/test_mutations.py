"""What `make mutate` changes is there to be changed, and has tests."""

import pytest

from tests.mutations import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_every_mutation_has_one_place_and_tests(mutation: Mutation) -> None:
    text = (ROOT / "src" / "clumpygan" / mutation.file).read_text()
    assert text.count(mutation.before) == 1
    assert mutation.before != mutation.after
    file, _, name = mutation.tests.partition("::")
    tests = ROOT / "tests" / file
    assert tests.exists()
    assert not name or f"def {name}(" in tests.read_text()
