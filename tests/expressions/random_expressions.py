"""Random expressions over tensors whose values and gradients are far from kinks, ties and domains' edges, by the way they are put together.

A variable's elements differ from each other, from all other variables' and from 0 by more than 0.01: what has kinks or chooses elements
(abs, max, sort, where) is applied to variables alone. What is smooth everywhere is applied to anything; what is defined in places alone
gets `square(x) + 0.5` or `0.9 tanh(x)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

Shape = tuple[int, ...]
ANY = (
    "tanh({})", "sin({})", "cos({})", "sigmoid({})", "softplus({})", "arctan({})", "erf({})", "arcsinh({})", "-{}", "+{}", "negative({})",
    "silu({})", "mish({})", "gelu({}, approximate=False)", "log_sigmoid({})", "softsign({})", "tanh_shrink({})", "squareplus({})", "identity({})",
    "exp(tanh({}))", "expm1(tanh({}))", "sinh(tanh({}))", "cosh(tanh({}))", "tan(tanh({}))", "square(tanh({}))", "tanh({}) ** 3", "stop_gradient(1.5) * {}",
    "arcsin(tanh({}) * 0.9)", "arccos(tanh({}) * 0.9)", "arctanh(tanh({}) * 0.9)", "erfinv(tanh({}) * 0.9)", "log(square({}) + 0.5)",
    "log1p(square({}))", "sqrt(square({}) + 0.5)", "rsqrt(square({}) + 0.5)", "reciprocal(square({}) + 0.5)", "arccosh(square({}) + 1.5)",
    "power(square(tanh({})) + 0.5, 1.7)", "2.0 - {}", "{} / 3", "3 / (square({}) + 1)", "zeros_like({}) + 1", "ones_like({})", "cast({}, 'float64')",
    "exponential(tanh({}))", "linear({})", "sparse_plus(tanh({}) * 0.9)", "sparse_sigmoid(tanh({}) * 0.9)",
    "full_like({}, 2.0)", "add({}, 1.5)", "subtract(0.5, {})", "multiply({}, -2)", "divide({}, 4.0)", "true_divide(1, square({}) + 1)",
)  # fmt: skip
OF_A_VARIABLE = (
    "abs({})", "absolute({})", "relu({})", "leaky_relu({})", "elu({})", "selu({})", "celu({})", "relu6({})", "hard_tanh({} * 0.3)", "clip({}, -9.0, 9.0)",
    "maximum({}, 0.0)", "minimum({}, 0.0)", "where({} > 0, {} * 2, {} - 1)", "sign({}) * {}", "floor({} * 0.1)", "hard_sigmoid({} * 0.1)",
    "where(logical_and({} > -9, isfinite({})), {}, 0.0)", "where(not_equal({}, 0), {} ** 2, 1.0)", "soft_shrink({}, threshold=0.001)",
    "trunc({} * 0.1) + {}", "mod({}, 50)", "floor_divide({}, 50) + {}", "hard_shrink({}, threshold=0.001)", "{} * ndim({}) + size({})",
    "where(logical_xor(greater_equal({}, 0), isnan({})), {}, 1.0)", "where(less_equal({}, 0), {}, cast(isinf({}), 'float64'))",
    "where(logical_or(less({}, 0), equal({}, 99)), {}, 0.5)", "where(logical_not(greater({}, 0)), {}, 2.0)", "abs({}) % 50", "hard_silu({} * 0.1)",
)  # fmt: skip
OF_TWO = (
    "{} + {}", "{} * {}", "{} - {}", "{} / (square({}) + 0.5)", "arctan2({}, square({}) + 0.5)", "power(square(tanh({})) + 0.5, tanh({}))",
    "logaddexp({}, {})", "tanh({}) * sigmoid({})",
)  # fmt: skip
OF_AN_AXIS = ("softmax({}, axis={})", "log_softmax({}, axis={})", "cumsum({}, axis={})", "cumprod({}, axis={})", "flip({}, axis={})", "roll({}, 1, axis={})")
REDUCING = ("sum", "mean", "var", "prod", "logsumexp", "average")
CHOOSING = ("max", "min", "amax", "amin", "norm")


@dataclass
class Made:
    """An expression in the making: the shapes of its variables, and its own text and shape."""

    variables: dict[str, Shape] = field(default_factory=dict)
    text: str = ""
    shape: Shape = ()

    def variable(self, shape: Shape) -> str:
        """A variable of a shape, one that is there if there is one."""
        known = next((n for n, s in self.variables.items() if s == shape), None)
        if known is None:
            known = f"v{len(self.variables)}"
            self.variables[known] = shape
        return known

    def put(self, text: str, shape: Shape) -> None:
        """The next form of the expression."""
        self.text, self.shape = f"({text})", tuple(map(int, shape))

    def arrays(self, seed: int) -> list[np.ndarray]:
        """The variables' values: shuffled numbers from -2 to 2 on a grid that none has in common, and that leaves out 0."""
        sizes = [math.prod(s) for s in self.variables.values()]
        n = sum(sizes)
        grid = (np.arange(n) + 0.5 - n / 2 + (0.25 if n % 2 else 0.0)) * (4.0 / max(n, 8))
        shuffled = np.random.default_rng(seed).permutation(grid)
        parts = np.split(shuffled, np.cumsum(sizes)[:-1])
        return [p.reshape(s) for p, s in zip(parts, self.variables.values(), strict=True)]


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, dict[str, Shape], list[np.ndarray]]:
    """(text, shapes of its variables, their values)."""
    made = Made()
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    made.put(made.variable(shape), shape)
    if draw(st.booleans()):
        _choose(draw, made)
    for _ in range(draw(st.integers(1, 5))):
        draw(st.sampled_from(STEPS))(draw, made)
    return made.text, made.variables, made.arrays(draw(st.integers(0, 1000)))


