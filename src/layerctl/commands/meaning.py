"""What files mean, and where two or more of them mean something else: the order of keys, defaults and other names of a thing do not count."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from layerctl.source.document import Document, Mapping, Node
from layerctl.source.dump import inline
from layerctl.spec.file import SECTIONS, read_spec
from layerctl.spec.filling import brief, filled, kind_of
from layerctl.spec.variables import resolved


@dataclass(frozen=True)
class Difference:
    """One place at which files differ: each file's value as plain data, None where it has nothing there (`has` says which have it)."""

    path: str
    values: tuple[Any, ...]
    has: tuple[bool, ...]

    def __str__(self) -> str:
        return f"{self.path}: {' → '.join(shown(v) if there else 'nothing' for v, there in zip(self.values, self.has, strict=True))}"


class _Nothing:
    """What a file has at a place that it does not have."""


_NOTHING = _Nothing()


def differences(files: Sequence[dict[str, Any]]) -> list[Difference]:
    """Where files' meanings differ. Names that none of them gives are those of the files, and no difference."""
    given = any(f["name"][0] for f in files if "name" in f)
    plain = [{k: f[k][1] if k == "name" else f[k] for k in SECTIONS if k in f and (k != "name" or given)} for f in files]
    return list(_between("", plain))


def meaning(document: Document) -> dict[str, Any]:
    """A file with its defaults filled in and its variables put in, as plain data by section; `name` is (whether the file gives it, the name).

    Raises:
        LayerctlError: for what is wrong in its sections.
    """
    spec = read_spec(document)
    scope = {**spec.variables, "vars": spec.variables}
    root = spec.document.root
    assert isinstance(root, Mapping)
    entries = []
    for e in root.entries:
        if e.key.value == "define" and isinstance(e.value, Mapping):
            blocks = [d._replace(value=_known(d.value, scope)) for d in e.value.entries]
            entries.append(e._replace(value=Mapping(blocks, e.value._span, e.value.path)))
        elif e.key.value != "vars":
            entries.append(e._replace(value=resolved(e.value, scope, defer=True)))
    return {**filled(Mapping(entries, root._span, root.path)), "name": ("name" in root, spec.name)}


def _known(block: Node, scope: dict[str, Any]) -> Node:
    """A definition with the file's variables, but for those that its own arguments hide."""
    own = block.get("args") if isinstance(block, Mapping) else None
    hidden = {*(own.keys() if isinstance(own, Mapping) else ()), "input"}
    return resolved(block, {k: v for k, v in scope.items() if k not in hidden}, defer=True)


def _between(path: str, values: Sequence[Any]) -> Iterator[Difference]:
    """Where values at one place differ."""
    if all(isinstance(v, dict) for v in values):
        heads = [_heads(v) for v in values]
        if any(h != heads[0] for h in heads) and all(len(h) == 1 for h in heads):  # another optimizer, another layer
            yield _difference(path, values)
            return
        for key in dict.fromkeys(k for v in values for k in v):
            yield from _at(f"{path}.{key}" if path else str(key), [v.get(key, _NOTHING) for v in values])
    elif all(isinstance(v, list) for v in values) and any(isinstance(x, dict) for v in values for x in v):
        yield from _lists(path, values)
    elif not all(_same(values[0], v) for v in values[1:]):
        yield _difference(path, values)


def _at(path: str, values: Sequence[Any]) -> Iterator[Difference]:
    if any(v is _NOTHING for v in values):
        yield _difference(path, values)
    else:
        yield from _between(path, values)


def _difference(path: str, values: Sequence[Any]) -> Difference:
    has = tuple(v is not _NOTHING for v in values)
    return Difference(path, tuple(brief(v) if there else None for v, there in zip(values, has, strict=True)), has)


def _heads(value: dict[str, Any]) -> list[str]:
    """The entries of catalogues that a mapping names: the layer of an item, an optimizer."""
    return [k for k, v in value.items() if isinstance(v, dict) and kind_of(k) is not None]


def _lists(path: str, lists: Sequence[list[Any]]) -> Iterator[Difference]:
    """Lists of entries, each set beside the first: what was put in or taken out does not make all that follows differ."""
    first, others = lists[0], [_beside(lists[0], other) for other in lists[1:]]
    for k in range(len(first) + 1):
        for n in range(max((len(put_in.get(k, ())) for _, put_in in others), default=0)):
            more = [put_in.get(k, [])[n : n + 1] for _, put_in in others]
            at, item = next(found[0] for found in more if found)
            yield _difference(f"{path}.{_label(item, at)}", [_NOTHING, *(found[0][1] if found else _NOTHING for found in more)])
        if k < len(first):
            yield from _at(f"{path}.{_label(first[k], k)}", [first[k], *(partners[k] for partners, _ in others)])


def _beside(a: list[Any], b: list[Any]) -> tuple[list[Any], dict[int, list[tuple[int, Any]]]]:
    """For each entry of `a` the one of `b` that stands for it, if any; and what `b` has besides: by the place in `a` before which it stands, (its own
    place, the entry)."""
    texts = [[json.dumps(v, sort_keys=True, default=str) for v in side] for side in (a, b)]
    partners: list[Any] = [_NOTHING] * len(a)
    put_in: dict[int, list[tuple[int, Any]]] = {}
    for _, i, i_end, j, j_end in difflib.SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        paired = min(i_end - i, j_end - j)
        partners[i : i + paired] = b[j : j + paired]
        if j + paired < j_end:
            put_in[i_end] = [(k, b[k]) for k in range(j + paired, j_end)]
    return partners, put_in


def _label(item: Any, at: int) -> str:
    """How `--set` names an item: by its name, else by its place."""
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else str(at)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b or (a != a and b != b)


def shown(value: Any, most: int = 100) -> str:
    """A value on one line, as YAML has it."""
    text = inline(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
