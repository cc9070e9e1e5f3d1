"""Elementwise functions by name: how one is listed, and what they all stand on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from layerctl.kernels.lanes import F32, F64, Lanes

EMITTERS: dict[str, Callable[..., Lanes]] = {}
THROUGH_F64: set[str] = set()


def function(emit: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function over Lanes callable with a builder and values too, and lists it under its name."""
    name = emit.__name__.rstrip("_")

    @functools.wraps(emit)
    def wrapped(first: Any, *rest: Any) -> Any:
        if isinstance(first, ir.IRBuilder):
            return emit(*(Lanes(first, v) for v in rest)).value
        return emit(first, *rest)

    EMITTERS[name] = wrapped
    return wrapped


def in_f64(emit: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """Computes f32 through f64: for functions that are rarely hot, and precise to the last bit."""
    THROUGH_F64.add(emit.__name__.rstrip("_"))

    @functools.wraps(emit)
    def wrapped(*args: Lanes) -> Lanes:
        if not args[0].single:
            return emit(*args)
        return emit(*(a.to(F64) for a in args)).to(F32)

    return wrapped


def magic(x: Lanes) -> float:
    """1.5 * 2**(bits of the fraction): added to a float it rounds it to an integer, which stands in the low bits."""
    return x.pick(1.5 * 2.0**23, 1.5 * 2.0**52)


@function
def sqrt(x: Lanes) -> Lanes:
    return x.call("sqrt")


@function
def rsqrt(x: Lanes) -> Lanes:
    return 1.0 / sqrt(x)


@function
def reciprocal(x: Lanes) -> Lanes:
    return 1.0 / x
