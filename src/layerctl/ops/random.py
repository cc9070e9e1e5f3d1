"""Random numbers by counters: the same for a row of the data wherever it stands in a batch, and made again where they are needed again."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.kernel import Call, kernel
from layerctl.ops.leaves import constant
from layerctl.ops.primitives import philox, share_low
from layerctl.ops.value import Node, Op, Shape, Type, Value, current, product


@kernel
def uniform(
    task: int, tasks: int, rows: "i64*", step: "i64*", out: "f32*", batch: "i64", width: "i64", by_row: "i64", key0: "i64", key1: "i64"
):  # fmt: skip
    """out[row, i] in [0, 1) with 24 bits, from (row number, step, element, key); `by_row` 0 uses one row number for all.

    The counter is (element pair, row, step, row >> 32 ^ step >> 32); a word of 64 bits serves two elements.
    """
    now = step[0]
    for row in range(share_low(batch, task, tasks), share_low(batch, task + 1, tasks)):
        number = rows[row] if by_row != 0 else row
        at = row * width
        for pair in range((width + 1) // 2):
            word = philox(pair, number, now, (number >> 32) ^ (now >> 32), key0, key1)
            out[at + 2 * pair] = ((word >> 8) & 16777215) * 5.9604644775390625e-08
            if 2 * pair + 1 < width:
                out[at + 2 * pair + 1] = ((word >> 40) & 16777215) * 5.9604644775390625e-08


class RandomUniform(Op):
    """Numbers in [0, 1) of `shape`, drawn anew for each row of the data and each step; the first dimension is the batch if `by_row`."""

    name = "random_uniform"
    no_gradient = "it is noise"
    no_form = "it is noise"

    def infer(self, rows: Value, step: Value, *, shape: Shape, key: int, by_row: bool) -> Type:
        return Type(tuple(shape), "f32")

    def calls(self, node: Node) -> list[Call]:
        (rows, step), (out,), a = node.inputs, node.outputs, node.attrs
        batch = int(out.shape[0]) if a["by_row"] else 1
        width = int(product(out.shape)) // max(batch, 1)
        args = (rows, step, out, batch, width, int(a["by_row"]), a["key"] & 0xFFFFFFFF, a["key"] >> 32)
        return [Call(uniform.at(), args, tasks=batch, work=2.0 * batch * width)]


def random_uniform(shape: Sequence[int], purpose: str = "", seed: int | None = None, by_row: bool = True) -> Value:
    """Uniform numbers for the layer that is being traced: keyed by the seed, the layer's path, which call of it this is, and `purpose`."""
    from layerctl.randoms import key_of

    trace = current()
    place = f"{trace.origin}|{purpose}"
    call = trace.calls_of[place] = trace.calls_of.get(place, -1) + 1
    key = key_of("random", trace.seed if seed is None else seed, place, call)
    rows = trace.rows
    if rows is None or (by_row and int(rows.shape[0]) != int(shape[0])):
        rows, by_row = constant(list(range(max(1, int(shape[0]) if shape else 1))), "i64"), by_row and bool(shape)
    step = trace.step if trace.step is not None else constant(0, "i64")
    return RandomUniform.apply(rows, step, shape=tuple(shape), key=key, by_row=by_row)


def random_normal(shape: Sequence[int], purpose: str = "", seed: int | None = None) -> Value:
    """Standard normal numbers: sqrt(-2 log u) cos(2 pi v) (Box and Muller 1958)."""
    from layerctl.ops.elementwise import apply

    u = random_uniform(shape, purpose + "/u", seed)
    v = random_uniform(shape, purpose + "/v", seed)
    return apply("sqrt", apply("log", 1.0 - u) * -2.0) * apply("cos", v * 6.283185307179586)
