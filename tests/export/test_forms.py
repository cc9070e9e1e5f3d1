"""Ops and functions in C and in numpy beside the machine."""

import pkgutil
from importlib import import_module

import numpy as np
import pytest
from exported import in_c, in_numpy
from machine import run

import layerctl.ops
from layerctl.export._c.graph import scalar_kind
from layerctl.export._c.kernels import Translator
from layerctl.export._c.routines import routine
from layerctl.export._python.ops import RULES
from layerctl.ops.attention import attention
from layerctl.ops.bins import bins, tally
from layerctl.ops.concat import concat, stack
from layerctl.ops.conv import conv, conv_transpose
from layerctl.ops.cumulative import cumulative
from layerctl.ops.elementwise import apply, broadcast_to, cast
from layerctl.ops.functions import FUNCTIONS
from layerctl.ops.gather import take
from layerctl.ops.gru import gru
from layerctl.ops.kernel import KERNELS
from layerctl.ops.lstm import lstm
from layerctl.ops.matmul import matmul
from layerctl.ops.order import sort, take_along_axis, top_k
from layerctl.ops.pool import pool
from layerctl.ops.reduce import reduce
from layerctl.ops.reshape import reshape
from layerctl.ops.select import one_hot, select
from layerctl.ops.simple_rnn import simple_rnn
from layerctl.ops.slicing import pad
from layerctl.ops.softmax import softmax
from layerctl.ops.transpose import transpose
from layerctl.ops.unstack import unstack
from layerctl.ops.value import OPS as OPS_THERE_ARE

FORMS = pytest.mark.parametrize("form", [in_c, in_numpy])
RNG = np.random.default_rng(5)


def f32(*shape):
    """Normal numbers."""
    return RNG.standard_normal(shape).astype(np.float32)


def ids(high, *shape):
    """Whole numbers, some outside on both sides."""
    return RNG.integers(-1, high + 1, shape).astype(np.int32)


def compare(form, function, *arrays, tolerance=2e-6):
    """The form's results and the machine's, relative to their scale; NaN and infinities where the machine has them."""
    for ours, theirs in zip(run(function, *arrays), form(function, *arrays), strict=True):
        assert ours.shape == theirs.shape
        ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        there = np.isfinite(ours)
        np.testing.assert_array_equal(theirs[~there], ours[~there])
        scale = np.abs(ours[there]).max(initial=1e-3)
        np.testing.assert_allclose(theirs[there], ours[there], rtol=tolerance, atol=tolerance * scale)


EDGES = np.array([0.0, -0.0, 1, -1, 0.5, -0.5, 2.5, -3.5, 1e-6, -1e-6, 7.25, -20, 40, 88.9, -104, np.inf, -np.inf, np.nan], np.float32)


@FORMS
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_of_floats(form, name):
    function = FUNCTIONS[name]
    if name == "erf_inv":
        x = np.linspace(-1.2, 1.2, 49).astype(np.float32)
    else:
        x = np.concatenate([EDGES, f32(40), f32(20) * 20])
    arrays = [x, *(np.roll(x, 7 * i) for i in range(1, function.arity))]
    if name in ("pow", "mod", "floordiv"):
        arrays[1] = np.where(np.abs(arrays[1]) > 6, 2.5, arrays[1]).astype(np.float32)
    if name == "cast":
        compare(form, lambda v: [cast(v, "i32"), cast(v, "bool"), cast(v, "f64")], x)
    elif name == "where":
        compare(form, lambda a, b, c: apply("where", a > 0.0, b, c), *arrays)
    else:
        compare(form, lambda *v: apply(name, *v), *arrays, tolerance=4e-6)


