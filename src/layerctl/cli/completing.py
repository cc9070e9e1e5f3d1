"""What a shell is offered for values, by the words that help shows for them: `onnx|c|python` names the choices, MODEL a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from typer.completion import completion_init, get_completion_script, install
from typer.core import CompletionItem
from typer.main import get_command

from layerctl.cli.ending import usage
from layerctl.diagnostics import LayerctlError, did_you_mean

SHELLS = ("bash", "zsh", "fish")
YAML = (".yaml", ".yml")
WEIGHTS = ".safetensors"
ENDINGS = {
    "MODEL.yaml": YAML, "MODEL": (*YAML, WEIGHTS), "FILE.keras": (".keras", ".h5", ".json"), "RUN": YAML, "RUN RUN...": (),
}  # fmt: skip
"""What files an argument takes; others are the shell's own to offer. A MODEL may be a run's folder too, as a RUN is."""


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
    """Gives a parameter an answer, where its words in help say which, or its name does."""
    words = parameter.metavar or ""
    answer: Callable[[str, Any], list[str]] | None = None
    if "|" in words and words == words.lower():
        answer = lambda text, _: [w for w in words.split("|") if w.startswith(text)]  # noqa: E731
    elif words in ENDINGS:
        runs = {"MODEL": _has_model, "RUN": _is_run, "RUN RUN...": _is_run}.get(words)
        answer = lambda text, _: files(text, ENDINGS[words], runs)  # noqa: E731
    else:
        answer = next((OF_NAMES[n] for n in (words, *parameter.opts) if n in OF_NAMES), None)
    if answer is not None:
        parameter.shell_complete = lambda context, text: [CompletionItem(w) for w in _quietly(answer, text, context)]


def _quietly(answer: Callable[[str, Any], list[str]], text: str, context: Any) -> list[str]:
    """What is offered; nothing where a file that it depends on cannot be read: a shell that asks is no place for messages."""
    try:
        return answer(text, context)
    except (LayerctlError, OSError):
        return []


def _has_model(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, f"model{WEIGHTS}"))


def _is_run(folder: str) -> bool:
    from pathlib import Path

    from layerctl.commands.runs import is_run

    return is_run(Path(folder))


def files(text: str, endings: tuple[str, ...], runs: Callable[[str], bool] | None = None) -> list[str]:
    """The paths that `text` may become: files with these endings, folders that are `runs`, and folders to go on into.

    A lone folder to go on into is left to the shell, which puts no space behind it.
    """
    folder, _, start = text.rpartition("/")
    place = f"{folder}/" if folder or text.startswith("/") else ""
    found, into = [], []
    for entry in sorted(os.scandir(place or "."), key=lambda e: e.name):
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        path = place + entry.name
        if not entry.is_dir():
            found += [path] if entry.name.endswith(endings) else []
        elif runs is not None and runs(path):
            found.append(path)
        else:
            into.append(f"{path}/")
    return found + into if found or len(into) > 1 else []


def names(text: str, _: Any) -> list[str]:
    """What a model file may name."""
    from layerctl.catalogue import catalogue
    from layerctl.commands.layers import KINDS

    return sorted({n for kind in KINDS for n in catalogue(kind).names.values() if n.lower().startswith(text.lower())})


def codes(text: str, _: Any) -> list[str]:
    """The codes of messages."""
    from layerctl.commands.explain import explanations

    return [c for c in explanations() if c.startswith(text)]


def templates(text: str, _: Any) -> list[str]:
    """What a model file may start from."""
    from layerctl.commands.starting.templates import template_names

    return [n for n in template_names() if n.startswith(text)]


def sorts(text: str, _: Any) -> list[str]:
    """What runs are sorted by, besides their scores."""
    from layerctl.commands.runs import KEYS

    return [k for k in KEYS if k.startswith(text)]


def rules(text: str, _: Any) -> list[str]:
    """By what a threshold is chosen."""
    from layerctl.reporting.thresholds import AT_LEAST, BEST

    return [w for w in (*BEST, *(f"{n}=0.9" for n in AT_LEAST), "cost=1:1") if w.startswith(text)]


def layers(text: str, context: Any) -> list[str]:
    """The layers of the trained model that the line names."""
    from layerctl.api import load

    given = _model(context, (WEIGHTS, *YAML))
    return [n for step in load(given).graph.steps for n in step.names if n.startswith(text)] if given else []


def settings(text: str, context: Any) -> list[str]:
    """The values of the file that the line names, as `--set` changes them: each with its path. What has blanks in it is not offered."""
    from layerctl.source.opening import opened

    given = _model(context, YAML)
    found = _leaves(opened(given, ()).root.plain(), "") if given else ()
    return [w for path, value in found if (w := f"{path}={value}").startswith(text) and not any(c.isspace() for c in w)]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Paths of single values, items of lists by their names where they have some."""
    from layerctl.source.dump import inline

    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        for i, inner in enumerate(value):
            name = inner.get("name") if isinstance(inner, dict) else None
            yield from _leaves(inner, f"{path}.{name if isinstance(name, str) else i}")
    else:
        yield path, inline(value)


def _model(context: Any, endings: tuple[str, ...]) -> str | None:
    """The model that a line names: as the command has it, or the first such path, since an option without its value leaves the rest unread."""
    given = context.params.get("model")
    words = [given] if given else (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or "").split()
    return next((w for w in words if w.endswith(endings) or (WEIGHTS in endings and os.path.isdir(w))), None)


OF_NAMES = {
    "[NAME...]": names, "[CODE]": codes, "KEY": sorts, "RULE": rules, "--template": templates, "--layer": layers, "--set": settings,
    "DIR": lambda text, _: files(text, ()), "[DIR]": lambda text, _: files(text, ()),
}  # fmt: skip
"""Answers by the words in help, or by an option's name."""
