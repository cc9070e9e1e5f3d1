"""Products in Einstein's notation, composed of transposes, one batched matrix product a pair of operands, and sums."""

from __future__ import annotations

from typing import Any

from layerctl.ops.elementwise import FLOATING, as_value, cast, promote
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import product_of
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.transpose import transpose
from layerctl.ops.value import ShapeError, Value, product, shown

_DOTS = "0123456789"
"""Stand for the dimensions that `...` covers, from the last."""


def split_equation(equation: str, what: str = "einsum") -> tuple[str, ...]:
    """The terms of an equation: the operands', then the result's.

    Raises:
        ShapeError: if it is not of the form `ab,bc->ac`.
    """
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow and what == "einsum":
        letters = "".join(t.replace("...", "") for t in terms)
        result = ("..." if "..." in left else "") + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    elif not arrow:
        raise ShapeError(f"{what}: the equation '{equation}' has no '->'")
    for term in (*terms, result):
        if not all(c.isascii() and c.isalpha() for c in term.replace("...", "", 1)):
            raise ShapeError(f"{what}: '{term}' of the equation '{equation}' may hold letters and one '...' only")
    known = set("".join(terms)) | {"."}
    strange = [c for c in result if c not in known] + [c for c in result if c != "." and result.count(c) > 1]
    if strange:
        raise ShapeError(f"{what}: the result's '{strange[0]}' must be a letter of the operands, once, in '{equation}'")
    return (*terms, result)


def einsum(equation: str, *operands: Any) -> Value:
    """The sum over all letters that the result does not have of the products of the operands' elements, as numpy.einsum.

    Raises:
        ShapeError: if the equation is malformed or does not fit the operands.
    """
    *terms, result = split_equation(equation)
    values = [as_value(v) for v in operands]
    if len(terms) != len(values):
        raise ShapeError(f"einsum: '{equation}' has {len(terms)} operands, got {len(values)}")
    dtype = promote([v.dtype for v in values])
    dtype = dtype if dtype in FLOATING else "f32"
    expanded = [_expanded(t, v, equation) for t, v in zip(terms, values, strict=True)]
    dots = max((t.count(c) and int(c) + 1 for t in expanded for c in _DOTS), default=0)
    result = result.replace("...", _DOTS[:dots][::-1])
    _check_sizes(equation, expanded, values)
    pairs = [_without_repeats(t, cast(v, dtype)) for t, v in zip(expanded, values, strict=True)]
    while len(pairs) > 1:
        (a_term, a), (b_term, b), *rest = pairs
        needed = set(result).union(*(t for t, _ in rest))
        pairs = [_contract(a_term, a, b_term, b, needed), *rest]
    term, value = _summed(*pairs[0], set(result))
    missing = [c for c in result if c not in term]
    if missing:
        raise ShapeError(f"einsum: the result's '{missing[0]}' is not in the operands of '{equation}'")
    return transpose(value, [term.index(c) for c in result])


def _expanded(term: str, x: Value, equation: str) -> str:
    plain = term.replace("...", "")
    if ("..." not in term and len(plain) != x.rank) or len(plain) > x.rank:
        raise ShapeError(f"einsum: '{term}' of '{equation}' does not fit an operand of shape {shown(x.shape)}")
    if x.rank - len(plain) > len(_DOTS):
        raise ShapeError(f"einsum: '...' covers at most {len(_DOTS)} dimensions")
    return term.replace("...", _DOTS[: x.rank - len(plain)][::-1])


def _check_sizes(equation: str, terms: list[str], values: list[Value]) -> None:
    sizes: dict[str, int] = {}
    for term, v in zip(terms, values, strict=True):
        for c, n in zip(term, v.shape, strict=True):
            if int(sizes.setdefault(c, n)) != int(n) and 1 not in (int(n), int(sizes[c])):
                raise ShapeError(f"einsum: '{c}' of '{equation}' is {sizes[c]} in one operand and {n} in another")
            sizes[c] = max(sizes[c], n)


def _without_repeats(term: str, x: Value) -> tuple[str, Value]:
    """A letter that stands twice in a term takes the diagonal."""
    for c in term:
        while term.count(c) > 1:
            i, j = term.index(c), term.rindex(c)
            n = int(x.shape[i])
            eye = [[1.0 if p == q else 0.0 for q in range(n)] for p in range(n)]
            shape = tuple(n if k in (i, j) else 1 for k in range(x.rank))
            x = reduce("sum", x * reshape(constant(eye, x.dtype), shape), j)
            term = term[:j] + term[j + 1 :]
    return term, x


def _summed(term: str, x: Value, needed: set[str]) -> tuple[str, Value]:
    axes = [i for i, c in enumerate(term) if c not in needed]
    return ("".join(c for c in term if c in needed), reduce("sum", x, axes)) if axes else (term, x)


def _contract(a_term: str, a: Value, b_term: str, b: Value, needed: set[str]) -> tuple[str, Value]:
    """The product of two operands, summed over what neither the result nor a later operand has."""
    a_term, a = _summed(a_term, a, needed | set(b_term))
    b_term, b = _summed(b_term, b, needed | set(a_term))
    thin = [c for c in a_term if c in b_term and int(a.shape[a_term.index(c)]) != int(b.shape[b_term.index(c)])]
    shared = [c for c in a_term if c in b_term]
    inner = [c for c in shared if c not in needed]
    if thin or not inner:
        return _multiplied(a_term, a, b_term, b, needed)
    batch = [c for c in shared if c in needed]
    a_free, b_free = [c for c in a_term if c not in shared], [c for c in b_term if c not in shared]
    left, ta = _matrices(a_term, a, batch, a_free, inner)
    right, tb = _matrices(b_term, b, batch, b_free, inner)
    out = product_of(left, right, ta, not tb)
    sizes = {**dict(zip(b_term, b.shape, strict=True)), **dict(zip(a_term, a.shape, strict=True))}
    letters = [*batch, *a_free, *b_free]
    return "".join(letters), reshape(out, tuple(sizes[c] for c in letters))


def _matrices(term: str, x: Value, batch: list[str], free: list[str], inner: list[str]) -> tuple[Value, bool]:
    """x as (batch, free, inner), or as (batch, inner, free) and True where x lies like that already."""
    swapped = list(term) == [*batch, *inner, *free] and list(term) != [*batch, *free, *inner]
    groups = [batch, inner, free] if swapped else [batch, free, inner]
    x = transpose(x, [term.index(c) for g in groups for c in g])
    sizes = [product(x.shape[sum(map(len, groups[:i])) : sum(map(len, groups[: i + 1]))]) for i in range(3)]
    return reshape(x, tuple(sizes) if batch else tuple(sizes[1:])), swapped


def _multiplied(a_term: str, a: Value, b_term: str, b: Value, needed: set[str]) -> tuple[str, Value]:
    letters = a_term + "".join(c for c in b_term if c not in a_term)

    def spread(term: str, x: Value) -> Value:
        x = transpose(x, [term.index(c) for c in letters if c in term])
        sizes = iter(x.shape)
        return reshape(x, tuple(next(sizes) if c in term else 1 for c in letters))

    return _summed(letters, spread(a_term, a) * spread(b_term, b), needed)
