"""Man pages and completion scripts, made from the commands' declarations: `python -m layerctl.cli.man FOLDER`.

FOLDER is filled as a `share` folder is: man/man1, bash-completion/completions, zsh/site-functions, fish/vendor_completions.d.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layerctl import __version__

NAME = "layerctl"
WHOLE = "N"
"""What stands for the value of an option that names none: a whole number."""
ENVIRONMENT = {
    "LAYERCTL_CACHE": "The folder of compiled kernels and plans of predictions, in place of ~/.cache/layerctl.",
    "LAYERCTL_CACHE_GB": "How many gigabytes the encoded rows in that folder may take, 64 if not set; those that were not used for longest go first.",
    "LAYERCTL_CPU": "Restricts the vectors that kernels use, for comparisons.",
    "LAYERCTL_OBSERVERS": "The installed observers that hear of trainings; all if not set, none if empty.",
    "CC": "The C compiler that checks what export writes as C; cc if not set.",
    "NO_COLOR": "If it is not empty, nothing is coloured.",
    "GITHUB_ACTIONS": "If it is true, diagnostics are told as annotations too.",
}
FILES = {
    "runs/NAME": "A run: the model (model.safetensors), its file (model.yaml), history.jsonl and checkpoints.",
    "studies/NAME": "A study of tune: the journal and report.html.",
}
SCRIPTS = {
    "bash": "bash-completion/completions/layerctl", "zsh": "zsh/site-functions/_layerctl", "fish": "fish/vendor_completions.d/layerctl.fish",
}  # fmt: skip


def pages() -> dict[str, str]:
    """Each page's file name and text in roff's man macros."""
    from typer.main import get_command

    from layerctl.cli.app import app

    group = get_command(app)
    out = {f"{NAME}.1": _main(group)}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        out[f"{NAME}-{name}.1"] = _command(name, command, group)
    return out


def markdown() -> str:
    """All commands with their arguments and options on one page, for the site."""
    from typer.main import get_command

    from layerctl.cli.app import app

    group = get_command(app)
    lines = ["# Commands", "", " ".join((group.epilog or "").split()), ""]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        words = " ".join((p.metavar or p.name.upper()) if p.required else f"[{(p.metavar or p.name.upper()).strip('[]')}]" for p in arguments)
        lines += [f"## {name}", "", " ".join((command.help or "").split()), "", f"    layerctl {name} {words} [options]".replace("  [", " ["), ""]
        lines += ["| argument or option | |", "|---|---|"]
        lines += [f"| `{p.metavar or p.name.upper()}` | {_cell(p.help)} |" for p in arguments]
        for p in command.params:
            if p.param_type_name == "option" and not p.hidden:
                value = "" if p.is_flag else f" {p.metavar or WHOLE}"
                options = ", ".join(f"`{_cell(o + value)}`" for o in sorted(p.opts, key=len))
                lines.append(f"| {options} | {_cell(p.help)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str | None) -> str:
    """Text in a cell of a table."""
    return " ".join((text or "").split()).replace("|", "\\|")


def scripts() -> dict[str, str]:
    """Completion scripts by their place below a `share` folder."""
    from layerctl.cli.completing import script

    out = {place: script(shell) for shell, place in SCRIPTS.items()}
    out[SCRIPTS["zsh"]] += '\n_layerctl_completion "$@"\n'  # zsh loads the file as the function that it calls for the first answer
    return out


def write(folder: Path) -> list[Path]:
    """Writes all of it below `folder`; returns the files."""
    out = []
    for place, text in {**{f"man/man1/{n}": t for n, t in pages().items()}, **scripts()}.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        out.append(path)
    return out


def _main(group: Any) -> str:
    lines = [*_head(NAME, group.help), ".SH SYNOPSIS", ".B layerctl", ".I COMMAND", "[\\fIarguments\\fR] [\\fIoptions\\fR]"]
    lines += [".SH DESCRIPTION", _text(group.help), ".SH COMMANDS"]
    for name, command in group.commands.items():
        lines += [".TP", f"\\fBlayerctl\\-{_text(name)}\\fR(1)", _text(_first(command.help))]
    lines += [".SH OPTIONS", *_options(group), *_status(group)]
    lines += _defined("ENVIRONMENT", ENVIRONMENT) + _defined("FILES", FILES)
    return _page([*lines, ".SH SEE ALSO", _also([f"{NAME}-{n}" for n in group.commands])])


def _command(name: str, command: Any, group: Any) -> str:
    lines = [*_head(f"{NAME}-{name}", command.help), ".SH SYNOPSIS", f".B layerctl {_text(name)}"]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    for p in arguments:
        word = f"\\fI{_text((p.metavar or p.name.upper()).strip('[].'))}\\fR{'...' if p.nargs == -1 else ''}"
        lines.append(word if p.required else f"[{word}]")
    lines += ["[\\fIoptions\\fR]", ".SH DESCRIPTION", _text(" ".join((command.help or "").split()))]
    if arguments:
        lines.append(".SH ARGUMENTS")
        for p in arguments:
            lines += [".TP", f".I {_text((p.metavar or p.name.upper()).strip('[].'))}", _text(p.help or "")]
    others = [f"{NAME}-{n}" for n in group.commands if n != name]
    return _page([*lines, ".SH OPTIONS", *_options(command), *_status(group), ".SH SEE ALSO", _also([NAME, *others])])


def _options(command: Any) -> Iterator[str]:
    for p in command.params:
        if p.param_type_name != "option" or p.hidden:
            continue
        words = ", ".join(f"\\fB{_text(o)}\\fR" for o in sorted([*p.opts, *p.secondary_opts], key=len))
        value = "" if p.is_flag else f" \\fI{_text(p.metavar or WHOLE)}\\fR"
        plain = isinstance(p.default, (int, float, str)) and not isinstance(p.default, bool) and p.default != ""
        yield from (".TP", words + value, _text((p.help or "") + (f" Default: {p.default}." if plain else "")))
    yield from (".TP", "\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Show help and exit.")


def _status(group: Any) -> list[str]:
    """The table of exit codes, read off what help says of them."""
    told = re.split(r", (?=\d)", (group.epilog or "").removeprefix("Exit codes: ").rstrip("."))
    lines = [".SH EXIT STATUS"]
    for code, what in (re.fullmatch(r"([\d]+(?: and \d+)?) (.+)", " ".join(t.split())).groups() for t in told):  # type: ignore[union-attr]
        lines += [".TP", f".B {code}", _text(f"{what[0].upper()}{what[1:]}.")]
    return lines


def _defined(title: str, told: dict[str, str]) -> list[str]:
    return [f".SH {title}", *(part for word, text in told.items() for part in (".TP", f".B {_text(word)}", _text(text)))]


def _head(name: str, help_: str | None) -> list[str]:
    head = f'.TH {name.upper()} 1 "" "layerctl {__version__}" "layerctl"'
    return [head.replace("-", "\\-"), ".SH NAME", f"{_text(name)} \\- {_text(_first(help_).rstrip('.'))}"]


def _also(names: list[str]) -> str:
    return ",\n".join(f".BR {_text(n)} (1)" for n in names).replace(" (1),\n", " (1),\n")


def _first(text: str | None) -> str:
    """The first sentence of a help text, on one line."""
    return " ".join((text or "").split("\n\n")[0].split())


_SPECIAL = str.maketrans({"\\": "\\(rs", "-": "\\-", "'": "\\(aq", "~": "\\(ti", "^": "\\(ha", "`": "\\(ga"})


def _text(text: str) -> str:
    """Text as roff reads it: what it would take for a command or a dash is written otherwise."""
    out = " ".join(text.split()).translate(_SPECIAL)
    return f"\\&{out}" if out.startswith(".") else out


def _page(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line) + "\n"


if __name__ == "__main__":
    for written in write(Path(sys.argv[1] if len(sys.argv) > 1 else "share")):
        print(written)
