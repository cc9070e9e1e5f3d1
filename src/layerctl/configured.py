"""The form of everything that a user configures by name: a pydantic model whose fields are Keras's constructor arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from layerctl.catalogue import catalogue
from layerctl.diagnostics import Span


class Configured(BaseModel):
    """Base of layers, losses, metrics, optimizers, ... Unknown fields are refused; `get_config` gives the fields back."""

    model_config = ConfigDict(
        extra="forbid", strict=True, arbitrary_types_allowed=True, validate_assignment=False, protected_namespaces=(), defer_build=True
    )  # fmt: skip

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **given: Any) -> None:
        """Spares pydantic the evaluation of what is no field's type, which it does again in every class below: a fifth of making the classes."""
        super().__init_subclass__(**given)
        for name, annotation in vars(cls).get("__annotations__", {}).items():
            if isinstance(annotation, str) and annotation.startswith("ClassVar["):
                cls.__annotations__[name] = ClassVar
            elif name.startswith("_"):
                cls.__annotations__[name] = Any

    def get_config(self) -> dict[str, Any]:
        """The arguments that differ from their defaults, as plain data: what a YAML file says of it."""
        out = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if field.is_required() or value != field.get_default(call_default_factory=True):
                out[name] = plain(value)
        return out

    def keep_places(self, spans: Mapping[str, Span]) -> None:
        """Hears where its arguments stand in a file; what finds mistakes within a text later on keeps the text's place."""

    @classmethod
    def first_argument(cls) -> str | None:
        """The field that a bare value in the file stands for: the first that must be given, else the first of its own."""
        own = cls.own_fields()
        needed = [n for n in own if cls.model_fields[n].is_required()]
        return next(iter([*needed, *own]), None)

    @classmethod
    def own_fields(cls) -> list[str]:
        """The fields' names but for those that all layers have; the class's own before what it shares with others.

        First come those that must be given, in Keras's order: a Conv2D's own `filters` go before the `kernel_size` that all windows have.
        """
        shared = ("name", "trainable", "dtype")
        declared = [(n, c) for c in cls.__mro__ for n in inspect.get_annotations(c) if n in cls.model_fields and n not in shared]
        first = dict(declared)  # the most basic class that has the field
        ordered = [n for n, _ in declared]
        required = [n for n, c in declared if cls.model_fields[n].is_required() and first[n] is c]
        return list(dict.fromkeys([*required, *ordered]))


def plain(value: Any) -> Any:
    """A field's value as YAML would have it: a configured object is its name, or its name with arguments."""
    if isinstance(value, Configured):
        config = value.get_config()
        return {type(value).__name__: config} if config else type(value).__name__
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Marks a field of numbers by a bound that makes sense: one beyond it is computed with as Keras does, and a file that has it is warned.

    `then` is what comes of such a number, `cure` what is written in place of it.
    """

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    then: str
    cure: str | None = None

    def holds(self, number: float) -> bool:
        """Whether a number keeps to the bound."""
        return not (
            (self.gt is not None and number <= self.gt)
            or (self.ge is not None and number < self.ge)
            or (self.lt is not None and number >= self.lt)
            or (self.le is not None and number > self.le)
        )


REFERENCE, OR_NUMBER = "x-reference", "x-or-number"


class Reference:
    """Marks a field that holds an entry of a catalogue, named or named with arguments; or, if `or_number`, a number."""

    def __init__(self, kind: str, or_number: bool = False):
        self.kind, self.or_number = kind, or_number

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """What stands in a JSON Schema for the field: the mark that `spec.jsonschema` turns into the catalogue's names."""
        return {REFERENCE: self.kind, OR_NUMBER: self.or_number}


def resolve(kind: str, value: Any) -> Any:
    """`"relu"` or `{"Relu": {...}}` as an instance; instances, None and other things are passed on.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(value, str):
        name, args = value, {}
    elif isinstance(value, dict) and len(value) == 1:
        (name, args), *_ = value.items()
    else:
        return value
    cls = catalogue(kind).get(name)
    if cls is None:
        near = catalogue(kind).nearest(name)
        raise ValueError(f"there is no {singular(kind)} {name!r}" + (f"; did you mean {near!r}?" if near else ""))
    if args is None:
        return cls()
    return cls(**args) if isinstance(args, dict) else cls(**{cls.first_argument(): args})


def singular(kind: str) -> str:
    """`losses` as `loss`, for messages."""
    return {"losses": "loss", "activations": "activation"}.get(kind, kind.removesuffix("s"))


def reference(kind: str, or_number: bool = False) -> Any:
    """The annotation of a field that refers to a catalogue: `activation: reference("activations") = None`."""
    return Annotated[Any, BeforeValidator(lambda v: resolve(kind, v)), Reference(kind, or_number)]


ActivationField = reference("activations")
InitializerField = reference("initializers")
RegularizerField = reference("regularizers")
ConstraintField = reference("constraints")
LayerField = reference("layers")