@FORMS
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_functions_of_whole_numbers(form, dtype):
    a, b = (RNG.integers(-9, 10, 50).astype(dtype) for _ in range(2))
    for name, function in FUNCTIONS.items():
        if function.integers and name not in ("where", "cast", "fma"):
            x = [np.abs(a) % 5 if name == "pow" else a, np.abs(b) % 5 if name == "pow" else b][: function.arity]
            compare(form, lambda *v, n=name: apply(n, *v), *x)
    compare(form, lambda v, w: [cast(v, "f32"), apply("where", v > w, v, w)], a, b)


OPS = {
    "matmul": (lambda a, b: matmul(a, b), f32(3, 7), f32(7, 5)),
    "matmul transposed": (lambda a, b: matmul(a, b, transpose_a=True, transpose_b=True), f32(2, 7, 9), f32(2, 5, 7)),
    "matmul of a batch with one": (lambda a, b: matmul(a, b), f32(3, 4, 6), f32(1, 6, 5)),
    "sums": (lambda x: [reduce(n, x, a) for n in ("sum", "prod", "sumsq", "sumabs") for a in (0, 1, 2, (0, 2))], f32(3, 4, 5)),
    "extremes": (lambda x: [reduce(n, x, 1) for n in ("max", "min", "argmax", "argmin")], f32(3, 4, 5)),
    "any": (lambda x: [reduce(n, x > 0.5, a) for n in ("any", "all") for a in (0, -1)], f32(5, 8)),
    "counts": (lambda x: reduce("sum", x > 0.0, -1), f32(5, 8)),
    "reshape": (lambda x: reshape(transpose(x, (2, 0, 1)), (5, 12)), f32(3, 4, 5)),
    "slices": (lambda x: [x[1:3], x[:, ::-1], x[..., 1::2], x[-1, 3:0:-2]], f32(4, 5, 6)),
    "pad": (lambda x: pad(x, [(1, 2), (0, 3)], -1.5), f32(3, 4)),
    "joined": (lambda a, b: [concat([a, b], 1), stack([a, a], 1)], f32(3, 4), f32(3, 2)),
    "unstack": (lambda x: unstack(x), f32(3, 4)),
    "broadcast": (lambda x: broadcast_to(x, (4, 3, 5)), f32(3, 1)),
    "take": (lambda x, i: take(x, i), f32(6, 3), ids(6, 2, 5)),
    "select": (lambda x, i: select(x, i), f32(5, 4), ids(4, 5)),
    "one hot": (lambda i: one_hot(i, 4), ids(4, 6)),
    "softmax": (lambda x: [softmax(x), softmax(x, 1, logarithm=True)], f32(2, 3, 4) * 5),
    "sort": (lambda x: [sort(x), *top_k(x, 3)], np.where(RNG.random((4, 9)) < 0.2, 0.5, f32(4, 9)).astype(np.float32)),
    "along": (lambda x, i: take_along_axis(x, i), f32(3, 6), ids(6, 3, 2)),
    "cumulative": (lambda x: [cumulative("sum", x), cumulative("sum", x, 0, reverse=True), cumulative("prod", x)], f32(3, 7)),
    "bins": (lambda x, b: bins(x, b), f32(20), np.array([-1, 0, 0.5], np.float32)),
    "tally": (lambda i, w: tally(i, w, 5), ids(5, 3, 8), f32(3, 8)),
    "conv": (lambda x, w: conv(x, w, (2, 1), "same"), f32(1, 9, 8, 4), f32(3, 2, 4, 6)),
    "conv dilated": (lambda x, w: conv(x, w, (1,), "causal", (2,)), f32(2, 9, 4), f32(3, 4, 5)),
    "conv of groups": (lambda x, w: conv(x, w, (1, 1), "same", groups=2), f32(1, 5, 6, 4), f32(3, 3, 2, 6)),
    "conv depthwise": (lambda x, w: conv(x, w, (1, 1), "same", groups=8), f32(1, 7, 6, 8), f32(3, 3, 1, 8)),
    "conv in three dimensions": (lambda x, w: conv(x, w, (1, 2, 1)), f32(1, 4, 5, 6, 2), f32(2, 2, 3, 2, 3)),
    "conv transposed": (lambda x, w: conv_transpose(x, w, (2, 3), "same"), f32(1, 4, 5, 3), f32(3, 3, 2, 3)),
    "conv transposed, larger steps": (lambda x, w: conv_transpose(x, w, (3, 3)), f32(2, 4, 4, 3), f32(2, 2, 5, 3)),
    "pool": (lambda x: [pool(x, k, (2, 3), (2, 1), m) for k in ("max", "average") for m in ("valid", "same")], f32(2, 7, 8, 3)),
    "lstm": (lambda x, u, h, c: lstm(x, u, h, c), f32(1, 5, 28), f32(7, 28), f32(1, 7), f32(1, 7)),
    "gru": (lambda x, u, b, h: gru(x, u, b, h), f32(1, 5, 60), f32(20, 60), f32(60), f32(1, 20)),
    "gru, reset before": (lambda x, u, h: gru(x, u, None, h, reset_after=False), f32(1, 5, 12), f32(4, 12), f32(1, 4)),
    "attention": (lambda q, k, v: attention(q, k, v), f32(1, 5, 2, 8), f32(1, 7, 2, 8), f32(1, 7, 2, 3)),
    "attention, masked": (lambda q, k, v, m: attention(q, k, v, m > 0.0), f32(2, 5, 2, 8), f32(2, 5, 2, 8), f32(2, 5, 2, 8), f32(2, 1, 5, 5)),
    "simple rnn, masked": (lambda x, u, h, m: simple_rnn(x, u, h, m > 0.0), f32(1, 6, 5), f32(5, 5), f32(1, 5), f32(1, 6)),
    "lstm, masked": (lambda x, u, h, c, m: lstm(x, u, h, c, m > 0.0), f32(1, 6, 12), f32(3, 12), f32(1, 3), f32(1, 3), f32(1, 6)),
}  # fmt: skip


