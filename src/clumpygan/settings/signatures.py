"""Functions whose keywords are the fields of a settings class."""

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


def takes_settings(kind: type) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator of a function whose keywords are the fields of a settings class.

    Its signature then names them, with their types and defaults, for `help` and for completion in
    notebooks.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        own = inspect.signature(function, eval_str=False)
        named = {n: p for n, p in own.parameters.items() if p.kind is not p.VAR_KEYWORD}
        settings = inspect.signature(kind).parameters.values()
        more = [p.replace(kind=p.KEYWORD_ONLY) for p in settings if p.name not in named]
        vars(function)["__signature__"] = own.replace(parameters=[*named.values(), *more])
        return function

    return decorate
