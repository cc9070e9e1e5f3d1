"""Layers beside Keras on JAX: the same weights and inputs, results and gradients compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from machine import MACHINE

from layerctl.compile.differentiate import gradients
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.configured import Configured
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import cast
from layerctl.ops.leaves import constant, input_
from layerctl.ops.reduce import reduce
from layerctl.ops.value import NAMES_OF_DTYPES, Trace, Type, Value, tracing
from layerctl.runtime.machine import State

TOLERANCE = 1e-5


def close(name: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float = TOLERANCE) -> None:
    """Largest difference relative to the tensor's scale."""
    assert ours.shape == theirs.shape, f"{name}: shape {ours.shape}, Keras has {theirs.shape}"
    scale = max(float(np.abs(theirs).max(initial=0.0)), 1e-3)
    worst = float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0.0)) / scale
    assert worst <= tolerance, f"{name}: differs by {worst:.2e} of its scale"


@contextmanager
def undrawn() -> Iterator[None]:
    """Within it Keras's weights begin as zeros where they would be drawn: JAX compiles a drawing for each shape, and they are set afterwards."""
    drawing = (keras.initializers.VarianceScaling, keras.initializers.Orthogonal, keras.initializers.RandomNormal,
               keras.initializers.RandomUniform, keras.initializers.TruncatedNormal)  # fmt: skip
    with ExitStack() as patched:
        for kind in drawing:
            patched.enter_context(mock.patch.object(kind, "__call__", lambda self, shape, dtype=None, **_: np.zeros(shape, dtype or "float32")))
        yield


def weights_for(layer_weights, seed: int = 0) -> list[np.ndarray]:
    """Values of the weights' shapes; variances are positive."""
    rng = np.random.default_rng(seed)
    out = []
    for w in layer_weights:
        value = rng.standard_normal(w.shape).astype(np.float32) * 0.5
        out.append(np.abs(value) + 0.5 if "variance" in w.path else np.zeros(w.shape, np.float32) if "/state_" in w.path else value)
    return out


def split_extra(extra):
    """(the call's tensors as lists, the names of those that are one tensor, the call's flags)."""
    flags = {k: v for k, v in extra.items() if isinstance(v, bool)}
    tensors = {k: v for k, v in extra.items() if not isinstance(v, bool)}
    return {k: v if isinstance(v, list) else [v] for k, v in tensors.items()}, {k for k, v in tensors.items() if not isinstance(v, list)}, flags


class Ours:
    """One call of a layer on the real machine: results, masks, gradients of sum(result * c), updated weights."""

    def __init__(self, layer: Layer, inputs: list[np.ndarray], masks: list[np.ndarray | None], training: bool, extra: dict[str, list[np.ndarray]]):
        extra, single, flags = split_extra(extra)
        layer.place(layer.name or "layer")
        trace = Trace(training=training)
        with tracing(trace):
            values = [input_(f"x{i}", _type(a)) for i, a in enumerate(inputs)]
            for i, m in enumerate(masks):
                if m is not None:
                    values[i].mask = input_(f"m{i}", _type(m))
            named = {k: [input_(f"{k}{i}", _type(a)) for i, a in enumerate(v)] for k, v in extra.items()}
            named = {k: v[0] if k in single else v for k, v in named.items()} | flags
            result = layer(values if layer.takes_list or len(values) > 1 else values[0], **named)
            results = list(result) if isinstance(result, (list, tuple)) else [result]
            loss = _loss(results)
            weights = layer.weights()
            floating = [v for v in values if v.dtype == "f32"]
            wanted = [*floating, *(trace.read(w) if w not in trace.initial else trace.initial[w] for w in weights if w.trainable)]
            grads = [g if g is not None else w * 0.0 for g, w in zip(gradients(loss, wanted), wanted, strict=True)]
            outs = {f"y{i}": v for i, v in enumerate(results)} | {f"g{i}": g for i, g in enumerate(grads)}
            outs |= {f"mask{i}": v.mask for i, v in enumerate(results) if v.mask is not None}
            outs |= {f"w{i}": trace.read(w) for i, w in enumerate(weights)}
        layout = Layout()
        program = compile_program(trace, outs, {}, layout)
        for w in weights:
            layout.add(w)
        state = State(layout)
        self.weights = weights_for(weights)
        for w, value in zip(weights, self.weights, strict=True):
            state.view(w)[...] = value
        bound = MACHINE.bind(program, state, {})
        for label, array in _labelled(inputs, masks, extra).items():
            if label in program.inputs:
                bound.input(label)[...] = array
        MACHINE.run(bound)
        self.results = [bound.output(f"y{i}").copy() for i in range(len(results))]
        self.masks = [bound.output(f"mask{i}").copy() if f"mask{i}" in program.outputs else None for i in range(len(results))]
        self.gradients = [bound.output(f"g{i}").copy() for i in range(len(grads))]
        self.updated = [bound.output(f"w{i}").copy() for i in range(len(weights))]
        self.parameters = sum(int(np.prod(w.shape)) for w in weights)
        self.trainable = [w.trainable for w in weights]


