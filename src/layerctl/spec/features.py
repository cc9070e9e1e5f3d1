"""What was fitted on the training rows and travels with a model: the way from a table's columns to arrays, and back for targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from layerctl.diagnostics import fail

KINDS = ("number", "category", "text", "date", "array", "window", "table", "string", "image")


@dataclass
class ColumnFit:
    """One column: `kind` number (centre and spread, the value for missing ones) or category (its words, 1.. in this order; 0 is the rest)."""

    name: str
    kind: str
    centre: float = 0.0
    spread: float = 1.0
    fill: float | str | None = None
    words: list[str] = field(default_factory=list)
    format: str | None = None


@dataclass
class FeatureFit:
    """One model input."""

    kind: str
    shape: list[int]
    dtype: str
    columns: list[ColumnFit]
    encode: str = "one_hot"
    missing: str = "error"
    length: int = 0
    lowercase: bool = True
    split: str = "words"
    horizon: int = 1
    step: int = 1

    @property
    def size(self) -> int:
        """How many different ids there are: for an Embedding's input_dim."""
        if self.kind == "text":
            return len(self.columns[0].words) + 2
        return sum(len(c.words) + 1 for c in self.columns if c.kind == "category")


@dataclass
class TargetFit:
    """One target: `classes` for a category; a number's centre and spread."""

    column: str
    kind: str
    classes: list[str] = field(default_factory=list)
    centre: float = 0.0
    spread: float = 1.0
    strip_suffix: str | None = None


@dataclass(frozen=True)
class PortFit:
    """A model input's shape without the batch, and its dtype."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass
class FeatureSchema:
    """All features by input and all targets by output."""

    features: dict[str, FeatureFit]
    targets: dict[str, TargetFit]

    def inputs(self) -> dict[str, PortFit]:
        """The model's inputs."""
        return {n: PortFit((*f.shape, None) if f.kind == "string" else tuple(f.shape), f.dtype) for n, f in self.features.items()}

    def variables(self) -> dict[str, Any]:
        """What `${features.NAME.size}`, `.length` and `.width` stand for."""
        return {n: {"size": f.size, "length": f.length, "width": f.shape[-1] if f.shape else 1} for n, f in self.features.items()}

    def target(self, output: str | None = None) -> TargetFit | None:
        """The target of an output; the only one if no output is named."""
        if output is not None and output in self.targets:
            return self.targets[output]
        return next(iter(self.targets.values())) if len(self.targets) == 1 else None

    def classes(self, output: str | None = None) -> list[str] | None:
        """The classes' names of a categorical target, else None."""
        found = self.target(output)
        return found.classes if found is not None and found.kind == "category" else None

    def unscaled(self, values: Any, output: str | None = None) -> Any:
        """Predicted numbers in the column's own unit."""
        found = self.target(output)
        return values if found is None or found.kind != "number" else values * found.spread + found.centre

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Any) -> FeatureSchema:
        """The reverse of `to_dict`.

        Raises:
            LayerctlError: `bad-features` for data that are no schema.
        """
        try:
            features = {str(n): _feature(f) for n, f in plain["features"].items()}
            targets = {str(n): _checked(TargetFit, t) for n, t in plain["targets"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fail("bad-features", f"the model file's features are damaged: {error!r}", hint="train the model again")
            raise
        return cls(features, targets)


_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool}


def _checked(cls: Any, plain: Any) -> Any:
    known = cls.__dataclass_fields__
    if not isinstance(plain, dict) or set(plain) - set(known):
        raise TypeError(f"unexpected keys for {cls.__name__}")
    for name, value in plain.items():
        kind = str(known[name].type)
        plain_type = _TYPES.get(kind)
        if plain_type is not None and (not isinstance(value, plain_type) or (isinstance(value, bool) and kind != "bool")):
            raise TypeError(f"{name} must be {kind}")
        if kind == "list[str]" and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            raise TypeError(f"{name} must be a list of texts")
        if kind == "list[int]" and not (isinstance(value, list) and all(type(v) is int and 0 < v < 1 << 31 for v in value)):
            raise TypeError(f"{name} must be a list of sizes")
    return cls(**plain)


def _feature(plain: Any) -> FeatureFit:
    columns = [_checked(ColumnFit, c) for c in plain["columns"]]
    made: FeatureFit = _checked(FeatureFit, {**plain, "columns": []})
    if made.kind not in KINDS or made.dtype not in ("f32", "i32", "u8"):
        raise ValueError(f"unknown kind {made.kind!r} or dtype {made.dtype!r}")
    made.columns = columns
    return made
