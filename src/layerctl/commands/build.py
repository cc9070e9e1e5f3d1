"""`layerctl build`: checks a file, infers every shape, says what the model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from layerctl.diagnostics import Diagnostic
from layerctl.training.summary import Description

if TYPE_CHECKING:
    from layerctl.commands.fitted import Fitted
    from layerctl.training.profile import Profile


@dataclass(frozen=True)
class BuildResult:
    """The table, the text of `--show` or what was fitted, or what instructions cost."""

    description: Description
    text: str | None = None
    profile: Profile | None = None
    warnings: list[Diagnostic] = field(default_factory=list)
    fitted: list[Fitted] | None = None


def build(
    source: str, *, show: str | None = None, batch: int | None = None, overrides: Sequence[str] = (), seed: int | None = None,
    profile: str | None = None, threads: int | None = None,
) -> BuildResult:  # fmt: skip
    """Builds a model without training it; `profile` (train or predict) measures a step of it on made-up rows. Of a run's folder or a model file it is
    the trained model, with what was fitted then.

    Raises:
        LayerctlError: with everything that is wrong.
    """
    from layerctl.api import Model, of_file
    from layerctl.commands.unused import refuse_unused
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import find_model, is_model
    from layerctl.training.room import lacking

    if show is not None:
        refuse_unused({"--profile" if profile == "train" else "--predicting": profile is not None}, f"--show {show} prints a stage, and measures nothing")
        refuse_unused({"--batch": batch is not None and show in ("graph", "features")}, f"--show {show} is the same for any number of rows")
    if is_model(source):
        refuse_unused({"--set": bool(overrides), "--seed": seed is not None}, "a trained model is as it was trained",
                      dict.fromkeys(("--set", "--seed"), "build the YAML that it was trained from"))  # fmt: skip
        file = find_model(source)
        model = of_file(file, read_model(file), threads)
    else:
        model = Model.from_yaml(source, overrides=overrides, seed=seed, threads=threads)
        if model.spec.data is not None:
            from layerctl.training.beforehand import check_training

            check_training(model)
    measured = None
    if profile is not None:
        from layerctl.training.profile import profile as measure

        with model:
            measured = measure(model, None, batch, predicting=profile == "predict")
    if show == "features":
        from layerctl.commands.fitted import fitted

        return BuildResult(model.describe(batch), None, measured, model.warnings, fitted(model))
    described = model.describe(batch)
    doing, needed = ("prediction", described.memory_inference) if described.memory_training is None else ("training", described.memory_training)
    doubt = lacking(model.task(), needed, doing, "warning")
    return BuildResult(described, model.show(show, batch) if show else None, measured, [*model.warnings, *([doubt] if doubt else [])])
