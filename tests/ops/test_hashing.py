"""Hashes beside numbers that TensorFlow gave for the same texts: tf.strings.to_hash_bucket_fast and _strong, Keras's Hashing, HashedCrossing."""

import numpy as np
import pytest
from machine import run

from layerctl.layers.hashing import HashedCrossing, Hashing
from layerctl.ops.fingerprint import bucket, farmhash, siphash, written
from layerctl.ops.texts import EMPTY, packed, text_buckets, tokens, unpacked

NUMBERS = [0, 1, 2, -1, 7, 10, 42, 99, -100, 12345, 999999, -1234567, 123456789, 2147483647, -2147483648]
WIDE = [2**40 + 7, -(2**53) - 1, 2**63 - 1, -(2**63)]
WORDS = ["", "A", "B", "C", "abc", "hello", "hello world", "a somewhat longer text", "x" * 32, "y" * 33, "z" * 64, "w" * 65,
         "the quick brown fox jumps over the lazy dog and then it goes on and on and on for a while until it is more than 128 bytes long",
         "é"]  # fmt: skip
FAST = [
    1936946117179621457, 3080236001339896855, 4091874029135255625, 709499339891000104, 2640714258260161385,
    3786372426573024490, 1769834696496558108, 4155698066639322775, 3678204687145032711, 3999049019338133247,
    294799756062990872, 3272011567211491970, 1426535428315041101, 693143013273849025,
]  # fmt: skip
STRONG = [
    443797209252341629, 28707286999182994, 4127458443032950428, 3563940418692841183, 1250540936487842208,
    2957200328589801622, 1015233985318741640, 3600286853243188903, 534391209377536700, 202190614605344851,
    406796584595371582, 3260008274609568768, 1223695626709795429, 4006969190011310591,
]  # fmt: skip


@pytest.mark.parametrize(("text", "fast", "strong"), list(zip(WORDS, FAST, STRONG, strict=True)), ids=lambda v: str(v)[:12])
def test_texts(text, fast, strong):
    data = text.encode()
    assert bucket(farmhash(data, len(data)), 2**62 - 1) == fast
    assert bucket(siphash(data, len(data), 1, 2), 2**62 - 1) == strong


def test_numbers_are_written_in_digits():
    for value in [*NUMBERS, *WIDE]:
        room = np.zeros(24, np.uint8)
        assert bytes(room[: written(value, room)]).decode() == str(value)


BUCKETS = [
    ({"num_bins": 7},
     [2, 5, 5, 4, 2, 3, 6, 4, 1, 6, 2, 1, 3, 5, 1],
     [4, 4, 2, 3]),
    ({"num_bins": 1000},
     [735, 849, 759, 430, 88, 862, 736, 602, 814, 728, 282, 265, 306, 757, 469],
     [574, 293, 319, 112]),
    ({"num_bins": 9, "mask_value": 7},
     [8, 2, 8, 7, 0, 7, 1, 3, 7, 1, 3, 2, 3, 6, 6],
     [7, 6, 8, 1]),
    ({"num_bins": 1000, "salt": [133, 137]},
     [369, 326, 857, 874, 382, 900, 406, 928, 601, 810, 495, 723, 928, 326, 731],
     [36, 668, 826, 988]),
    ({"num_bins": 10, "salt": 5},
     [5, 3, 6, 7, 1, 0, 8, 5, 7, 8, 6, 8, 5, 6, 5],
     [4, 2, 8, 0]),
    ({"num_bins": 1000, "salt": [2**40, 3]},
     [785, 47, 338, 680, 897, 708, 51, 783, 799, 579, 962, 6, 259, 8, 578],
     [54, 762, 501, 814]),
]  # fmt: skip
CROSSED = [974, 827, 473, 267, 773, 796, 756, 479, 542, 758, 913, 843, 453, 688, 224]
CROSSED_THREE = [4, 0, 1, 0, 5, 4, 1, 4, 3, 2, 0, 0, 3, 2, 1]


def made(layer):
    layer.place("hash")
    return layer


@pytest.mark.parametrize(("args", "buckets", "wide"), BUCKETS, ids=str)
def test_numbers_fall_into_keras_buckets(args, buckets, wide):
    for dtype in (np.int32, np.int64):
        np.testing.assert_array_equal(run(made(Hashing(**args)), np.array(NUMBERS, dtype))[0], buckets)
    np.testing.assert_array_equal(run(made(Hashing(**args)), np.array(WIDE, np.int64))[0], wide)
    ids = np.array(NUMBERS, np.int32).reshape(5, 3)
    counts = run(made(Hashing(**args, output_mode="count")), ids)[0]
    np.testing.assert_array_equal(counts, [np.bincount(row, minlength=args["num_bins"]) for row in np.reshape(buckets, (5, 3))])


def test_crossings_fall_into_keras_buckets():
    a, b, c = (np.array(v, np.int32) for v in (NUMBERS, NUMBERS[::-1], [5] * len(NUMBERS)))
    np.testing.assert_array_equal(run(lambda *v: made(HashedCrossing(num_bins=1000))(list(v)), a, b)[0], CROSSED)
    np.testing.assert_array_equal(run(lambda *v: made(HashedCrossing(num_bins=7))(list(v)), a, b, c)[0], CROSSED_THREE)
    got = run(lambda *v: made(HashedCrossing(num_bins=7, output_mode="one_hot"))(list(v)), a[:, None], b[:, None].astype(np.int64))[0]
    assert got.shape == (len(a), 7) and (got.sum(1) == 1).all()


def test_texts_in_kernels():
    texts = packed(WORDS)
    np.testing.assert_array_equal(run(lambda v: text_buckets(v, 1000), texts)[0], [bucket(farmhash(w.encode(), len(w.encode())), 1000) for w in WORDS])
    strong = [bucket(siphash(w.encode(), len(w.encode()), 1, 2), 1000) for w in WORDS]
    np.testing.assert_array_equal(run(lambda v: text_buckets(v, 1000, (1, 2)), texts)[0], strong)
    assert [t.decode() for t in unpacked(texts)] == WORDS


@pytest.mark.parametrize(("split", "ngrams", "wanted"), [
    ("whitespace", (1,), ["hello", "wörld", "a-b", "c"]), ("whitespace", (1, 2), ["hello", "wörld", "a-b", "c", "hello wörld", "wörld a-b", "a-b c"]),
    ("character", (3,), ["h e l", "e l l", "l l o", "l o  ", "o    "]), (None, (1,), [" hello  wörld\ta-b c "]), ("whitespace", (5,), []),
], ids=str)  # fmt: skip
def test_tokens(split, ngrams, wanted):
    texts = packed([[" hello  wörld\ta-b c "], [""]])
    if split == "character":
        texts = packed([["hello  "], [""]])
    got = run(lambda v: tokens(v, 8, False, False, split, ngrams), texts)[0]
    keys = [farmhash(w.encode(), len(w.encode())) for w in wanted]
    np.testing.assert_array_equal(got[0], keys + [EMPTY] * (8 - len(keys)))
    np.testing.assert_array_equal(got[1], [EMPTY] * 8)


def test_standardized():
    got = run(lambda v: tokens(v, 3, True, True, "whitespace"), packed([["It's  A.B  ÀÉ!"]]))[0]
    np.testing.assert_array_equal(got[0], [farmhash(w.encode(), len(w.encode())) for w in ("its", "ab", "ÀÉ")])
