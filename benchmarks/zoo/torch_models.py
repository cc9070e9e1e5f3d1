"""The zoo's models as torch.nn.Modules that give logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn import functional


class Last(nn.Module):
    """A recurrent layer's last step, and a dense layer."""

    def __init__(self, recurrent: nn.Module, units: int, classes: int, table: nn.Module | None = None):
        super().__init__()
        self.table, self.recurrent, self.dense = table, recurrent, nn.Linear(units, classes)

    def forward(self, x: Any) -> Any:
        return self.dense(self.recurrent(x if self.table is None else self.table(x))[0][:, -1])


class Mean(nn.Module):
    """The mean over all places."""

    def forward(self, x: Any) -> Any:
        return x.flatten(2).mean(2)


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int, filters: int, stride: int):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters))
        self.second = nn.Sequential(nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters))
        self.shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False) if stride == 2 else nn.Identity()

    def forward(self, x: Any) -> Any:
        return functional.relu(self.shortcut(x) + self.second(functional.relu(self.first(x))))


class Block(nn.Module):
    """A transformer's block."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.first = nn.MultiheadAttention(64, 4, batch_first=True), nn.LayerNorm(64)
        self.dense, self.second = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)), nn.LayerNorm(64)

    def forward(self, x: Any) -> Any:
        x = self.first(x + self.attention(x, x, x, need_weights=False)[0])
        return self.second(x + self.dense(x))


class Transformer(nn.Module):
    """Two blocks on words."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.blocks, self.dense = nn.Embedding(10000, 64), nn.Sequential(Block(), Block()), nn.Linear(64, 2)

    def forward(self, x: Any) -> Any:
        return self.dense(self.blocks(self.table(x)).mean(1))


def separable(channels: int, filters: int) -> list[nn.Module]:
    """A depthwise and a pointwise convolution."""
    return [
        nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False), nn.Conv2d(channels, filters, 1),
        nn.BatchNorm2d(filters), nn.ReLU(),
    ]  # fmt: skip


def resnet() -> nn.Module:
    """ResNet20."""
    parts: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            parts.append(Residual(channels, filters, 2 if stage and not block else 1))
            channels = filters
    return nn.Sequential(*parts, Mean(), nn.Linear(64, 10))


def fcn() -> nn.Module:
    """Three convolutions over time."""
    parts: list[nn.Module] = []
    for channels in (1, 64, 64):
        parts += [nn.Conv1d(channels, 64, 3, padding=1), nn.BatchNorm1d(64), nn.ReLU()]
    return nn.Sequential(*parts, Mean(), nn.Linear(64, 2))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)),
    "tabular": lambda: nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3)),
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(1600, 10),
    ),
    "lstm": lambda: Last(nn.LSTM(128, 128, batch_first=True), 128, 2, nn.Embedding(20000, 128)),
    "gru": lambda: Last(nn.GRU(8, 64, num_layers=2, batch_first=True), 64, 5),
    "fcn1d": fcn,
    "resnet20": resnet,
    "transformer": Transformer,
    "sepconv": lambda: nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(), *separable(32, 64), *separable(64, 128), *separable(128, 128), Mean(),
        nn.Linear(128, 10),
    ),
    "conv3d": lambda: nn.Sequential(
        nn.Conv3d(1, 16, 3), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(16, 32, 3), nn.ReLU(), Mean(), nn.Linear(32, 10)
    ),
}  # fmt: skip


def made(name: str) -> nn.Module:
    """A model by its name."""
    return MODELS[name]()
