"""The steps of a model from Python: made from YAML, trained, evaluated, predicted with, saved, loaded. The commands call this."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl import __version__
from layerctl.compile.step import Task
from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, Source, Span, fail, placed
from layerctl.graph.build import build_model
from layerctl.graph.doubts import doubts
from layerctl.graph.judging import judging, target_hints
from layerctl.graph.mistakes import mistakes, with_mistakes
from layerctl.graph.model import Port
from layerctl.graph.outputs import (
    check_embedded,
    check_ids,
    check_metrics,
    check_names,
    check_targets,
    check_whole,
    unmeasured,
)
from layerctl.ops.value import DTYPES
from layerctl.source.document import Document
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.opening import opened
from layerctl.source.read import loads
from layerctl.spec.features import FeatureSchema
from layerctl.spec.file import Spec, read_spec
from layerctl.spec.variables import at_variables
from layerctl.training.shapes import trace_shapes
from layerctl.training.summary import Description

if TYPE_CHECKING:
    from layerctl.modelfile.artifact import ModelFile
    from layerctl.training.bases import Bases
    from layerctl.training.starting import Loaded


QUICK_ROWS = 64
"""Rows up to which arrays are predicted by a program that is kept for their number."""


class Model:
    """A model as a file describes it, with its weights once it was trained or loaded."""

    def __init__(self, spec: Spec, schema: FeatureSchema | None, threads: int | None = None, bases: Bases | None = None):
        self.spec, self.schema, self.threads = spec, schema, threads
        self.warnings: list[Diagnostic] = list(spec.warnings)
        inputs = {n: Port(p.shape, p.dtype) for n, p in schema.inputs().items()} if schema is not None else {}
        try:
            self.graph = build_model(spec, inputs, schema.variables() if schema is not None else {}, self.warnings)
            types = trace_shapes(self.graph, spec.fit.batch_size)
            amiss = Problems()
            check_embedded(self.graph, amiss)
            amiss.check()
        except LayerctlError as error:
            raise with_mistakes(spec, error, model=False) from error
        if bases is not None:
            problems = Problems()
            bases.start(self.graph.weights(), problems)
            problems.check()
        shapes = {n: types[n].shape for n in self.graph.outputs}
        self.optimizer, self.outputs = judging(
            spec, self.graph, shapes, schema.variables() if schema is not None else {}, self.warnings
        )
        self.warnings += doubts(self.graph, self.outputs)
        self.output_shapes = shapes
        self.scores: dict[str, float] = {}
        self.thresholds: dict[str, float | dict[str, float]] = {}
        self.folder = folder_of(spec.document)
        self._session: Any = None
        self._data: Any = None
        self._loaded: dict[str, np.ndarray] | None = None
        self._place: Span | None = None
        self.gathered: dict[str, np.ndarray] = {}
        """What an optimizer has gathered before, for the next training to go on with."""
        self.started = False
        """Whether the weights that `fit` names have been taken."""

    @classmethod
    def from_yaml(
        cls, source: str | os.PathLike[str], *, overrides: Sequence[str] = (), seed: int | None = None, threads: int | None = None,
        widths: str = "cache",
    ) -> Model:  # fmt: skip
        """A model from a file (or "-", or YAML text); nothing is trained yet.

        Raises:
            LayerctlError: with everything that is wrong in the file.
        """
        return cls.of_document(opened(source, overrides, seed=seed), threads, widths)

    @classmethod
    def of_document(cls, document: Document, threads: int | None = None, widths: str = "cache", rows: Any = None) -> Model:
        """A model from a file that was read. `widths` says whether what features measure comes from the `cache` or the data are `read`;
        `rows` are the data section's rows where the caller has them already.

        Raises:
            LayerctlError: with everything that is wrong in the file.
        """
        from layerctl.training.bases import opened as with_bases

        bases = with_bases(document, folder_of(document), load)
        with at_variables(bases.document):
            return cls._of_bases(document, bases, threads, widths, rows)

    @classmethod
    def _of_bases(cls, document: Document, bases: Bases, threads: int | None, widths: str, rows: Any) -> Model:
        spec = read_spec(bases.document, mistakes)
        if spec.data is None:
            return cls(spec, None, threads, bases)
        from layerctl.data.dataset import load as load_rows
        from layerctl.data.dataset import schema_of

        data = rows
        try:
            with placed(spec.data_span("source")):
                if widths == "cache" and rows is None:
                    schema = schema_of(spec.data, spec.seed, spec.data_span, folder_of(document), target_hints(spec))
                else:
                    data = data or load_rows(spec.data, spec.seed, spec.data_span, folder_of(document), target_hints(spec))
                    schema = data.schema
        except LayerctlError as error:
            raise with_mistakes(spec, error) from error
        model = cls(spec, schema, threads, bases)._checked()
        model._data = data
        return model

    def _checked(self) -> Model:
        """The model, if its layers go with what the features are.

        Raises:
            LayerctlError: with all that do not.
        """
        if self.schema is not None:
            problems = Problems()
            if any("input_dim" in type(s.layer).model_fields for s in self.graph.steps):
                check_ids(self.graph, self.schema, problems)
            check_whole(self.graph, self.schema, problems)
            check_metrics(self.schema, self.outputs, problems)
            check_names(self.graph, self.schema.targets, self._target_place, problems)
            if not problems.errors:
                check_targets(self.graph, self.schema, self.outputs, self.output_shapes, problems)
            if any(o.losses for o in self.outputs.values()):
                problems.found += filter(None, (unmeasured(c, self.task().metrics()) for c in self.spec.fit.callbacks))
            problems.check()
        return self

    def _target_place(self, output: str) -> Span | None:
        """Where the file names a target."""
        node = self.spec.document.root.get("data") if isinstance(self.spec.document.root, MappingNode) else None
        named = node.get("target") if isinstance(node, MappingNode) else None
        return named.key(output).span if isinstance(named, MappingNode) and output in named else self.spec.data_span("target")

    @property
    def data(self) -> Any:
        """The data section's rows: train, validation and test.

        Raises:
            LayerctlError: if the file has no data section, or for what is wrong in the data.
        """
        if self._data is None:
            if self.spec.data is None:
                fail(
                    "missing-section",
                    "the file has no 'data' section",
                    self.spec.document.root.span,
                    hint="say under `data:` what to train on",
                )
            from layerctl.data.dataset import load

            self._data = load(self.spec.data, self.spec.seed, self.spec.data_span, self.folder, target_hints(self.spec))
        return self._data

    def task(self) -> Task:
        """The model with its losses, metrics and optimizer, without a state."""
        return Task(self.graph, self.outputs, self.optimizer, self.spec.seed)

    def describe(self, batch: int | None = None) -> Description:
        """Layers, shapes, parameters, multiply-accumulates, memory."""
        from layerctl.training.shapes import target_types
        from layerctl.training.summary import describe

        size = batch or self.spec.fit.batch_size
        return describe(self.task(), size, target_types(self.outputs, self.output_shapes, size))

    def show(self, what: str, batch: int | None = None) -> str:
        """The model as `graph`, `ops`, `program` or `memory` of so many rows: a text for reading."""
        from layerctl.training import shapes, summary

        if what == "graph":
            return summary.graph_text(self.graph)
        program = shapes.program_of(self.task(), self.output_shapes, batch or self.spec.fit.batch_size)
        return {"ops": summary.ops_text, "program": lambda p: p.text(), "memory": summary.memory_text}[what](program)

    def session(self, data: Any = None, train: bool = False, report: Any = None, batch: int | None = None) -> Any:
        """The state and programs of the model on this machine."""
        if self._session is None or (train and not self._session.trains):
            from layerctl.runtime.machine import Machine
            from layerctl.training.session import Session

            before = self._session
            machine = before.machine if before is not None else Machine(self.threads)
            self._session = Session(self.graph, self.outputs, self.optimizer, self.spec.seed, machine, report)
            self._session.prepare(data, batch or self.spec.fit.batch_size, train)
            if before is not None:
                self._session.set_weights(before.weights())
            elif self._loaded is not None:
                with placed(self._place):
                    self._session.set_weights(self._loaded)
        return self._session

    def fit(
        self, x: Any = None, y: Any = None, *, run: str | os.PathLike[str] | None = None, resume: bool = False, max_seconds: float | None = None,
        max_steps: int | None = None, observer: Any = None, on_trainer: Callable[[Any], None] | None = None, validation: tuple[Any, ...] | None = None,
        finish: Callable[[Any], Any] | None = None, sample_weight: Any = None,
    ) -> Any:  # fmt: skip
        """Trains as the `fit` section says, on the data section's rows or on arrays.

        `validation` is (x, y) or (x, y, weights); weights, and `sample_weight`, are a number for each row, or for each step of each row.

        `run` is the folder for the model, checkpoints and history; with `resume` training goes on from its newest checkpoint. It ends after
        `max_seconds` or `max_steps` (those before a resume included), with the model saved. `finish` is called with the outcome when the
        model is saved, before observers hear of the end; it gives a `training.training.Finished`.

        Raises:
            LayerctlError: for what the file or the data lack; NumericalError when a loss is not finite.
        """
        from layerctl.training.training import train

        return train(
            self,
            x,
            y,
            validation=validation,
            sample_weight=sample_weight,
            run=run,
            resume=resume,
            max_seconds=max_seconds,
            max_steps=max_steps,
            observer=observer,
            on_trainer=on_trainer,
            finish=finish,
        )

    def evaluate(
        self, data: Any = None, y: Any = None, *, split: str = "test", batch_size: int | None = None, sample_weight: Any = None
    ) -> dict[str, float]:
        """Loss and metrics on a split of the data section (`test`, or the next best where there is none), a file, or arrays.

        `sample_weight` goes with arrays: a number for each row, or for each step of each row.

        Raises:
            LayerctlError: if there is nothing to judge by, or for what is wrong in the data.
        """
        from layerctl.training.using import evaluation_rows

        rows = evaluation_rows(self, data, y, split, sample_weight)
        session = self.session(rows)
        return session.evaluate(rows, batch_size or self.spec.fit.batch_size)

    def predict(self, x: Any, *, batch_size: int | None = None, layers: Sequence[str] = ()) -> Any:
        """The output for arrays (one, or a dict by input); a dict by name for several outputs, or for the `layers` asked for."""
        quick = self._quick(x, batch_size) if not layers else None
        if quick is not None:
            return quick
        from layerctl.training.using import batch_of_predictions, rows_of

        rows = rows_of(self, x)
        out = self.session(rows).predict(rows, batch_size or batch_of_predictions(self), tuple(layers))
        return next(iter(out.values())) if len(out) == 1 and not layers else out

    def _quick(self, x: Any, batch_size: int | None) -> Any:
        """The output for one batch of few rows, or None where the ordinary way has to look at them first."""
        if type(x) is not np.ndarray or self._session is None:
            return None
        answers, key = self._session.answers, (x.shape, x.dtype.char, batch_size)
        if key not in answers:
            answers[key] = self._answering(x, batch_size)
        answer = answers[key]
        return None if answer is None else answer(x)

    def _answering(self, x: np.ndarray, batch_size: int | None) -> Callable[[np.ndarray], Any] | None:
        if len(self.graph.inputs) != 1 or x.ndim == 0 or not 0 < len(x) <= min(QUICK_ROWS, batch_size or QUICK_ROWS):
            return None
        ((name, port),) = self.graph.inputs.items()
        if x.dtype != DTYPES[port.dtype] or port.shape is None or x.shape[1:] != port.shape:
            return None
        return self._session.answering({name: (x.shape, x.dtype)})

    def predict_stream(self, source: Any, **options: Any) -> Iterator[Any]:
        """Predictions for a file or stream, piece by piece and in order: see `predicting.answers.Predictions`."""
        from layerctl.training.using import predict_stream

        return predict_stream(self, source, **options)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the weights by Keras's names, in Keras's order."""
        return self.session().weights()

    def set_weights(self, weights: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> None:
        """Puts weights in, by name or in order."""
        session = self.session()
        if not isinstance(weights, Mapping):
            names = list(session.weights())
            if len(names) != len(weights):
                fail("wrong-weight", f"the model has {len(names)} weights, got {len(weights)}", hint="give one array for each, in the order of `model.weights`")
            weights = dict(zip(names, weights, strict=True))
        session.set_weights(weights)

    def load_weights(self, path: str | os.PathLike[str], *, by_name: bool = True, partial: bool = False) -> Loaded:
        """Takes weights from a .safetensors, .npz, .weights.h5, .h5 or .keras file; says which were found.

        Names are `layer/weight`; in Keras's files a layer's weights are matched by their order in it. With `by_name=False` all weights are
        matched by order; with `partial` those that do not fit stay as they are.

        Raises:
            LayerctlError: for a file that cannot be read, and for all weights that do not fit.
        """
        from layerctl.training.starting import starting_weights

        session = self.session()
        taken, found = starting_weights(self.graph.weights(), path, by_name=by_name, partial=partial)
        session.set_weights({**session.weights(), **taken})
        self.started = True
        return found

    def gradients(self, x: Any, y: Any) -> dict[str, np.ndarray]:
        """The loss's gradient with respect to each trainable weight, for one batch of arrays."""
        from layerctl.training.using import gradients

        return gradients(self, x, y)

    def save(self, path: str | os.PathLike[str], scores: Mapping[str, float] | None = None) -> None:
        """Writes the model file: weights, the resolved YAML, the fitted features."""
        from layerctl.modelfile.artifact import ModelFile, write_model

        warning = write_model(path, ModelFile(
            self.resolved(), self.weights, self.schema.to_dict() if self.schema is not None else {},
            self._data.fingerprint if self._data is not None else "", {k: float(v) for k, v in (scores or {}).items()},
            {"layerctl": __version__, "numpy": np.__version__}, gathered=self.gathered,
        ))  # fmt: skip
        if warning is not None:
            self.warnings.append(warning)

    def resolved(self) -> str:
        """The file's text with overrides applied and its name and seed written down."""
        from layerctl.source.dump import dumps

        plain = dict(self.spec.document.plain())
        head = {"layerctl": plain.pop("layerctl", 1), "name": self.spec.name, "seed": self.spec.seed}
        return dumps({**head, **{k: v for k, v in plain.items() if k not in ("name", "seed")}})

    def close(self) -> None:
        """Ends the threads."""
        if self._session is not None:
            self._session.machine.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):
            self.close()


