"""Arithmetic that compiled numbers and tensors share, so that a formula is written once.

A formula is a plain function decorated with `shared`, made of the functions below and operators.
Tensors go through it as it stands; compiled functions that call it get it compiled for numbers.

Both sides of `choose` are computed: hold the argument of each where it is harmless, by `at_least`
and `at_most`, or the gradient of the other becomes NaN.
"""

# Types of arguments and results are those of whoever calls.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload, register_jitable
from numpy.typing import NDArray

Formula = Callable[..., Any]

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}

_SMALLEST_SQUARE = 1e-20
"""Of tensors, below which a square root has no gradient."""


def shared(formula: Formula) -> Formula:
    """Let compiled functions call a formula."""
    jitable: Formula = register_jitable(**_OPTIONS)(formula)
    return jitable


def on_numbers(numbers: Formula) -> Callable[[Formula], Formula]:
    """Decorate a function of tensors with what compiled functions call in its place."""

    def decorate(tensors: Formula) -> Formula:
        @overload(tensors, jit_options=_OPTIONS, strict=False)
        def _(*arguments, **options):
            return numbers

        return tensors

    return decorate


def chebyshev(coefficients: NDArray[np.float64]) -> Formula:
    """Return the function of t in [-1, 1] whose Chebyshev series has these coefficients."""
    plain = coefficients.tolist()

    def numbers(t):
        first, second = 0.0, 0.0
        for k in range(coefficients.size - 1, 0, -1):
            first, second = 2.0 * t * first - second + coefficients[k], first
        return t * first - second + coefficients[0]

    @on_numbers(numbers)
    def tensors(t):
        return clenshaw(plain, t)

    return tensors


def double_chebyshev(coefficients: NDArray[np.float64]) -> Formula:
    """Return the function of t and s in [-1, 1] that is a Chebyshev series in both.

    Its coefficients over t, along the first axis, are series in s; of tensors s is (B, 1).
    """
    by_second = coefficients.T.tolist()
    rows, columns = coefficients.shape

    def numbers(t, s):
        first, second = 0.0, 0.0
        for k in range(rows - 1, -1, -1):
            coefficient = 0.0
            inner = 0.0
            for j in range(columns - 1, 0, -1):
                coefficient, inner = 2.0 * s * coefficient - inner + coefficients[k, j], coefficient
            coefficient = s * coefficient - inner + coefficients[k, 0]
            if k == 0:
                return t * first - second + coefficient
            first, second = 2.0 * t * first - second + coefficient, first
        return math.nan

    @on_numbers(numbers)
    def tensors(t, s):
        import torch

        own = list(torch.tensor(by_second, dtype=t.dtype, device=t.device))
        return clenshaw(list(clenshaw(own, s).unsqueeze(-1).unbind(1)), t)

    return tensors


def clenshaw(coefficients: Any, t: Any) -> Any:
    """Return the sum of Chebyshev polynomials at t in [-1, 1]; of tensors."""
    first, second = t * 0, t * 0
    for coefficient in reversed(coefficients[1:]):
        first, second = 2 * t * first - second + coefficient, first
    return t * first - second + coefficients[0]


@on_numbers(lambda x: math.exp(x))
def exp(x):
    """Return e^x."""
    return x.exp()


@on_numbers(lambda x: math.expm1(x))
def expm1(x):
    """Return e^x - 1."""
    return x.expm1()


@on_numbers(lambda x: math.log(x))
def log(x):
    """Return the natural logarithm."""
    return x.log()


@on_numbers(lambda x: math.log1p(x))
def log1p(x):
    """Return ln(1 + x)."""
    return x.log1p()


@on_numbers(lambda x: math.sqrt(x))
def sqrt(x):
    """Return the square root."""
    return x.sqrt()


@on_numbers(lambda x: math.cos(x))
def cos(x):
    """Return the cosine."""
    return x.cos()


@on_numbers(lambda x: math.tan(x))
def tan(x):
    """Return the tangent."""
    return x.tan()


@on_numbers(lambda x: math.atan(x))
def atan(x):
    """Return the arc tangent."""
    return x.atan()


@on_numbers(lambda x: math.tanh(x))
def tanh(x):
    """Return the hyperbolic tangent."""
    return x.tanh()


@on_numbers(lambda x: math.erf(x))
def erf(x):
    """Return the error function."""
    return x.erf()


@on_numbers(lambda x: math.lgamma(x))
def lgamma(x):
    """Return ln Gamma(x)."""
    return x.lgamma()


@on_numbers(lambda x: math.radians(x))
def radians(x):
    """Return degrees in radians."""
    return x.deg2rad()


def _soft_plus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@on_numbers(_soft_plus)
def soft_plus(x):
    """Return ln(1 + e^x)."""
    return x.logaddexp(x.new_zeros(()))


@on_numbers(lambda x, limit: limit if x < limit else x)
def at_least(x, limit):
    """Return x, or the limit where x is below."""
    return x.clamp(min=limit)


@on_numbers(lambda x, limit: limit if x > limit else x)
def at_most(x, limit):
    """Return x, or the limit where x is above."""
    return x.clamp(max=limit)


@on_numbers(lambda condition, yes, no: yes if condition else no)
def choose(condition, yes, no):
    """Return `yes` where the condition holds, `no` elsewhere."""
    return yes.where(condition, no)


def _hypotenuse(first, second, third=0.0):
    return math.hypot(first, math.hypot(second, third))


@on_numbers(_hypotenuse)
def in_quadrature(first, second, third=0.0):
    """Return the root of the sum of the squares, of tensors at least 1e-10."""
    squared = first * first + second * second + third * third
    return squared.clamp(min=_SMALLEST_SQUARE).sqrt()


@on_numbers(lambda x: x == 0.0)
def is_zero(x):
    """Tell whether a number is 0, and what it multiplies needn't be computed; tensors never are."""
    return False
