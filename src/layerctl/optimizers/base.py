"""The base of optimizers: how a weight, its gradient and its slots become the next weight and slots."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from layerctl.configured import Configured, Usual, reference, resolve
from layerctl.ops.elementwise import apply, cast
from layerctl.ops.reduce import reduce
from layerctl.ops.value import Value, Weight
from layerctl.schedules.base import NOT_TOO_FAST

Decay = Annotated[NonNegativeFloat, Usual(le=10, then="weights shrink to nothing", cure="usual are 1e-4 to 0.1")]
Share = Annotated[float, Field(ge=0, le=1), Usual(lt=1, then="nothing that was gathered fades, and nothing new comes to count", cure="usual are 0.9 to 0.999")]
Momentum = Annotated[float, Field(ge=0, le=1), Usual(lt=1, then="steps never fade, and weights run away", cure="usual is 0.9")]
ScheduleField = Annotated[
    reference("schedules", or_number=True),
    Usual(gt=0, then="no weight changes, nothing is learned", cure="write one above 0, such as 0.001"),
    NOT_TOO_FAST,
]


class Optimizer(Configured):
    """Fields are the arguments of Keras's class.

    `slots` names what it remembers of each weight (a tensor of the weight's shape, starting at `slot_start`). `step` is elementwise,
    so that one instruction may run over all weights at once, unless `per_weight` says that it looks at whole weights.
    """

    kind: ClassVar[str] = "optimizers"
    slots: ClassVar[tuple[str, ...]] = ()
    per_weight: ClassVar[bool] = False

    learning_rate: ScheduleField = Field(0.001, description="The step size, or a schedule of it.", validate_default=True)
    weight_decay: Decay | None = Field(None, description="What share of a weight is taken off at each step, times the learning rate.")
    clipnorm: PositiveFloat | None = Field(None, description="The largest norm of one weight's gradient.")
    clipvalue: PositiveFloat | None = Field(None, description="The largest size of one gradient element.")
    global_clipnorm: PositiveFloat | None = Field(None, description="The largest norm of all gradients together.")
    use_ema: bool = Field(False, description="Whether a running mean of the weights is kept, which the trained model has in their place.")
    ema_momentum: Share = Field(0.99, description="How slowly the running mean follows.")
    ema_overwrite_frequency: PositiveInt | None = Field(None, description="Steps between which the weights are set to their mean.")
    loss_scale_factor: PositiveFloat | None = Field(None, description="The loss is multiplied by it, and gradients divided.")
    gradient_accumulation_steps: int | None = Field(None, ge=2, description="Batches whose mean gradient makes one step.")
    learning_rate_multipliers: dict[str, NonNegativeFloat] | None = Field(
        None, description="Factors of the learning rate by weights' names, with * and ?: `{'base/*': 0.1}`; the first that fits counts."
    )
    exclude_from_weight_decay: list[str] | None = Field(None, description="Weights that do not decay, by names with * and ?.")
    name: str | None = Field(None, description="The optimizer's name.")

    @field_validator("learning_rate")
    @classmethod
    def _rate(cls, value: Any) -> Any:
        if isinstance(value, bool) or not (isinstance(value, (int, float)) or hasattr(value, "kind")):
            raise ValueError(f"expected a number or a schedule, got {value!r}")
        if isinstance(value, (int, float)) and not 0 <= value < float("inf"):
            raise ValueError(f"expected a rate of at least 0, got {value!r}")
        return float(value) if isinstance(value, int) else value

    @classmethod
    def first_argument(cls) -> str:
        return "learning_rate"

    def slot_names(self) -> tuple[str, ...]:
        """The slots that this configuration needs."""
        return self.slots

    def slot_shapes(self, weight: Weight) -> dict[str, tuple[int, ...]]:
        """The shapes of a weight's slots by name."""
        return dict.fromkeys(self.slot_names(), weight.shape)

    def multiplier(self, path: str) -> float:
        """The factor of a weight's learning rate."""
        found = (factor for pattern, factor in (self.learning_rate_multipliers or {}).items() if fits(pattern, path))
        return next(found, 1.0)

    def decays(self, path: str) -> bool:
        """Whether a weight decays."""
        return not any(fits(pattern, path) for pattern in self.exclude_from_weight_decay or ())

    def slot_start(self, slot: str) -> float:
        """The number that a slot is filled with before the first step."""
        return 0.0

    def step(self, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value) -> tuple[Value, dict[str, Value]]:
        """(the next weight, the next slots); `t` counts steps from 1 (f32)."""
        raise TypeError(f"{type(self).__name__} has no rule")

    def clip(self, grads: Sequence[Value]) -> list[Value]:
        """The gradients with the norms and values that were asked for."""
        if self.clipnorm is not None:
            return [g * (self.clipnorm / apply("max", norm([g]), self.clipnorm)) for g in grads]
        if self.global_clipnorm is not None:
            scale = self.global_clipnorm / apply("max", norm(grads), self.global_clipnorm)
            return [g * cast(scale, g.dtype) for g in grads]
        if self.clipvalue is not None:
            return [apply("max", apply("min", g, self.clipvalue), -self.clipvalue) for g in grads]
        return list(grads)

    def step_of(
        self, weight: Weight, w: Value, g: Value, slots: dict[str, Value], rate: Value, t: Value
    ) -> tuple[Value, dict[str, Value]]:  # fmt: skip
        """The step of a certain weight, with weight decay before it."""
        if self.weight_decay and self.decays(getattr(weight, "members", [weight])[0].path):
            w = w - w * (rate * self.weight_decay)
        return self.step(w, g, slots, rate, t)


def fits(pattern: str, path: str) -> bool:
    """Whether a weight's path, or the layer's that it is of, is what a pattern with * and ? says."""
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path.rsplit("/", 1)[0], pattern)


def norm(values: Sequence[Value]) -> Value:
    """The Euclidean norm of all elements together, summed in float64."""
    total = None
    for v in values:
        s = reduce("sumsq", v, dtype="f64")
        total = s if total is None else total + s
    return cast(apply("sqrt", total), values[0].dtype)


def optimizer(value: Any) -> Optimizer:
    """An optimizer from its name or configuration."""
    return resolve("optimizers", value)
