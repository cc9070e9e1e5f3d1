"""Random expressions in float64: values beside the same text in Python with jax.numpy, slopes beside finite differences."""

import functools
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, settings
from machine import gradient_of, run
from random_expressions import expressions

from layerctl.expressions.evaluate import evaluate
from layerctl.expressions.functions import functions
from layerctl.expressions.parse import parse

HERE = Path(__file__).parent
NAMES = {
    **{n: getattr(jnp, n) for n in dir(jnp) if not n.startswith("_")}, **{n: getattr(jax.nn, n) for n in dir(jax.nn) if not n.startswith("_")},
    "softsign": jax.nn.soft_sign, "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2), "tanh_shrink": lambda x: x - jnp.tanh(x), "exponential": jnp.exp,
    "soft_shrink": lambda x, threshold: jnp.sign(x) * jnp.maximum(abs(x) - threshold, 0), "linear": lambda x: x, "identity": lambda x: x,
    "erf": jax.scipy.special.erf, "erfinv": jax.scipy.special.erfinv, "rsqrt": jax.lax.rsqrt, "norm": jnp.linalg.norm, "top_k": jax.lax.top_k,
    "cast": lambda x, dtype: x.astype(dtype), "stop_gradient": jax.lax.stop_gradient, "take": lambda x, i, axis: jnp.take(x, jnp.asarray(i), axis),
    "normalize": lambda x, axis=-1: x / jnp.linalg.norm(x, axis=axis, keepdims=True), "one_hot": lambda i, n: jax.nn.one_hot(i, n, dtype="float64"),
    "hard_shrink": lambda x, threshold: jnp.where(abs(x) > threshold, x, 0),
}  # fmt: skip
"""The functions in float64; keras.ops computes in float32 on JAX (tests/expressions/test_tensors.py compares with it)."""
DOUBLE = functools.partial(jax.enable_x64, True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
ELSEWHERE = {"random_uniform", "random_normal", "dropout", "shape"}
"""Functions whose results are random, or no tensors."""


def ours(text, names):
    tree = parse(text)
    return lambda *values: evaluate(tree, dict(zip(names, values, strict=True)), functions())


def theirs(text, names, arrays):
    with DOUBLE():
        tensors = {n: jnp.asarray(a, "float64") for n, a in zip(names, arrays, strict=True)}
        return np.asarray(eval(text, dict(NAMES), tensors))


def scalar(result):
    """What `gradient_of` differentiates."""
    return float((np.asarray(result, np.float64) * np.cos(np.arange(result.size)).reshape(result.shape)).sum())


PLANNED = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@PLANNED
@given(expressions())
def test_values_and_slopes(made):
    text, names, arrays = made
    function = ours(text, names)
    got = run(function, *arrays)[0]
    want = theirs(text, names, arrays)
    assert got.shape == want.shape, text
    scale = max(1.0, float(np.abs(want).max(initial=0.0)))
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * scale, err_msg=text)
    direction = [np.cos(np.arange(a.size) + i).reshape(a.shape) for i, a in enumerate(arrays)]
    slope = sum(float((g * d).sum()) for g, d in zip(gradient_of(function, *arrays), direction, strict=True))
    step = 1e-5
    ahead, behind = (scalar(run(function, *(a + s * step * d for a, d in zip(arrays, direction, strict=True)))[0]) for s in (1, -1))
    numeric = (ahead - behind) / (2 * step)
    assert abs(slope - numeric) <= 1e-5 * max(1.0, abs(slope), abs(ahead)), f"{text}: {slope}, by differences {numeric}"


def test_every_function_is_among_the_texts():
    said = (HERE / "random_expressions.py").read_text() + (HERE / "test_tensors.py").read_text()
    words = set(re.findall(r"[a-z]\w*", said))
    assert set(functions()) - words - ELSEWHERE == set()