def _axis(draw: st.DrawFn, shape: Shape) -> int:
    return draw(st.integers(-len(shape), len(shape) - 1))


def _smooth(draw: st.DrawFn, made: Made) -> None:
    made.put(draw(st.sampled_from(ANY)).replace("{}", made.text), made.shape)


def _along(draw: st.DrawFn, made: Made) -> None:
    if made.shape:
        made.put(draw(st.sampled_from(OF_AN_AXIS)).format(made.text, _axis(draw, made.shape)), made.shape)


def _choose(draw: st.DrawFn, made: Made) -> None:
    """Something with kinks or choices, of variables, in place of the expression or beside it."""
    name, shape = made.variable(made.shape), made.shape
    axis = _axis(draw, shape) if shape else 0
    forms = [draw(st.sampled_from(OF_A_VARIABLE)).replace("{}", name)]
    if shape:
        forms += [
            f"sort({name}, axis={axis})", f"normalize({name}, axis={axis})", f"where({name} > 0.1, {made.text}, {name})",
            f"take_along_axis({made.text}, argsort({name}, axis={axis}), axis={axis})",
            f"one_hot(argmax({name}, axis=-1), {shape[-1]}) * {made.text}", f"one_hot(argmin({name}, axis=-1), {shape[-1]}) - {made.text}",
        ]  # fmt: skip
        size = shape[axis]
        if size > 1:
            lowered = tuple(d for i, d in enumerate(shape) if i != axis % len(shape))
            fold = draw(st.sampled_from((*CHOOSING, "std")))
            forms.append((f"{fold}({name}, axis={axis})", lowered))
        k = draw(st.integers(1, shape[-1]))
        forms.append((f"top_k({name}, {k})[0]", (*shape[:-1], k)))
    chosen = draw(st.sampled_from(forms))
    made.put(*((chosen, shape) if isinstance(chosen, str) else chosen))


def _with_another(draw: st.DrawFn, made: Made) -> None:
    """An arithmetic of two, of shapes that broadcast."""
    other = tuple(1 if draw(st.booleans()) else d for d in made.shape)[draw(st.integers(0, len(made.shape))) :]
    pair = [made.text, made.variable(other)]
    if draw(st.booleans()):
        pair.reverse()
    made.put(draw(st.sampled_from(OF_TWO)).format(*pair), made.shape)


def _reduce(draw: st.DrawFn, made: Made) -> None:
    shape = made.shape
    if not shape:
        return
    fold = draw(st.sampled_from(REDUCING))
    kept = draw(st.booleans()) and fold != "average"
    axes = sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))[: 1 if fold in ("prod", "average") else None]
    said = str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"
    after = tuple(1 if i in axes else d for i, d in enumerate(shape) if kept or i not in axes)
    made.put(f"{fold}({made.text}, axis={said}{', keepdims=True' if kept else ''})", after)


