"""Texts as tensors of bytes: packed on the host, cut into tokens and hashed by kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerctl.ops.fingerprint import K2, bucket, farmhash, siphash
from layerctl.ops.kernel import Call, Scratch, kernel
from layerctl.ops.primitives import offset, share_low
from layerctl.ops.value import Node, Op, ShapeError, Type, Value, product, shown

SPLITS = (None, "whitespace", "character")
EMPTY = K2
"""The fingerprint of no text, which is also what stands behind a row's last token."""


def packed(texts: Any) -> Any:
    """Texts of any shape as bytes (*shape, width), UTF-8, zeros behind; None is no text."""
    import numpy as np

    array = np.asarray(texts, dtype=object)
    rows = [b"" if t is None else t if isinstance(t, bytes) else str(t).encode() for t in array.ravel().tolist()]
    width = max([1, *map(len, rows)])
    whole = b"".join(r.split(b"\0")[0].ljust(width, b"\0") for r in rows)
    return np.frombuffer(whole, np.uint8).reshape(*array.shape, width).copy()


def unpacked(rows: Any) -> list[bytes]:
    """The reverse, all texts in order."""
    import numpy as np

    flat = np.ascontiguousarray(rows).reshape(-1, rows.shape[-1])
    return [bytes(r).rstrip(b"\0") for r in flat]


def fingerprint_of(text: str | bytes) -> int:
    """A text's fingerprint, computed on the host."""
    data = text if isinstance(text, bytes) else text.encode()
    return farmhash(data, len(data))


def _length(s: Any, width: int) -> int:
    n = 0
    while n < width and s[n] != 0:
        n += 1
    return n


def _is_space(c: int) -> int:
    return 1 if c == 32 or (c >= 9 and c <= 13) else 0


def _is_mark(c: int) -> int:
    """Whether a byte is one of the 32 marks of ASCII."""
    return 1 if (c >= 33 and c <= 47) or (c >= 58 and c <= 64) or (c >= 91 and c <= 96) or (c >= 123 and c <= 126) else 0


def _written(s: Any, n: int, to: Any, at: int, ends: Any, count: int, lower: int, strip: int, split: int) -> tuple[int, int]:
    """Writes a text's tokens to `to` from `at` on with a blank behind each and notes where they begin and end; where it stopped."""
    open_, begin = 0, at
    for i in range(n):
        c = int(s[i])
        if strip != 0 and _is_mark(c) == 1:
            continue
        if split == 1 and _is_space(c) == 1:
            if open_ == 1:
                ends[2 * count], ends[2 * count + 1] = begin, at
                count, at, open_ = count + 1, at + 1, 0
                to[at - 1] = 32
            continue
        if split == 2 and open_ == 1 and (c < 128 or c >= 192):
            ends[2 * count], ends[2 * count + 1] = begin, at
            count, at, open_ = count + 1, at + 1, 0
            to[at - 1] = 32
        if open_ == 0:
            begin, open_ = at, 1
        to[at] = c + 32 if lower != 0 and c >= 65 and c <= 90 else c
        at += 1
    if open_ == 1 or split == 0:
        ends[2 * count], ends[2 * count + 1] = begin, at
        to[at] = 32
        count, at = count + 1, at + 1
    return at, count


@kernel
def tokenized(
    task: int, tasks: int, x: "u8*", room: "u8*", marks: "i32*", y: "i64*", rows: i64, texts: i64, width: i64, size: i64,
    lower: i64, strip: i64, split: i64, ngrams: i64,
):  # fmt: skip
    """y[r] = the fingerprints of row r's tokens or, six bits of `ngrams` for each, of its runs of that many tokens joined by blanks.

    A row is `texts` texts, each a token where `split` is 0. `room` and `marks` hold a row's tokens and where they stand.
    """
    for r in range(share_low(rows, task, tasks), share_low(rows, task + 1, tasks)):
        to, ends, out = offset(room, r * texts * (2 * width + 2)), offset(marks, r * 2 * texts * (width + 1)), offset(y, r * size)
        at, count = 0, 0
        for t in range(texts):
            source = offset(x, (r * texts + t) * width)
            at, count = _written(source, _length(source, width), to, at, ends, count, lower, strip, split)
        done, left = 0, ngrams
        while left != 0:
            run = left & 63
            left >>= 6
            for i in range(count - run + 1):
                if done < size:
                    begin = ends[2 * i]
                    out[done] = farmhash(offset(to, begin), ends[2 * (i + run - 1) + 1] - begin)
                    done += 1
        for i in range(done, size):
            out[i] = EMPTY


