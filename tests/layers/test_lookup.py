"""IntegerLookup beside what Keras's gave on TensorFlow, which it needs: the same vocabularies, numbers and rows."""

import numpy as np
import pytest
from machine import run

from layerctl.layers.lookup import IntegerLookup
from layerctl.ops.leaves import constant
from layerctl.ops.value import current

KNOWN = [12, -7, 36, 1138, 42]
NUMBERS = [[12, 42, 5], [-7, 0, 36], [1138, 36, 36], [99, -3, 12]]
ROWS = [[5, 5, 9], [9, 5, 2], [7, 7, 2], [2, 2, -1], [0, 0, 0]]
PLACES = [[0, 1, 2], [5, 6, 3]]
CASES = [
    ({"vocabulary": KNOWN}, NUMBERS,
     [[1, 5, 0], [2, 0, 3], [4, 3, 3], [0, 0, 1]]),
    ({"vocabulary": KNOWN, "mask_token": 0}, NUMBERS,
     [[2, 6, 1], [3, 0, 4], [5, 4, 4], [1, 1, 2]]),
    ({"vocabulary": KNOWN, "num_oov_indices": 3}, NUMBERS,
     [[3, 7, 2], [4, 0, 5], [6, 5, 5], [0, 0, 3]]),
    ({"vocabulary": KNOWN, "num_oov_indices": 3, "mask_token": 0, "oov_method": "farmhash"}, NUMBERS,
     [[4, 8, 2], [5, 0, 6], [7, 6, 6], [1, 1, 4]]),
    ({"vocabulary": KNOWN, "num_oov_indices": 4, "oov_method": "farmhash", "salt": [3, 9]}, NUMBERS,
     [[4, 8, 1], [5, 3, 6], [7, 6, 6], [0, 2, 4]]),
    ({"vocabulary": KNOWN, "output_mode": "one_hot"}, NUMBERS,
     [
         [[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]],
         [[0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]],
         [[0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0]],
         [[1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
     ]),
    ({"vocabulary": KNOWN, "output_mode": "multi_hot", "mask_token": 0}, NUMBERS,
     [[1, 1, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 0], [1, 1, 0, 0, 0, 0]]),
    ({"vocabulary": KNOWN, "output_mode": "count", "num_oov_indices": 2}, NUMBERS,
     [[0, 1, 1, 0, 0, 0, 1], [1, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 2, 1, 0], [0, 2, 1, 0, 0, 0, 0]]),
    ({"vocabulary": KNOWN, "output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True}, NUMBERS,
     [[1, 1, 0, 0, 0, 1, 0, 0, 0], [1, 0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 2, 1, 0, 0, 0, 0], [2, 1, 0, 0, 0, 0, 0, 0, 0]]),
    ({"vocabulary": KNOWN, "output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4, 1.5]}, NUMBERS,
     [
         [0.7, 0.25, 0.0, 0.0, 0.0, 1.5],
         [0.7, 0.0, 0.75, 0.6, 0.0, 0.0],
         [0.0, 0.0, 0.0, 1.2, 0.4, 0.0],
         [1.4, 0.25, 0.0, 0.0, 0.0, 0.0],
     ]),
    ({"vocabulary": KNOWN, "output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4, 1.5], "max_tokens": 8,
      "pad_to_max_tokens": True, "mask_token": 0}, NUMBERS,
     [
         [0.7, 0.25, 0.0, 0.0, 0.0, 1.5, 0.0, 0.0],
         [0.0, 0.0, 0.75, 0.6, 0.0, 0.0, 0.0, 0.0],
         [0.0, 0.0, 0.0, 1.2, 0.4, 0.0, 0.0, 0.0],
         [1.4, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
     ]),
    ({"vocabulary": [0, -1, 12, 36], "mask_token": 0}, NUMBERS,
     [[2, 1, 1], [1, 0, 3], [1, 3, 3], [1, 1, 2]]),
    ({"vocabulary": KNOWN, "invert": True}, PLACES,
     [[-1, 12, -7], [42, -1, 36]]),
    ({"vocabulary": KNOWN, "invert": True, "mask_token": 0, "num_oov_indices": 2}, PLACES,
     [[0, -1, -1], [36, 1138, 12]]),
    ({"max_tokens": 4}, ROWS,
     [[2, 2, 0], [0, 2, 1], [0, 0, 1], [1, 1, 0], [3, 3, 3]]),
    ({"max_tokens": 9, "mask_token": 0}, ROWS,
     [[3, 3, 4], [4, 3, 2], [5, 5, 2], [2, 2, 1], [0, 0, 0]]),
    ({"max_tokens": 6, "num_oov_indices": 2}, ROWS,
     [[3, 3, 5], [5, 3, 2], [1, 1, 2], [2, 2, 1], [4, 4, 4]]),
    ({"max_tokens": 8, "output_mode": "count", "pad_to_max_tokens": True}, ROWS,
     [
         [0, 0, 2, 0, 1, 0, 0, 0],
         [0, 1, 1, 0, 1, 0, 0, 0],
         [0, 1, 0, 0, 0, 2, 0, 0],
         [1, 2, 0, 0, 0, 0, 0, 0],
         [0, 0, 0, 3, 0, 0, 0, 0],
     ]),
    ({"max_tokens": 8, "output_mode": "tf_idf", "pad_to_max_tokens": True}, ROWS,
     [
         [0.0, 0.0, 1.961658, 0.0, 0.980829, 0.0, 0.0, 0.0],
         [0.0, 0.81093, 0.980829, 0.0, 0.980829, 0.0, 0.0, 0.0],
         [0.0, 0.81093, 0.0, 0.0, 0.0, 2.505526, 0.0, 0.0],
         [1.055623, 1.62186, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
         [0.0, 0.0, 0.0, 3.758289, 0.0, 0.0, 0.0, 0.0],
     ]),
    ({"max_tokens": 4, "output_mode": "tf_idf", "pad_to_max_tokens": True, "mask_token": 0}, ROWS,
     [
         [0.0, 0.0, 1.961658, 0.980829],
         [0.0, 0.81093, 0.980829, 0.980829],
         [1.848392, 0.81093, 0.0, 0.0],
         [0.924196, 1.62186, 0.0, 0.0],
         [0.0, 0.0, 0.0, 0.0],
     ]),
]  # fmt: skip


@pytest.mark.parametrize(("args", "numbers", "wanted"), CASES, ids=lambda v: str(v)[:60])
def test_places(args, numbers, wanted):
    layer = IntegerLookup(**args)
    layer.place("lookup")

    def places(x):
        if layer.adapts:
            layer.build(x.shape)
            layer._built = True
            for weight, value in layer.adapt(np.array(ROWS)).items():
                current().weights[weight] = current().initial[weight] = constant(value, weight.dtype)
        return layer(x)

    for dtype in (np.int32, np.int64, np.float32):
        layer._built, layer._weights = False, []
        got = run(places, np.array(numbers, dtype))[0]
        np.testing.assert_allclose(got.reshape(np.shape(wanted)), wanted, rtol=1e-5)


@pytest.mark.parametrize(("args", "message"), [
    ({}, "without vocabulary, max_tokens of more than 1 says how many places"),
    ({"max_tokens": 5, "output_mode": "count"}, "output_mode count without vocabulary needs pad_to_max_tokens"),
    ({"vocabulary": [1, 1, 2]}, "numbers that differ, got 1 twice"), ({"vocabulary": []}, "numbers that differ, got none"),
    ({"vocabulary": [1, 0], "mask_token": 0}, "mask and unknown numbers stand before the others"),
    ({"vocabulary": [1, 2, 3], "max_tokens": 3}, "the vocabulary has 4 places, max_tokens is 3"),
    ({"vocabulary": [1, 2], "output_mode": "tf_idf"}, "tf_idf needs idf_weights, one for each of the 2 numbers"),
    ({"vocabulary": [1], "idf_weights": [1.0]}, "idf_weights is for output_mode tf_idf, got int"),
    ({"vocabulary": [1], "invert": True, "output_mode": "count"}, "invert needs output_mode int"),
    ({"vocabulary": [1], "salt": 3}, "salt is one number or two, and needs oov_method farmhash"),
    ({"vocabulary": [1], "pad_to_max_tokens": True}, "pad_to_max_tokens needs max_tokens"),
], ids=str)  # fmt: skip
def test_wrong_arguments_are_named(args, message):
    with pytest.raises(ValueError, match=message):
        IntegerLookup(**args)


def test_without_places_for_unknown_numbers_they_have_none():
    layer = IntegerLookup(vocabulary=[4, 2], num_oov_indices=0)
    layer.place("lookup")
    np.testing.assert_array_equal(run(layer, np.array([2, 4, 9], np.int32))[0], [1, 0, -1])
