"""What was fitted on the training rows and travels with a model: the way from a table's columns to arrays, and back for targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from layerctl.diagnostics import fail

KINDS = ("number", "category", "binary", "text", "date", "array", "vector", "sequence", "window", "table", "string", "image")
TARGET_KINDS = ("category", "number", "numbers", "labels", "sequence", "input", "next")
SPLITS = ("whitespace", "words", "characters")
MOST_DAYS = 3_000_000
"""Days from 1970 within which Python's dates are."""
LINE_END = "\n"
"""The word that stands between the texts of a language model: before the first token of each, and behind its last."""


@dataclass
class ColumnFit:
    """One column, as the training rows have it.

    Attributes:
        kind: number, category, binary, date, text, string, vector or sequence.
        centre, spread: of a number, of a date's days, of all numbers of a vector or sequence: encoded is (x - centre) / spread.
        fill: what stands for a missing value; None if there is nothing.
        words: a category's words, 1.. in this order, 0 is the rest; the spellings of a binary column, whose numbers are `values`.
        format, formats: a date's format, or several that are tried in this order; ISO 8601 without either.
        parts: what a date is taken apart into; empty for days, month and weekday.
        strip: characters that do not count in numbers, such as `$,%`.
        units: what the units behind numbers are worth, such as h 60 and m 1.
        outlying: what becomes of numbers outside `low` to `high`: clip, error or missing; "" for nothing.
        unseen: what becomes of words that training did not have: bucket, error or most_frequent, which is `common`.
        aliases: other spellings of words, where capital letters and blanks do not count.
        separator: what stands between the numbers of a field; blanks, commas and semicolons if "".
        rows, empty, different: training rows, those without a value, and different values among the others (0 where nobody counted; of
            numbers 100,000 stands for all that are more).
    """

    name: str
    kind: str
    centre: float = 0.0
    spread: float = 1.0
    fill: float | str | None = None
    words: list[str] = field(default_factory=list)
    format: str | None = None
    formats: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    strip: str = ""
    units: dict[str, float] = field(default_factory=dict)
    outlying: str = ""
    low: float | None = None
    high: float | None = None
    unseen: str = "bucket"
    common: str | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    separator: str = ""
    rows: int = 0
    empty: int = 0
    different: int = 0


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
    """One target, as the training rows have it.

    Attributes:
        column: the column; the first of several; the input's name for `input` and `next`.
        kind: category (ids), number or numbers (scaled), labels (a 0 or 1 for each), sequence (an id or a number a step), input (what the
            input is), next (the token after each).
        classes: a category's, the labels', a sequence's; a sequence without any is numbers.
        counts: the training rows of each class.
        centre, spread: a number's scale; `centres` and `spreads` those of several columns.
        aliases: other spellings of classes; with ignore_case capital letters and blanks do not count in any.
        separator: between labels or steps in a field: blanks if None, each character a label of its own if "".
        length: steps of a sequence; `along` is the input that has them.
        join: whether the texts of `next` are one long text.
    """

    column: str
    kind: str
    classes: list[str] = field(default_factory=list)
    centre: float = 0.0
    spread: float = 1.0
    strip_suffix: str | None = None
    columns: list[str] = field(default_factory=list)
    centres: list[float] = field(default_factory=list)
    spreads: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    ignore_case: bool = False
    strip: str = ""
    units: dict[str, float] = field(default_factory=dict)
    separator: str | None = None
    length: int = 0
    along: str = ""
    join: bool = False

    @property
    def names(self) -> list[str]:
        """The columns that it is read from; none for what is made of an input."""
        return [] if self.kind in ("input", "next") else self.columns or [self.column]

    def balanced(self) -> list[float]:
        """The classes' weights under which each has the same share: rows / (classes × rows of the class), 0 for a class without rows.

        Of labels: rows without the label for each with it.
        """
        n = sum(self.counts)
        return [n / (len(self.counts) * c) if c else 0.0 for c in self.counts]


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
        """Predicted numbers in the column's own unit; where a target has several columns, those of a row (rows, columns) in theirs."""
        found = self.target(output)
        if found is not None and found.kind == "numbers" and values.shape[1:] == (len(found.columns),):
            return values * found.spreads + found.centres
        return values if found is None or found.kind != "number" else values * found.spread + found.centre

    def continued(self) -> tuple[str, FeatureFit] | None:
        """The text that a language model goes on with, and its name; None for other models."""
        found = next((t for t in self.targets.values() if t.kind == "next"), None)
        return (found.column, self.features[found.column]) if found is not None else None

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
            targets = {str(n): _target(t, features) for n, t in plain["targets"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fail("bad-features", f"the model file's features are damaged: {error!r}", hint="train the model again")
            raise
        return cls(features, targets)


_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool}
_OF = {
    "list[str]": lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v),
    "list[int]": lambda v: isinstance(v, list) and all(type(x) is int and 0 <= x < 1 << 31 for x in v),
    "list[float]": lambda v: isinstance(v, list) and all(type(x) in (int, float) for x in v),
    "dict[str, str]": lambda v: isinstance(v, dict) and all(isinstance(x, str) for pair in v.items() for x in pair),
    "dict[str, float]": lambda v: isinstance(v, dict) and all(isinstance(k, str) and type(x) in (int, float) for k, x in v.items()),
    "list[ColumnFit]": lambda v: isinstance(v, list),
    "float | None": lambda v: v is None or type(v) in (int, float),
    "str | None": lambda v: v is None or isinstance(v, str),
    "float | str | None": lambda v: v is None or type(v) in (int, float, str),
}


