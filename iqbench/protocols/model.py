"""The classes of presets: the keys of a block of ``presets.yaml`` or of a user's file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from iqbench.protocols.view import Brightness, Colour, Gray

__all__ = ["Preset", "ViewTemplate"]


class ViewTemplate(BaseModel):
    """A view whose numbers may be a preset's parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    colour: Colour
    quantise: bool = False
    modcrop: int | str = 1
    crop: int | str = 0
    brightness: Brightness = "own"
    gray: Gray = "keep"


class Preset(BaseModel):
    """How a field scores: a block of ``presets.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def templates(self) -> dict[str, ViewTemplate]:
        """All views, by role or by the name of the metric that has one of its own."""
        return {
            "fidelity": self.fidelity,
            "perception": self.perception,
            "naturalness": self.naturalness,
            "set": self.set,
            **self.views,
        }

    version: int
    summary: str
    citation: str
    parameters: tuple[str, ...] = ()
    fidelity: ViewTemplate
    perception: ViewTemplate
    naturalness: ViewTemplate = ViewTemplate(colour="rgb")
    set: ViewTemplate = ViewTemplate(colour="rgb")
    views: dict[str, ViewTemplate] = {}
    variants: dict[str, str] = {}
    metrics: tuple[str, ...] = ()
    peak: int | str | None = None
