"""Arguments of the shortest commands, read without typer where they are plain: importing typer takes as long as predicting ten rows.

Whatever is not plain is typer's to read: help, mistakes, shorthands, options twice. A test holds these tables against typer's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerctl.cli import runs


@dataclass(frozen=True)
class Plain:
    """A command: its arguments' names, all of them needed, and the names that its options' values have."""

    run: Callable[..., None]
    places: tuple[str, ...]
    texts: dict[str, str] = field(default_factory=dict)
    counts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)


COMMANDS = {
    "build": Plain(runs.build, ("model",), {"--show": "show"}, {"--batch": "batch", "--threads": "threads"}, {"--set": "overrides"}, {"--json": "as_json"}),
    "predict": Plain(
        runs.predict, ("model", "data"),
        {"--format": "form", "--input-format": "input_format", "--out": "out", "-o": "out", "--keep": "keep", "--on-error": "on_error"},
        {"--batch": "batch", "--threads": "threads", "--top": "top"}, {"--layer": "layers"}, {"--json": "as_json", "--proba": "every"},
    ),
}  # fmt: skip


def plain(given: Sequence[str]) -> Callable[[], None] | None:
    """What runs the command; None where typer is to read the arguments."""
    command = COMMANDS.get(given[0]) if given else None
    if command is None:
        return None
    found = _options(command, given[1:])
    return None if found is None else lambda: command.run(**found)


def _options(command: Plain, words: Sequence[str]) -> dict[str, Any] | None:
    places: list[str] = []
    found: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word and (word == "-" or not word.startswith("-")):
            places.append(word)
            continue
        name = command.flags.get(word) or command.texts.get(word) or command.counts.get(word)
        if name in found:
            return None
        if word in command.flags:
            found[command.flags[word]] = True
            continue
        value = next(rest, "")
        if not value or value.startswith("-"):
            return None
        if word in command.lists:
            found.setdefault(command.lists[word], []).append(value)
        elif word in command.texts:
            found[command.texts[word]] = value
        elif word in command.counts and _is_count(value):
            found[command.counts[word]] = int(value)
        else:
            return None
    return {**dict(zip(command.places, places, strict=True)), **found} if len(places) == len(command.places) else None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 9 and not text.startswith("0")
