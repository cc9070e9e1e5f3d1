"""Ops and functions in C and in numpy beside the machine."""

import pkgutil
from importlib import import_module

import numpy as np
import pytest
from exported import in_c, in_numpy, traced
from machine import run
from op_examples import RNG, examples, f32

import layerctl.ops
from layerctl.compile.differentiate import ancestors
from layerctl.export._c.graph import scalar_kind
from layerctl.export._c.kernels import Translator
from layerctl.export._c.routines import routine
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.functions import FUNCTIONS
from layerctl.ops.kernel import KERNELS
from layerctl.ops.value import OPS

FORMS = pytest.mark.parametrize("form", [in_c, in_numpy])


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


EXAMPLES = examples()


@FORMS
@pytest.mark.parametrize("name", EXAMPLES)
def test_op(form, name):
    function, *arrays = EXAMPLES[name]
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


LEAVES = {"input", "parameter", "constant"}


def test_every_op_with_a_form_has_an_example():
    load_all()
    traces = [traced(function, *arrays) for function, *arrays in EXAMPLES.values()]
    shown = {node.op.name for made in traces for node in ancestors(made.outputs.values())} - LEAVES
    assert shown == {op.name for op in OPS.values() if op.no_form is None}


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
