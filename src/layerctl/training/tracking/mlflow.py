"""MLflow: parameters, metrics by epoch, artifacts, status. Through its client alone: nothing of this process's own MLflow state is touched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from layerctl import __version__
from layerctl.modelfile.atomic import write
from layerctl.training.events import Ended, Observer, Started

KEPT = "mlflow.json"
"""The run's file that says which run of MLflow it is, for going on with it."""
STATUS = {"done": "FINISHED", "early": "FINISHED", "time": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
MOST_PARAMETERS, LONGEST_VALUE = 400, 500
DEFAULTS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""MLflow's own would tell others of its use, and hold training up for minutes where no server answers; the environment may say otherwise."""
_PIECE = 100
"""Parameters that MLflow takes at once."""


def tracker(run: Started, callback: Any) -> Observer:
    """The observer that a callback of the file asks for.

    Raises:
        Exception: whatever MLflow raises where it cannot be reached.
    """
    return MlflowRun(run, callback.experiment, callback.tracking_uri, callback.run_name, callback.tags, callback.artifacts)


def hook(run: Started) -> Observer | None:
    """The observer of a machine where MLFLOW_TRACKING_URI is set, unless the file asks for MLflow itself.

    Raises:
        ImportError: if MLflow is not installed.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI") or any(c.tracker == "mlflow" for c in run.callbacks):
        return None
    return MlflowRun(run)


class MlflowRun(Observer):
    """One run of MLflow, from its start to its end."""

    def __init__(
        self, run: Started, experiment: str | None = None, uri: str | None = None, name: str | None = None, tags: dict[str, str] | None = None,
        artifacts: bool = True,
    ):  # fmt: skip
        self._client = _client(uri)
        self._artifacts = artifacts
        wanted = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        where = uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
        place = {"place": hashlib.sha256(where.encode()).hexdigest()[:16], "experiment": wanted}  # a URI may have a password in it
        kept = _kept(run.folder, place) if run.first_epoch > 1 else None
        if kept is not None:
            self._id = kept
            self._client.update_run(self._id, status="RUNNING")
            return
        found = self._client.get_experiment_by_name(wanted)
        number = found.experiment_id if found is not None else self._client.create_experiment(wanted)
        own = {"layerctl.version": __version__, "layerctl.data": run.data, **(tags or {})}
        self._id = self._client.create_run(number, tags=own, run_name=name or run.name).info.run_id
        if run.folder is not None:
            write(run.folder / KEPT, [json.dumps({**place, "run_id": self._id}).encode()])
        self._parameters(run)

    def _parameters(self, run: Started) -> None:
        from mlflow.entities import Param

        pairs = {"seed": str(run.seed), "rows": str(run.rows), "parameters": str(run.parameters), **dict(_flat(run.plain))}
        found = [Param(k, v) for k, v in list(pairs.items())[:MOST_PARAMETERS]]
        for i in range(0, len(found), _PIECE):
            self._client.log_batch(self._id, params=found[i : i + _PIECE])

    def _metrics(self, values: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._id, metrics=[Metric(_name(k), float(v), now, step) for k, v in values.items()])

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float], seconds: float) -> None:
        self._metrics({**logs, "epoch_seconds": seconds}, epoch)

    def ended(self, run: Ended) -> None:
        try:
            if run.scores:
                self._metrics({f"{run.split}_{k}" if run.split else f"last_{k}": v for k, v in run.scores.items()}, run.epochs)
            if run.error:
                self._client.set_tag(self._id, "layerctl.error", run.error)
            for path in run.files if self._artifacts else ():
                self._client.log_artifact(self._id, str(path))
        finally:
            self._client.set_terminated(self._id, STATUS[run.reason])


def _client(uri: str | None) -> Any:
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise ImportError(f"mlflow is not installed ({error}): pip install 'layerctl[mlflow]'") from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def _kept(folder: Path | None, place: dict[str, str]) -> str | None:
    """The run of MLflow that this run's folder belongs to, if it is at the same place."""
    if folder is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / KEPT).read_bytes())
        if isinstance(found, dict) and all(found.get(k) == v for k, v in place.items()) and isinstance(found.get("run_id"), str):
            return found["run_id"]
    return None


def _flat(value: Any, path: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """The file's values by their paths."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if entries is None or not value:
        yield _name(".".join(path) or "file"), str(value)[:LONGEST_VALUE]
        return
    for k, v in entries:
        yield from _flat(v, (*path, str(k)))


def _name(text: str) -> str:
    """A name with the characters that MLflow allows in one."""
    return re.sub(r"[^\w\-./ ]", "_", text, flags=re.ASCII)[:250].strip("/. ") or "_"
