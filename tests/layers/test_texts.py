"""Layers over texts beside what Keras's gave on TensorFlow, which they need; and models that take texts."""

import numpy as np
import pytest
from machine import run

import layerctl
from layerctl.diagnostics import LayerctlError
from layerctl.layers.hashing import HashedCrossing, Hashing
from layerctl.layers.lookup import StringLookup
from layerctl.layers.vectorization import TextVectorization
from layerctl.ops.leaves import constant
from layerctl.ops.texts import packed
from layerctl.ops.value import current

TEXTS = ["The cat sat. The END!", "a cat, a dog", "", "Émile's dog-house\tran  away"]
WORDS = [["cat", "dog"], ["zebra", ""], ["dog", "dog"], ["é", "cat"]]
VECTORIZED = [
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_sequence_length": 5},
     [[2, 3, 1, 2, 1], [5, 3, 5, 4, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]]),
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_sequence_length": 3, "standardize": None},
     [[1, 3, 1], [5, 1, 5], [0, 0, 0], [1, 1, 1]]),
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_sequence_length": 4, "standardize": "lower"},
     [[2, 3, 1, 2], [5, 1, 5, 4], [0, 0, 0, 0], [1, 1, 1, 1]]),
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_sequence_length": 6, "standardize": "strip_punctuation", "split": "character"},
     [[1, 1, 1, 1, 1, 5], [5, 1, 1, 5, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]]),
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_mode": "multi_hot"},
     [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]]),
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_mode": "count"},
     [[2, 2, 1, 0, 0], [0, 0, 1, 1, 2], [0, 0, 0, 0, 0], [4, 0, 0, 0, 0]]),
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
     [[2, 2, 1, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 2, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0, 0, 0]]),
    ({"vocabulary": ["the", "cat", "dog", "a"], "output_mode": "tf_idf", "idf_weights": [0.5, 1.0, 2.0, 0.25]},
     [[1.875, 1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0, 0.5], [0.0, 0.0, 0.0, 0.0, 0.0], [3.75, 0.0, 0.0, 0.0, 0.0]]),
    ({"vocabulary": ["the", "cat", "dog", "a", "the cat", "a dog"], "output_sequence_length": 7, "ngrams": 2},
     [[2, 3, 1, 2, 1, 6, 1], [5, 3, 5, 4, 1, 1, 7], [0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]]),
    ({"vocabulary": ["the", "cat", "dog", "a", "the cat", "a dog"], "output_mode": "count", "ngrams": [2, 1]},
     [[5, 2, 1, 0, 0, 1, 0], [2, 0, 1, 1, 2, 0, 1], [0, 0, 0, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0, 0]]),
    ({"output_sequence_length": 5, "max_tokens": 6},
     [[2, 3, 1, 2, 1], [4, 3, 4, 1, 0], [0, 0, 0, 0, 0], [5, 1, 1, 1, 0]]),
    ({"output_mode": "tf_idf", "max_tokens": 12, "pad_to_max_tokens": True},
     [
         [0.0, 2.197225, 0.847298, 0.0, 0.0, 1.098612, 0.0, 1.098612, 0.0, 0.0, 0.0, 0.0],
         [0.0, 0.0, 0.847298, 2.197225, 0.0, 0.0, 0.0, 0.0, 0.0, 1.098612, 0.0, 0.0],
         [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
         [0.0, 0.0, 0.0, 0.0, 1.098612, 0.0, 1.098612, 0.0, 1.098612, 0.0, 1.098612, 0.0],
     ]),
    ({"output_mode": "count", "max_tokens": 7, "pad_to_max_tokens": True, "ngrams": 2},
     [[5, 2, 1, 0, 0, 0, 1], [4, 0, 1, 2, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [5, 0, 0, 0, 1, 1, 0]]),
    ({"output_sequence_length": 6, "max_tokens": 8, "split": "character"},
     [[4, 1, 5, 2, 1, 3], [3, 2, 1, 3, 4, 2], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 5, 6]]),
]  # fmt: skip
LOOKED_UP = [
    ({"vocabulary": ["dog", "é", "cat"]},
     [[3, 1], [0, 0], [1, 1], [2, 3]]),
    ({"vocabulary": ["dog", "é", "cat"], "mask_token": ""},
     [[4, 2], [1, 0], [2, 2], [3, 4]]),
    ({"vocabulary": ["dog"], "num_oov_indices": 4},
     [[0, 4], [2, 3], [4, 4], [1, 0]]),
    ({"vocabulary": ["dog"], "num_oov_indices": 4, "salt": [3, 4]},
     [[1, 4], [3, 2], [4, 4], [3, 1]]),
    ({"vocabulary": ["", "[UNK]", "dog"], "mask_token": ""},
     [[1, 2], [1, 0], [2, 2], [1, 1]]),
    ({"vocabulary": ["dog", "cat"], "output_mode": "multi_hot", "mask_token": ""},
     [[0, 1, 1], [1, 0, 0], [0, 1, 0], [1, 0, 1]]),
    ({"vocabulary": ["dog", "cat"], "output_mode": "tf_idf", "idf_weights": [0.5, 2.0]},
     [[0.0, 0.5, 2.0], [2.5, 0.0, 0.0], [0.0, 1.0, 0.0], [1.25, 0.0, 2.0]]),
    ({"max_tokens": 4},
     [[2, 1], [0, 0], [1, 1], [3, 2]]),
    ({"max_tokens": 6, "mask_token": "", "output_mode": "count", "pad_to_max_tokens": True},
     [[0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0, 2, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]]),
]  # fmt: skip
HASHED = [
    ({"num_bins": 50},
     [[46, 12], [12, 13], [12, 12], [25, 46]]),
    ({"num_bins": 50, "salt": [3, 4]},
     [[27, 39], [15, 26], [39, 39], [39, 27]]),
    ({"num_bins": 50, "mask_value": ""},
     [[29, 27], [41, 0], [27, 27], [35, 29]]),
    ({"num_bins": 5, "output_mode": "count"},
     [[0.0, 1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 2.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0, 0.0]]),
]  # fmt: skip