def _move(draw: st.DrawFn, made: Made) -> None:
    """The same numbers elsewhere."""
    text, shape = made.text, made.shape
    rank = len(shape)
    forms: list[tuple[str, Shape]] = [(f"reshape({text}, (-1,))", (math.prod(shape),)), (f"ravel({text})", (math.prod(shape),))]
    if rank < 4:
        at = draw(st.integers(0, rank))
        forms += [(f"expand_dims({text}, {at})", (*shape[:at], 1, *shape[at:])), (f"broadcast_to({text}, {(2, *shape)})", (2, *shape))]
    if rank:
        a, b = _axis(draw, shape) % rank, _axis(draw, shape) % rank
        order = draw(st.permutations(range(rank)))
        swapped = list(shape)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        moved = list(np.moveaxis(np.empty(shape), a, b).shape)
        forms += [
            (f"reshape({text}, {shape[::-1]})", shape[::-1]), (f"transpose({text}, {tuple(order)})", tuple(shape[i] for i in order)),
            (f"transpose({text})", shape[::-1]), (f"swapaxes({text}, {a}, {b})", tuple(swapped)), (f"moveaxis({text}, {a}, {b})", tuple(moved)),
            (f"squeeze(expand_dims({text}, {a}), {a})", shape),
        ]  # fmt: skip
    made.put(*draw(st.sampled_from(forms)))


def _resize(draw: st.DrawFn, made: Made) -> None:
    """More or fewer of the same numbers along an axis."""
    text, shape = made.text, made.shape
    if not shape or math.prod(shape) > 200:
        return
    axis = _axis(draw, shape) % len(shape)
    n = shape[axis]

    def sized(m: int) -> Shape:
        return (*shape[:axis], m, *shape[axis + 1 :])

    cut, before = draw(st.integers(1, n)), ", ".join([":"] * axis + [""])
    other, without = made.variable(shape), (*shape[:axis], *shape[axis + 1 :])
    many = [2 if i == axis else 1 for i in range(len(shape))]
    around = [(1, 2) if i == axis else (0, 0) for i in range(len(shape))]
    forms: list[tuple[str, Shape]] = [
        (f"repeat({text}, 2, axis={axis})", sized(2 * n)), (f"tile({text}, {many})", sized(2 * n)), (f"pad({text}, {around})", sized(n + 3)),
        (f"concatenate([{text}, {other}], axis={axis})", sized(2 * n)), (f"stack([{text}, {other}], axis={axis})", (*shape[:axis], 2, *shape[axis:])),
        (f"concat([{other}, {text}], axis={axis})", sized(2 * n)), (f"take({text}, [0, {n - 1}, 0], axis={axis})", sized(3)),
        (f"glu(concatenate([{text}, {other}], axis={axis}), axis={axis})", shape),
        (f"{text}[{before}{cut - 1}:]", sized(n - cut + 1)), (f"{text}[{before}::2]", sized(-(-n // 2))), (f"{text}[..., -1]", shape[:-1]),
        (f"{text}[{before}{cut - 1}]", without), (f"take({text}, {cut - 1}, axis={axis})", without),
    ]  # fmt: skip
    if n > 1:
        forms += [(f"diff({text}, axis={axis})", sized(n - 1)), (f"split({text}, [1], axis={axis})[1]", sized(n - 1)),
                  (f"split({text}, {n}, axis={axis})[0]", sized(1))]  # fmt: skip
    if len(shape) > 1:
        forms += [(f"tril({text})", shape), (f"triu({text}, 1)", shape), (f"vstack([{text}, {other}])", (2 * shape[0], *shape[1:])),
                  (f"hstack([{text}, {other}])", (shape[0], 2 * shape[1], *shape[2:]))]  # fmt: skip
    made.put(*draw(st.sampled_from(forms)))


def _multiply(draw: st.DrawFn, made: Made) -> None:
    """A sum of products."""
    text, shape = made.text, made.shape
    if not shape or math.prod(shape) > 200:
        return
    n, m = shape[-1], draw(st.integers(1, 4))
    wide = made.variable((n, m))
    forms: list[tuple[str, Shape]] = [(f"{text} * arange({n})", shape), (f"{text} * linspace(0, {n - 1}, {n})", shape), (f"{text} + ones({shape})", shape),
                                      (f"{text} * full({shape}, 0.5) - zeros({shape})", shape)]  # fmt: skip
    if len(shape) == 1:
        forms.append((f"outer({text}, {made.variable((m,))})", (n, m)))
    else:
        forms += [(f"matmul({text}, {wide})", (*shape[:-1], m)), (f"{text} @ {wide}", (*shape[:-1], m)), (f"dot({text}, {wide})", (*shape[:-1], m)),
                  (f"einsum('...j,jk->...k', {text}, {wide})", (*shape[:-1], m))]  # fmt: skip
    if len(shape) == 2:
        forms += [(f"einsum('ij,jk->ki', {text}, {wide})", (m, shape[0])), (f"einsum('ij,ij->i', {text}, {text})", shape[:1]),
                  (f"{text} + eye({shape[0]}, {n})", shape)]  # fmt: skip
    made.put(*draw(st.sampled_from(forms)))


STEPS = (_smooth, _smooth, _with_another, _with_another, _along, _reduce, _move, _resize, _multiply, _choose)
