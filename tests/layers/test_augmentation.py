"""Random layers: with the same draws they do what Keras's do, gradients too; their draws' ranges; seeds, rows, absence outside of training."""

import jax
import keras
import numpy as np
import pytest
from machine import MACHINE, gradient_of, run
from parity import keras_layer

from layerctl.catalogue import catalogue
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.layers._augmentation import Augmentation
from layerctl.layers.base import Layer
from layerctl.ops.leaves import constant, input_
from layerctl.ops.value import ShapeError, Trace, Type, tracing
from layerctl.runtime.machine import State

RNG = np.random.default_rng(4)
ROWS = 6
ALL = [
    {"RandomFlip": {}}, {"RandomRotation": {"factor": 0.3}}, {"RandomZoom": {"height_factor": 0.4}},
    {"RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2}}, {"RandomShear": {"x_factor": 0.3, "y_factor": 0.1}},
    {"RandomContrast": {"factor": 0.5}}, {"RandomBrightness": {"factor": 0.4}}, {"RandomGrayscale": {}}, {"RandomInvert": {"factor": 0.5}},
    {"RandomErasing": {}}, {"RandomGaussianBlur": {}}, {"RandomCrop": {"height": 3, "width": 4}},
]  # fmt: skip


def made(spec) -> Layer:
    (name, args), *_ = spec.items()
    layer = catalogue("layers").get(name)(**args)
    layer.place(layer.name or name)
    return layer


def images(layer, high=255.0):
    shape = (ROWS, 3, 7, 9) if getattr(layer, "data_format", None) == "channels_first" else (ROWS, 7, 9, 3)
    return (RNG.random(shape) * high).astype(np.float32)


def in_keras(layer):
    """For each layer: what Keras calls the numbers that we draw."""
    numbers = {
        "RandomFlip": lambda d: {"flips": d["flips"][:, None, None, None]},
        "RandomContrast": lambda d: {"contrast_factor": d["contrast"][:, None, None, None]},
        "RandomBrightness": lambda d: {"rgb_delta": d["delta"][:, None, None, None]},
        "RandomGrayscale": lambda d: d["chosen"][:, None, None, None],
        "RandomInvert": lambda d: {"apply_inversion": d["chosen"].ravel()},
        "RandomZoom": lambda d: {"height_zoom": d["height_zoom"][:, None], "width_zoom": d["width_zoom"][:, None]},
        "RandomTranslation": lambda d: {"translations": np.stack([d["over"] * d["w"], d["down"] * d["h"]], 1)},
        "RandomShear": lambda d: {"shear_factor": np.stack([d["along_x"], d["along_y"]], 1), "input_shape": (ROWS, 7, 9, 3)},
        "RandomRotation": lambda d: {"rotation_matrix": rotation(d)},
    }
    return numbers[type(layer).__name__]


def rotation(d):
    zero, one = np.zeros(ROWS, np.float32), np.ones(ROWS, np.float32)
    layer = keras.layers.RandomRotation(0.5)
    return layer._compute_affine_matrix(0.5, 0.5, d["angle"], zero, zero, one, zero, zero, d["h"], d["w"])


def drawn(layer, x):
    """The layer's draws for a batch, as arrays."""
    names: list[str] = []

    def draw(v):
        values = layer.draw(v)
        names.extend(values)
        return [v * 1 if v.dtype != "bool" else v for v in values.values()]

    return dict(zip(names, run(draw, x), strict=True)) if names or layer else {}


GRID = [
    {"RandomFlip": {}}, {"RandomFlip": {"mode": "horizontal"}}, {"RandomFlip": {"mode": "vertical", "data_format": "channels_first"}},
    *({"RandomRotation": {"factor": [-0.3, 0.45], "fill_mode": m, "fill_value": 7.0}} for m in ("reflect", "wrap", "constant", "nearest")),
    {"RandomRotation": {"factor": 0.2, "interpolation": "nearest", "data_format": "channels_first"}},
    {"RandomZoom": {"height_factor": 0.4}}, {"RandomZoom": {"height_factor": [-0.5, -0.1], "width_factor": 0.9, "fill_mode": "constant"}},
    {"RandomZoom": {"height_factor": 0.7, "fill_mode": "wrap", "data_format": "channels_first"}},
    {"RandomTranslation": {"height_factor": 0.3, "width_factor": [-0.9, 0.2]}},
    {"RandomTranslation": {"height_factor": 0.3, "width_factor": 0.6, "fill_mode": "nearest", "interpolation": "nearest"}},
    {"RandomShear": {"x_factor": 0.3}}, {"RandomShear": {"x_factor": [0.1, 0.9], "y_factor": 0.5, "fill_mode": "constant", "fill_value": 3.0}},
    {"RandomContrast": {"factor": 0.9}}, {"RandomContrast": {"factor": [0.2, 0.9], "value_range": [20, 200], "data_format": "channels_first"}},
    {"RandomBrightness": {"factor": 0.4}}, {"RandomBrightness": {"factor": [-0.9, -0.1], "value_range": [1.0, 0.0]}},
    {"RandomGrayscale": {}}, {"RandomGrayscale": {"factor": 1.0, "data_format": "channels_first"}},
    {"RandomInvert": {"factor": 0.5}}, {"RandomInvert": {"factor": [0.9, 1.0], "value_range": [0.0, 1.0]}},
]  # fmt: skip


@pytest.mark.parametrize("spec", GRID, ids=str)
def test_the_same_draws_do_the_same(spec):
    layer = made(spec)
    x = images(layer)
    draws = drawn(layer, x)
    h, w = np.float32(7), np.float32(9)
    keras_args = in_keras(layer)({**draws, "h": h, "w": w})
    twin = keras_layer(layer)

    def ours(v):
        return layer.transform(v, **{k: constant(a, "bool" if a.dtype == bool else v.dtype) for k, a in draws.items()}) * 1.0

    def theirs(v):
        return twin.transform_images(v, keras_args, training=True)

    want = np.asarray(theirs(x))
    assert np.abs(run(ours, x)[0] - want).max() <= 1e-5 * np.abs(want).max()
    assert not np.array_equal(want, x)
    upstream = np.cos(np.arange(want.size)).reshape(want.shape)
    slope = np.asarray(jax.grad(lambda v: (theirs(v) * upstream).sum())(x))
    assert np.abs(gradient_of(ours, x)[0] - slope).max() <= 2e-5 * max(np.abs(slope).max(), 1e-3)


@pytest.mark.parametrize("data_format", [None, "channels_first"])
def test_blur_as_keras_blurs(data_format):
    """Keras has one pair of sigmas for a batch; here each image has its own."""
    for size in (3, [3, 7], [5, 1]):
        layer = made({"RandomGaussianBlur": {"kernel_size": size, "value_range": [0, 200], "data_format": data_format}})
        x = images(layer)
        sigmas = np.array([0.3, 0.9], np.float32)
        chosen = np.array([1, 0, 1, 1, 0, 1], bool)
        twin = keras_layer(layer)
        want = np.asarray(twin.transform_images(x, {"blur_factor": sigmas, "should_apply_blur": chosen}, training=True))

        def ours(v, layer=layer, sigmas=sigmas, chosen=chosen):
            each = [constant([s] * ROWS, v.dtype) for s in sigmas]
            return layer.transform(v, constant(chosen.reshape(ROWS, 1, 1, 1), "bool"), *each)

        assert np.abs(run(ours, x)[0] - want).max() <= 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("data_format", [None, "channels_first"])
@pytest.mark.parametrize("fill", [None, 9.0, [1.0, 300.0, 3.0]])
def test_boxes_are_erased_as_keras_erases(data_format, fill):
    layer = made({"RandomErasing": {"fill_value": fill, "data_format": data_format, "scale": [0.1, 0.8]}})
    x = images(layer)
    d = drawn(layer, x)
    if fill is None:
        filling = np.clip(d["noise"] * 255, 0, 255)
    else:
        filling = np.clip(np.full(3, fill), 0, 255).reshape((3, 1, 1) if data_format else 3) * np.ones_like(x)
    axis = 1 if data_format else 3
    mask = keras_layer(layer)._generate_batch_mask(x.shape, tuple(d[k] for k in ("x0", "x1", "y0", "y1")))
    want = np.where(np.asarray(mask) & d["chosen"], filling, x)
    got = run(lambda v: layer.transform(v, **{k: constant(a, "bool" if a.dtype == bool else v.dtype) for k, a in d.items()}), x)[0]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert np.asarray(mask).any(axis).mean() > 0.1
    assert (d["x1"] <= 9).all() and (d["y0"] >= 0).all() and (d["x1"] - d["x0"] >= np.sqrt(0.1) * 9 - 1e-4).all()


def test_crops_are_boxes_of_their_images():
    for data_format in (None, "channels_first"):
        layer = made({"RandomCrop": {"height": 3, "width": 4, "data_format": data_format}})
        x = images(layer)
        d = drawn(layer, x)
        got = run(lambda v, n=layer, d=d: n.transform(v, **{k: constant(a) for k, a in d.items()}), x)[0]
        for i in range(ROWS):
            r, c = int(d["top"][i]), int(d["left"][i])
            want = x[i, :, r : r + 3, c : c + 4] if data_format else x[i, r : r + 3, c : c + 4]
            np.testing.assert_array_equal(got[i], want)
    x = np.zeros((3000, 5, 7, 1), np.float32)
    d = drawn(made({"RandomCrop": {"height": 3, "width": 4}}), x)
    for name, room in (("top", 3), ("left", 4)):
        counts = np.bincount(d[name].astype(int), minlength=room)
        assert len(counts) == room and abs(counts / 3000 - 1 / room).max() < 0.04


def test_a_crop_outside_of_training_is_the_middle_resized():
    layer = made({"RandomCrop": {"height": 4, "width": 6}})
    x = images(layer)
    want = np.asarray(keras.preprocessing.image.smart_resize(x, (4, 6), data_format="channels_last"))
    np.testing.assert_allclose(run(lambda v: layer(v), x)[0], want, rtol=1e-5)
    small = made({"RandomCrop": {"height": 14, "width": 18}})
    assert run(lambda v: small(v), x, training=True)[0].shape == (ROWS, 14, 18, 3)


RANGES = [
    ({"RandomRotation": {"factor": [-0.1, 0.4]}}, "angle", -36, 144), ({"RandomRotation": {"factor": -0.25}}, "angle", -90, 90),
    ({"RandomZoom": {"height_factor": 0.3}}, "height_zoom", 0.7, 1.3),
    ({"RandomZoom": {"height_factor": 0.3, "width_factor": [0.1, 0.5]}}, "width_zoom", 1.1, 1.5),
    ({"RandomTranslation": {"height_factor": 0.3, "width_factor": [-0.5, 0.1]}}, "over", -0.5, 0.1),
    ({"RandomShear": {"x_factor": 0.3}}, "along_x", -0.3, 0.3), ({"RandomContrast": {"factor": 0.4}}, "contrast", 1.0, 1.4),
    ({"RandomContrast": {"factor": [0.2, 0.4]}}, "contrast", 0.8, 1.4), ({"RandomBrightness": {"factor": 0.2}}, "delta", -51, 51),
    ({"RandomGaussianBlur": {"sigma": [0.5, 0.75]}}, "x_sigma", 0.5, 0.75),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "name", "low", "high"), RANGES, ids=str)
