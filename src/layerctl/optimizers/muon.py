"""Muon (Jordan et al. 2024): momentum made orthogonal."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from layerctl.ops.elementwise import apply
from layerctl.ops.matmul import matmul
from layerctl.ops.transpose import swap_axes
from layerctl.ops.value import Value, Weight
from layerctl.optimizers.base import Decay, Momentum, Optimizer, norm


class Muon(Optimizer):
    """Steps of matrices by their momentum made orthogonal, by `ns_steps` of Newton and Schulz's iteration; Adam for all else."""

    per_weight: ClassVar[bool] = True

    adam_beta_1: float = Field(0.9, ge=0, lt=1, description="Adam's: how slowly the mean follows.")
    adam_beta_2: float = Field(0.999, ge=0, lt=1, description="Adam's: how slowly the mean of squares follows.")
    adam_weight_decay: Decay | None = Field(0.004, description="The weight decay of what Adam steps.")
    epsilon: PositiveFloat = Field(1e-7, description="Adam's: added to the root.")
    weight_decay: Decay | None = Field(0.004, description="What share of a matrix is taken off at each step, times the learning rate.")
    exclude_layers: list[str] | None = Field(None, description="Regular expressions of weights that Adam steps.")
    exclude_embeddings: bool = Field(True, description="Whether Adam steps embeddings.")
    muon_a: float = Field(3.4445, description="The iteration's factor of x.")
    muon_b: float = Field(-4.775, description="The iteration's factor of x x' x.")
    muon_c: float = Field(2.0315, description="The iteration's factor of (x x')^2 x.")
    adam_lr_ratio: PositiveFloat = Field(1.0, description="Adam's rate, as a share of the rate.")
    momentum: Momentum = Field(0.95, description="The share of the momentum that stays.")
    ns_steps: PositiveInt = Field(5, description="Iterations.")
    nesterov: bool = Field(True, description="Look ahead by the momentum.")
    rms_rate: PositiveFloat | None = Field(0.2, description="The root mean square of a step, as a share of the rate; as it comes if null.")

    def by_adam(self, weight: Weight) -> bool:
        """Whether Adam steps a weight."""
        if len(weight.shape) != 2 or (self.exclude_embeddings and "embedding" in weight.path.lower()):
            return True
        return any(re.search(pattern, weight.path) for pattern in self.exclude_layers or ())

    def slot_shapes(self, weight: Weight) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("momentum", "velocity") if self.by_adam(weight) else ("momentum",), weight.shape)

    def step_of(
        self, weight: Weight, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value
    ) -> tuple[Value, dict[str, Value]]:  # fmt: skip
        adam = self.by_adam(weight)
        decay = self.adam_weight_decay if adam else self.weight_decay
        if decay and self.decays(weight.path):
            w = w - w * (rate * decay)
        return self._adam(w, g, slots, rate * self.adam_lr_ratio, t) if adam else self._orthogonal(w, g, slots, rate)

    def _adam(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        alpha = rate * apply("sqrt", 1.0 - apply("pow", self.adam_beta_2, t)) / (1.0 - apply("pow", self.adam_beta_1, t))
        m = slots["momentum"] + (g - slots["momentum"]) * (1.0 - self.adam_beta_1)
        v = slots["velocity"] + (g * g - slots["velocity"]) * (1.0 - self.adam_beta_2)
        return w - m * alpha / (apply("sqrt", v) + self.epsilon), {"momentum": m, "velocity": v}

    def _orthogonal(self, w: Value, g: Value, slots: dict[str, Value], rate: Value) -> tuple[Value, dict[str, Value]]:
        m = slots["momentum"] * self.momentum + g
        x = self._iterated(g + m * self.momentum if self.nesterov else m)
        size = 1.0 if self.rms_rate is None else max(w.shape) ** 0.5 * self.rms_rate
        return w - x * rate * size, {"momentum": m}

    def _iterated(self, x: Value) -> Value:
        tall = int(x.shape[0]) > int(x.shape[1])
        x = swap_axes(x, 0, 1) if tall else x
        x = x / (norm([x]) + 1e-7)
        for _ in range(self.ns_steps):
            square = matmul(x, x, transpose_b=True)
            x = x * self.muon_a + matmul(square * self.muon_b + matmul(square, square) * self.muon_c, x)
        return swap_axes(x, 0, 1) if tall else x