def results(layer, texts):
    """What a layer gives for texts, adapted to them where it has no vocabulary."""
    layer.place("texts")
    rows = packed(texts)

    def call(x):
        if layer.adapts:
            layer.build(x.shape)
            layer._built = True
            for weight, value in layer.adapt(rows).items():
                current().weights[weight] = current().initial[weight] = constant(value, weight.dtype)
        return layer(x)

    return run(call, rows)[0]


@pytest.mark.parametrize(("args", "wanted"), VECTORIZED, ids=lambda v: str(v)[:60])
def test_vectorized(args, wanted):
    np.testing.assert_allclose(results(TextVectorization(**args), TEXTS), wanted, rtol=1e-5)
    np.testing.assert_allclose(results(TextVectorization(**args), [[t] for t in TEXTS]), wanted, rtol=1e-5)


@pytest.mark.parametrize(("args", "wanted"), LOOKED_UP, ids=lambda v: str(v)[:60])
def test_looked_up(args, wanted):
    np.testing.assert_allclose(results(StringLookup(**args), WORDS), wanted, rtol=1e-5)


@pytest.mark.parametrize(("args", "wanted"), HASHED, ids=lambda v: str(v)[:60])
def test_hashed(args, wanted):
    np.testing.assert_array_equal(results(Hashing(**args), WORDS), wanted)


def test_texts_and_numbers_crossed():
    """Keras's bins for these pairs."""
    layer = HashedCrossing(num_bins=1000)
    layer.place("cross")
    got = run(lambda a, b: layer([a, b]), packed(["A", "B", "hello", "C"]), np.array([101, 102, -5, 0], np.int32))[0]
    np.testing.assert_array_equal(got, [891, 576, 115, 36])


TEXT = """
layerctl: 1
name: texts
model:
  - Input: {shape: [], dtype: string}
  - TextVectorization: {name: ids, max_tokens: 50, output_sequence_length: 6}
  - Embedding: {input_dim: 50, output_dim: 4}
  - GlobalAveragePooling1D
  - Dense: {units: 1, activation: sigmoid}
compile: {optimizer: {Adam: {learning_rate: 0.1}}, loss: binary_crossentropy, metrics: [accuracy]}
fit: {epochs: 12, batch_size: 8}
"""


