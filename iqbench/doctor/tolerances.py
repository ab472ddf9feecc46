"""By how much a value may deviate from the recorded one, and why not by less."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TOLERANCES", "Tolerance", "family_of"]


@dataclass(frozen=True)
class Tolerance:
    """What is allowed for a family of columns.

    Attributes
    ----------
    limit
        The largest deviation allowed.
    relative
        Whether the deviation is divided by the recorded value.
    unit
        Of the deviation.
    reason
        Where deviations come from, and what this limit tells from them.
    """

    limit: float
    relative: bool
    unit: str
    reason: str

    def deviation(self, value: float, right: float) -> float:
        """Measure how far a value is from the right one."""
        return abs(value - right) / (abs(right) if self.relative else 1.0)


_NETWORK = (
    "networks compute in float32, in an order that depends on processor and library (measured: "
    "6e-7 on CPUs); TF32 is off by 1e-4 and more, a wrong layer or weight by far more"
)
TOLERANCES = {
    "psnr": Tolerance(1e-5, False, "dB", "pixels are float32 (measured: 8e-7); papers report 1e-2"),
    "ssim": Tolerance(
        1e-6, False, "", "pixels are float32, moments float64 (measured: 3e-8); papers report 1e-4"
    ),
    "tv": Tolerance(
        1e-6, True, "relative", "differences of float32 pixels, sums in float64 (measured: 7e-8)"
    ),
    "perceptual": Tolerance(1e-5, True, "relative", _NETWORK),
    "lpips": Tolerance(1e-5, True, "relative", _NETWORK),
}


def family_of(column: str) -> str:
    """Return under which of `TOLERANCES` a column falls, e.g. ``tv`` of ``tv-iso-output``."""
    return column.partition("-")[0]
