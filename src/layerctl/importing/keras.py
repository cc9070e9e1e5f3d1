"""From a file saved by Keras to a model file in YAML and, where the file has weights, a trained model beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.diagnostics import Diagnostic, LayerctlError, Problems, Source, Span, fail
from layerctl.importing.archive import Saved, read
from layerctl.importing.compiling import compile_section, counted_as_keras_does
from layerctl.importing.gathered import gathered
from layerctl.importing.graph import Models
from layerctl.importing.objects import Reader
from layerctl.importing.text import document
from layerctl.importing.weights import give_vocabularies, weights_of
from layerctl.modelfile import hdf5
from layerctl.modelfile.atomic import write
from layerctl.source.document import Mapping
from layerctl.source.read import load
from layerctl.temporary import clean_stale
from layerctl.training.adapting import marks


@dataclass(frozen=True)
class Imported:
    """What was written: the YAML, the trained model beside it (None without weights), how many layers and weights, what was left out."""

    yaml: Path
    model: Path | None
    layers: int
    weights: int
    warnings: list[Diagnostic] = field(default_factory=list)


def import_model(path: str | os.PathLike[str], out: str | os.PathLike[str], define: str | os.PathLike[str] | None = None) -> Imported:
    """Reads `path`; writes the YAML `out`, and the trained model under the same name with the ending .safetensors.

    `define` is a YAML file whose `define` section has what classes of the program that saved the file do, under the classes' names.

    Raises:
        LayerctlError: for a file that cannot be read, and for everything in it that cannot be expressed, all of it at once; nothing is
            written then.
    """
    saved = read(path)
    span = Span(Source(saved.path))
    target = Path(out)
    own = definitions_in(define) if define is not None else {}
    sections, warnings = _sections(saved, span, target, own)
    model, sections, more = _built(sections, target, span)
    with model:
        text = document(_head(saved), sections, _notes(model))
        clean_stale(target.parent)
        if saved.weights is None:
            write(target, [text.encode()])
            return Imported(target, None, len(model.graph.layers()), 0, [*warnings, *more])
        problems = Problems()
        weights, copied = weights_of(model.graph, saved, problems, span)
        problems.check()
        learned = {w.path: np.ones(w.shape) for w in marks(model.graph)}  # Keras adapts when it is told to, and never in training
        model.set_weights({**model.weights, **weights, **learned})
        model.gathered, left = gathered(model, saved, span)
        beside = target.with_suffix(".safetensors")
        model.save(beside)
        write(target, [text.encode()])
    return Imported(target, beside, len(model.graph.layers()), len(weights), [*warnings, *more, *copied, *left])


def definitions_in(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The `define` section of a file.

    Raises:
        LayerctlError: for a file that has none.
    """
    document = load(path)
    section = document.root.get("define") if isinstance(document.root, Mapping) else None
    if not isinstance(section, Mapping) or not all(isinstance(e.value, Mapping) for e in section):
        fail("missing-section", "the file has no 'define' section of definitions", document.root.span,
             hint="as in `define: {Patches: {args: {patch_size: 4}, call: …}}`, under the names of the program's classes")  # fmt: skip
    return section.plain()


def _sections(saved: Saved, span: Span, target: Path, own: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], list[Diagnostic]]:
    problems = Problems()
    models = Models(Reader(problems, span), saved.has_masks)
    models.reader.own = own
    models.reader.before_3 = saved.version.startswith(("1.", "2."))
    try:
        give_vocabularies(saved)
        body = models.body(saved.config)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        problems.check()  # what is wrong with a part may be why the whole cannot be read
        fail("file-damaged", f"{os.path.basename(saved.path)!r} has a configuration that is no model's ({str(error)[:120]})", span, hint=hdf5.DAMAGED)
    problems.check()
    assert body is not None
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in target.stem).strip(".")[:100] or "model"
    sections: dict[str, Any] = {"layerctl": 1, "name": name}
    if own or models.define:
        sections["define"] = {**own, **models.define}
    if body.linear:
        port, entry = next(iter(body.inputs.items()))
        first: dict[str, Any] = {"Input": entry}
        sections["model"] = [first if port == "input" else {**first, "name": port}, *body.items]
    else:
        sections["model"] = {"inputs": body.inputs, "layers": body.items, "outputs": body.outputs}
    compiled, warnings = compile_section(saved.compiled, body, span)
    if compiled:
        sections["compile"] = compiled
    if body.batch is not None:
        sections["fit"] = {"batch_size": body.batch}
    return sections, [*models.reader.warnings, *warnings]


def _built(sections: dict[str, Any], target: Path, span: Span) -> tuple[Any, dict[str, Any], list[Diagnostic]]:
    """(the model, its sections, warnings): without the compile section if that is what cannot be built."""
    from layerctl.api import Model
    from layerctl.source.dump import dumps
    from layerctl.source.read import loads

    def build(parts: dict[str, Any]) -> Any:
        return Model.of_document(loads(dumps(parts), f"{target.name} (made of {os.path.basename(span.source.name)})"), None, "cache")

    if "compile" not in sections:
        return build(sections), sections, []
    bare = {k: v for k, v in sections.items() if k != "compile"}
    build(bare)
    try:
        model = build(sections)
        counted = {**sections, "compile": counted_as_keras_does(sections["compile"], _widths(model))}
        return (model if counted == sections else build(counted)), counted, []
    except LayerctlError as error:
        text = "; ".join(d.message for d in error.diagnostics)
        return build(bare), bare, [Diagnostic("not-imported", f"the compile section was left out: {text}", span, severity="warning")]


def _widths(model: Any) -> dict[str, int]:
    """How many numbers each output has in its last dimension."""
    shapes = {n: shape for step in model.graph.steps for n, shape in zip(step.names, step.shapes, strict=False)}
    return {n: int(shapes[n][-1]) if len(shapes.get(n, ())) > 1 else 1 for n in model.graph.outputs}


def _head(saved: Saved) -> list[str]:
    version = f" {saved.version}" if saved.version.replace(".", "").replace("-", "").isalnum() else ""
    return [f"Made of {os.path.basename(saved.path)!r}, saved by Keras{version}. A row of each result has the shape beside its layer."]


def _notes(model: Any) -> list[str]:
    out = []
    for step in model.graph.steps:
        shape = ", ".join("None" if type(d) is not int else str(d) for d in step.shapes[0][1:]) if step.shapes else ""
        count = sum(_size(w.shape) for w in step.layer.weights())
        out.append(f"({shape})" + (f", {count:,} weights" if count else ""))
    return out


def _size(shape: tuple[int, ...]) -> int:
    n = 1
    for d in shape:
        n *= d
    return n
