"""Plain data → YAML, in the style that layerctl's own examples are written in; `read` gives the same data back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from layerctl.source import scalars

WIDTH = 100
_SAFE = re.compile(r"(?:[^\W]|/|\.(?=[\w/]))(?:[\w./+*()@<>=^-]|:(?=\w)| (?=[\w(/+*<>=@^-]))*")
_DAY = re.compile(r"\d{4}-\d\d?-\d\d?(?:\D.*)?")
"""Texts that other readers of YAML take for dates."""
_SAFE_KEY = re.compile(r"[^\W][\w./+-]*")
_ESCAPED = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


_Comments = Mapping[tuple[str | int, ...], str]
_Path = tuple[str | int, ...]


def dumps(plain: Any, comments: _Comments | None = None) -> str:
    """YAML of dicts (with text keys), lists and scalars: blocks outside, short leaves in braces.

    `comments` stand above the entries at these paths; a mapping that has some inside is a block.

    Raises:
        ValueError: for an integer of more than 30 digits, which no YAML here may have.
        TypeError: for other objects.
    """
    said = comments or {}
    if isinstance(plain, dict) and plain:
        lines = []
        for key, value in plain.items():
            lines += _entry(key, value, 0, said, (key,), block=True)
        return "\n".join(lines) + "\n"
    if isinstance(plain, (list, tuple)) and plain:
        return "\n".join(_items(plain, 0, said, ())) + "\n"
    return _flow(plain) + "\n"


def _entry(name: str, value: Any, indent: int, said: _Comments, path: _Path, *, block: bool = False) -> list[str]:
    """The lines of `key: value`; with `block`, a mapping is not put into braces however short."""
    pad, key = " " * indent, _key(name)
    inside = any(p[: len(path)] == path and len(p) > len(path) for p in said)
    if len(key) > 1000:  # the longest key that YAML finds without a mark
        return [f"{pad}? {key}", *_entry_value(f"{pad}:", value, indent, said, path, block or inside, inside)]
    return [*_comment(said, path, pad), *_entry_value(f"{pad}{key}:", value, indent, said, path, block or inside, inside)]


def _comment(said: _Comments, path: _Path, pad: str) -> list[str]:
    return [f"{pad}# {printable(line)}".rstrip() for line in said[path].split("\n")] if path in said else []


def printable(text: str) -> str:
    """A text on one line of a comment: whatever cannot be printed is a blank."""
    return "".join(c if c.isprintable() else " " for c in text)


def _entry_value(head: str, value: Any, indent: int, said: _Comments, path: _Path, block: bool, inside: bool) -> list[str]:
    if isinstance(value, dict) and value and (block or not _short(value, len(head))):
        lines = [head]
        for key, item in value.items():
            lines += _entry(key, item, indent + 2, said, (*path, key))
        return lines
    if isinstance(value, (list, tuple)) and value and (inside or not _short(value, len(head))):
        return [head, *_items(value, indent + 2, said, path)]
    return [f"{head} {_flow(value)}"]


def _items(items: Any, indent: int, said: _Comments, path: _Path) -> list[str]:
    """The lines of a list, each item after its dash."""
    pad = " " * indent
    lines = []
    for i, item in enumerate(items):
        here = (*path, i)
        if isinstance(item, dict) and item:
            inner: list[str] = []
            for key, value in item.items():
                inner += _entry(key, value, indent + 2, said, (*here, key))
        elif isinstance(item, (list, tuple)) and item and not _short(item, indent + 2):
            inner = _items(item, indent + 2, said, here)
        else:
            inner = [f"{pad}  {_flow(item)}"]
        lines += [*_comment(said, here, pad), f"{pad}- {inner[0][indent + 2 :]}", *inner[1:]]
    return lines


def _short(value: Any, column: int) -> bool:
    """Whether a collection of leaves fits on the rest of a line; a list that has mappings is a block."""
    return _leaves(value) and column + 1 + len(_flow(value)) <= WIDTH


def _leaves(value: Any) -> bool:
    if isinstance(value, dict):
        return all(len(str(k)) <= WIDTH and _leaves(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return not any(isinstance(v, dict) and v for v in value) and all(_leaves(v) for v in value)
    return True


def inline(value: Any) -> str:
    """A value on one line, in braces and brackets."""
    return _flow(value)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        if abs(value) >= 10**scalars.LONGEST_INTEGER:
            raise ValueError(f"an integer of more than {scalars.LONGEST_INTEGER} digits cannot be written")
        return repr(int(value))
    if isinstance(value, float):
        if math.isfinite(value):
            return repr(float(value))
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, str):
        return value if _SAFE.fullmatch(value) and scalars.is_text(value) and not _DAY.fullmatch(value) else _quoted(value)
    raise TypeError(f"{type(value).__name__} is no plain data")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is a {type(key).__name__}, expected text")
    return key if _SAFE_KEY.fullmatch(key) and key not in scalars.CONSTANTS else _quoted(key)


def _quoted(text: str) -> str:
    """Double quotes: JSON's escapes are YAML's; what YAML may not hold as it is, is escaped too."""
    return _ESCAPED.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text, ensure_ascii=False))
