"""What a folder of the package declares: its classes by name, found without importing them.

A folder is a registry: each public class in it, derived from the folder's base class in `base.py`, is one entry under its own name,
under that name in snake_case, and under its aliases. Nothing else lists it. Only the module that holds a wanted entry is imported.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerctl.diagnostics import closest

_CLASS = re.compile(r"^class ([A-Z]\w*)\(", re.MULTILINE)
_ALIASES = re.compile(r"^    aliases[^=\n]*=\s*\(([^)]*)\)", re.MULTILINE)


def snake_case(name: str) -> str:
    """`MeanSquaredError` as `mean_squared_error`; digits stay with the word before (`conv2d`, `relu6`)."""
    name = re.sub(r"([a-z0-9])([A-Z])", lambda m: f"{m[1]}_{m[2]}" if not m[1].isdigit() or m[2] != "D" else m[0], name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


CATALOGUES = (
    "layers", "losses", "metrics", "optimizers", "schedules", "callbacks", "activations", "initializers", "regularizers", "constraints",
)  # fmt: skip
"""The folders that are registries, in the order in which pages list them."""

CAMEL = ("layers", "optimizers", "schedules", "callbacks")
"""Folders whose entries a file calls by the class's name; the others go by snake_case."""


@dataclass(frozen=True)
class Entry:
    """One declared class: its name, the module that holds it, the other names it answers to."""

    name: str
    module: str
    aliases: tuple[str, ...]


class Catalogue:
    """The classes that one folder declares.

    Raises:
        TypeError: if two classes answer to one name.
    """

    def __init__(self, kind: str):
        self.kind = kind

    @functools.cached_property
    def entries(self) -> dict[str, Entry]:
        """Every entry by its class name, in alphabetical order."""
        folder = Path(__file__).parent / self.kind
        found: dict[str, Entry] = {}
        for path in sorted(folder.glob("*.py")):
            if path.stem in ("__init__", "base") or path.stem.startswith("_"):
                continue
            text = path.read_text(encoding="utf-8")
            matches = list(_CLASS.finditer(text))
            for i, match in enumerate(matches):
                body = text[match.end() : matches[i + 1].start() if i + 1 < len(matches) else len(text)]
                alias = _ALIASES.search(body)
                aliases = tuple(re.findall(r"[\"']([^\"']+)[\"']", alias[1])) if alias else ()
                if match[1] in found:
                    raise TypeError(f"{self.kind}: two classes are called {match[1]}")
                found[match[1]] = Entry(match[1], f"layerctl.{self.kind}.{path.stem}", aliases)
        return dict(sorted(found.items()))

    @functools.cached_property
    def installed(self) -> dict[str, Entry]:
        """What installed packages add, looked for only where a name is not the package's own."""
        return {name: Entry(name, module, ()) for name, module in _installed(self.kind) if name not in self.entries}

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """Every name that is understood, to the class name."""
        table: dict[str, str] = {}
        for entry in self.entries.values():
            own = (entry.name, snake_case(entry.name))
            for name in dict.fromkeys((*(own if self.kind in CAMEL else own[::-1]), *entry.aliases)):
                if table.setdefault(name, entry.name) != entry.name:
                    raise TypeError(f"{self.kind}: {table[name]} and {entry.name} both answer to {name!r}")
        return table

    def get(self, name: str) -> Any:
        """The class behind a name, imported; None if there is none."""
        if name in self.names:
            entry = self.entries[self.names[name]]
        elif name in self.installed:
            entry = self.installed[name]
        else:
            return None
        return getattr(importlib.import_module(entry.module), entry.name)

    def spelled(self, name: str) -> str:
        """How a file calls the entry with this class name."""
        return name if self.kind in CAMEL else snake_case(name)

    def nearest(self, name: str) -> str | None:
        """The name that a wrong one was most likely meant to be."""
        return closest(name, [*self.names, *self.installed])

    def __iter__(self) -> Iterator[str]:
        return iter((*self.entries, *self.installed))


def _installed(kind: str) -> Iterator[tuple[str, str]]:
    """Classes that installed packages add through the entry point group `layerctl.<kind>`."""
    from importlib.metadata import entry_points

    for point in entry_points(group=f"layerctl.{kind}"):
        yield point.attr or point.name, point.module


@functools.cache
def catalogue(kind: str) -> Catalogue:
    """The catalogue of one folder: `layers`, `losses`, `metrics`, ..."""
    return Catalogue(kind)
