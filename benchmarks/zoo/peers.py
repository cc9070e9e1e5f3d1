"""The zoo's models in PyTorch and Keras, as their users would write them, and ONNX Runtime on layerctl's own export.

Each class is one system with one model: `epoch()` trains once over the rows, `predict()` predicts all of them batch by batch, `one()` a
single row. Rows are channels last (batch, ..., channels); ids are int32; targets are class ids.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

MODELS = Path(__file__).parent / "models"
SHAPES = {
    "mlp": ((784,), None, 10, 128, 12800),
    "tabular": ((16,), None, 3, 32, 51200),
    "cnn": ((28, 28, 1), None, 10, 128, 2560),
    "lstm": ((80,), 20000, 2, 32, 640),
    "gru": ((100, 8), None, 5, 64, 1280),
    "fcn1d": ((500, 1), None, 2, 32, 640),
    "resnet20": ((32, 32, 3), None, 10, 64, 640),
    "transformer": ((128,), 10000, 2, 32, 640),
    "sepconv": ((32, 32, 3), None, 10, 64, 1280),
    "conv3d": ((16, 16, 16, 1), None, 10, 32, 960),
}
"""A row's shape, the number of different ids or None for numbers, classes, the batch, how many rows."""


def rows(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The random data that all systems are given."""
    shape, ids, classes, _, n = SHAPES[name]
    random = np.random.default_rng(0)
    x = random.integers(0, ids, (n, *shape)).astype(np.int32) if ids else random.standard_normal((n, *shape), dtype=np.float32)
    return x, random.integers(0, classes, n).astype(np.int32)


class Layerctl:
    """layerctl through its Python interface, which its commands call too."""

    def __init__(self, name: str, threads: int):
        import layerctl

        self.x, self.y = rows(name)
        self.batch = SHAPES[name][3]
        self.model = layerctl.Model.from_yaml(MODELS / f"{name}.yaml", overrides=["fit.epochs=1"], threads=threads)

    def epoch(self) -> None:
        """One pass of training."""
        self.model.fit(self.x, self.y)

    def predict(self) -> None:
        """All rows."""
        self.model.predict(self.x, batch_size=self.batch)

    def one(self) -> None:
        """A single row."""
        self.model.predict(self.x[:1], batch_size=1)


class Onnxruntime:
    """ONNX Runtime on the model that layerctl exported; it does not train."""

    def __init__(self, name: str, threads: int):
        import onnxruntime

        self.x, _ = rows(name)
        self.batch = SHAPES[name][3]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(self._exported(name), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    @staticmethod
    def _exported(name: str) -> str:
        """The file, made by a process of its own so that its memory is not counted here."""
        place = Path(tempfile.gettempdir()) / f"layerctl-zoo-{os.getuid()}" / f"{name}.onnx"
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            text = (
                "import pathlib, sys, layerctl\nfrom layerctl.export.onnx import export\n"
                "m = layerctl.Model.from_yaml(sys.argv[1]); export(m, pathlib.Path(sys.argv[2]))"
            )
            subprocess.run([sys.executable, "-c", text, str(MODELS / f"{name}.yaml"), str(place)], check=True)
        return str(place)

    def predict(self) -> None:
        """All rows."""
        for i in range(0, len(self.x), self.batch):
            self.session.run(None, {self.input: self.x[i : i + self.batch]})

    def one(self) -> None:
        """A single row."""
        self.session.run(None, {self.input: self.x[:1]})


class Torch:
    """PyTorch, eager: channels_last, fused Adam, inference_mode."""

    def __init__(self, name: str, threads: int):
        import torch
        from torch_models import made

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        x, y = rows(name)
        _, ids, _, self.batch, self.n = SHAPES[name]
        self.torch, self.model = torch, made(name)
        self.x, self.y = torch.from_numpy(x.astype(np.int64) if ids else x), torch.from_numpy(y.astype(np.int64))
        if not ids and self.x.ndim >= 3 and name != "gru":
            self.x = self.x.movedim(-1, 1)
            self.x = self.x.contiguous(memory_format=torch.channels_last) if self.x.ndim == 4 else self.x.contiguous()
        if self.x.ndim == 4:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3, eps=1e-7, fused=True)
        self.loss = torch.nn.CrossEntropyLoss()

    def epoch(self) -> None:
        """One pass of training in a new order, with the mean loss."""
        self.model.train()
        order, total = self.torch.randperm(self.n), 0.0
        for i in range(0, self.n, self.batch):
            chosen = order[i : i + self.batch]
            loss = self.loss(self.model(self.x[chosen]), self.y[chosen])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach())

    def predict(self) -> None:
        """All rows."""
        self.model.eval()
        with self.torch.inference_mode():
            for i in range(0, self.n, self.batch):
                self.model(self.x[i : i + self.batch]).softmax(-1)

    def one(self) -> None:
        """A single row."""
        self.model.eval()
        with self.torch.inference_mode():
            self.model(self.x[:1]).softmax(-1)


class Keras:
    """Keras on the backend that KERAS_BACKEND names."""

    def __init__(self, name: str, threads: int):
        if os.environ["KERAS_BACKEND"] == "tensorflow":
            import tensorflow

            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        import keras

        keras.utils.set_random_seed(0)
        self.x, self.y = rows(name)
        self.batch = SHAPES[name][3]
        self.model = keras_model(name)
        self.model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def epoch(self) -> None:
        """One pass of training."""
        self.model.fit(self.x, self.y, batch_size=self.batch, epochs=1, verbose=0)

    def predict(self) -> None:
        """All rows."""
        self.model.predict(self.x, batch_size=self.batch, verbose=0)

    def one(self) -> None:
        """A single row, by the model's own call, which is Keras's advice for small inputs."""
        np.asarray(self.model(self.x[:1], training=False))


def keras_model(name: str) -> Any:
    """The model in Keras's own words."""
    import keras
    from keras import layers

    def sequential(*parts: Any) -> Any:
        shape, ids, *_ = SHAPES[name]
        return keras.Sequential([keras.Input(shape, dtype="int32" if ids else "float32"), *parts])

    def normalised(x: Any, activate: bool = True) -> Any:
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x) if activate else x

    def resnet() -> Any:
        start = keras.Input((32, 32, 3))
        x = normalised(layers.Conv2D(16, 3, padding="same", use_bias=False)(start))
        for stage, filters in enumerate((16, 32, 64)):
            for block in range(3):
                stride = 2 if stage and not block else 1
                y = normalised(layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x))
                y = normalised(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y), activate=False)
                if stride == 2:
                    x = layers.Conv2D(filters, 1, strides=2, use_bias=False)(x)
                x = layers.ReLU()(layers.Add()([x, y]))
        return keras.Model(start, layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(x)))

    def transformer() -> Any:
        start = keras.Input((128,), dtype="int32")
        x = layers.Embedding(10000, 64)(start)
        for _ in range(2):
            x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(4, 16)(x, x)]))
            x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(64)(layers.Dense(256, "gelu")(x))]))
        return keras.Model(start, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(x)))

    def units(make: Any, sizes: Any) -> list[Any]:
        return [part for size in sizes for part in (make(size), layers.BatchNormalization(), layers.ReLU())]

    made = {
        "mlp": lambda: sequential(layers.Dense(512, "relu"), layers.Dense(512, "relu"), layers.Dense(10, "softmax")),
        "tabular": lambda: sequential(layers.Dense(64, "relu"), layers.Dense(32, "relu"), layers.Dense(3, "softmax")),
        "cnn": lambda: sequential(
            layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
            layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, "softmax"),
        ),
        "lstm": lambda: sequential(layers.Embedding(20000, 128), layers.LSTM(128), layers.Dense(2, "softmax")),
        "gru": lambda: sequential(layers.GRU(64, return_sequences=True), layers.GRU(64), layers.Dense(5, "softmax")),
        "fcn1d": lambda: sequential(
            *units(lambda n: layers.Conv1D(n, 3, padding="same"), (64, 64, 64)), layers.GlobalAveragePooling1D(), layers.Dense(2, "softmax")
        ),
        "resnet20": resnet,
        "transformer": transformer,
        "sepconv": lambda: sequential(
            layers.Conv2D(32, 3, strides=2, padding="same"), layers.BatchNormalization(), layers.ReLU(),
            *units(lambda n: layers.SeparableConv2D(n, 3, padding="same"), (64, 128, 128)), layers.GlobalAveragePooling2D(),
            layers.Dense(10, "softmax"),
        ),
        "conv3d": lambda: sequential(
            layers.Conv3D(16, 3, activation="relu"), layers.MaxPooling3D(2), layers.Conv3D(32, 3, activation="relu"),
            layers.GlobalAveragePooling3D(), layers.Dense(10, "softmax"),
        ),
    }  # fmt: skip
    return made[name]()


SYSTEMS: dict[str, Any] = {"layerctl": Layerctl, "torch": Torch, "keras-jax": Keras, "keras-tf": Keras, "onnxruntime": Onnxruntime}
