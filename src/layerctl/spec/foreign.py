"""Answers to names from PyTorch, older Keras and other tools, and to values that are code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.diagnostics import did_you_mean
from layerctl.spec.foreign_names import ABSENT, ARGUMENTS, INPUT, NAMES, NEEDLESS, SECTIONS, SEQUENCE

_CODE = re.compile(r"(?:\w+\s*=\s*)?((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_LONGEST_CODE = 300


def name_here(kind: str, name: str) -> tuple[str, str | None] | None:
    """(what to say of a foreign name, a hint), or None where it is none that is known: `nn.Linear` is Dense here."""
    bare = name.rsplit(".", 1)[-1]
    table = NAMES.get(kind, {})
    for given in dict.fromkeys((name, bare)):
        if given in table:
            return f"{name} is {table[given]} here", _notes(kind, given)
        if given in ABSENT:
            return f"there is no {given} here", ABSENT[given]
    if bare != name and re.fullmatch(r"[\w.]+", name) and bare in catalogue(kind).names:
        return f"{name} is {bare} here, without '{name[: -len(bare)]}'", None
    return None


def _notes(kind: str, name: str) -> str | None:
    if name in ("CrossEntropyLoss", "NLLLoss"):
        return "for targets that are class indices; with a softmax as the last layer, sparse_categorical_crossentropy"
    if kind == "losses" and name in ("rmse", "root_mean_squared_error"):
        return "it has the same minimum; the root is a metric: `metrics: [root_mean_squared_error]`"
    return {"CuDNNLSTM": "the fast way is taken by itself", "CuDNNGRU": "the fast way is taken by itself", "keep_prob": "rate is 1 - keep_prob"}.get(name)


def code_here(kind: str, text: str) -> tuple[str, str] | None:
    """(what to say of a value that is code, how to write it), or None: `l2(0.01)` is `{L2: 0.01}` here."""
    if len(text) > _LONGEST_CODE:
        return None
    found = _CODE.fullmatch(text.strip())
    if found is None:
        return None
    name, known = found[1].rsplit(".", 1)[-1], catalogue(kind)
    here = known.spelled(known.names[name]) if name in known.names else NAMES.get(kind, {}).get(name)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    if here is None:
        near = did_you_mean(name, known.names)
        return f"'{shown}' is code, expected a name{near}", "write a name with its arguments as a mapping: `{Name: {argument: value}}`"
    if ":" in here:
        return f"'{shown}' is code, expected a name with its arguments", f"write `{here}`"
    written = _arguments(known.get(here), found[2]) if name in known.names else "{…}"
    whole = here if not written else f"{here}: {written}"
    return f"'{shown}' is code, expected a name with its arguments", f"write `{whole}`" + (" in braces where it is a value" if written and kind != "layers" else "")


def _arguments(cls: Any, text: str) -> str:
    """Arguments of a call in Python as a file has them; `{…}` where they are more than plain values."""
    import ast

    from layerctl.source.dump import inline

    try:
        call = ast.parse(f"f({text})", mode="eval").body
        assert isinstance(call, ast.Call)
        order = cls.own_fields()
        given = {order[i]: ast.literal_eval(a) for i, a in enumerate(call.args)}
        given |= {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        if list(given) == [cls.first_argument()] and not isinstance(next(iter(given.values())), dict):
            return inline(next(iter(given.values())))
        return inline(given) if given else ""
    except (SyntaxError, ValueError, TypeError, IndexError, AssertionError, RecursionError, MemoryError):
        return "{…}"


def argument_here(what: str, name: str, known: Iterable[str]) -> tuple[str, str | None]:
    """(the end of a message on an argument that a thing does not have, a hint)."""
    fields = list(known)
    target = next((t for t in ARGUMENTS.get(name, ()) if t in fields), None)
    if target is not None:
        more = {"betas": "betas: (b1, b2) are beta_1 and beta_2", "keep_prob": "rate is 1 - keep_prob", "padding_idx": "`mask_zero: true` leaves id 0 out",
                "nb_row": "`kernel_size: [rows, columns]`", "nb_col": "`kernel_size: [rows, columns]`"}.get(name)  # fmt: skip
        return f"; it is '{target}' here", more
    if name in NEEDLESS:
        return "", f"it is not needed: {NEEDLESS[name]}" if NEEDLESS[name] in (INPUT, SEQUENCE) else NEEDLESS[name]
    cure = did_you_mean(name, fields)
    return cure, None if cure else (f"its arguments are {', '.join(fields)}" if fields else f"{what} has none")


def section_of(key: str, sections: Mapping[str, Iterable[str]]) -> str | None:
    """The section that a key at the top of a file belongs into: by its own name, or by what it is here."""
    for name in (key, *ARGUMENTS.get(key, ())):
        found = next((s for s, keys in sections.items() if name in keys), None)
        if found is not None:
            return f"{found}: {{{name}: …}}"
    return SECTIONS.get(key)

