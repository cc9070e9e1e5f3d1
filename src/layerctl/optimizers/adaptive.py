"""Rates that follow the gradients' squares: Adagrad, Adadelta, Adafactor, Ftrl."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat

from layerctl.ops.elementwise import apply
from layerctl.ops.reduce import mean
from layerctl.ops.reshape import expand_dims
from layerctl.ops.value import Value, Weight
from layerctl.optimizers.base import Optimizer, Share


class Adagrad(Optimizer):
    """Steps by the gradient over the root of the sum of its squares so far. Duchi et al. 2011."""

    slots: ClassVar[tuple[str, ...]] = ("accumulator",)

    initial_accumulator_value: NonNegativeFloat = Field(0.1, description="What the sum starts at.")
    epsilon: PositiveFloat = Field(1e-7, description="Added to the sum.")

    def slot_start(self, slot: str) -> float:
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        total = slots["accumulator"] + g * g
        return w - g * rate / apply("sqrt", total + self.epsilon), {"accumulator": total}


class Adadelta(Optimizer):
    """Steps by the gradient times the root of the running mean of squared steps over that of squared gradients. Zeiler 2012."""

    slots: ClassVar[tuple[str, ...]] = ("gradients", "changes")

    rho: Share = Field(0.95, description="How slowly the means follow.")
    epsilon: PositiveFloat = Field(1e-7, description="Added to the means.")

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        squares = slots["gradients"] * self.rho + g * g * (1.0 - self.rho)
        change = -(apply("sqrt", slots["changes"] + self.epsilon) * g / apply("sqrt", squares + self.epsilon))
        changes = slots["changes"] * self.rho + change * change * (1.0 - self.rho)
        return w + change * rate, {"gradients": squares, "changes": changes}


class Adafactor(Optimizer):
    """Adam with the means of squares of matrices kept as a row and a column. Shazeer and Stern 2018."""

    per_weight: ClassVar[bool] = True

    beta_2_decay: float = Field(-0.8, le=0, description="The exponent by which the means' rate falls.")
    epsilon_1: float = Field(1e-30, ge=0, description="Added to squared gradients.")
    epsilon_2: float = Field(1e-3, ge=0, description="The least size of a weight that steps are relative to.")
    clip_threshold: PositiveFloat = Field(1.0, description="The largest root mean square of a step.")
    relative_step: bool = Field(True, description="Whether the rate is at most 1 / sqrt(step).")

    def slot_shapes(self, weight: Weight) -> dict[str, tuple[int, ...]]:
        shape = weight.shape
        return {"row": shape[:-1], "column": (*shape[:-2], shape[-1])} if len(shape) >= 2 else {"velocity": shape}

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        slowest = apply("rsqrt", t)
        rate = apply("min", rate, slowest)
        size = apply("max", apply("sqrt", mean(w * w)), self.epsilon_2)
        squares = g * g + self.epsilon_1
        keep = 1.0 - apply("pow", t, self.beta_2_decay)
        if "row" in slots:
            row = slots["row"] * keep + mean(squares, -1) * (1.0 - keep)
            column = slots["column"] * keep + mean(squares, -2) * (1.0 - keep)
            v = expand_dims(row / mean(row, -1, keepdims=True), -1) * expand_dims(column, -2)
            out = {"row": row, "column": column}
        else:
            v = slots["velocity"] * keep + squares * (1.0 - keep)
            out = {"velocity": v}
        change = g * apply("rsqrt", v)
        large = apply("sqrt", mean(change * change)) / self.clip_threshold
        return w - change / apply("max", large, 1.0) * (size * rate), out


class Ftrl(Optimizer):
    """Follow the regularised leader, for sparse weights. McMahan et al. 2013."""

    slots: ClassVar[tuple[str, ...]] = ("accumulator", "linear")

    learning_rate_power: float = Field(-0.5, le=0, description="The power of the sum of squares by which the rate falls.")
    initial_accumulator_value: NonNegativeFloat = Field(0.1, description="What the sum of squares starts at.")
    l1_regularization_strength: NonNegativeFloat = Field(0.0, description="The penalty on absolute values.")
    l2_regularization_strength: NonNegativeFloat = Field(0.0, description="The penalty on squares.")
    l2_shrinkage_regularization_strength: NonNegativeFloat = Field(0.0, description="A penalty on squares that steps alone see.")
    beta: NonNegativeFloat = Field(0.0, description="A penalty on squares, divided by the rate.")

    def slot_start(self, slot: str) -> float:
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        power, l1 = -self.learning_rate_power, self.l1_regularization_strength
        l2 = self.beta / (rate * 2.0) + self.l2_regularization_strength
        total = slots["accumulator"] + g * g
        before, after = (apply("pow", v, power) for v in (slots["accumulator"], total))
        pull = g + w * (2.0 * self.l2_shrinkage_regularization_strength)
        linear = slots["linear"] + pull - (after - before) / rate * w
        clipped = apply("max", apply("min", linear, l1), -l1)
        return (clipped - linear) / (after / rate + l2 * 2.0), {"accumulator": total, "linear": linear}
