"""Why a text is no expression here, in words that say what to write."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import Any

from layerctl.diagnostics import did_you_mean

Mistake = tuple[int, int, str, str | None]
"""Start and end, in indices of the text; message; hint."""

_SIGNS = {
    "&&": "use `and`", "||": "use `or`", "?": "use `a if condition else b`", "!": "use `not`",
    "$": "a variable is written `${name}`",
    "×": "use `*`", "·": "use `*`", "÷": "use `/`", "−": "use the ASCII minus `-`", "–": "use the ASCII minus `-`",
    "√": "use `sqrt(x)`", "²": "use `** 2`", "³": "use `** 3`", "≤": "use `<=`", "≥": "use `>=`", "≠": "use `!=`",
    "“": "use straight quotes", "”": "use straight quotes", "‘": "use straight quotes", "’": "use straight quotes",
    "∑": "use `sum(x)`", "π": "use `pi`", ";": "an expression is one value, without `;`", "\\": "remove the backslash",
    "<>": "use `!=`", "++": "use `+ 1`", "->": "remove `->`", "=>": "use `>=`", "'": "remove the quote, or close it",
}  # fmt: skip
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_OPENERS = {"(": ")", "[": "]", "{": "}"}
_SKIPPED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|#[^\n]*")


def nearest(name: str, known: Collection[str]) -> str:
    """`; did you mean 'sum'?` for `reduce_sum` or `summ`, or nothing."""
    bare = name.removeprefix("reduce_")
    return f"; did you mean '{bare}'?" if bare != name and bare in known else did_you_mean(name, known)


class UnknownWord(ValueError):
    """A name or a function (by `code`) that an expression uses and nobody knows."""

    def __init__(self, message: str, word: str, code: str):
        super().__init__(message)
        self.word, self.code = word, code


DEEPEST = 100
TOO_DEEP = f"an expression nested more than {DEEPEST} deep, expected at most {DEEPEST}"
TOO_DEEP_CURE = "give parts of it names, or write a layer under `define:`"


def before_parsing(text: str) -> Mistake | None:
    """What is seen without parsing: nothing at all, brackets, signs of other languages."""
    if not text.strip():
        return 0, 1, "an empty expression, expected one such as `x * 2`", "write the name of a variable, or a value computed of names"
    bare = _SKIPPED.sub(lambda m: " " * len(m[0]), text)
    opened: list[tuple[str, int]] = []
    for at, sign in enumerate(bare):
        if sign in _OPENERS:
            opened.append((sign, at))
            if len(opened) > DEEPEST:
                return at, at + 1, TOO_DEEP, TOO_DEEP_CURE
        elif sign in _CLOSERS:
            if not opened:
                return at, at + 1, f"'{sign}' closes nothing", f"remove it, or open it with '{_CLOSERS[sign]}'"
            opener, start = opened.pop()
            if opener != _CLOSERS[sign]:
                return at, at + 1, f"'{sign}' closes '{opener}', expected '{_OPENERS[opener]}'", f"put '{_OPENERS[opener]}' before it"
    asked = re.match(r"\s*[Ee][Nn][Vv]\s*[:.]\s*([A-Za-z_]\w*)", bare)
    if asked:
        return asked.start(1), asked.end(1), f"'{asked[0].strip()}' is no variable of the environment", f"write `${{env:{asked[1]}}}`"
    if opened:
        opener, start = opened[-1]
        return start, start + 1, f"'{opener}' is not closed, expected '{_OPENERS[opener]}'", f"put '{_OPENERS[opener]}' where it ends"
    for sign in ("&&", "||", "<>"):
        if sign in bare:
            at = bare.index(sign)
            return at, at + len(sign), f"the sign '{sign}' is not taken", _SIGNS[sign]
    return None


def explain(text: str, at: int, problem: str) -> Mistake:
    """A SyntaxError of Python's at an index of the text."""
    bare = _SKIPPED.sub(lambda m: " " * len(m[0]), text)
    assigned = re.search(r"(?<![=<>!:*/+%@-])=(?!=)", bare)
    if assigned and _outside_calls(bare, assigned.start()):
        return (
            assigned.start(),
            assigned.start() + 1,
            "an expression has no '='",
            "write the value alone, or `==` to compare",
        )
    for start, character in enumerate(bare):
        if character in _SIGNS and not bare.startswith("!=", start):
            return start, start + 1, f"the sign '{character}' is not taken", _SIGNS[character]
    glued = re.search(r"(?<![\w.])([0-9]+(?:\.[0-9]*)?)([A-Za-z_]\w*)", bare)
    if glued and not re.fullmatch(r"[eE][0-9]*|j", glued[2]) and not re.match(r"0[xob]", glued[0]):
        return (
            glued.start(),
            glued.end(),
            f"no operator between '{glued[1]}' and '{glued[2]}'",
            f"write `{glued[1]} * {glued[2]}`",
        )
    if re.match(
        r"\s*(import|from|def|class|return|for|while|del|assert|raise|with|try|global|yield|await|async|exec)\b", bare
    ):
        word = bare.split()[0]
        return (
            bare.index(word),
            bare.index(word) + len(word),
            f"'{word}' begins a statement, expected an expression",
            "an expression computes one value, such as `x * 2`",
        )
    digits = re.search(r"[0-9]{31,}", bare)
    if digits:
        return (
            digits.start(),
            digits.end(),
            "an integer of more than 30 digits, expected at most 30",
            "write it as a float: 1e30",
        )
    if "'else'" in problem:
        return at, min(at + 1, len(text)), "an `if` without `else`", "use `a if condition else b`"
    found = _two_values(bare)
    if found:
        return found
    if at >= len(text.rstrip()) or not bare[at : at + 1].strip():
        end = len(text.rstrip())
        return max(end - 1, 0), end, f"the expression ends after '{text.rstrip()[-1:]}', expected a value", "write what stands behind it, or take it away"
    token = re.match(r"\w+|\W", bare[at:]) or re.match(r".", text[at:])
    got = token[0] if token else text[at : at + 1]
    return at, at + len(got), f"'{shortened(got)}' where a value or an operator is expected", None