@kernel
def hashed_texts(task: int, tasks: int, x: "u8*", y: "i32*", n: i64, width: i64, bins: i64, key0: i64, key1: i64):
    """y[i] = the bucket of text i by SipHash under a key."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        text = offset(x, i * width)
        y[i] = bucket(siphash(text, _length(text, width), key0, key1), bins)


@kernel
def buckets(task: int, tasks: int, x: "i64*", y: "i32*", n: i64, bins: i64):
    """y[i] = fingerprint x[i] modulo bins."""
    for i in range(share_low(n, task, tasks), share_low(n, task + 1, tasks)):
        y[i] = bucket(x[i], bins)


class Tokens(Op):
    """Texts (batch, n, width) u8 -> fingerprints of their tokens (batch, size) i64, EMPTY behind the last."""

    name = "tokens"
    no_gradient = "a fingerprint does not move with a text"
    no_form = "texts are cut and hashed by kernels alone"

    def infer(self, x: Value, *, size: int, lower: bool, strip: bool, split: str | None, ngrams: tuple[int, ...]) -> Type:
        if x.dtype != "u8" or x.rank != 3:
            raise ShapeError(f"expected texts (batch, n), got {x.dtype} {shown(x.shape)}")
        return Type((x.shape[0], size), "i64")

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,), a = node.inputs, node.outputs, node.attrs
        rows, texts, width = map(int, x.shape)
        runs = sum(n << (6 * i) for i, n in enumerate(a["ngrams"]))
        room, marks = Scratch(max(1, rows * texts * (2 * width + 2))), Scratch(max(8, rows * 8 * texts * (width + 1)))
        args = (x, room, marks, y, rows, texts, width, int(y.shape[1]), int(a["lower"]), int(a["strip"]), SPLITS.index(a["split"]), runs)
        return [Call(tokenized.at(), args, tasks=max(rows, 1), work=rows * (10.0 * texts * width + 1.0 * int(y.shape[1])))]


class HashedTexts(Op):
    """Texts (..., width) u8 -> buckets (...) i32 by SipHash under `key`."""

    name = "hashed_texts"
    no_gradient = "a bucket does not move with a text"
    no_form = "texts are cut and hashed by kernels alone"

    def infer(self, x: Value, *, bins: int, key: tuple[int, int]) -> Type:
        if x.dtype != "u8":
            raise ShapeError(f"expected texts, got {x.dtype}")
        return Type(x.shape[:-1], "i32")

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,), a = node.inputs, node.outputs, node.attrs
        n, width = int(product(y.shape)), int(x.shape[-1])
        return [Call(hashed_texts.at(), (x, y, n, width, a["bins"], *a["key"]), tasks=max(n, 1), work=n * (60.0 + 2.0 * width))]


class Buckets(Op):
    """Fingerprints (any shape) i64 -> their remainders (i32), the fingerprint read as unsigned."""

    name = "buckets"
    no_gradient = "a bucket does not move with a fingerprint"
    no_form = "texts are cut and hashed by kernels alone"

    def infer(self, x: Value, *, bins: int) -> Type:
        return Type(x.shape, "i32")

    def calls(self, node: Node) -> list[Call]:
        (x,), (y,) = node.inputs, node.outputs
        n = int(product(x.shape))
        return [Call(buckets.at(), (x, y, n, node.attrs["bins"]), tasks=max(n, 1), work=8.0 * n)]


def tokens(x: Value, size: int, lower: bool, strip: bool, split: str | None, ngrams: Sequence[int] = (1,)) -> Value:
    """Fingerprints of each row's first `size` tokens, standardised and cut as said; several texts a row where `split` is None."""
    return Tokens.apply(x, size=size, lower=lower, strip=strip, split=split, ngrams=tuple(ngrams))


def fingerprints(x: Value) -> Value:
    """The fingerprint of each text: (..., width) u8 -> (...) i64."""
    from layerctl.ops.reshape import reshape

    flat = reshape(x, (product(x.shape[:-1]), 1, x.shape[-1]))
    return reshape(tokens(flat, 1, False, False, None), x.shape[:-1])


def text_buckets(x: Value, bins: int, key: tuple[int, int] | None = None) -> Value:
    """The bucket of each text: its fingerprint modulo bins or, with a key, SipHash's."""
    return Buckets.apply(fingerprints(x), bins=bins) if key is None else HashedTexts.apply(x, bins=bins, key=key)
