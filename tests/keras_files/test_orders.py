"""Graphs drawn at random, listed in any order: Keras gives each layer of the written file its own weights."""

import random

import keras
import numpy as np
import pytest

from layerctl.api import Model
from layerctl.export import keras as to_keras


def drawn(seed):
    """A model file with two inputs whose layers all have weights of one shape, so that an exchange goes unnoticed but for the numbers."""
    rng = random.Random(seed)
    made, known, denses = [], ["a", "b"], []
    for i in range(rng.randint(6, 10)):
        kind = rng.random()
        if kind < 0.55 or not denses:
            item, taken = "Dense: {units: 4, activation: tanh}", [rng.choice(known)]
            denses.append(f"n{i}")
        elif kind < 0.7:
            item, taken = f"use: {rng.choice(denses)}", [rng.choice(known)]
        elif kind < 0.9:
            item, taken = "Add: null", rng.sample(known, 2)
        else:
            item, taken = "Lambda: 'x * 2 + 1'", [rng.choice(known)]
        made.append((f"n{i}", item, taken))
        known.append(f"n{i}")
    made.append(("end", "Add: null", ["a", "b"]))
    used = {t for _, _, taken in made for t in taken}
    outputs = [n for n, _, _ in made if n not in used]
    rng.shuffle(outputs)
    lines, done, left = [], {"a", "b"}, made
    while left:
        ready = [m for m in left if done.issuperset(m[2]) and (not m[1].startswith("use") or m[1][5:] in done)]
        chosen = rng.choice(ready)
        left = [m for m in left if m is not chosen]
        done.add(chosen[0])
        lines.append(f"    - {chosen[1]}\n      name: {chosen[0]}\n      from: [{', '.join(chosen[2])}]\n")
    head = "layerctl: 1\nname: m\nmodel:\n  inputs: {a: {shape: [4]}, b: {shape: [4]}}\n  layers:\n"
    return f"{head}{''.join(lines)}  outputs: [{', '.join(outputs)}]\n"


@pytest.mark.parametrize("seed", range(12))
def test_each_layer_has_its_own_weights(seed, tmp_path):
    x = [np.random.default_rng(i).standard_normal((3, 4)).astype(np.float32) for i in range(2)]
    with Model.from_yaml(drawn(seed), seed=seed) as model:
        to_keras.export(model, tmp_path / "m.keras")
        ours = model.predict(dict(zip("ab", x, strict=True)))
        ours = list(ours.values()) if isinstance(ours, dict) else [ours]
    theirs = keras.saving.load_model(tmp_path / "m.keras")(x)
    for a, b in zip(ours, theirs if isinstance(theirs, list) else [theirs], strict=True):
        np.testing.assert_allclose(np.asarray(b), a, atol=1e-5)
