"""`layerctl render`: a file with every default, and what two files or runs mean differently."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerctl.diagnostics import Diagnostic
from layerctl.source.document import Document, Mapping, Node
from layerctl.source.dump import dumps, inline
from layerctl.spec.file import SECTIONS, read_spec
from layerctl.spec.filling import brief, filled, kind_of
from layerctl.spec.search import settled
from layerctl.spec.variables import resolved


@dataclass(frozen=True)
class Rendered:
    """A file's text with everything filled in."""

    text: str
    warnings: list[Diagnostic] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """One place at which two files differ; `before` and `after` are plain data, None where there is nothing (`has` says which side has it)."""

    path: str
    before: Any
    after: Any
    has: tuple[bool, bool] = (True, True)

    def __str__(self) -> str:
        before, after = (shown(v) if has else "nothing" for v, has in zip((self.before, self.after), self.has, strict=True))
        return f"{self.path}: {before} → {after}"


def render(source: str, *, overrides: Sequence[str] = (), seed: int | None = None) -> Rendered:
    """The file with every default, after it was built: what is printed builds to the same weights.

    Raises:
        LayerctlError: with everything that is wrong in it.
    """
    from layerctl.api import Model
    from layerctl.source.opening import opened

    model = Model.from_yaml(source, overrides=overrides, seed=seed)
    document = settled(opened(source, overrides, seed=seed)) if source != "-" else model.spec.document
    assert isinstance(document.root, Mapping)
    made = filled(document.root)
    made.setdefault("name", model.spec.name)
    return Rendered(dumps({k: made[k] for k in SECTIONS if k in made}), model.warnings)


def diff(before: str, after: str, *, overrides: Sequence[str] = ()) -> list[Difference]:
    """Where two files (or the files of two runs) mean something else; the order of keys, defaults and other names of a thing do not count.

    Raises:
        LayerctlError: for a file that cannot be read, and for what is wrong in its sections.
    """
    a, b = (_meaning(source, overrides) for source in (before, after))
    if a["name"][0] or b["name"][0]:
        a["name"], b["name"] = a["name"][1], b["name"][1]
    else:
        del a["name"], b["name"]
    return list(_differences("", {k: a[k] for k in SECTIONS if k in a}, {k: b[k] for k in SECTIONS if k in b}))


def _meaning(source: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The filled file with its variables put in; `name` is (whether the file gives it, the name)."""
    document = _document(source, overrides)
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


def _document(source: str, overrides: Sequence[str]) -> Document:
    """The document of a file, or of the model file in a run's folder."""
    from layerctl.source.opening import opened

    path = Path(source)
    if not path.is_dir() and path.suffix != ".safetensors":
        return opened(source, overrides)
    from layerctl.modelfile.artifact import read_model
    from layerctl.modelfile.finding import find_model
    from layerctl.source.overrides import apply_overrides
    from layerctl.source.read import loads

    file = find_model(path)
    return apply_overrides(loads(read_model(file).yaml, f"{file} (its YAML)"), overrides)


def _differences(path: str, a: Any, b: Any) -> Iterator[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        heads = _heads(a), _heads(b)
        if heads[0] != heads[1] and len(heads[0]) == len(heads[1]) == 1:  # another optimizer, another layer
            yield Difference(path, brief(a), brief(b))
            return
        for key in [*a, *(k for k in b if k not in a)]:
            at = f"{path}.{key}" if path else str(key)
            if key in a and key in b:
                yield from _differences(at, a[key], b[key])
            else:
                yield Difference(at, brief(a.get(key)), brief(b.get(key)), (key in a, key in b))
    elif isinstance(a, list) and isinstance(b, list) and any(isinstance(v, dict) for v in (*a, *b)):
        yield from _lists(path, a, b)
    elif not _same(a, b):
        yield Difference(path, brief(a), brief(b))


def _heads(value: dict[str, Any]) -> list[str]:
    """The entries of catalogues that a mapping names: the layer of an item, an optimizer."""
    return [k for k, v in value.items() if isinstance(v, dict) and kind_of(k) is not None]


def _lists(path: str, a: list[Any], b: list[Any]) -> Iterator[Difference]:
    """Lists of entries: what was put in or taken out does not make all that follows differ."""
    texts = [[json.dumps(v, sort_keys=True, default=str) for v in side] for side in (a, b)]
    for _, i, i_end, j, j_end in (o for o in difflib.SequenceMatcher(None, *texts, autojunk=False).get_opcodes() if o[0] != "equal"):
        paired = min(i_end - i, j_end - j)
        for k in range(paired):
            yield from _differences(f"{path}.{_label(a[i + k], i + k)}", a[i + k], b[j + k])
        for k in range(i + paired, i_end):
            yield Difference(f"{path}.{_label(a[k], k)}", brief(a[k]), None, (True, False))
        for k in range(j + paired, j_end):
            yield Difference(f"{path}.{_label(b[k], k)}", None, brief(b[k]), (False, True))


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
