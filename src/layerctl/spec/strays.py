"""Keys that stand in another place than theirs: each mistake is said once, and what it moved is read where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table

from layerctl.diagnostics import Problems
from layerctl.source.document import Entry, Mapping, Node, Scalar, Sequence

Keys = Table[str, Iterable[str]]
"""The keys of each section that has a fixed set of them."""


def lifted(root: Mapping, problems: Problems, keys: Keys) -> Mapping:
    """The file with sections, and keys of sections, that stand within others where they belong."""
    entries: list[Entry] = []
    loose: list[Entry] = []
    for key, value in root:
        if not isinstance(value, Mapping):
            entries.append(Entry(key, value))
            continue
        section = str(key.value)
        sections = [e for e in value if _strays(section, e, root, keys)]
        strays = _with_what_follows(section, value, sections, keys)
        for e in sections:
            problems.error("unknown-key", f"'{e.key.value}' is a section of its own, and stands within '{section}'", e.key.span,
                           hint="start its line in the first column, without spaces before it")  # fmt: skip
        moved = {id(e.key) for s in (sections, *(_taken(s) for s in strays)) for e in s}
        rest = [e for e in value if id(e.key) not in moved]
        homeless, home = _of_another(section, rest, keys)
        if homeless:
            problems.error("unknown-key", f"'{section}' has no keys {', '.join(repr(e.key.value) for e in homeless)}", homeless[0].key.span,
                           hint=f"they belong into `{home}:`, a line of its own before them")  # fmt: skip
            strays.append(Entry(homeless[0].key.called(home), Mapping(homeless, value._span, value.path)))
            rest = [e for e in rest if e not in homeless]
        entries.append(Entry(key, value if len(rest) == len(value) else Mapping(rest, value._span, value.path)))
        loose += [s for s in strays if str(s.key.value) not in root]
    return Mapping([*entries, *loose], root._span, root.path)


def _taken(stray: Entry) -> list[Entry]:
    return stray.value.entries if isinstance(stray.value, Mapping) else []


def _strays(section: str, entry: Entry, root: Mapping, keys: Keys) -> bool:
    """Whether an entry of a section is a section itself. In `vars` and `define`, where names are free, it looks like one that the file lacks."""
    name, value = str(entry.key.value), entry.value
    if section in keys:
        return (name in keys or name == "define") and name not in keys[section]
    if section not in ("vars", "define") or name in root:
        return False
    if name == "define" or (name == "model" and isinstance(value, Sequence)):
        return section == "vars" or name == "model"
    return name in keys and isinstance(value, Mapping) and len(value) > 0 and all(str(e.key.value) in keys[name] for e in value)


def _with_what_follows(section: str, value: Mapping, sections: list[Entry], keys: Keys) -> list[Entry]:
    """The sections that stand within another; one without a value has the keys that follow it and are not its neighbours'."""
    out = []
    for e in sections:
        if not (isinstance(e.value, Scalar) and e.value.value is None):
            out.append(e)
            continue
        name, own = str(e.key.value), keys.get(section, ())
        behind = value.entries[value.entries.index(e) + 1 :]
        follow = [b for b in behind if b not in sections and (str(b.key.value) in keys[name] if name in keys else b.key.value not in own)]
        out.append(Entry(e.key, Mapping(follow, value._span, value.path) if follow else e.value))
    return out


def _of_another(section: str, entries: list[Entry], keys: Keys) -> tuple[list[Entry], str]:
    """(entries that are keys of one other section, its name); several, or the layers of a model."""
    own = keys.get(section)
    for name in keys if own is not None else ():
        found = [e for e in entries if e.key.value in keys[name] and e.key.value not in own]
        if len(found) > 1 or any(e.key.value == "layers" for e in found):
            return found, name
    return [], ""


def is_definition(node: Node) -> bool:
    """Whether a value looks like a block's, or a layer of expressions'."""
    return isinstance(node, Mapping) and ("call" in node or ("layers" in node and isinstance(node.get("args"), Mapping)))


def put_back(root: Mapping, homes: Table[str, str]) -> Mapping:
    """The file with keys from its top (key → section) within their sections, where these have no such key."""
    by_section: dict[str, list[Entry]] = {}
    for e in root:
        if e.key.value in homes:
            by_section.setdefault(homes[str(e.key.value)], []).append(e)
    entries = []
    for key, value in root:
        if key.value in homes:
            continue
        own = value.entries if isinstance(value, Mapping) else []
        more = [e for e in by_section.pop(str(key.value), []) if e.key.value not in [o.key.value for o in own]]
        empty = isinstance(value, Scalar) and value.value is None
        entries.append(Entry(key, Mapping([*own, *more], value._span, value.path) if more and (own or empty) else value))
    entries += [Entry(found[0].key.called(name), Mapping(found, root._span, root.path)) for name, found in by_section.items()]
    return Mapping(entries, root._span, root.path)