def _type(a: np.ndarray) -> Type:
    return Type(tuple(a.shape), NAMES_OF_DTYPES[str(a.dtype)])


def _labelled(inputs, masks, extra) -> dict[str, np.ndarray]:
    out = {f"x{i}": a for i, a in enumerate(inputs)} | {f"m{i}": m for i, m in enumerate(masks) if m is not None}
    return out | {f"{k}{i}": a for k, v in extra.items() for i, a in enumerate(v)}


def cotangent(shape: tuple[int, ...]) -> np.ndarray:
    """Fixed numbers of a shape."""
    return np.cos(np.arange(int(np.prod(shape, dtype=int))) * 0.7).reshape(shape).astype(np.float32)


def _loss(results: list[Value]) -> Value:
    total = None
    for v in results:
        if v.dtype not in ("f32", "f64"):
            continue
        part = reduce("sum", v * constant(cotangent(tuple(map(int, v.shape)))))
        total = part if total is None else total + part
    return cast(total, "f32") if total is not None else constant(0.0)


def keras_object(value):
    """A configured object of ours as Keras's."""
    if isinstance(value, Layer):
        return keras_layer(value)
    if isinstance(value, Configured):
        name, config = type(value).__name__, {k: keras_object(v) for k, v in value.get_config().items()}
        if value.kind == "activations":
            from layerctl.catalogue import snake_case

            function = keras.activations.get(snake_case(name))
            return (lambda x: function(x, **config)) if config else function
        return getattr(getattr(keras, value.kind), name)(**config)
    if isinstance(value, (list, tuple)):
        made = [keras_object(v) for v in value]
        return made if any(isinstance(v, Layer) for v in value) else tuple(made)
    return value


def keras_layer(layer: Layer):
    """Keras's layer with our layer's arguments."""
    config = {}
    for name, field in type(layer).model_fields.items():
        value = getattr(layer, name)
        if name not in layer.call_fields and (field.is_required() or value != field.get_default(call_default_factory=True)):
            config[name] = keras_object(value)
    return getattr(keras.layers, type(layer).__name__)(**config)


