"""Callbacks that tell trackers of experiments."""

from __future__ import annotations

import importlib.util
from typing import ClassVar

from pydantic import Field

from layerctl.callbacks.base import Callback, Trainer


class MLflow(Callback):
    """Tells MLflow of the run: the file's values as parameters, metrics by epoch, the test scores, the run's files, how it ended.

    It needs the extra `mlflow`: `pip install 'layerctl[mlflow]'`. With `--resume` the same run of MLflow goes on. A tracking server that
    cannot be reached does not end training: a warning says so. Keras has no such callback.
    """

    tracker: ClassVar[str | None] = "mlflow"

    experiment: str | None = Field(None, min_length=1, description="The experiment's name; MLFLOW_EXPERIMENT_NAME or Default if not given.")
    tracking_uri: str | None = Field(None, min_length=1, description="sqlite:///mlflow.db, http://…; MLFLOW_TRACKING_URI if not given.")
    run_name: str | None = Field(None, min_length=1, description="The run's name; the model's if not given.")
    tags: dict[str, str] = Field({}, description="Tags of the run.")
    artifacts: bool = Field(True, description="Whether the run's files are kept: the model, its file, the history, the report.")

    def objection(self, trainer: Trainer) -> str | None:
        if importlib.util.find_spec("mlflow") is None:
            return "needs mlflow, which is not installed: pip install 'layerctl[mlflow]'"
        return super().objection(trainer)
