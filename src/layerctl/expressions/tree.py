"""What an expression is made of. Two trees are equal when they compute the same thing, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from layerctl.diagnostics import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A part of an expression and its place in the file."""

    span: Span | None = field(default=None, compare=False, repr=False)

    def children(self) -> Iterator[Tree]:
        """The parts directly below, from left to right."""
        for f in fields(self):
            yield from _trees(getattr(self, f.name))


def _trees(value: Any) -> Iterator[Tree]:
    if isinstance(value, Tree):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _trees(item)


@dataclass(frozen=True, slots=True)
class Number(Tree):
    """An int or a float; `0.0` and `0`, `1` and `1.0` are different numbers."""

    value: int | float
    kind: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", type(self.value).__name__)


@dataclass(frozen=True, slots=True)
class Constant(Tree):
    """True, False, None or `...`."""

    value: Any
    kind: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", type(self.value).__name__)


@dataclass(frozen=True, slots=True)
class Text(Tree):
    """A string, such as the name of a dtype or of a padding."""

    value: str


@dataclass(frozen=True, slots=True)
class Name(Tree):
    """An input, a weight, an argument, a variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary(Tree):
    """`-x`, `+x`, `not x`."""

    operator: str
    operand: Tree


@dataclass(frozen=True, slots=True)
class Binary(Tree):
    """Arithmetic: `+ - * / // % ** @`."""

    operator: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Compare(Tree):
    """`a < b`, or a chain `a < b <= c`, which is `a < b and b <= c`."""

    operators: tuple[str, ...]
    operands: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Logical(Tree):
    """Operands joined by `and` or by `or`."""

    operator: str
    operands: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Tree):
    """`then if condition else otherwise`."""

    condition: Tree
    then: Tree
    otherwise: Tree


@dataclass(frozen=True, slots=True)
class Call(Tree):
    """`function(arguments, keyword=value)`."""

    function: str
    arguments: tuple[Tree, ...] = ()
    keywords: tuple[tuple[str, Tree], ...] = ()


@dataclass(frozen=True, slots=True)
class Slice(Tree):
    """`start:stop:step` between square brackets."""

    start: Tree | None = None
    stop: Tree | None = None
    step: Tree | None = None


@dataclass(frozen=True, slots=True)
class Subscript(Tree):
    """`value[index]`; several indices between commas are a tuple of them."""

    value: Tree
    indices: tuple[Tree, ...]
    several: bool = False


@dataclass(frozen=True, slots=True)
class Items(Tree):
    """A list `[a, b]`, or a tuple `(a, b)`."""

    items: tuple[Tree, ...]
    brackets: str = "["


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its text, its tree, and the arguments that a leading `lambda x, y:` named (else None)."""

    text: str
    root: Tree
    span: Span | None = field(default=None, compare=False, repr=False)
    arguments: tuple[str, ...] | None = None

    def walk(self) -> Iterator[Tree]:
        """Every part, parents first."""
        pending = [self.root]
        while pending:
            tree = pending.pop()
            yield tree
            pending.extend(reversed(list(tree.children())))

    def names(self) -> list[str]:
        """The names it uses, each once, in the order of the text."""
        return list(dict.fromkeys(t.name for t in self.walk() if isinstance(t, Name)))

    def functions(self) -> list[str]:
        """The functions it calls, each once, in the order of the text."""
        return list(dict.fromkeys(t.function for t in self.walk() if isinstance(t, Call)))
