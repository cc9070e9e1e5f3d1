"""What a shell is offered for values, by the words that help shows for them: `onnx|c|python` names the choices, MODEL a model."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from typer.completion import completion_init, get_completion_script, install
from typer.core import CompletionItem
from typer.main import get_command

from layerctl.cli.ending import usage
from layerctl.diagnostics import did_you_mean

SHELLS = ("bash", "zsh", "fish")
YAML = (".yaml", ".yml")
WEIGHTS = ".safetensors"
ENDINGS = {
    "MODEL.yaml": YAML, "MODEL": (*YAML, WEIGHTS), "FILE.keras": (".keras", ".h5", ".json"),
}  # fmt: skip
"""What files an argument takes; others are the shell's own to offer. A MODEL may be a run's folder too."""


def script(shell: str) -> str:
    """What a shell reads to know how to ask.

    Raises:
        LayerctlError: for another shell.
    """
    _check(shell)
    return f"{get_completion_script(prog_name='layerctl', complete_var='_LAYERCTL_COMPLETE', shell=shell)}\n"


def installed(shell: str) -> str:
    """Writes the script into the user's home and the shell's start-up file; says where it is.

    Raises:
        LayerctlError: for another shell.
    """
    _check(shell)
    _, path = install(shell=shell, prog_name="layerctl", complete_var="_LAYERCTL_COMPLETE")
    return f"{path}\n"


def _check(shell: str) -> None:
    if shell not in SHELLS:
        raise usage(f"completion is for {', '.join(SHELLS)}, got '{shell}'{did_you_mean(shell, SHELLS)}")


def taught(app: Any) -> Any:
    """The command line with answers for values. Only a process that a shell asks has need of it."""
    completion_init()
    group = get_command(app)
    for parameter in group.params:
        teach(parameter)
    for command in group.commands.values():
        for parameter in command.params:
            teach(parameter)
    return group


def teach(parameter: Any) -> None:
    """Gives a parameter an answer, where its words in help say which."""
    words = parameter.metavar or ""
    answer: Callable[[str], list[str]] | None = None
    if "|" in words:
        answer = lambda text: [w for w in words.split("|") if w.startswith(text)]  # noqa: E731
    elif words in ENDINGS:
        answer = lambda text: files(text, ENDINGS[words], runs=words == "MODEL")  # noqa: E731
    elif words == "[NAME...]":
        answer = names
    if answer is not None:
        parameter.shell_complete = lambda context, text: [CompletionItem(w) for w in answer(text)]


def files(text: str, endings: tuple[str, ...], runs: bool) -> list[str]:
    """The paths that `text` may become: files with these endings, runs' folders, and folders to go on into.

    A lone folder to go on into is left to the shell, which puts no space behind it.
    """
    folder, _, start = text.rpartition("/")
    place = f"{folder}/" if folder or text.startswith("/") else ""
    found, into = [], []
    try:
        entries = sorted(os.scandir(place or "."), key=lambda e: e.name)
    except OSError:  # nothing to offer where nothing can be read
        return []
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        path = place + entry.name
        if not entry.is_dir():
            found += [path] if entry.name.endswith(endings) else []
        elif runs and os.path.exists(os.path.join(path, f"model{WEIGHTS}")):
            found.append(path)
        else:
            into.append(f"{path}/")
    return found + into if found or len(into) > 1 else []


def names(text: str) -> list[str]:
    """What a model file may name."""
    from layerctl.catalogue import catalogue
    from layerctl.commands.layers import KINDS

    return sorted({n for kind in KINDS for n in catalogue(kind).names.values() if n.lower().startswith(text.lower())})
