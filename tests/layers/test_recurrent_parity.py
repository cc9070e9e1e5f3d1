"""Recurrent layers beside Keras on JAX, over grids of their arguments: results, states, masks and gradients."""

import numpy as np
import parity
import pytest
from parity import Ours, close, compare

from layerctl.catalogue import catalogue
from layerctl.configured import resolve

BATCH, TIME, FEATURES, UNITS = 4, 5, 3, 6
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
KINDS = {"LSTM": {}, "GRU": {}, "GRU_before": {"reset_after": False}, "SimpleRNN": {}, "LSTM_unfused": {"recurrent_activation": "hard_sigmoid"}}


def layer(kind, **more):
    return catalogue("layers").get(kind.split("_")[0])(units=UNITS, **KINDS[kind], **more)


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def states(n, units=UNITS, seed=5):
    return [data(BATCH, units, seed=seed + i) for i in range(n)]


def states_of(kind):
    return 2 if kind.startswith("LSTM") else 1


X = data(BATCH, TIME, FEATURES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sequences", "backwards", "masked", "initial"), [
    (False, False, False, False), (True, False, True, False), (False, True, True, False), (True, True, False, True),
    (False, False, True, True), (True, True, True, True),
])  # fmt: skip
def test_layers(kind, sequences, backwards, masked, initial):
    made = layer(kind, return_sequences=sequences, return_state=True, go_backwards=backwards)
    extra = {"initial_state": states(states_of(kind))} if initial else {}
    compare(made, [X], [MASK if masked else None], extra=extra)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "GRU_before", "SimpleRNN", "LSTM_unfused"])
@pytest.mark.parametrize("initial", [False, True])
def test_masked_outputs_of_zero(kind, initial):
    made = layer(kind, return_sequences=True, zero_output_for_mask=True)
    compare(made, [X], [MASK], extra={"initial_state": states(states_of(kind))} if initial else {})


@pytest.mark.parametrize("more", [
    {"use_bias": False}, {"activation": "relu"}, {"activation": None}, {"dtype": "float64"}, {"dropout": 0.5, "recurrent_dropout": 0.5},
    {"unroll": True, "return_sequences": True},
])  # fmt: skip
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "GRU_before", "SimpleRNN"])
def test_arguments(kind, more):
    if more.get("dtype") == "float64":
        ours = Ours(layer(kind, **more), [X.astype(np.float64)], [None], False, {})
        single = Ours(layer(kind), [X], [None], False, {})
        close("float64", single.results[0], ours.results[0])
        return
    compare(layer(kind, **more), [X], [None])


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize(("kind", "sequences", "masked"), [("LSTM", True, True), ("GRU", False, True), ("SimpleRNN", True, False)])
def test_bidirectional(mode, kind, sequences, masked):
    inner = layer(kind, return_sequences=sequences)
    compare(catalogue("layers").get("Bidirectional")(layer=inner, merge_mode=mode), [X], [MASK if masked else None])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_bidirectional_states(kind, masked):
    inner = layer(kind, return_sequences=True, return_state=True)
    made = catalogue("layers").get("Bidirectional")(layer=inner)
    compare(made, [X], [MASK if masked else None], extra={"initial_state": states(2 * states_of(kind))})


def test_bidirectional_with_a_layer_for_each_direction():
    made = catalogue("layers").get("Bidirectional")(
        layer=layer("LSTM", return_sequences=True), backward_layer=layer("GRU", return_sequences=True, go_backwards=True)
    )
    compare(made, [X], [MASK])


CELLS = {
    "one": ["LSTMCell"], "three": ["GRUCell", "LSTMCell", "SimpleRNNCell"], "before": [("GRUCell", {"reset_after": False})],
    "unfused": ["LSTMCell", ("SimpleRNNCell", {"activation": "relu"}), "GRUCell"],
}  # fmt: skip


def cells(name):
    out = []
    for i, c in enumerate(CELLS[name]):
        kind, more = c if isinstance(c, tuple) else (c, {})
        out.append(catalogue("layers").get(kind)(units=UNITS - i, **more))
    return out


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("sequences", "backwards", "masked"), [(False, False, False), (True, False, True), (True, True, True)])
def test_cells(name, sequences, backwards, masked):
    made = cells(name)
    cell = made[0] if len(made) == 1 else made
    rnn = catalogue("layers").get("RNN")(cell=cell, return_sequences=sequences, go_backwards=backwards)
    compare(rnn, [X], [MASK if masked else None])


@pytest.mark.parametrize("name", CELLS)
def test_states_of_cells(name):
    made = cells(name)
    rnn = catalogue("layers").get("RNN")(cell=made[0] if len(made) == 1 else made, return_state=True)
    ours = Ours(rnn, [X], [MASK], False, {})
    theirs = parity.keras_layer(rnn)
    theirs(X, mask=MASK)
    theirs.set_weights(ours.weights)
    flat = parity.keras.tree.flatten(theirs(X, mask=MASK))
    for i, (a, b) in enumerate(zip(ours.results, flat, strict=True)):
        close(f"result {i}", a, np.asarray(b))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "GRU_before", "SimpleRNN"])
@pytest.mark.parametrize("masked", [False, True])
def test_states_kept_from_batch_to_batch(kind, masked, monkeypatch):
    made = layer(kind, return_sequences=True, stateful=True)
    mask = MASK if masked else None
    first = Ours(made, [X], [mask], False, {})
    theirs = parity.keras_layer(made)
    theirs(X)
    theirs.reset_states()
    theirs.set_weights([w for w, t in zip(first.weights, first.trainable, strict=True) if t])
    close("the first batch", first.results[0], np.asarray(theirs(X, mask=mask)))
    other = data(BATCH, TIME, FEATURES, seed=9)
    again = layer(kind, return_sequences=True, stateful=True)
    monkeypatch.setattr(parity, "weights_for", lambda weights: first.updated)
    second = Ours(again, [other], [mask], False, {})
    close("the second batch", second.results[0], np.asarray(theirs(other, mask=mask)))


def test_every_step_by_itself():
    make = catalogue("layers").get("TimeDistributed")
    compare(make(layer=resolve("layers", {"Dense": {"units": 4, "activation": "tanh"}})), [X], [MASK])
    compare(make(layer=resolve("layers", {"LSTM": {"units": 4}})), [data(2, 3, 4, 2)], [None])
    compare(make(layer=resolve("layers", "Flatten")), [data(2, 3, 4, 2)], [None])


def test_masks_of_embedding_and_masking():
    ids = np.array([[1, 2, 0, 0], [0, 0, 0, 0], [3, 0, 4, 1]], np.int32)
    embedding = catalogue("layers").get("Embedding")
    compare(embedding(input_dim=5, output_dim=3, mask_zero=True), [ids], [None])
    x = data(3, 4, 2)
    x[0, 2:] = x[2, 0] = 1.5
    compare(catalogue("layers").get("Masking")(mask_value=1.5), [x], [None])


def test_dropped_elements_are_the_same_at_each_step_and_only_in_training():
    kept = {"dropout": 0.5, "kernel_initializer": "ones", "recurrent_initializer": "zeros", "activation": None, "return_sequences": True}
    made = catalogue("layers").get("SimpleRNN")(units=1, seed=3, **kept)
    ours = Ours(made, [np.ones((64, 4, 8), np.float32)], [None], True, {})
    assert ours.parameters == 8 + 1 + 1
    made = catalogue("layers").get("LSTM")(units=UNITS, recurrent_dropout=0.4, dropout=0.3, return_sequences=True)
    a = Ours(made, [X], [MASK], True, {})
    assert all(np.isfinite(g).all() for g in a.gradients)