def test_a_model_learns_from_texts_and_keeps_its_vocabulary(tmp_path):
    texts = [f"{'good' if i % 2 else 'bad'} film number {i % 7}" for i in range(60)]
    y = np.arange(60)[:, None] % 2
    model = layerctl.Model.from_yaml(TEXT)
    model.fit(texts, y, run=tmp_path / "run")
    assert model.evaluate(texts, y)["accuracy"] == 1.0
    other = ["a good one", "bad and long, long, long, long, long"]
    kept = layerctl.load(tmp_path / "run")
    np.testing.assert_array_equal(kept.predict(other), model.predict(other))
    ids = kept.predict(other, layers=("ids",))["ids"]
    assert (ids[0, 3:] == 0).all() and (ids[1] > 0).all()


TABLE = """
layerctl: 1
name: table
data:
  source: data.csv
  features:
    review: {columns: [review], kind: string}
    place: {columns: [city, street], kind: string, missing: constant, constant: nowhere}
  target: good
model:
  inputs:
    review: {shape: [], dtype: string}
    place: {shape: [2], dtype: string}
  layers:
    - TextVectorization: {max_tokens: 12, output_mode: multi_hot, pad_to_max_tokens: true}
      name: words
      from: review
    - StringLookup: {max_tokens: 5, output_mode: count, pad_to_max_tokens: true}
      name: at
      from: place
    - Concatenate:
      name: both
      from: [words, at]
    - Dense: {units: 1, activation: sigmoid}
      name: out
  outputs: out
compile: {optimizer: {Adam: {learning_rate: 0.1}}, loss: binary_crossentropy, metrics: [accuracy]}
fit: {epochs: 10, batch_size: 8}
"""


def test_texts_of_a_table(tmp_path):
    lines = [f'"{"Good, " * (i % 2)}film {i % 3}",{"" if i % 5 == 0 else "Rome"},A{i % 4},{"yes" if i % 2 else "no"}' for i in range(40)]
    (tmp_path / "data.csv").write_text("review,city,street,good\n" + "\n".join(lines) + "\n")
    (tmp_path / "m.yaml").write_text(TABLE)
    model = layerctl.Model.from_yaml(tmp_path / "m.yaml")
    model.fit(run=tmp_path / "run")
    assert model.evaluate(split="train")["accuracy"] == 1.0
    kept = layerctl.load(tmp_path / "run")
    got = [p.columns["prediction"] for p in kept.predict_stream(tmp_path / "data.csv")]
    assert got == [["yes" if i % 2 else "no" for i in range(40)]]


def test_texts_need_a_layer_for_them():
    with pytest.raises(LayerctlError, match="Flatten cannot take texts: put TextVectorization, StringLookup or Hashing behind the input"):
        layerctl.Model.from_yaml("layerctl: 1\nmodel: [Input: {shape: [1], dtype: string}, Flatten, Dense: 1]").weights  # noqa: B018
    model = layerctl.Model.from_yaml(TEXT.replace("max_tokens: 50", "vocabulary: [good, bad]"))
    with pytest.raises(LayerctlError, match="needs texts, got float64"):
        model.predict(np.zeros((3,)))


@pytest.mark.parametrize(("layer", "args", "message"), [
    (TextVectorization, {"vocabulary": ["a"]}, "output_mode int needs output_sequence_length"),
    (TextVectorization, {"vocabulary": ["a"], "output_mode": "count", "output_sequence_length": 3}, "output_sequence_length is for output_mode int"),
    (TextVectorization, {"output_sequence_length": 3}, "without vocabulary, max_tokens of more than 2"),
    (TextVectorization, {"vocabulary": ["a", "a"], "output_mode": "count"}, "tokens that differ, got a twice"),
    (TextVectorization, {"vocabulary": ["a"], "output_mode": "count", "ngrams": 9}, "expected up to 8 numbers of tokens"),
    (StringLookup, {}, "without vocabulary, max_tokens of more than 1"), (StringLookup, {"vocabulary": ["a"], "salt": [1]}, "salt is one number or two"),
], ids=str)  # fmt: skip
def test_wrong_arguments_are_named(layer, args, message):
    with pytest.raises(ValueError, match=message):
        layer(**args)