class Theirs:
    """The same call on Keras with JAX."""

    def __init__(self, layer: Layer, inputs, masks, training: bool, extra, weights: list[np.ndarray]):
        made = keras_layer(layer)
        extra, single, flags = split_extra(extra)
        flags |= {n: getattr(layer, n) for n in layer.call_fields if getattr(layer, n)}
        tensors = [keras.ops.convert_to_tensor(a) for a in inputs]
        several = layer.takes_list
        spread = (len(tensors) > 1 and not several) or (layer.category == "attention" and not several)
        named = {k: [keras.ops.convert_to_tensor(a) for a in v] for k, v in extra.items()}
        named = {k: v[0] if k in single else v for k, v in named.items()} | flags
        if spread:
            names = ("query_mask", "value_mask", "key_mask")
            tensors = tensors if len(tensors) > 1 else [tensors[0], tensors[0]]
            named |= {n: keras.ops.convert_to_tensor(m) for n, m in zip(names, masks, strict=False) if m is not None}
        elif any(m is not None for m in masks):
            named["mask"] = list(masks) if several else keras.ops.convert_to_tensor(masks[0])
        takes = made.call.__code__.co_varnames
        if "training" in takes:
            named["training"] = training
        if "mask" in named and "mask" not in takes:
            mask = named.pop("mask")
        else:
            mask = named.get("mask")
        with undrawn():
            made(*(tensors if spread else [tensors if several else tensors[0]]), **named)
        made.set_weights(weights)
        trainables = [v.value for v in made.trainable_variables]
        others = [v.value for v in made.non_trainable_variables]
        floating = [i for i, a in enumerate(inputs) if a.dtype == np.float32]

        def forward(given, values):
            xs = list(tensors)
            for i, x in zip(floating, given, strict=True):
                xs[i] = x
            if spread and len(inputs) == 1:
                xs[1] = xs[0]
            if layer.category == "merging":  # they look at their tensors' masks
                xs = [keras.ops.copy(x) for x in xs]
                for x, m in zip(xs, masks, strict=True):
                    if m is not None:
                        keras.src.backend.set_keras_mask(x, keras.ops.convert_to_tensor(m))
            out, updated = made.stateless_call(values, others, *(xs if spread else [xs if several else xs[0]]), **named)
            outs = list(out) if isinstance(out, (list, tuple)) else [out]
            loss = sum((o * cotangent(o.shape)).sum() for o in outs if str(o.dtype) == "float32") + np.float32(0)
            return loss, (outs, updated)

        both = jax.jit(jax.value_and_grad(forward, argnums=(0, 1), has_aux=True))  # one compilation in place of one for each op
        (_, (outs, updated)), grads = both([tensors[i] for i in floating], trainables)
        self.results = [np.asarray(o) for o in outs]
        self.gradients = [np.asarray(g) for part in grads for g in part]
        values = iter(np.asarray(u) for u in updated)
        self.updated = [None if any(v is t for t in made.trainable_variables) else next(values) for v in made.weights]
        computed = None if spread else made.compute_mask(tensors if several else tensors[0], mask)
        many = list(computed) if isinstance(computed, (list, tuple)) else [computed]
        self.masks = [None if m is None else np.asarray(m) for m in (*many, *[None] * len(outs))][: len(outs)]


def compare(layer: Layer, inputs, masks, training: bool = False, extra=None) -> Ours:
    """Both calls; raises where they differ."""
    extra = extra or {}
    ours = Ours(layer, inputs, masks, training, extra)
    theirs = Theirs(layer, inputs, masks, training, extra, ours.weights)
    for i, (a, b) in enumerate(zip(ours.results, theirs.results, strict=True)):
        close(f"result {i}", a, b)
    assert len(ours.gradients) == len(theirs.gradients)
    largest = max((float(np.abs(g).max(initial=0.0)) for g in theirs.gradients), default=0.0)
    for i, (a, b) in enumerate(zip(ours.gradients, theirs.gradients, strict=True)):
        if np.abs(b).max(initial=0.0) < 2e-6 * largest:
            assert np.abs(a).max(initial=0.0) < 2e-6 * largest, f"gradient {i} is rounding noise in Keras, and more here"
        else:
            close(f"gradient {i}", a, b, 2e-5)
    for i, (a, b) in enumerate(zip(ours.updated, theirs.updated, strict=True)):
        if b is not None:
            close(f"updated weight {i}", a, b)
    for i, (a, b) in enumerate(zip(ours.masks, theirs.masks, strict=True)):
        assert (a is None) == (b is None), f"mask {i}: ours {a is not None}, Keras's {b is not None}"
        if a is not None:
            np.testing.assert_array_equal(a, b)
    return ours
