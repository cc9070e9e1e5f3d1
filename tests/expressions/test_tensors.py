"""The language on tensors: the same text is run here and by Python with keras.ops, and its gradient is compared with finite differences."""

import keras
import numpy as np
import pytest
from machine import check_gradient, run
from parity import close  # sets the backend before Keras is used

from layerctl.expressions.evaluate import evaluate
from layerctl.expressions.functions import functions
from layerctl.expressions.parse import parse
from layerctl.ops.value import ShapeError

RNG = np.random.default_rng(7)
X, Y, M = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4)), RNG.standard_normal((4, 5))
POSITIVE = "abs(x) + 0.5"
HEADS = "reshape(x, (1, 3, 2, 2))"
SMOOTH = [
    "x * y + 2", "x / (y * y + 1)", "where(x > 0.1, x, y * 3)", "matmul(x, m)", "x @ m", "einsum('ij,jk->ik', x, m)", "einsum('ij,ij->i', x, y)",
    "sum(x * y, axis=1)", "mean(x, axis=-1, keepdims=True) * y", "var(x, axis=0)", "std(x, axis=1)", f"prod({POSITIVE}, axis=1)", "max(x, axis=1)",
    "min(x, axis=0)", "norm(x, axis=1)", "norm(x, ord=1, axis=0)", "logsumexp(x, axis=1)", "reshape(x, (4, 3))", "reshape(x, (-1,))",
    "transpose(x)", "swapaxes(x, 0, 1)", "moveaxis(x, 0, 1)", "expand_dims(x, 1)", "squeeze(expand_dims(x, 0), 0)", "concatenate([x, y], axis=1)",
    "stack([x, y], axis=1)", "softmax(x)", "softmax(x, axis=0)", "log_softmax(x)", "take(x, [0, 2, 2], axis=0)", "take(x, 1, axis=1)", "x[:, 1:3]",
    "x[0]", "x[:, ::2]", "x[..., -1]", "cumsum(x, axis=1)", "cumsum(x, axis=0)", f"cumprod({POSITIVE}, axis=1)", "top_k(x, 2)[0]", "sort(x, axis=1)",
    "sort(x, axis=0)", "take_along_axis(x, argsort(y, axis=1), axis=1)", "tanh(x) * sigmoid(y)", "relu(x) + softplus(y)", "exp(x) - expm1(y)",
    f"log({POSITIVE}) + log1p({POSITIVE})", f"sqrt({POSITIVE}) * rsqrt({POSITIVE})", "sin(x) + cos(y)", "arctan(x) + arctan2(x, abs(y) + 1)", "erf(x)",
    "maximum(x, y) - minimum(x, y * 2)", "clip(x, -0.5, 0.5)", "abs(x) + square(y)", "power(abs(x) + 0.5, 1.5)", "broadcast_to(x[0], (3, 4)) * y",
    "repeat(x, 2, axis=1)", "tile(x, [2, 1])", "roll(x, 1, axis=1)", "flip(x, axis=1)", "pad(x, [[1, 0], [0, 2]])", "split(x, 2, axis=1)[1]",
    "pad(x, [[1, 2], [0, 3]], mode='reflect')", "pad(x, [[2, 0], [4, 1]], mode='symmetric')",
    "split(x, [1, 3], axis=1)[1]", "tril(x) + triu(y, 1)", "outer(x[0], y[1])", "diff(x, axis=1)", "x * arange(4)", "x * linspace(0, 1, 4)",
    "x + eye(3, 4)", "x * ones((3, 4)) + zeros((3, 4))", "full_like(x, 2.0) * x", "zeros_like(x) + y", "x ** 2 + x ** 3", "gelu(x) + silu(y)",
    "sparsemax(x * 4)",
    "+x * stop_gradient(1.5)", "softplus(2.0) * x", "cumsum([1.0, 2.0, 0.5, 1.0]) * x",
    "average(x, axis=0)", "ravel(x)", "hstack([x, y])", "vstack([x, y])", "logaddexp(x, y)", "x - stop_gradient(y)", "-x % 3.0 + 1",
    "moments(x, [1])[1]", "unstack(x, axis=1)[2]", "tensordot(x, m, 1)", "tensordot(x, y, [[0], [0]])", "inner(x, y)", "nan_to_num(x) * y",
    f"log2({POSITIVE}) + log10({POSITIVE})", "exp2(x) + erfc(y)", "flipud(fliplr(x))", "divide_no_nan(x, y)", "normalize(x, axis=0)",
    "depth_to_space(reshape(x, (1, 1, 3, 4)), 2)", "space_to_depth(reshape(x, (1, 2, 6, 1)), 2)", "average_pool(reshape(x, (1, 3, 4, 1)), (2, 2), (1, 1))",
    "extract_patches(reshape(x, (1, 3, 4, 1)), (2, 2), (1, 1))", "extract_patches(reshape(x, (1, 2, 6, 1)), 2)",
    "roll(x, 1, axis=None)", "repeat(x, 2, axis=None)", "take(x, [1, 5], axis=None)", "sort(x, axis=None)", "take_along_axis(x, [1, 5], axis=None)",
    "layer_normalization(x)", "layer_normalization(x, y[0], m[0, :4], axis=-1, epsilon=0.01)", "rms_normalization(x, y[0])", "moveaxis(x, [0], [1])",
    "batch_normalization(x, y[0], abs(y[1]), -1, y[2], x[0])", "expand_dims(x, [0, 2])", "array_split(x, 3, axis=1)[1]", "append(x, y)",
    f"dot_product_attention({HEADS}, {HEADS}, {HEADS})", f"dot_product_attention({HEADS}, {HEADS}, {HEADS}, scale=0.3, is_causal=True)",
    f"dot_product_attention({HEADS}, {HEADS}, {HEADS}, bias=y[:, :3], mask=x[:, :3] > -1)", "append(x, y, axis=1)", "dstack([x, y])",
    "median(x, axis=1)", "median(x, axis=0, keepdims=True)", "quantile(x, 0.3, axis=1)", "diagonal(x, 1, 1, 0)", "trace(x, 1)", "ptp(x, axis=1)",
    "diagonal(reshape(x, (2, 3, 2)), 0, 1, 2)", "average(x, 1, weights=[1.0, 2.0, 3.0, 4.0])", "average(x, weights=y + 3)", "nansum(x, axis=1)",
    "select([x > 1, x > 0], [x, y], 0.5)", "nanmean(x, axis=1)", "rgb_to_grayscale(reshape(x, (1, 2, 2, 3)))", "slice(x, [0, 1], [3, 2])",
    "hypot(x, y)", "deg2rad(x) + rad2deg(y)", "tensordot(x, [[1.0], [2.0], [3.0], [4.0]], 1)",
    "extract_patches(reshape(x, (1, 3, 4, 1)), 2, 1, padding='same')", "extract_patches(reshape(x, (1, 3, 4, 1)), 3, 2, padding='same')",
    "max_pool(reshape(x, (1, 6, 2)), 2, strides=1)", "take_along_axis(x, [[1], [0], [3]], axis=1)", "take_along_axis(x, [[2, 1, 0, 0]], axis=0)",
    "conv(reshape(x, (1, 3, 4, 1)), reshape(m[:2, :4], (2, 2, 1, 2)))", "conv(reshape(x, (1, 6, 2)), reshape(m[:3, :4], (3, 2, 2)), 2, 'same')",
    "conv(reshape(x, (1, 3, 4)), reshape(m[:2, :3], (1, 3, 2)), data_format='channels_first')",
    "conv(reshape(x, (1, 3, 4)), reshape(m[:2, :4], (2, 2, 2)), dilation_rate=2)",
    "depthwise_conv(reshape(x, (1, 3, 2, 2)), reshape(m[:2, :4], (2, 1, 2, 2)), padding='same')",
    "separable_conv(reshape(x, (1, 6, 2)), reshape(m[:2, :2], (2, 2, 1)), reshape(m[2:, :3], (1, 2, 3)), 2, 'same')",
    "conv_transpose(reshape(x, (1, 6, 2)), reshape(m[:2, :4], (2, 2, 2)), 2)",
    "conv_transpose(reshape(x, (1, 3, 2, 2)), reshape(m[:3, :4], (3, 2, 1, 2)), [2, 1], 'same')",
    "segment_sum(x, cast([2, 0, 2], 'int32'), 4)", "segment_max(x, cast([1, 0, 1], 'int32'), num_segments=2)",
    "segment_min(x, cast([1, 0, 0], 'int32'), 2)", "segment_prod(x, cast([3, 0, 3], 'int32'), 4)",
    "rfft(x)[0] * rfft(x)[1]", "rfft(x, 6)[1]", "rfft(x, 3)[0]", "irfft([x, y])", "irfft([x, y], 5)", "fft([x, y])[0] * fft([x, y])[1]",
    "fft2([x, y])[1]", "ifft2([x, y])[0]", "stft(reshape(x, (12,)), 4, 2, 4)[1]", "stft(reshape(x, (1, 12)), 3, 2, 4, 'hamming', False)[0]",
    "stft(reshape(x, (2, 6)), 4, 1, 5, window=None)[0]",
]  # fmt: skip
WHOLE = ["argmax(x, axis=1)", "argsort(x, axis=1)", "x > y", "logical_and(x > 0, y > 0)", "logical_not(x > 0)", "one_hot(argmax(x, axis=1), 4)", "sign(x)",
         "floor(x * 3)",
         "top_k(x, 2)[1]", "any(x > 1, axis=1)", "all(x > -2, axis=0)", "isfinite(x)", "count_nonzero(x > 0, axis=1)", "round(x * 4)", "ceil(x)",
         "argsort(x, axis=None)", "round(x, 1)", "digitize(x, [-1.0, 0.0, 1.0])", "multi_hot(cast(abs(x), 'int32'), 5)", "isclose(x, y, 0.5, 0.5)",
         "round(x) == 0", "round(x) != round(y)", "0 == round(x)"]  # fmt: skip


