"""`layerctl layers`: what a file may name, and each name's page."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from layerctl.catalogue import CATALOGUES, catalogue
from layerctl.configured import Configured, plain, singular
from layerctl.diagnostics import Source, Span, fail

if TYPE_CHECKING:
    from layerctl.commands.examples import Example

KINDS = CATALOGUES


@dataclass(frozen=True)
class Argument:
    """One argument of an entry; `default` is `required` where there is none."""

    name: str
    default: Any
    description: str


@dataclass(frozen=True)
class Page:
    """An entry of a catalogue."""

    name: str
    kind: str
    category: str
    aliases: tuple[str, ...]
    text: str
    arguments: list[Argument]
    example: Example | None = None

    @property
    def summary(self) -> str:
        """The first line of its text."""
        return self.text.split("\n", 1)[0]


def page_of(kind: str, name: str) -> Page:
    """The page of a class that a catalogue has."""
    cls: type[Configured] = catalogue(kind).get(name)
    arguments = [
        Argument(n, "required" if f.is_required() else plain(f.get_default(call_default_factory=True)), f.description or "")
        for n in (*cls.own_fields(), *(n for n in ("name", "trainable", "dtype") if n in cls.model_fields))
        for f in [cls.model_fields[n]]
    ]
    known = catalogue(kind)
    entry = known.entries[known.names[name]] if name in known.names else known.installed[name]
    return Page(entry.name, singular(kind), getattr(cls, "category", kind), entry.aliases, inspect.getdoc(cls) or "", arguments)


def pages(kinds: tuple[str, ...] = KINDS) -> list[Page]:
    """Every page, by kind and name."""
    return [page_of(kind, name) for kind in kinds for name in catalogue(kind)]


def page(name: str) -> list[Page]:
    """The pages of a name; a layer first, where an activation, say, has the same name.

    Raises:
        LayerctlError: if nothing has the name.
    """
    found = [page_of(kind, name) for kind in KINDS if catalogue(kind).get(name) is not None]
    if not found:
        near = next((n for kind in KINDS if (n := catalogue(kind).nearest(name))), None)
        fail("unknown-name", f"nothing is called '{name}'" + (f"; did you mean '{near}'?" if near else ""), Span(Source("layers")),
             hint="`layerctl layers` lists every name")  # fmt: skip
    return [with_example(p) for p in found]


def with_example(page: Page) -> Page:
    """The page of a layer with an example that was built."""
    if page.kind != "layer":
        return page
    from layerctl.commands.examples import example_of

    return replace(page, example=example_of(page.name))
