"""Adam (Kingma and Ba 2014) and what was made of it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveFloat

from layerctl.ops.elementwise import apply
from layerctl.ops.value import Value, Weight
from layerctl.optimizers.base import Decay, Optimizer, ScheduleField


class _Moments(Optimizer):
    slots: ClassVar[tuple[str, ...]] = ("momentum", "velocity")

    beta_1: float = Field(0.9, ge=0, lt=1, description="How slowly the mean follows.")
    beta_2: float = Field(0.999, ge=0, lt=1, description="How slowly the mean of squares follows.")
    epsilon: PositiveFloat = Field(1e-7, description="Added to the root.")

    def moments(self, g: Value, slots: dict[str, Value]) -> tuple[Value, Value]:
        """The running means of the gradient and of its square."""
        m = slots["momentum"] + (g - slots["momentum"]) * (1.0 - self.beta_1)
        return m, slots["velocity"] + (g * g - slots["velocity"]) * (1.0 - self.beta_2)


class Adam(_Moments):
    """Steps by the running mean of gradients over the root of the running mean of their squares, both corrected for their start at 0."""

    amsgrad: bool = Field(False, description="Use the largest mean of squares so far (Reddi et al. 2018).")

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        alpha = rate * apply("sqrt", 1.0 - apply("pow", self.beta_2, t)) / (1.0 - apply("pow", self.beta_1, t))
        m, v = self.moments(g, slots)
        out = {"momentum": m, "velocity": v}
        if self.amsgrad:
            v = out["velocity_hat"] = apply("max", slots["velocity_hat"], v)
        return w - m * alpha / (apply("sqrt", v) + self.epsilon), out

    def slot_names(self) -> tuple[str, ...]:
        return (*self.slots, "velocity_hat") if self.amsgrad else self.slots


class AdamW(Adam):
    """Adam with weight decay: at each step `w = w - rate * weight_decay * w` before it. Loshchilov and Hutter 2017."""

    aliases: ClassVar[tuple[str, ...]] = ("adamw",)

    weight_decay: Decay = Field(0.004, description="What share of a weight is taken off at each step, times the learning rate.")


class Adamax(_Moments):
    """Adam with the largest gradient, which fades, in place of the root of the mean of squares. Kingma and Ba 2014, section 7."""

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        m = slots["momentum"] + (g - slots["momentum"]) * (1.0 - self.beta_1)
        u = apply("max", slots["norm"] * self.beta_2, abs(g))
        return w - m * rate / ((1.0 - apply("pow", self.beta_1, t)) * (u + self.epsilon)), {"momentum": m, "norm": u}

    slots: ClassVar[tuple[str, ...]] = ("momentum", "norm")


class Nadam(_Moments):
    """Adam with Nesterov's look ahead. Dozat 2016."""

    slots: ClassVar[tuple[str, ...]] = ("momentum", "velocity", "product")

    def slot_shapes(self, weight: Weight) -> dict[str, tuple[int, ...]]:
        return {"momentum": weight.shape, "velocity": weight.shape, "product": ()}

    def slot_start(self, slot: str) -> float:
        return 1.0 if slot == "product" else 0.0

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        now, then = ((1.0 - apply("pow", 0.96, s) * 0.5) * self.beta_1 for s in (t, t + 1.0))
        product = slots["product"] * now
        m, v = self.moments(g, slots)
        ahead = then * m / (1.0 - product * then) + (1.0 - now) * g / (1.0 - product)
        spread = apply("sqrt", v / (1.0 - apply("pow", self.beta_2, t)))
        return w - ahead * rate / (spread + self.epsilon), {"momentum": m, "velocity": v, "product": product}


class ScheduleFreeAdamW(_Moments):
    """Adam without a schedule: gradients are taken between the running mean of the iterates and the last one. Defazio et al. 2024."""

    learning_rate: ScheduleField = Field(0.0025, description="The step size, or a schedule of it.", validate_default=True)
    epsilon: PositiveFloat = Field(1e-8, description="Added to the root.")
    warmup_steps: NonNegativeInt = Field(0, description="Steps in which the rate grows to its size.")

    def step_of(
        self, weight: Weight, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value
    ) -> tuple[Value, dict[str, Value]]:  # fmt: skip
        slots = {**slots, "momentum": apply("where", apply("eq", t, 1.0), w, slots["momentum"])}
        return super().step_of(weight, w, g, slots, rate, t)

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        if self.warmup_steps:
            rate = rate * apply("min", t / float(self.warmup_steps), 1.0)
        v = slots["velocity"] + (g * g - slots["velocity"]) * (1.0 - self.beta_2)
        spread = apply("sqrt", v / (1.0 - apply("pow", self.beta_2, t))) + self.epsilon
        z = slots["momentum"] - g * rate / spread
        mean = (w - slots["momentum"] * (1.0 - self.beta_1)) / self.beta_1
        mean = mean * (1.0 - 1.0 / t) + z * (1.0 / t)
        return z * (1.0 - self.beta_1) + mean * self.beta_1, {"momentum": z, "velocity": v}


class Lamb(_Moments):
    """Adam whose step has, for each weight tensor, the tensor's own size. You et al. 2019."""

    per_weight: ClassVar[bool] = True

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        from layerctl.optimizers.base import norm

        m, v = self.moments(g, slots)
        spread = apply("sqrt", v / (1.0 - apply("pow", self.beta_2, t)))
        change = m / (1.0 - apply("pow", self.beta_1, t)) / (spread + self.epsilon)
        own, size = norm([w]), norm([change])
        both = apply("and", own > 0.0, size > 0.0)
        ratio = apply("where", both, own / apply("where", size > 0.0, size, 1.0), 1.0)
        return w - change * (ratio * rate), {"momentum": m, "velocity": v}
