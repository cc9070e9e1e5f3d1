"""What training would refuse before its first step, as far as it is known when the model is built: `build` says it, and nothing is trained for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layerctl.callbacks.base import Callback
from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, Span, fail
from layerctl.graph.outputs import unmeasured
from layerctl.spec.data import DataSpec, FilesSpec
from layerctl.training.starting import matched
from layerctl.training.using import check_classes, match_targets, missing_target, prepared

if TYPE_CHECKING:
    from layerctl.api import Model


@dataclass(frozen=True)
class Outlook:
    """What callbacks ask of a training that has not begun; `held` says whether there will be rows of validation."""

    metrics: Iterable[str]
    optimizer: Any
    held: bool

    def measured(self) -> list[str]:
        """The names that logs will have."""
        names = ["loss", *self.metrics]
        return [*names, "learning_rate", *(f"val_{n}" for n in names if self.held)]

    def scheduled(self) -> bool:
        """Whether the optimizer's rate follows a schedule of its own."""
        return not isinstance(self.optimizer.learning_rate, float)

    def has_averages(self) -> bool:
        """Whether the optimizer keeps running means of the weights."""
        return bool(self.optimizer.use_ema)


def check_training(model: Model) -> None:
    """Whether the file can be trained as it says, where it has data to be trained on and says how.

    Raises:
        LayerctlError: with all that training would refuse.
    """
    spec, root = model.spec, model.spec.document
    if spec.data is None or model.schema is None or (spec.compile is None and root.span_at(("fit",)) is None):
        return
    if root.span_at(("fit",)) is not None:
        check_trainable(model)
    if model.optimizer is None or not any(o.loss for o in model.outputs.values()):
        return
    problems = Problems()
    problems.found += _of_callbacks(model, spec.data)
    for check in (_targets, check_classes, _weights):
        try:
            check(model)
        except LayerctlError as error:
            problems.found += error.diagnostics
    problems.check()


def check_trainable(model: Model) -> None:
    """Whether the file says how to train.

    Raises:
        LayerctlError: if it has no loss.
    """
    if model.optimizer is None or not any(o.loss for o in model.outputs.values()):
        root = model.spec.document.root.span
        fail("missing-section", "the file does not say how to train: it has no loss", model.spec.span(("compile",)) or root,
             hint="add `compile: {optimizer: adam, loss: mean_squared_error}`")  # fmt: skip


def held_back(data: DataSpec) -> bool:
    """Whether a data section keeps rows for validation; a column of parts may."""
    own = isinstance(data.source, FilesSpec) and data.source.validation is not None
    return own or data.split.validation > 0 or data.split.by == "column"


def _of_callbacks(model: Model, data: DataSpec) -> list[Diagnostic]:
    metrics, span = list(model.task().metrics()), model.spec.span(("fit", "callbacks"))
    outlook = Outlook(metrics, model.optimizer, held_back(data))
    return [d for c in model.spec.fit.callbacks if (d := unfit(c, outlook, metrics, outlook.held, span)) is not None]


def unfit(callback: Callback, trainer: Any, metrics: list[str], held: bool, span: Span | None) -> Diagnostic | None:
    """Why a callback cannot work with a training, or None; `held` says whether there are rows of validation."""
    missing = unmeasured(callback, metrics, span, held)
    objection = callback.objection(trainer) if missing is None else None
    if objection is None:
        return missing
    kind, place = type(callback).__name__, callback.place(*re.findall(r"'(\w+)'", objection)) or span
    return Diagnostic("bad-callback", f"{kind}: {objection}", place, (), f"`layerctl layers {kind}` says what it takes")


def _weights(model: Model) -> None:
    """The file of weights to start from is there, and has them."""
    given = model.spec.fit.weights
    if given is not None:
        matched(model.graph.weights(), model.folder / given.file, by_name=given.by_name, partial=given.partial, span=model.spec.span(("fit", "weights")))


def _targets(model: Model) -> None:
    """Targets for the losses. Only of numbers that are to be classes or truths the rows themselves must be looked at."""
    assert model.schema is not None
    targets = match_targets(model.graph, model.schema.targets, model.spec.data_span("target"))
    for name, judged in model.outputs.items():
        if judged.loss is not None and name not in targets:
            raise LayerctlError(missing_target(model, name, targets))
        if judged.losses and targets[name].kind in ("number", "numbers") and any(p.loss.classes or _of_truths(p.loss) for p in judged.losses):
            prepared(model, model.data.train, training=True)
            return


def _of_truths(loss: Any) -> bool:
    return type(loss).__name__.startswith("Binary")
