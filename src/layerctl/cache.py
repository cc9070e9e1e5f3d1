"""Where things that can be made again are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """$LAYERCTL_CACHE, or layerctl in $XDG_CACHE_HOME or ~/.cache; None where there is no home. Relative XDG values are passed over."""
    own = os.environ.get("LAYERCTL_CACHE")
    if own:
        return Path(own).absolute()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):
        return Path(xdg) / "layerctl"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "layerctl" if os.path.isabs(home) else None
