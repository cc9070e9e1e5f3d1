"""What a plain scalar means: YAML 1.2's core schema.

Source: YAML 1.2.2, section 10.3.2. `on`, `no`, `12:30`, `1_000` and dates are text, as they look. `0005` is refused: octal to some, a
lost point to others.
"""

from __future__ import annotations

import math
import re
from typing import Any

LONGEST_INTEGER = 30
LONGEST_NUMBER = 400

CONSTANTS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": math.inf, ".Inf": math.inf, ".INF": math.inf, "+.inf": math.inf, "+.Inf": math.inf, "+.INF": math.inf,
    "-.inf": -math.inf, "-.Inf": -math.inf, "-.INF": -math.inf, ".nan": math.nan, ".NaN": math.nan, ".NAN": math.nan,
}  # fmt: skip

_NUMBER = re.compile(
    r"(?P<dec>[-+]?[0-9]+)|0o(?P<oct>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
_FIRST = frozenset("0123456789+-.")


class NumberError(ValueError):
    """A number that no value here can hold, or that means several; the message says why."""

    def __init__(self, message: str, cure: str = "quote it to have it as text"):
        super().__init__(message)
        self.cure = cure


def resolve(text: str) -> Any:
    """The value of a plain scalar: None, bool, int, float, or the text itself.

    Raises:
        NumberError: for an integer that begins with 0 or has more than 30 digits, or a float beyond float64.
    """
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text[0] not in _FIRST:
        return text
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    kind = found.lastgroup
    if kind == "float":
        if len(text) > LONGEST_NUMBER:
            raise NumberError(f"a number of {len(text)} characters; expected at most {LONGEST_NUMBER}")
        value = float(text)
        if math.isinf(value):
            raise NumberError(f"{text} is beyond the largest float, 1.8e308; expected a smaller number, or .inf")
        return value
    if kind == "dec" and re.match(r"[-+]?0\d", text):
        sign, rest = re.fullmatch(r"([-+]?)0(\d+)", text).groups()  # type: ignore[union-attr]
        cure = f"write {int(text)}, or {sign}0.{rest} if a point was lost; quote it to have it as text"
        raise NumberError(f"{text} is a whole number that begins with 0", cure)
    digits = found[kind].lstrip("+-").lstrip("0")  # type: ignore[index]
    if len(digits) > LONGEST_INTEGER:
        raise NumberError(f"an integer of {len(digits)} digits; expected at most {LONGEST_INTEGER}")
    return int(found[kind], {"dec": 10, "oct": 8, "hex": 16}[kind])  # type: ignore[index]


def is_text(text: str) -> bool:
    """Whether a plain scalar is the text that it looks like, and no number, truth value or null."""
    try:
        return isinstance(resolve(text), str)
    except NumberError:
        return False