def folder_of(document: Document) -> Path:
    """The folder that relative paths of a file start from."""
    from layerctl.training.runfolder import RESOLVED, STATUS

    name = document.source.name
    if Path(name).name == RESOLVED and (Path(name).parent / STATUS).is_file():  # a run's copy of its file, whose paths are the file's own
        return origin_of(Path(name))
    return Path(name).parent if not name.startswith("<") and name != "-" else Path()


def load(path: str | os.PathLike[str], *, threads: int | None = None) -> Model:
    """A trained model from a run's folder, a model file, or a YAML file (its newest run).

    Raises:
        LayerctlError: if there is none, or the file is damaged, foreign or hostile.
    """
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import find_model

    file = find_model(path)
    return of_file(file, read_model(file), threads)


def of_file(file: Path, found: ModelFile, threads: int | None = None) -> Model:
    """The model in a model file that was read."""
    spec = read_spec(loads(found.yaml, f"{file} (its YAML)"))
    place = Span(Source(str(file)))
    with placed(place):
        schema = FeatureSchema.from_dict(found.features) if found.features else None
    model = Model(spec, schema, threads)
    model._loaded, model._place, model.gathered = dict(found.tensors), place, dict(found.gathered)
    model.started = True
    model.scores = dict(found.scores)
    model.thresholds = found.thresholds
    model.folder = origin_of(file)
    return model


def origin_of(file: Path) -> Path:
    """The folder that a model's relative paths start from: where its YAML stood, else where the model file stands."""
    from layerctl.training.runfolder import ORIGIN

    try:
        return Path(os.fsdecode((file.parent / ORIGIN).read_bytes()).strip())
    except (OSError, ValueError):
        return file.parent