def _checked(cls: Any, plain: Any) -> Any:
    known = cls.__dataclass_fields__
    if not isinstance(plain, dict) or set(plain) - set(known):
        raise TypeError(f"unexpected keys for {cls.__name__}")
    for name, value in plain.items():
        kind = str(known[name].type)
        plain_type = _TYPES.get(kind)
        if plain_type is not None and (not isinstance(value, plain_type) or (isinstance(value, bool) and kind != "bool")):
            raise TypeError(f"{name} must be {kind}")
        if plain_type is None and not _OF[kind](value):
            raise TypeError(f"{name} must be {kind}")
    return cls(**plain)


def _column(plain: Any) -> ColumnFit:
    made: ColumnFit = _checked(ColumnFit, plain)
    words = made.kind in ("category", "text", "string")
    if made.kind not in KINDS or made.unseen not in ("bucket", "error", "most_frequent") or made.outlying not in ("", "clip", "error", "missing"):
        raise ValueError(f"a column of kind {made.kind!r}, unseen {made.unseen!r}, outlying {made.outlying!r}")
    if made.fill is not None and isinstance(made.fill, str) != words:
        raise TypeError(f"a {made.kind} cannot have {made.fill!r} for a missing value")
    if made.outlying and (made.low is None or made.high is None):
        raise ValueError("numbers are outlying, but there are no bounds")
    if made.unseen == "most_frequent" and made.kind in ("category", "binary") and made.common not in made.words:
        raise ValueError(f"the most frequent word {made.common!r} is none of the words")
    if not set(made.aliases.values()) <= set(made.words):
        raise ValueError(f"spellings of words that {made.name!r} does not have")
    if not made.spread or (made.kind == "date" and max(abs(made.centre), abs(float(made.fill or 0.0))) > MOST_DAYS):
        raise ValueError(f"the scale {made.centre}, {made.spread} of {made.name!r}")
    return made


def _feature(plain: Any) -> FeatureFit:
    columns = [_column(c) for c in plain["columns"]]
    made: FeatureFit = _checked(FeatureFit, {**plain, "columns": []})
    if made.kind not in KINDS or made.dtype not in ("f32", "i32", "u8"):
        raise ValueError(f"unknown kind {made.kind!r} or dtype {made.dtype!r}")
    if min(made.length, made.horizon, made.step - 1) < 0 or made.encode not in ("one_hot", "index") or made.split not in SPLITS:
        raise ValueError("lengths, encodings and splits that no feature has")
    if not columns or not all(made.shape) or any(c.kind == "binary" and len(c.words) != len(c.values) for c in columns):
        raise ValueError("a feature without columns, sizes or values")
    made.columns = columns
    return made


def _target(plain: Any, features: dict[str, FeatureFit]) -> TargetFit:
    made: TargetFit = _checked(TargetFit, plain)
    if made.kind not in TARGET_KINDS:
        raise ValueError(f"unknown kind {made.kind!r} of a target")
    if len(made.centres) != len(made.spreads) or (made.kind == "numbers" and len(made.centres) != len(made.columns)):
        raise ValueError("a target whose scales are not one for each column")
    if made.kind in ("input", "next") and made.column not in features:
        raise ValueError(f"a target made of the input {made.column!r}, which is not there")
    return made
