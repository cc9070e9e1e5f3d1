"""Convolutions compute only what pooling reads of them: what is left over at an image's end belongs to no window.

Eleven outputs pooled by two give five; the eleventh line and column need not be there, neither forwards nor in the gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerctl.compile.differentiate import ancestors, readers
from layerctl.ops.conv import Conv
from layerctl.ops.value import Node, Type, Value


def trim(keep: Iterable[Value]) -> None:
    """Puts smaller convolutions in place of those that only pooling reads, among all that the values depend on.

    `keep` are the values that are needed as they are. Run before differentiation, it makes the gradients smaller too.
    """
    keep = list(keep)
    nodes = ancestors(keep)
    kept = {id(v) for v in keep}
    users = readers(nodes)
    for node in nodes:
        if node.op is not Conv.instance() or id(node.outputs[0]) in kept:
            continue
        pools = users.get(id(node.outputs[0]), [])
        if not pools or any(p.op.name != "pool" for p in pools) or _pointwise(node):
            continue
        used = [max(sizes) for sizes in zip(*map(_used, pools), strict=True)]
        if used != [int(n) for n in node.outputs[0].shape[1:-1]]:
            y = _of_size(node, used)
            for pool in pools:
                pool.inputs = (y,)


def _pointwise(conv: Node) -> bool:
    """Whether the whole result is one product of matrices, which is quicker than a convolution of a part."""
    return all(int(k) == 1 for k in conv.inputs[1].shape[:-2]) and all(s == 1 for s in conv.attrs["strides"])


def _used(pool: Node) -> list[int]:
    """How far into each dimension of its input the windows of a pooling reach."""
    (x,), (y,), a = pool.inputs, pool.outputs, pool.attrs
    ends = zip(x.shape[1:-1], y.shape[1:-1], a["size"], a["strides"], a["pads"], strict=True)
    return [min(int(n), (int(out) - 1) * stride + size - before) for n, out, size, stride, (before, _) in ends]


def _of_size(node: Node, sizes: Sequence[int]) -> Value:
    """The same convolution with fewer outputs: with less padding behind, or none and the last inputs unread."""
    y = node.outputs[0]
    pads = tuple(
        (before, after - (int(n) - size) * stride)
        for (before, after), n, size, stride in zip(node.attrs["pads"], y.shape[1:-1], sizes, node.attrs["strides"], strict=True)
    )
    smaller = Node(node.op, node.inputs, {**node.attrs, "pads": pads}, node.id, node.origin)
    smaller.outputs = (Value(Type((y.shape[0], *sizes, y.shape[-1]), y.dtype), smaller),)
    return smaller.outputs[0]
