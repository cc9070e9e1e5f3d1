"""Connectionist temporal classification (Graves et al. 2006): the probability of a sequence of labels under any alignment."""

from __future__ import annotations

from collections.abc import Sequence

from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.primitives import exp, log, share_low
from layerctl.ops.reshape import expand_dims
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown


@kernel
def alignments(
    task: int, tasks: int, x: "T*", labels: "i32*", loss: "T*", g: "T*", dx: "T*", alpha: "f64*", beta: "f64*", batch: "i64", time: "i64",
    classes: "i64", length: "i64", wants_gradient: "i64",
):  # fmt: skip
    """loss[row] = -log of the summed probability of all alignments of a row's labels (those that are not 0, the blank), from
    log-probabilities x (batch, time, classes); or dx = g[row] times its gradient.

    State 2k is the blank before label k, 2k + 1 label k; alpha and beta hold (time, 2 length + 1) log-probabilities a row.
    """
    width = 2 * length + 1
    for row in range(share_low(batch, task, tasks), share_low(batch, task + 1, tasks)):
        n = 0
        for j in range(length):
            if labels[row * length + j] != 0:
                n += 1
        states = 2 * n + 1
        base = row * time * width
        for t in range(time):
            here = (row * time + t) * classes
            for s in range(states):
                k = 0 if s % 2 == 0 else labels[row * length + s // 2]
                total = -1e30
                if t == 0:
                    if s < 2:
                        total = 0.0
                else:
                    before = base + (t - 1) * width
                    a = alpha[before + s]
                    b = alpha[before + s - 1] if s > 0 else -1e30
                    c = -1e30
                    if s % 2 == 1 and s > 1 and labels[row * length + s // 2 - 1] != k:
                        c = alpha[before + s - 2]
                    top = max(a, max(b, c))
                    if top > -1e29:
                        total = top + log(exp(a - top) + exp(b - top) + exp(c - top))
                alpha[base + t * width + s] = total + x[here + k] if total > -1e29 else -1e30
        end = base + (time - 1) * width
        a = alpha[end + states - 1]
        b = alpha[end + states - 2] if states > 1 else -1e30
        top = max(a, b)
        whole = top + log(exp(a - top) + exp(b - top)) if top > -1e29 else -1e30
        if wants_gradient == 0:
            loss[row] = min(-whole, 1e5)
        else:
            for i in range(time * classes):
                dx[row * time * classes + i] = 0
            for back in range(time):
                t = time - 1 - back
                here = (row * time + t) * classes
                for s in range(states):
                    k = 0 if s % 2 == 0 else labels[row * length + s // 2]
                    total = -1e30
                    if back == 0:
                        if s >= states - 2:
                            total = 0.0
                    else:
                        after = base + (t + 1) * width
                        a = beta[after + s]
                        b = beta[after + s + 1] if s + 1 < states else -1e30
                        c = -1e30
                        if s % 2 == 1 and s + 2 < states and labels[row * length + s // 2 + 1] != k:
                            c = beta[after + s + 2]
                        top = max(a, max(b, c))
                        if top > -1e29:
                            total = top + log(exp(a - top) + exp(b - top) + exp(c - top))
                    beta[base + t * width + s] = total + x[here + k] if total > -1e29 else -1e30
                    both = alpha[base + t * width + s] + beta[base + t * width + s]
                    if both > -1e29 and whole > -1e29:
                        dx[here + k] -= g[row] * exp(both - x[here + k] - whole)


class CTC(Op):
    """log-probabilities (batch, time, classes), labels (batch, length) i32 with 0 for padding -> losses (batch,)."""

    name = "ctc"
    no_form = "it serves training"

    def infer(self, x: Value, labels: Value) -> Type:
        if x.rank != 3 or labels.rank != 2 or int(x.shape[0]) != int(labels.shape[0]):
            raise ShapeError(f"CTC needs predictions (batch, time, classes) and labels (batch, length), got {shown(x.shape)} and {shown(labels.shape)}")
        return Type((x.shape[0],), x.dtype)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        return [None if grads[0] is None else CTCGradient.apply(grads[0], *node.inputs), None]

    def calls(self, node: Node) -> list[Call]:
        (x, labels), (loss,) = node.inputs, node.outputs
        return [_call(x, labels, loss, x, x, 0)]


class CTCGradient(Op):
    """The log-probabilities' gradient from the losses'."""

    name = "ctc_gradient"
    no_gradient = "the CTC loss can be differentiated once only"
    no_form = "it serves training"

    def infer(self, g: Value, x: Value, labels: Value) -> Type:
        return x.type

    def calls(self, node: Node) -> list[Call]:
        (g, x, labels), (dx,) = node.inputs, node.outputs
        return [_call(x, labels, g, g, dx, 1)]


def _call(x: Value, labels: Value, loss: Value, g: Value, dx: Value, gradient: int) -> Call:
    batch, time, classes = map(int, x.shape)
    length = int(labels.shape[1])
    size = batch * time * (2 * length + 1)
    args = (x, labels, loss, g, dx, Scratch(8 * size), Scratch(8 * size if gradient else 8), batch, time, classes, length, gradient)
    return Call(alignments.at(T=x.dtype), args, tasks=batch, work=40.0 * size + float(product(x.shape)))


def ctc(y_true: Value, log_probabilities: Value) -> Value:
    """The losses (batch,) of labels (batch, length)."""
    from layerctl.ops.elementwise import cast

    labels = cast(y_true if y_true.rank > 1 else expand_dims(y_true, 1), "i32")
    return CTC.apply(log_probabilities, labels)
