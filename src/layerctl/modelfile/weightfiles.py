"""Files of weights of any kind that is read here: safetensors, npz, Keras's .weights.h5, .h5 and .keras."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerctl.data import npy
from layerctl.data.zips import DAMAGED
from layerctl.diagnostics import Source, Span, fail
from layerctl.limits import memory
from layerctl.modelfile import foreign, hdf5, kerasweights, strictjson, tensors
from layerctl.modelfile.artifact import TRAINING
from layerctl.modelfile.hdf5 import Array

LARGEST_RATIO = 1100


@dataclass(frozen=True)
class WeightFile:
    """What a file has: `named` by the weights' whole names, or `layers` with the arrays of each in order.

    `ordered` says whether the weights, or the layers, stand in a model's order; safetensors and Keras 3's HDF5 sort them by name.
    """

    named: dict[str, Array]
    layers: Sequence[kerasweights.Layer]
    ordered: bool = False

    def names(self) -> list[str]:
        """The file's weights, for telling which were not used."""
        return [*self.named, *(f"{layer.path}/{i}" for layer in self.layers for i in range(len(layer.arrays)))]


def read(path: str | os.PathLike[str]) -> WeightFile:
    """The weights of a file, which its first bytes tell the kind of.

    Raises:
        LayerctlError: for a file that is of no such kind, damaged or hostile.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError as error:
        fail("no-such-file" if isinstance(error, FileNotFoundError) else "cannot-read",
             f"the weights {os.path.basename(path)!r} cannot be read: {error.strerror or error}", Span(Source(path)),
             hint="the path is relative to the model file")  # fmt: skip
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        root = hdf5.read(path)
        return WeightFile({}, kerasweights.layers(root), kerasweights.is_older(root))
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    arrays, metadata = tensors.load(path, foreign_allowed=True)
    try:
        hidden = set(strictjson.loads(metadata[TRAINING])) if TRAINING in metadata else set()
    except (ValueError, TypeError):
        hidden = set()
    return WeightFile({n: _held(a) for n, a in arrays.items() if n not in hidden}, ())


def _held(array: np.ndarray) -> Array:
    return Array(tuple(array.shape), str(array.dtype), lambda: array)


def _zip(path: str) -> WeightFile:
    span, name = Span(Source(path)), os.path.basename(path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            for info in infos:
                if info.file_size > LARGEST_RATIO * max(info.compress_size, 1) or info.flag_bits & 1:
                    fail("unsafe-file", f"{name!r} unpacks {strictjson.shown(info.filename)} to {info.file_size} bytes", span, hint=hdf5.UNSAFE)
            if len({i.filename for i in infos}) != len(infos):
                fail("unsafe-file", f"{name!r} has a member twice", span, hint=hdf5.UNSAFE)
            if sum(i.file_size for i in infos) > memory():
                fail("file-too-large", f"{name!r} unpacks to more than this machine's memory holds", span,
                     hint="use a machine with more memory, if the file is meant so")  # fmt: skip
            if any(i.filename == "model.weights.h5" for i in infos):
                data = archive.read("model.weights.h5")
                return WeightFile({}, kerasweights.layers(hdf5.read(path, data, f"{path}/model.weights.h5")))
            members = {i.filename.removesuffix(".npy"): archive.read(i) for i in infos if i.filename.endswith(".npy")}
    except DAMAGED as error:
        fail("file-damaged", f"{name!r} is no whole archive ({str(error)[:100]})", span, hint=hdf5.DAMAGED)
    if not members:
        what, hint = foreign.recognise(b"PK\x03\x04")
        fail("not-a-weight-file", f"{name!r} is {what} without arrays", span, hint=hint)
    return WeightFile({n: _npy(path, n, data) for n, data in members.items()}, (), True)


def _npy(path: str, name: str, data: bytes) -> Array:
    stream = io.BytesIO(data)
    try:
        shape, _, dtype = npy.header(stream, len(data))
    except ValueError as error:
        hdf5.damaged(path, f"cannot be read at {name[:100]!r}: {error}")
    if dtype.kind not in "fiub":
        hdf5.damaged(path, f"has {dtype} at {name[:100]!r}, expected numbers")
    return Array(tuple(shape), str(dtype), lambda: np.lib.format.read_array(io.BytesIO(data), allow_pickle=False))
