"""What was fitted on the training rows: scales, vocabularies, classes, policies and weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerctl.api import Model
    from layerctl.spec.features import ColumnFit, FeatureFit, TargetFit

SHOWN = 8


@dataclass(frozen=True)
class Fitted:
    """An input or a target: what it is, a line for each of its columns or classes, and all of it as data."""

    title: str
    head: list[str]
    rows: list[list[str]]
    plain: dict[str, Any]


def fitted(model: Model) -> list[Fitted]:
    """Inputs, then targets; none for a model without a data section."""
    if model.schema is None:
        return []
    weights = model.spec.fit.class_weight
    inputs = [_input(n, f) for n, f in model.schema.features.items()]
    return inputs + [_target(n, t, weights if i == 0 else None) for i, (n, t) in enumerate(model.schema.targets.items())]


def _input(name: str, fit: FeatureFit) -> Fitted:
    more = [f"length {fit.length}"] if fit.length else []
    if fit.kind == "text":
        more.append(f"{fit.split}{', in small letters' if fit.lowercase else ''}")
    title = f"input {name}: {', '.join([fit.kind, _shape(fit.dtype, fit.shape), *more, f'missing: {fit.missing}'])}"
    rows = [[c.name, c.kind, _counted(c), _of_column(c, fit)] for c in fit.columns]
    return Fitted(title, ["column", "kind", "training rows", "fitted"], rows, {"role": "input", "name": name, **asdict(fit)})


def _shape(dtype: str, shape: list[int]) -> str:
    named = {"f32": "float32", "i32": "int32", "u8": "texts"}[dtype]
    return f"{named} ({', '.join(map(str, shape))})" if shape else named


def _counted(c: ColumnFit) -> str:
    from layerctl.data.statistics import MANY

    if not c.rows:
        return ""
    what = [f"{c.rows:,}", f"{c.empty:,} missing", *([f"{c.different:,}{' or more' if c.different == MANY else ''} different"] if c.different else [])]
    if c.different == 1:
        what.append("constant")
    elif c.different == c.rows - c.empty and c.kind in ("category", "string") and c.rows > 2:
        what.append("each value once")
    return ", ".join(what)


def _of_column(c: ColumnFit, fit: FeatureFit) -> str:
    out = []
    if c.kind == "binary":
        seen = sorted(set(c.values))
        spelled = {v: next(w for w, x in zip(c.words, c.values, strict=True) if x == v) for v in seen}
        out.append(", ".join(f"{spelled[v]} is {v:g}" for v in seen))
    elif c.words:
        some = ", ".join(map(repr, c.words[:SHOWN])) + (", …" if len(c.words) > SHOWN else "")
        out.append(f"{len(c.words):,} words: {some}")
    elif c.kind in ("number", "date", "vector", "sequence", "image"):
        out.append(f"centre {c.centre:.6g}, spread {c.spread:.6g}" if (c.centre, c.spread) != (0.0, 1.0) else "as it is")
    if c.kind == "date":
        out.append(" then ".join(c.formats or [c.format or "ISO 8601"]))
        out.append("parts: " + ", ".join(c.parts or ("days", "month", "weekday")))
    if c.aliases:
        out.append("capital letters do not count")
    if c.strip:
        out.append(f"without {c.strip!r}")
    if c.units:
        out.append(", ".join(f"{u!r} is worth {worth:g}" for u, worth in c.units.items()))
    if c.outlying and c.low is not None and c.high is not None:
        out.append(f"outside {c.low:.6g} to {c.high:.6g}: {c.outlying}")
    if c.kind in ("category", "binary"):
        out.append(f"unseen: {f'most_frequent {c.common!r}' if c.unseen == 'most_frequent' else c.unseen}")
    if c.fill is not None and fit.missing != "error":
        out.append(f"missing becomes {c.fill if isinstance(c.fill, str) else f'{c.fill:.6g}'}")
    return "; ".join(out)


def _target(name: str, fit: TargetFit, weights: Any) -> Fitted:
    own: dict[str, float] = {}
    if fit.classes and fit.counts and fit.kind in ("category", "sequence"):
        balanced = dict(zip(fit.classes, fit.balanced(), strict=True))
        given = {c: float(weights.get(c, weights.get(str(i), 1.0))) for i, c in enumerate(fit.classes)} if isinstance(weights, dict) else {}
        own = balanced if weights == "balanced" else given
    plain = {"role": "target", "name": name, **asdict(fit), "weights": own}
    what = {"input": f"the input {fit.column} itself", "next": f"the next token of the input {fit.column}"}.get(fit.kind, fit.kind)
    title = f"target {name}: {what}{f', along {fit.along}' if fit.along else ''}{', the rows are one text' if fit.join else ''}"
    if fit.classes:
        counts = fit.counts or [0] * len(fit.classes)
        rows = [[c, f"{n:,}", *([f"{own[c]:.6g}"] if own else [])] for c, n in zip(fit.classes, counts, strict=True)]
        return Fitted(title, ["class", "training rows", *(["weight"] if own else [])], rows, plain)
    columns = [(fit.column, fit.centre, fit.spread)] if fit.kind == "number" else list(zip(fit.columns, fit.centres, fit.spreads, strict=True))
    rows = [[n, f"centre {c:.6g}, spread {s:.6g}" if (c, s) != (0.0, 1.0) else "as it is"] for n, c, s in columns]
    return Fitted(title, ["column", "fitted"], rows, plain)
