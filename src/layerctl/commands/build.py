"""`layerctl build`: checks a file, infers every shape, says what the model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from layerctl.diagnostics import Diagnostic
from layerctl.training.summary import Description


@dataclass(frozen=True)
class BuildResult:
    """The table, or the text of `--show`."""

    description: Description
    text: str | None = None
    warnings: list[Diagnostic] = field(default_factory=list)


def build(
    source: str, *, show: str | None = None, batch: int | None = None, overrides: Sequence[str] = (), seed: int | None = None
) -> BuildResult:  # fmt: skip
    """Builds a model without training it.

    Raises:
        LayerctlError: with everything that is wrong.
    """
    from layerctl.api import Model

    model = Model.from_yaml(source, overrides=overrides, seed=seed)
    return BuildResult(model.describe(batch), model.show(show) if show else None, model.warnings)