def _two_values(bare: str) -> Mistake | None:
    words = {"and", "or", "not", "if", "else", "lambda", "in", "is"}
    for found in re.finditer(r"(\w+|[)\]])\s+(?=(\w+|\())", bare):
        left, right = found[1], found[2]
        if left not in words and right not in words:
            start = found.end()
            return (
                start,
                start + len(right),
                f"'{right}' after '{left}', expected an operator between them",
                f"write `{left} * {right}`, or a comma" if right != "(" else "write `*` or a comma",
            )
    return None


def _outside_calls(bare: str, at: int) -> bool:
    """Whether an index is outside all parentheses, where `=` names no argument."""
    return bare.count("(", 0, at) <= bare.count(")", 0, at)


_KINDS = {
    ast.ListComp: "a comprehension", ast.SetComp: "a comprehension", ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension", ast.Dict: "a dict", ast.Set: "a set", ast.Starred: "'*', which unpacks,",
    ast.NamedExpr: "':=', which assigns,", ast.JoinedStr: "an f-string", ast.Lambda: "a lambda inside an expression",
    ast.Await: "'await'", ast.Yield: "'yield'", ast.YieldFrom: "'yield'",
}  # fmt: skip
_CURES = {
    ast.ListComp: "functions work on whole tensors: `x * 2`",
    ast.GeneratorExp: "functions work on whole tensors: `x * 2`",
    ast.Dict: "write a list `[a, b]`", ast.Set: "write a list `[a, b]`", ast.Starred: "write the values out",
    ast.NamedExpr: "write the value where it is used", ast.Lambda: "write what stands after the colon",
    ast.JoinedStr: "write plain text in quotes",
}  # fmt: skip


def shortened(text: str) -> str:
    """At most 60 characters of a user's text, for a message."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def not_taken(node: Any, text: str) -> tuple[str, str | None]:
    """The message and cure for a form of Python's that is not on the list."""
    if isinstance(node, ast.Constant):
        text = shortened(text)
        if isinstance(node.value, str):
            return (
                f"the text {text} where a number or a tensor is expected",
                "text is taken as an argument: f(x, mode='a')",
            )
        return f"the constant {text} is not taken, expected an int or a float", None
    kind = _KINDS.get(type(node), f"the form {type(node).__name__}")
    return f"{kind} is not taken in an expression", _CURES.get(type(node), "use arithmetic, comparisons and functions")


def attribute(base: str, name: str) -> tuple[str, str | None]:
    """The message and cure for a dot."""
    cure = {
        "T": f"write `transpose({base})`",
        "shape": f"write `shape({base})`",
        "dtype": "write `cast(x, 'float32')` to convert",
    }
    return f"'.{name}' is not taken, expected a function", cure.get(name, f"write `{name}({base})`")


def operator(text: str, node: Any, between: int) -> Mistake:
    """The place, message and cure for a binary operator that is not on the list."""
    sign = {"BitXor": "^", "BitAnd": "&", "BitOr": "|", "LShift": "<<", "RShift": ">>"}[type(node.op).__name__]
    cure = {
        "^": "use `**` for a power",
        "&": "use `and`",
        "|": "use `or`",
        "<<": "use `* 2 **`",
        ">>": "use `// 2 **`",
    }[sign]
    at = text.find(sign, between)
    return at, at + len(sign), f"the operator '{sign}' is not taken", cure
