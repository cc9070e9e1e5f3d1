"""Recurrent ops that project their input themselves give the bits of the projection made beforehand."""

import numpy as np
import pytest
from machine import compiled, of_names, results

from layerctl.ops.elementwise import apply
from layerctl.ops.gru import gru
from layerctl.ops.leaves import constant
from layerctl.ops.lstm import lstm
from layerctl.ops.matmul import matmul
from layerctl.ops.reshape import reshape
from layerctl.ops.simple_rnn import simple_rnn

RNG = np.random.default_rng(11)


def drawn(*shape):
    return (RNG.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)


CELLS = {
    "lstm": (4, lambda z, u, h, c, mask: list(lstm(z, u, h, c, mask))),
    "gru": (3, lambda z, u, h, c, mask: [gru(z, u, c, h, mask)]),
    "gru, reset before": (3, lambda z, u, h, c, mask: [gru(z, u, None, h, mask, reset_after=False)]),
    "simple rnn": (1, lambda z, u, h, c, mask: [simple_rnn(z, u, h, mask)]),
}
"""Gates, and a layer of a projected input: `c` is a second state, or a bias."""


def projected(x, w, b, transposed=False):
    y = matmul(reshape(x, (-1, x.shape[-1])), w, transpose_b=transposed)
    y = y if b is None else y + b
    return reshape(y, (*x.shape[:2], y.shape[-1]))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("batch", "steps", "features", "units", "biased", "transposed", "is_masked"),
    [(16, 7, 5, 20, True, False, False), (9, 12, 150, 33, False, False, True), (32, 3, 128, 128, True, True, False), (8, 1, 300, 4, True, False, True)],
)  # fmt: skip
def test_a_projection_made_on_the_way_has_the_same_bits(cell, batch, steps, features, units, biased, transposed, is_masked):
    gates, layer = CELLS[cell]
    x, w, b, u = drawn(batch, steps, features), drawn(features, gates * units), drawn(gates * units), drawn(units, gates * units)
    w = np.ascontiguousarray(w.T) if transposed else w
    h, mask = drawn(batch, units), RNG.random((batch, steps)) > 0.3
    c = drawn(3 * units) if cell == "gru" else drawn(batch, units)

    def after(z, u, h, c):
        return layer(z, u, h, c, constant(mask, "bool") if is_masked else None)

    def whole(x, w, b, u, h, c):
        return after(projected(x, w, b if biased else None, transposed), u, h, c)

    def first(x, w, b):
        return [projected(x, w, b if biased else None, transposed)]

    program, before = compiled(whole, x, w, b, u, h, c), compiled(first, x, w, b)
    assert "projecting" in of_names(program)
    assert not {"matmul", "finished"} & set(of_names(program))
    (z,) = results(before, (x, w, b), 1)
    alone = compiled(after, z, u, h, c)
    wanted = results(alone, (z, u, h, c), 1)
    for threads in (1, 2):
        for a, want in zip(results(program, (x, w, b, u, h, c), threads), wanted, strict=True):
            assert a.tobytes() == want.tobytes()


@pytest.mark.parametrize("kind", ["read by others", "relu", "few rows"])
def test_other_projections_are_made_beforehand(kind):
    batch = 2 if kind == "few rows" else 16
    x, w, b, u, h, c = drawn(batch, 7, 5), drawn(5, 80), drawn(80), drawn(20, 80), drawn(batch, 20), drawn(batch, 20)

    def function(x, w, b, u, h, c):
        z = projected(x, w, b)
        z = apply("relu", z) if kind == "relu" else z
        return [*lstm(z, u, h, c), *([z * 2.0] if kind == "read by others" else [])]

    names = of_names(compiled(function, x, w, b, u, h, c))
    assert "finished" in names or "matmul" in names


def test_results_that_nobody_reads_take_no_memory_of_their_own():
    x, u, h, c = drawn(16, 90, 80), drawn(20, 80), drawn(16, 20), drawn(16, 20)
    all_steps, last = compiled(lambda *v: list(lstm(*v)), x, u, h, c), compiled(lambda *v: [lstm(*v)[0][:, -1]], x, u, h, c)
    assert last.arena_size < all_steps.arena_size - 4 * 16 * 80 * 20
    x, u, b = drawn(16, 90, 60), drawn(20, 60), drawn(60)
    for reset_after in (True, False):
        alone = compiled(lambda x, u, b, h, after=reset_after: [gru(x, u, b if after else None, h, None, after)], x, u, b, h)
        assert alone.arena_size < 4 * 16 * 90 * (60 + 20 + 60)
