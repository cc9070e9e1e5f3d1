"""What is made while a wheel is built: man pages and completion scripts, installed below share/, and lowered kernels beside the sources."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOWERED = "layerctl/kernels/lowered_for"
ENVIRONMENT = "LAYERCTL_LOWER"
"""Arguments of `python -m layerctl.commands.lowered` in place of the usual ones; empty: a wheel without lowered kernels."""


class MadeFiles(BuildHookInterface):
    """Adds what `layerctl.cli.man` writes to the wheel's shared data, and what `layerctl.commands.lowered` writes to the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root) / "src"
        sys.path.insert(0, str(source))
        from layerctl.cli.man import write

        self._folder = tempfile.TemporaryDirectory(prefix="layerctl-share-")
        folder = Path(self._folder.name)
        build_data["shared_data"] |= {str(path): f"share/{path.relative_to(folder / 'share')}" for path in write(folder / "share")}
        editable = version == "editable"
        out = source / LOWERED if editable else folder / "lowered"
        if self._lower(source, out, editable) and not editable:
            build_data["force_include"] |= {str(path): f"{LOWERED}/{path.name}" for path in sorted(out.glob("*.xz"))}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._folder.cleanup()

    def _lower(self, source: Path, out: Path, editable: bool) -> bool:
        """Lowers kernels into `out`: for this machine, or for all of its architecture. Where that fails Numba does it when they are needed."""
        given = os.environ.get(ENVIRONMENT)
        if given == "":
            return False
        arguments = shlex.split(given) if given is not None else [] if editable else ["--architecture"]
        path = os.pathsep.join([str(source), *(p for p in sys.path if p)])
        environment = os.environ | {"PYTHONPATH": path, "LAYERCTL_CACHE": str(Path(self._folder.name) / "cache")}
        command = [sys.executable, "-P", "-m", "layerctl.commands.lowered", "--out", str(out), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            self.app.display_warning(f"no kernels were lowered; they will be when they are needed:\n{done.stderr.strip()}")
        return done.returncode == 0
