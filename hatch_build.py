"""Man pages and completion scripts, made of the commands while a wheel is built, and installed below share/."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SharedFiles(BuildHookInterface):
    """Adds what `layerctl.cli.man` writes to the wheel's shared data."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        sys.path.insert(0, str(Path(self.root) / "src"))
        from layerctl.cli.man import write

        self._folder = tempfile.TemporaryDirectory(prefix="layerctl-share-")
        folder = Path(self._folder.name)
        build_data["shared_data"] |= {str(path): f"share/{path.relative_to(folder)}" for path in write(folder)}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._folder.cleanup()
