"""Functions of keras.ops between the layers of a model, whose kernels and places are numbers of the program's."""

import json

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops
from saved import check_both_ways, check_import, imported

from layerctl.diagnostics import LayerctlError
from layerctl.importing.keras import import_model

RNG = np.random.default_rng(3)


def kernel(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def convolved():
    inputs = keras.Input((8, 9, 3))
    x = ops.conv(inputs, kernel(3, 3, 3, 4), strides=2, padding="same")
    apart_by_two = ops.conv(x, kernel(2, 2, 4, 6), dilation_rate=[1, 2])
    apart = ops.depthwise_conv(inputs, kernel(3, 3, 3, 2), padding="same")
    both = ops.separable_conv(apart, kernel(2, 2, 6, 1), kernel(1, 1, 6, 2), strides=(2, 2))
    first = ops.conv(ops.transpose(inputs, (0, 3, 1, 2)), kernel(3, 3, 3, 2), data_format="channels_first")
    return keras.Model(inputs, [apart_by_two, both, first, ops.max_pool(x, (2, 2), (2, 2)), ops.average_pool(apart, 3, 1)])


def filtered_by_each_row():
    """A kernel that the model computes itself."""
    inputs = keras.Input((6, 2), batch_size=1)
    made = ops.reshape(L.Dense(12)(L.Flatten()(inputs)), (3, 2, 2))
    return keras.Model(inputs, ops.conv(inputs, made, padding="same"))


def graph():
    """Messages along the edges of a graph whose nodes are the rows."""
    edges = np.array([[0, 0, 1, 2, 2], [1, 2, 2, 0, 1]])
    nodes = keras.Input((4,), batch_size=3)
    messages = L.Dense(5, activation="tanh")(ops.take(nodes, edges[0], axis=0))
    summed = ops.segment_sum(messages, ops.convert_to_tensor(edges[1]), 3)
    largest = ops.segment_max(messages, ops.convert_to_tensor(edges[1]), num_segments=3, sorted=False)
    return keras.Model(nodes, [L.Dense(2)(ops.concatenate([nodes, summed, largest], axis=-1)), summed])


def spectra():
    sound = keras.Input((40,))
    real, imag = ops.rfft(sound)
    power = ops.sqrt(real**2 + imag**2 + 1e-6)
    frames = ops.stft(sound, sequence_length=8, sequence_stride=4, fft_length=16, window="hamming")
    low = ops.irfft((real, imag * 0.5), 40)
    mixed = ops.fft2((L.Reshape((5, 8))(low), L.Reshape((5, 8))(sound)))
    return keras.Model(sound, [power, low, ops.log(ops.abs(frames[0]) + 1.0), frames[1], mixed[0], *ops.ifft2(mixed), ops.fft(mixed)[1]])


@pytest.mark.parametrize("make", [convolved, spectra], ids=lambda f: f.__name__)
def test_ops(make, tmp_path):
    check_both_ways(make(), tmp_path)


@pytest.mark.parametrize("make", [filtered_by_each_row, graph], ids=lambda f: f.__name__)
def test_ops_over_the_rows_of_a_batch(make, tmp_path):
    model = make()
    check_import(model, tmp_path, n=model.inputs[0].shape[0])


def test_segments_whose_number_is_not_said(tmp_path):
    nodes = keras.Input((4,), batch_size=3)
    model = keras.Model(nodes, ops.segment_sum(nodes, ops.convert_to_tensor([0, 1, 1])))
    with pytest.raises(LayerctlError, match="num_segments"):
        imported(model, tmp_path)


HOSTILE = {
    "strides that are none": ("Conv", {"strides": "wide"}), "no steps": ("Conv", {"strides": 0}), "an own padding": ("Conv", {"padding": "reflect"}),
    "a dilation of parts": ("Conv", {"dilation_rate": [1.5, 1]}), "channels elsewhere": ("Conv", {"data_format": "middle"}),
    "segments without end": ("SegmentSum", {"num_segments": 10**15}), "no segment": ("SegmentSum", {"num_segments": -1}),
    "a long transform": ("RFFT", {"fft_length": 10**12}), "no transform": ("RFFT", {"fft_length": 0}), "half a transform": ("RFFT", {"fft_length": 2.5}),
    "frames that stand": ("STFT", {"sequence_stride": 0}), "frames of nothing": ("STFT", {"sequence_length": -4}),
    "frames of texts": ("STFT", {"sequence_length": "long"}),
    "a window of others": ("STFT", {"window": "round"}), "a window too short": ("STFT", {"window": [1.0]}),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved_ops():
    x, images = keras.Input((12,), batch_size=2), keras.Input((4, 4, 1), batch_size=2)
    segments = ops.segment_sum(x, ops.convert_to_tensor([0, 1]), 3)
    return keras.Model([x, images], [ops.conv(images, kernel(2, 2, 1, 1)), segments, ops.rfft(x)[0], ops.stft(x, 4, 2, 4)[0]]).to_json()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arguments_of_ops(name, saved_ops, tmp_path):
    kind, change = HOSTILE[name]
    saved = json.loads(saved_ops)
    next(layer for layer in saved["config"]["layers"] if layer["class_name"] == kind)["config"].update(change)
    (tmp_path / "saved.json").write_text(json.dumps(saved))
    with pytest.raises(LayerctlError) as refused:
        import_model(tmp_path / "saved.json", tmp_path / "model.yaml")
    assert all(d.code != "internal-error" and d.span is not None for d in refused.value.diagnostics)
    assert not (tmp_path / "model.yaml").exists()
