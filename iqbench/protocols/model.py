"""The classes of presets: the keys of a block of ``presets.yaml`` or of a user's file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationInfo, field_validator

from iqbench.protocols.view import Brightness, Colour, Gray

__all__ = ["Preset", "ViewTemplate"]


class ViewTemplate(BaseModel):
    """A view whose numbers may be a preset's parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    colour: Colour
    quantise: bool = False
    modcrop: int | str = 1
    crop: int | str = 0
    brightness: Brightness = "own"
    gray: Gray = "keep"

    @field_validator("modcrop", "crop", mode="before")
    @classmethod
    def _pixels(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what is neither a number of pixels nor the name of a parameter."""
        least = 1 if info.field_name == "modcrop" else 0
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if whole or isinstance(value, str):
            return value
        raise ValueError(
            f"must be a whole number from {least}, or the name of a parameter, not {value!r}"
        )


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

    version: Annotated[int, Field(strict=True, ge=1)]
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
    peak: StrictInt | str | None = None
