"""JSON read strictly and written to the same bytes every time.

JSON has no infinities and no NaN, which a training's state has (the best loss so far is infinite at first): they are
written as {"$float": "inf"}, so that any JSON reader opens the text.
"""

from __future__ import annotations

import json
import math
import reprlib
from typing import Any

LONGEST_INTEGER = 30
"""Digits; YAML's bound too."""
_TAG = "$float"
_SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def dumps(value: Any) -> str:
    """Compact JSON in the order of the value's dicts. numpy scalars are written as numbers.

    Raises:
        TypeError: for what JSON does not have, dicts with keys that are not text, and arrays.
    """
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_TAG: str(float(value))}
    if isinstance(value, dict):
        if _TAG in value or not all(isinstance(k, str) for k in value):
            raise TypeError(f"a dict's keys must be text other than {_TAG!r}, got {list(value)[:5]}")
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return _plain(value.item())
    raise TypeError(f"JSON has no {type(value).__name__}")


def loads(text: str, *, long_integers: bool = True) -> Any:
    """The value of a JSON text. Integers of more than 30 digits become floats, unless `long_integers` forbids them.

    Raises:
        ValueError: for text that is not JSON, keys given twice, NaN or infinity as bare words, numbers beyond a
            float's range, lone surrogates, nesting beyond the interpreter's depth, and integers of more than 30 digits where they are forbidden.
    """
    integer = _integer if long_integers else _short_integer
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number, parse_int=integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> Any:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {shown(twice)} stands twice")
    if _TAG in out:
        name = out[_TAG]
        if len(out) != 1 or not isinstance(name, str) or name not in _SPECIAL:
            raise ValueError(f"{_TAG} is not one of inf, -inf and nan")
        return _SPECIAL[name]
    return out


def _constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


def _integer(text: str) -> int | float:
    return float(text) if _is_long(text) else int(text)


def _short_integer(text: str) -> int:
    if _is_long(text):
        raise ValueError(f"{text[:20]}… is an integer of more than {LONGEST_INTEGER} digits")
    return int(text)


def _is_long(text: str) -> bool:
    return len(text) > LONGEST_INTEGER + text.startswith("-")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond a float's range")
    return value


def shown(value: object, limit: int = 60) -> str:
    """A value of unknown origin for a message: quoted, controls escaped, cut to `limit` characters."""
    text = repr(value[: limit + 1]) if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
