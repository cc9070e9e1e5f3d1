"""A model: layers in order, wired by name; itself a layer, so that models nest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pydantic import PrivateAttr

from layerctl.diagnostics import Diagnostic, LayerctlError, Note, Span, placed
from layerctl.layers.base import Layer, MaskError
from layerctl.ops.value import Shape, ShapeError, Type, Value, current, shown
from layerctl.spec.items import Constant

Refs = Any
"""What a step takes: a name, a list of names, or a dict of call arguments to those or to constants."""


@dataclass
class Port:
    """A model's input: its shape without the batch (None for an open dimension; no shape at all for a block's), dtype, place in the file."""

    shape: tuple[int | None, ...] | None
    dtype: str = "f32"
    span: Span | None = None


@dataclass
class Step:
    """One application of a layer: the names of its results, and where its tensors come from."""

    layer: Layer
    names: list[str]
    sources: Refs
    span: Span | None = None
    shapes: list[Shape] = field(default_factory=list)
    print: bool | str = False
    """Whether the result is shown while training goes on; a text is shown with it."""


class Model(Layer):
    """Steps between inputs and outputs.

    `run` computes every named value in the current trace. A model called as a layer gives its output, or a list of them.
    """

    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True

    _inputs: dict[str, Port] = PrivateAttr(default_factory=dict)
    _steps: list[Step] = PrivateAttr(default_factory=list)
    _outputs: list[str] = PrivateAttr(default_factory=list)
    _masks: Any = PrivateAttr(default=None)
    _kind_name: str = PrivateAttr(default="Model")
    _called_with: dict[str, Type] = PrivateAttr(default_factory=dict)
    _open_size: int = PrivateAttr(default=16)

    @classmethod
    def of(cls, name: str, inputs: Mapping[str, Port], steps: Sequence[Step], outputs: Sequence[str]) -> Model:
        """A model made of its parts."""
        model = cls(name=name)
        model._inputs, model._steps, model._outputs = dict(inputs), list(steps), list(outputs)
        return model

    inputs = property(lambda self: self._inputs)
    steps = property(lambda self: self._steps)
    outputs = property(lambda self: self._outputs)
    called_with = property(lambda self: self._called_with)
    open_size = property(lambda self: self._open_size)
    """What open dimensions are traced with where nobody says their sizes."""

    def open_dimensions(self, size: int) -> None:
        """Open dimensions are traced with another size."""
        self._open_size = size

    def layers(self) -> list[Layer]:
        """Each layer once, in order of first use."""
        return list({id(s.layer): s.layer for s in self._steps}.values())

    @property
    def takes_list(self) -> bool:
        """Whether it has several inputs."""
        return len(self._inputs) > 1

    def sublayers(self) -> Sequence[Layer]:
        return self.layers()

    def place(self, path: str) -> None:
        """Layers' paths start at their own names in the outermost model, below this model's name inside another."""
        self._path = path
        for step in self._steps:
            if not step.layer._path:
                name = step.layer.name or step.names[0]
                step.layer.place(f"{path}/{name}" if path else name)

    def run(self, inputs: Mapping[str, Value]) -> dict[str, Value]:
        """Every value of the model by its name.

        Raises:
            LayerctlError: where a layer refuses its input, at the layer's line.
        """
        trace = current()
        outside = trace.around
        values: dict[str, Value] = dict(inputs)
        made_by: dict[str, Span | None] = {n: p.span for n, p in self._inputs.items()}
        for step in self._steps:
            extra: dict[str, Any] = {}
            if isinstance(step.sources, dict):
                named = {k: _pick(values, r) for k, r in step.sources.items()}
                first = next(iter(named))
                tensors = named.pop(first)
                extra = named
            else:
                tensors = _pick(values, step.sources)
            trace.around = f"{outside}{step.names[0]}/"
            try:
                with placed(step.span):
                    result = step.layer(tensors, **extra)
            except ShapeError as error:
                raise LayerctlError(_refusal(step, error, tensors, made_by)) from error
            except LayerctlError as error:
                raise type(error)([_with_use(d, step, tensors) for d in error.diagnostics]) from error
            finally:
                trace.around = outside
            results = list(result) if isinstance(result, (list, tuple)) else [result]
            if len(step.names) != len(results) and len(step.names) != 1:
                text = f"{type(step.layer).__name__} has {len(results)} result{'s' * (len(results) != 1)}, but {len(step.names)} names are given"
                cure = "give one name" if len(results) == 1 else f"give {len(results)} names"
                raise LayerctlError(Diagnostic("wrong-number-of-names", text, step.span, (), cure))
            step.shapes = [v.shape for v in results]
            for name, value in zip(step.names, results, strict=False):
                values[name] = value
                made_by[name] = step.span
                trace.named.setdefault(outside + name, (value, step))
        return values

    def call(self, inputs: Any) -> Any:
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if len(given) != len(self._inputs):
            raise ShapeError(
                f"the model '{self.name}' has {len(self._inputs)} inputs ({', '.join(self._inputs)}), got {len(given)}"
            )
        for (name, port), v in zip(self._inputs.items(), given, strict=True):
            fits = (
                port.shape is None
                or (v.rank == len(port.shape) + 1
                and all(a is None or int(a) == int(b) for a, b in zip(port.shape, v.shape[1:], strict=True)))
            )
            if not fits:
                raise ShapeError(
                    f"the model's input '{name}' has shape {shown((None, *port.shape))}, got {shown(v.shape)}"
                )
        self._called_with = {n: v.type for n, v in zip(self._inputs, given, strict=True)}
        values = self.run(dict(zip(self._inputs, given, strict=True)))
        out = [values[n] for n in self._outputs]
        self._masks = [v.mask for v in out] if len(out) > 1 else out[0].mask
        return out[0] if len(out) == 1 else out

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return self._masks


def _pick(values: Mapping[str, Value], refs: Refs) -> Any:
    if isinstance(refs, Constant):
        return refs.value
    return [values[r] for r in refs] if isinstance(refs, list) else values[refs]


def _refusal(step: Step, error: ShapeError, tensors: Any, made_by: Mapping[str, Span | None]) -> Diagnostic:
    refs = step.sources
    names = [
        n
        for r in (refs.values() if isinstance(refs, dict) else [refs])
        if not isinstance(r, Constant)
        for n in (r if isinstance(r, list) else [r])
    ]
    given = tensors if isinstance(tensors, list) else [tensors]
    notes = [
        Note(
            f"{n} has shape {shown(v.shape)} and comes from here"
            if made_by.get(n)
            else f"the input {n} has shape {shown(v.shape)}",
            made_by.get(n),
        )
        for n, v in zip(names, given, strict=False)
    ]
    kind = type(step.layer).__name__
    text = str(error)
    if len(given) > 1 and not isinstance(refs, dict) and not step.layer.takes_list:
        text = f"{kind} takes one tensor, got {len(given)}: {', '.join(names[:6])}"
        return Diagnostic("shape", text, step.span, tuple(notes), "join them before it: `- Concatenate:` with this `from`, or Add")
    if isinstance(error, MaskError):
        masked = next((n for n, v in zip(names, given, strict=False) if v.mask is not None), names[0])
        return Diagnostic(
            "mask-not-supported", f"{kind} '{step.names[0]}' cannot take the mask that comes with '{masked}'", step.span, tuple(notes),
            "put a layer that uses the mask up before it (an LSTM, GlobalAveragePooling1D), or do not make one (mask_zero, Masking)",
        )  # fmt: skip
    return Diagnostic(
        "shape", text if text.startswith(kind) else f"{kind} '{step.names[0]}': {text}", step.span, tuple(notes), _shape_cure(text, given)
    )


_ARGUMENT = re.compile(r"""["']?\$\{(\w+)\}["']?""")


def at_its_argument(d: Diagnostic, places: Mapping[str, Span]) -> Diagnostic:
    """A mistake of a value that a definition has from an argument is one of who gave it."""
    line = d.span.source.line(d.span.line) if d.span is not None and d.span.line else None
    if d.span is None or line is None or d.span.line != d.span.end_line:
        return d
    whole = _ARGUMENT.fullmatch(line[d.span.column - 1 : d.span.end_column - 1])
    if whole is None or whole[1] not in places:
        return d
    return replace(d, span=places[whole[1]], notes=(*d.notes, Note(f"'{whole[1]}' stands here", d.span)))


def _with_use(found: Diagnostic, step: Step, given: Any) -> Diagnostic:
    """A mistake that stands in a definition says which use of it was its occasion, and what the layer is given there."""
    if found.span is None or step.span is None or not hasattr(step.layer, "input_names") or found.notes:
        return found
    there = at_its_argument(found, getattr(step.layer, "given_at", {}))
    if there is not found:
        return there
    shapes = ", ".join(shown(v.shape) for v in (given if isinstance(given, list) else [given]))
    return replace(found, notes=(Note(f"it is used as '{step.names[0]}', which is given {shapes}", step.span),))


def _shape_cure(text: str, given: list[Value]) -> str | None:
    """What usually makes a tensor fit, by what the layer says of it."""
    wanted = re.search(r"needs (?:an )?inputs? of (?:at least )?(\d+) dimensions", text)
    if wanted is not None and given:
        if given[0].rank > int(wanted[1]):
            return "put a layer before it that takes dimensions away: Flatten, GlobalAveragePooling, or a recurrent layer without return_sequences"
        return "give the input all its dimensions, or put `- Reshape: [...]` before it; recurrent layers keep steps with `return_sequences: true`"
    if "was built for inputs" in text:
        return "the layers before it must give that size: the `shape` of the Input is what the data's feature has"
    if "cannot take texts" in text:
        return "or read the column as `kind: text`, which makes numbers of its words"
    if "open shape" in text:
        return "write a number in place of null in the input's `shape`"
    if "cannot be" in text and "numbers a row" in text:
        return "give sizes whose product is the number of elements; -1 stands for one that follows"
    if "at least two tensors" in text or "several tensors" in text:
        return "name what it joins: `from: [a, b]`"
    if "does not fit into" in text:
        if given and given[0].rank > 3 and int(given[0].shape[1]) in (1, 3, 4) and int(given[0].shape[-1]) > 4:
            return f"channels stand last: `shape: [{', '.join(map(str, [*given[0].shape[2:], given[0].shape[1]]))}]`; else take a smaller kernel"
        return "take a smaller kernel, or `padding: same`"
    if "of the same rank" in text:
        return "put Flatten, Reshape or a pooling before one of them"
    if "one -1 at most" in text:
        return "write sizes whose product is the number of elements, -1 once at most"
    if "no multiple of groups" in text:
        return "take a number of groups that divides the input's channels, or leave `groups` out"
    if "leaves nothing" in text:
        return "take away less"
    if "axis" in text:
        return "axes are counted from 0, the batch; -1 is the last"
    if "no order of the dimensions" in text:
        return "dims count from 1, without the batch: [2, 1] exchanges two"
    if "has no '->'" in text:
        return "as in `ab,bc->ac`"
    if "cannot combine" in text or "must be equal" in text or "differ" in text:
        return "let both have the same sizes: a Dense, a convolution or a Reshape before one of them"
    return None


def input_types(model: Model, batch: int, lengths: Mapping[str, Sequence[int]] | None = None) -> dict[str, Type]:
    """The types of a model's inputs for a batch; open dimensions take `lengths[name]`, or the model's `open_size` where nothing is given."""
    from layerctl.ops.value import Unknown

    out = {}
    for name, port in model.inputs.items():
        given = list((lengths or {}).get(name, ()))
        dims = [Unknown(given[i] if i < len(given) else model.open_size) if d is None else d for i, d in enumerate(port.shape or ())]
        out[name] = Type((Unknown(batch), *dims), port.dtype)
    return out
