"""What the sections of a model file that are read as plain values have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Values of a section: no key that it does not know, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)
