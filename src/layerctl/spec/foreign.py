"""Answers to names from PyTorch, older Keras and other tools, and to values that are code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from layerctl.catalogue import catalogue
from layerctl.diagnostics import closest, did_you_mean
from layerctl.spec.foreign_names import ABSENT, ARGUMENTS, INPUT, NAMES, NEEDLESS, NOTES, SECTIONS, SEQUENCE, VALUES

_CODE = re.compile(r"(?:\w+\s*=\s*)?((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_LONGEST_CODE = 300


_GLUED = re.compile(r"([A-Za-z_]\w*):(\S.*)")
_PARTED = re.compile(r"""([A-Za-z_]\w*)(?:\s*=\s*|\s+(?=[\d\[{"']))(.*\S)\s*""")
TYPOGRAPHIC = "“”„‘’‚«»"


def written_wrong(kind: str, name: str) -> tuple[str, str] | None:
    """(what to say of a name with something that YAML does not see, a hint), or None: a lost space, quotes that are none."""
    glued = _GLUED.fullmatch(name)
    if glued is not None and glued[1] in catalogue(kind).names:
        return f"'{name}' is one word, expected a space after ':'", f"write `{glued[1]}: {glued[2]}`"
    parted = _PARTED.fullmatch(name)
    if parted is not None and parted[1] in catalogue(kind).names and "," not in name:
        return f"'{name}' is one text, expected a ':' behind '{parted[1]}'", f"write `{parted[1]}: {parted[2]}`"
    bare = name.strip(TYPOGRAPHIC)
    if bare != name and bare:
        return f"'{name}' has typographic quotes, which YAML takes as part of the text", f"write `{bare}`"
    return None


def name_here(kind: str, name: str) -> tuple[str, str | None] | None:
    """(what to say of a foreign name, a hint), or None where it is none that is known: `nn.Linear` is Dense here."""
    bare = name.rsplit(".", 1)[-1]
    table = NAMES.get(kind, {})
    for given in dict.fromkeys((name, bare, bare.removesuffix("_"))):
        if given in table:
            return f"{name} is {table[given]} here", NOTES.get(given)
        if given in ABSENT:
            return f"there is no {given} here", ABSENT[given]
    if bare != name and re.fullmatch(r"[\w.]+", name):
        known = _folded(bare, catalogue(kind).names)
        if known in catalogue(kind).names:
            return f"{name} is {known} here, without '{name[: -len(bare)]}'", None
    return None


def stands_for(kind: str, name: str) -> Any:
    """The class that a foreign name is here; None where it is none that is known."""
    bare, known = name.rsplit(".", 1)[-1], catalogue(kind)
    here = next((NAMES.get(kind, {})[n] for n in (name, bare) if n in NAMES.get(kind, {})), _folded(bare, known.names) if bare != name else None)
    return known.get(here) if here is not None and here in known.names else None


def _folded(name: str, names: Iterable[str]) -> str:
    """The known name that differs in capitals alone; the name itself if there is none, or it is known."""
    found = list(names)
    return name if name in found else next((n for n in found if n.lower() == name.lower()), name)


def code_here(kind: str, text: str) -> tuple[str, str] | None:
    """(what to say of a value that is code, how to write it), or None: `l2(0.01)` is `{L2: 0.01}` here."""
    if len(text) > _LONGEST_CODE:
        return None
    found = _CODE.fullmatch(text.strip())
    if found is None:
        return None
    name, known = found[1].rsplit(".", 1)[-1], catalogue(kind)
    name = _folded(name, known.names)
    here = known.spelled(known.names[name]) if name in known.names else NAMES.get(kind, {}).get(name)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    if here is None:
        near = did_you_mean(name, known.names)
        return f"'{shown}' is code, expected a name{near}", "write a name with its arguments as a mapping: `{Name: {argument: value}}`"
    if ":" in here:
        return f"'{shown}' is code, expected a name with its arguments", f"write `{here}`"
    written = _arguments(known.get(here), found[2]) if name in known.names else "{…}"
    whole = f"{here}: {written}" if written and kind == "layers" else f"{{{here}: {written}}}" if written else here
    return f"'{shown}' is code, expected a name with its arguments", f"write `{whole}`"


def _arguments(cls: Any, text: str) -> str:
    """Arguments of a call in Python as a file has them; `{…}` where they are more than plain values."""
    import ast

    from layerctl.source.dump import inline

    try:
        call = ast.parse(f"f({text})", mode="eval").body
        assert isinstance(call, ast.Call)
        order = cls.own_fields()
        given = {order[i]: ast.literal_eval(a) for i, a in enumerate(call.args)}
        given |= {meant_argument(str(k.arg), order) or str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        if list(given) == [cls.first_argument()] and not isinstance(next(iter(given.values())), dict):
            return inline(next(iter(given.values())))
        return inline(given) if given else ""
    except (SyntaxError, ValueError, TypeError, IndexError, AssertionError, RecursionError, MemoryError):
        return "{…}"


def meant_argument(name: str, known: Iterable[str]) -> str | None:
    """The argument that a wrong one stands for: by the table, else the nearest."""
    fields = list(known)
    word = name.partition("=")[0].strip()
    return next((t for t in (word, *ARGUMENTS.get(name, ())) if t in fields), None) or (closest(name, fields) if name not in NEEDLESS else None)


def argument_here(what: str, name: str, known: Iterable[str]) -> tuple[str, str | None]:
    """(the end of a message on an argument that a thing does not have, a hint)."""
    fields = list(known)
    word, sign, value = name.partition("=")
    if sign and word.strip() in fields:
        return "", f"write `{word.strip()}: {value.strip()}`"
    target = next((t for t in ARGUMENTS.get(name, ()) if t in fields), None)
    if target is not None:
        return f"; it is '{target}' here", NOTES.get(name)
    if name in NEEDLESS:
        return "", f"it is not needed: {NEEDLESS[name]}" if NEEDLESS[name] in (INPUT, SEQUENCE) else NEEDLESS[name]
    cure = did_you_mean(name, fields)
    if not cure and closest(name, ("search",)):
        return "", "a range is written in a value's place: `{search: [4, 64]}`"
    return cure, None if cure else (f"its arguments are {', '.join(fields)}" if fields else f"{what} has none")


def value_here(argument: str, given: Any) -> str | None:
    """What a file writes for a value of others: `scale: standard` for `scale: zscore`; None where it is none that is known."""
    word = re.sub(r"[\s_-]", "", str(given).lower())
    found = VALUES.get(argument, {}).get(word)
    return found if found is None or ":" in found else f"{argument}: {found}"


def section_of(key: str, sections: Mapping[str, Iterable[str]]) -> str | None:
    """The section that a key at the top of a file belongs into: by its own name, or by what it is here."""
    for name in (key, *ARGUMENTS.get(key, ())):
        found = next((s for s, keys in sections.items() if name in keys), None)
        if found is not None:
            return f"{found}: {{{name}: …}}"
    return SECTIONS.get(key)