@FORMS
@pytest.mark.parametrize("name", OPS)
def test_op(form, name):
    function, *arrays = OPS[name]
    compare(form, function, *arrays)


FOR_TRAINING_OR_TEXTS = {
    "depthwise_kernels.depthwise_weight_gradient", "hashing.crossings", "hashing.hashed", "random.uniform", "texts.buckets", "texts.hashed_texts",
    "texts.tokenized", "printing.numbers",
}  # fmt: skip
OF_CONVOLUTIONS = {"winograd_kernels.transform_taps", "winograd_kernels.winograd"}
"""Kernels in place of which C has the direct way of its own."""


def load_all():
    """Every op and kernel there is."""
    for module in pkgutil.iter_modules(layerctl.ops.__path__):
        import_module(f"layerctl.ops.{module.name}")


OTHER_OPS = {
    "buckets", "crossed", "hashed", "hashed_texts", "tokens", "ctc", "deliver", "fetch", "row_numbers", "finished", "fused", "pack", "random_uniform", "warp",
    "projecting", "input", "parameter", "constant", "fused_sums", "put_along", "scatter_add", "untally",
}  # fmt: skip
"""Ops of training, of texts, and of data that come in."""


def test_every_other_op_has_a_form_in_numpy():
    load_all()
    without = {n for n in OPS_THERE_ARE if n not in RULES and not (n.endswith("_gradient") and n != "conv_input_gradient")}
    assert without == OTHER_OPS


def test_every_other_kernel_can_be_translated():
    load_all()
    without = set()
    for name, kernel in KERNELS.items():
        if not kernel.function.__module__.startswith("layerctl.ops."):
            continue
        translator = Translator(lambda *_: "f")
        kinds = [scalar_kind(k) for k in kernel.at(T="f32", U="i32").layout]
        try:
            translator.function(kernel.function, ["i64", "i64", *kinds])
            for helper in translator.helpers:
                routine(helper)
        except (ValueError, KeyError):
            without.add(name)
    assert without == FOR_TRAINING_OR_TEXTS | OF_CONVOLUTIONS