def test_draws_are_uniform_in_their_ranges(spec, name, low, high):
    values = drawn(made(spec), np.zeros((4000, 2, 2, 3), np.float32))[name].ravel()
    width = high - low
    assert values.min() >= low - 1e-5 * width and values.max() <= high + 1e-5 * width
    counts = np.histogram(values, 8, (low, high))[0] / len(values)
    assert np.abs(counts - 1 / 8).max() < 0.03


@pytest.mark.parametrize(("spec", "name", "chance"), [
    ({"RandomFlip": {}}, "flips", 0.5), ({"RandomGrayscale": {"factor": 0.2}}, "chosen", 0.2), ({"RandomInvert": {"factor": 0.5}}, "chosen", 0.25),
    ({"RandomInvert": {"factor": [0.6, 1.0]}}, "chosen", 0.8), ({"RandomErasing": {}}, "chosen", 0.5),
    ({"RandomGaussianBlur": {"factor": [1.0, 1.0]}}, "chosen", 1.0),
], ids=str)  # fmt: skip
def test_how_often_an_image_is_changed(spec, name, chance):
    values = drawn(made(spec), np.zeros((4000, 2, 2, 3), np.float32))[name]
    assert abs(values.mean() - chance) < 0.03


def whole(spec, x, rows, step=0, seed=1, training=True):
    layer = made(spec)
    trace = Trace(training=training, seed=seed)
    with tracing(trace):
        trace.rows, trace.step = input_("rows", Type((len(x),), "i64")), input_("step", Type((), "i64"))
        y = layer(input_("x", Type(x.shape))) * 2.0
    layout = Layout()
    program = compile_program(trace, {"y": y}, {}, layout)
    bound = MACHINE.bind(program, State(layout), {})
    for label, value in (("x", x), ("rows", rows), ("step", step)):
        if label in program.inputs:
            bound.input(label)[...] = value
    MACHINE.run(bound)
    return bound.output("y") / 2.0


