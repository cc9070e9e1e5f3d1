"""The kernels that read text, compiled and as plain Python: the same fields, numbers and dictionaries."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.data.blocks import _TENS, Words, run
from layerctl.data.native import decimals, dictionary, objects, scanning
from layerctl.ops.bits import BEYOND


def padded(text):
    return np.frombuffer(text + bytes(BEYOND), np.uint8).copy()


class Pointer:
    """An array whose elements are Python's numbers, which do not overflow."""

    def __init__(self, array):
        self.array = array

    def __getitem__(self, at):
        found = self.array[at]
        return found if isinstance(at, slice) else found.item()

    def __setitem__(self, at, value):
        self.array[at] = value


def alike(kernel, make):
    """Runs a kernel in both forms on arguments that are made anew; returns all of its arrays, which are the same."""
    compiled, plain = make(), make()
    run(kernel, *compiled)
    kernel(0, 1, *[Pointer(a) if isinstance(a, np.ndarray) else a for a in plain])
    for a, b in zip(compiled, plain, strict=True):
        if isinstance(a, np.ndarray):
            assert a.tobytes() == b.tobytes()
    return compiled


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from(list('ab1,"\n\r .é\\#')), max_size=150), st.booleans(), st.sampled_from([-1, 92]), st.sampled_from([-1, 35]))
def test_fields(text, last, escape, comment):
    data = text.encode()

    def make():
        n = len(data) + 2
        return [padded(data), len(data), 44, 34, escape, comment, 1, int(last), 2000, np.array([0, 0, 0, 1, 0, 0, 0, 0], np.int64), np.zeros(n, np.int32),
                np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int64)]  # fmt: skip

    alike(scanning.cut_marked, make)
    if escape < 0 and comment < 0:
        alike(scanning.cut, lambda: [*make()[:4], *make()[6:]])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.from_regex(r"[+-]?[0-9]{0,20}\.?[0-9]{0,20}(e-?[0-9]{1,3})?|NA|x", fullmatch=True), min_size=1, max_size=20))
def test_numbers_and_dictionaries(texts):
    ends = np.cumsum(list(map(len, texts))).astype(np.int32)
    starts = np.array([0, *ends[:-1]], np.int32)
    data = padded("".join(texts).encode())
    words = Words.of(frozenset(["NA", ""]))

    def make():
        values = np.zeros(len(texts))
        return [data.copy(), starts, ends, len(texts), 1, np.ones(1, np.uint8), words.text, words.bounds, len(words), words.begins, 0,
                decimals.powers().ravel(), _TENS, values, values.view(np.int64), np.zeros(len(texts), np.uint8)]  # fmt: skip

    alike(decimals.numbers, make)

    def coded():
        n = len(texts)
        return [data.copy(), starts, ends, n, 1, 0, words.text, words.bounds, len(words), words.begins, 12345, np.zeros(64, np.int64), 63,
                np.zeros(n, np.int64), np.zeros(n + 1, np.int64), np.zeros(len(data) + BEYOND, np.uint8), np.zeros(2, np.int64),
                np.zeros(n, np.int32)]  # fmt: skip

    known = list(dict.fromkeys(t for t in texts if t not in ("NA", "")))
    assert alike(dictionary.code, coded)[-1].tolist() == [known.index(t) if t in known else -1 for t in texts]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "bc"]), st.integers() | st.floats() | st.text(max_size=80) | st.none() | st.booleans()), max_size=4))
def test_objects(rows):
    data = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode("utf-8", "replace")

    def make():
        n = data.count(b"\n") + data.count(b"\r") + 1
        return [padded(data), len(data), 1, padded(b"abc"), np.array([0, 1, 3], np.int64), 2, np.array([0, 0, 1, 0], np.int64),
                np.zeros(2 * n, np.int32), np.zeros(2 * n, np.int32), np.zeros(n, np.int64), np.zeros(3 * n, np.int32)]  # fmt: skip

    alike(objects.objects, make)
