"""`layerctl train` with --lr-find, --overfit-one-batch or --dry-run: trials that leave nothing behind but compiled kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerctl.diagnostics import Source, Span, fail

if TYPE_CHECKING:
    from layerctl.training.overfitting import Overfitting
    from layerctl.training.ranging import RangeTest
    from layerctl.training.rehearsal import Rehearsal
    from layerctl.training.trying import Ready, Trial

LEAST_STEPS = 20
"""Fewer steps of a range test show nothing."""


def find_rate(
    source: str, *, steps: int | None = None, overrides: Sequence[str] = (), seed: int | None = None, threads: int | None = None, observer: Any = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> RangeTest:  # fmt: skip
    """The range test of a file's model: its optimizer with a rate that grows in place of its own.

    Raises:
        LayerctlError: for the file and the data; `Interrupted` after a signal.
    """
    from layerctl.training.ranging import LOWEST, STEPS, Finder

    if steps is not None and steps < LEAST_STEPS:
        fail("bad-option", f"--lr-find needs --max-steps of at least {LEAST_STEPS}, got {steps}", Span(Source("--max-steps")),
             hint=f"without --max-steps it takes {STEPS}")  # fmt: skip

    def plain(model: Any) -> None:
        model.optimizer.learning_rate = LOWEST

    start = _ready(source, overrides, seed, threads, observer, plain)
    return _run(Finder(start, steps=steps or STEPS), on_trial).run()


def overfit(
    source: str, *, max_steps: int | None = None, max_seconds: float | None = None, overrides: Sequence[str] = (), seed: int | None = None,
    threads: int | None = None, observer: Any = None, on_trial: Callable[[Trial], None] | None = None,
) -> Overfitting:  # fmt: skip
    """Trains on one batch until its loss is near nothing.

    Raises:
        LayerctlError: for the file and the data; `Interrupted` after a signal.
    """
    from layerctl.training.overfitting import Overfitter

    return _run(Overfitter(_ready(source, overrides, seed, threads, observer), max_steps, max_seconds), on_trial).run()


def rehearse(
    source: str, *, out: str | None = None, resume: bool = False, force: bool = False, max_steps: int | None = None,
    max_seconds: float | None = None, overrides: Sequence[str] = (), seed: int | None = None, threads: int | None = None, observer: Any = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> Rehearsal:  # fmt: skip
    """Everything that a training does before and within its first steps, measured; the folder is looked at and not made.

    Raises:
        LayerctlError: as training does; `Interrupted` after a signal.
    """
    from layerctl.commands.train import check_folder
    from layerctl.training.rehearsal import Rehearser

    def placed(model: Any) -> None:
        check_folder(Path(out) if out else Path("runs") / model.spec.name, resume, force)

    start = _ready(source, overrides, seed, threads, observer, placed)
    return _run(Rehearser(start, max_steps, max_seconds), on_trial).run()


def _ready(
    source: str, overrides: Sequence[str], seed: int | None, threads: int | None, observer: Any, before: Callable[[Any], None] | None = None
) -> Ready:  # fmt: skip
    """The model with its data read, ready for its first step; `before` is called on the model while it has no memory yet."""
    from layerctl.api import Model
    from layerctl.training.beforehand import check_trainable
    from layerctl.training.events import Observer
    from layerctl.training.trying import ready

    model = Model.from_yaml(source, overrides=overrides, seed=seed, threads=threads, widths="read")
    check_trainable(model)
    if before is not None:
        before(model)
    return ready(model, observer or Observer())


def _run(trial: Any, on_trial: Callable[[Trial], None] | None) -> Any:
    if on_trial is not None:
        on_trial(trial)
    return trial