@pytest.mark.parametrize("spec", ALL, ids=lambda s: next(iter(s)))
def test_draws_belong_to_the_seed_the_step_and_the_row(spec):
    (name, args), *_ = spec.items()
    x = np.repeat((RNG.random((1, 7, 9, 3)) * 255).astype(np.float32), 24, axis=0)
    rows = np.arange(24) * 3
    first = whole(spec, x, rows)
    np.testing.assert_array_equal(whole(spec, x, rows[::-1].copy())[::-1], first)
    assert not np.array_equal(whole(spec, x, rows, step=1), first)
    assert not np.array_equal(whole(spec, x, rows, seed=2), first)
    own = {name: args | {"seed": 5}}
    np.testing.assert_array_equal(whole(own, x, rows, seed=2), whole(own, x, rows, seed=3))
    assert len(np.unique(first.reshape(24, -1), axis=0)) > 1
    if name != "RandomCrop":
        np.testing.assert_array_equal(whole(spec, x, rows, training=False), x)


def test_every_random_layer_over_images_is_tested():
    classes = [n for n in catalogue("layers") if issubclass(catalogue("layers").get(n), Augmentation)]
    assert sorted(classes) == sorted(next(iter(s)) for s in ALL)


@pytest.mark.parametrize(("spec", "message"), [
    ({"RandomRotation": {"factor": 2.0}}, "expected a number from -1 to 1, or two of them, got 2.0"),
    ({"RandomZoom": {"height_factor": -1.0}}, "expected a number above -1 and up to 1, or two of them, got -1.0"),
    ({"RandomBrightness": {"factor": [0.1, 0.2, 0.3]}}, r"or two of them, got \[0.1, 0.2, 0.3\]"),
    ({"RandomContrast": {"factor": 0.1, "value_range": 3}}, "expected two numbers, the least and the largest value, got 3"),
    ({"RandomGaussianBlur": {"kernel_size": 4}}, "expected an odd whole number or two of them, got 4"),
    ({"RandomErasing": {"fill_value": [1, 2]}}, "expected a number, a list of three numbers, or null"),
], ids=str)  # fmt: skip
def test_wrong_arguments_are_named(spec, message):
    with pytest.raises(ValueError, match=message):
        made(spec)


def test_wrong_shapes_are_named():
    with pytest.raises(ShapeError, match=r"RandomFlip needs images of 4 dimensions \(batch, height, width, channels\), got \(2, 3\)"):
        run(lambda v: made({"RandomFlip": {}})(v), np.zeros((2, 3), np.float32), training=True)
    with pytest.raises(ShapeError, match="expected images of 3 channels or 1"):
        run(lambda v: made({"RandomGrayscale": {}})(v), np.zeros((2, 3, 3, 2), np.float32), training=True)
