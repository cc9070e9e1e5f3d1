"""The command by its name for what runs in a shell."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def with_command(folder: Path) -> dict[str, str]:
    """The environment with a folder in front of the path that has `layerctl` and `python` as this process has them."""
    place = folder / "bin"
    place.mkdir(parents=True, exist_ok=True)
    for name, arguments in (("layerctl", "-m layerctl "), ("python", "")):
        (place / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        (place / name).chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("_LAYERCTL", "_TYPER", "COMP_", "GITHUB_", "XLA_FLAGS"))}
    return {**kept, "PATH": f"{place}:{os.environ['PATH']}", "TERM": "dumb", "COLUMNS": "80"}