def ours(text):
    tree = parse(text)
    return lambda x, y, m: evaluate(tree, {"x": x, "y": y, "m": m}, functions())


def theirs(text, x, y, m):
    names = {n: getattr(module, n) for module in (keras.ops.image, keras.ops) for n in dir(module) if not n.startswith("_")}
    return np.asarray(eval(text, {**names, "gelu": lambda v: keras.ops.gelu(v, approximate=False)}, {"x": x, "y": y, "m": m}))


@pytest.mark.parametrize("text", [*SMOOTH, *WHOLE])
def test_the_same_text_in_python(text):
    arrays = [a.astype(np.float32) for a in (X, Y, M)]
    want = theirs(text, *(keras.ops.convert_to_tensor(a) for a in arrays))
    got = run(ours(text), *arrays)[0]
    if want.dtype.kind == "f":
        close(text, got, want, 2e-6)
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("text", [t for t in SMOOTH if "stop_gradient" not in t])
def test_gradients(text):
    check_gradient(ours(text), X, Y, M)


@pytest.mark.parametrize(("text", "message"), [
    ("arange(10 ** 9)", "would make"), ("eye(100000)", "would make"), ("tile(x, [10 ** 9, 1])", "would make"), ("top_k(x, 5)[0]", "k must be"),
    ("split(x, 3, axis=1)", "equal parts"), ("einsum('ij,jk->iz', x, m)", "'z'"),
    ("sum(x, axes=1)", "sum has no argument 'axes'; did you mean 'axis'"), ("pad(x)", "pad needs 'pad_width'"),
    ("pad(x, [[0, 0], [0, 4]], mode='reflect')", "pad of 4 at dimension 1 has 4 elements"), ("pad(x, [[1, 1]], mode='edge')", "pad has no mode 'edge'"),
    ("conv(x, m)", "conv takes \\(batch, 1 to 3 of space"), ("conv(reshape(x, (1, 6, 2)), reshape(m, (4, 5, 1)))", "2 channels are no multiple"),
    ("conv(reshape(x, (1, 6, 2)), reshape(m[:, :1], (2, 2, 1)), [1, 1])", "strides is one whole number"),
    ("depthwise_conv(reshape(x, (1, 6, 2)), reshape(m, (4, 5, 1)))", "for 5 channels, x has 2"), ("segment_sum(x, [0, 1, 0])", "needs num_segments"),
    ("segment_max(x, [0, 1], 2)", "an id for each row"), ("fft(x)", r"fft takes \[real part"), ("fft([x, m])", "the imaginary one"),
    ("rfft(x, 10 ** 6)", "of 1 to 4096 numbers"), ("stft(x, 4, 1, 16)", "too short"), ("stft(x, 4, 1, 4, 'round')", "a window among"),
    ("outer(x[0], 3)", "expected a tensor, got 3"), ("softmax('x')", "expected a tensor or a number, got str"),
])  # fmt: skip
def test_mistakes(text, message):
    from layerctl.diagnostics import LayerctlError

    with pytest.raises((ShapeError, LayerctlError), match=message):
        run(ours(text), X, Y, M)
