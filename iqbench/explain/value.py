"""A printed value and its precision."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from iqbench.explain.printed import read_printed

__all__ = ["Reported"]

CAPPED = 100.0

LARGEST = 1e6
"""Larger values, also infinite ones, may be off by as much as this one."""

FLOAT_ERROR = 2e-6
"""Error of float32 arithmetic: relative to values above 1, absolute below."""

EXACT_ERROR = 5e-8
"""Error of float64 arithmetic on luma in float32, in the same terms."""


@dataclass(frozen=True)
class Reported:
    """A reported value and how precisely it was printed.

    Attributes
    ----------
    text
        As typed, e.g. ``28.42``.
    value
        The number.
    tolerance
        Half a unit of the last digit, and the error of float32 arithmetic.
    half
        Half a unit of the last digit alone.
    """

    text: str
    value: float
    tolerance: float
    half: float

    @classmethod
    def parse(cls, text: str | float, float_error: float = FLOAT_ERROR) -> Reported:
        """Read a value with its digits.

        Parameters
        ----------
        text
            As in `iqbench.explain.printed.read_printed`; a float counts with the digits that it
            prints.
        float_error
            The error of float32 arithmetic: relative to values above 1, absolute below.

        Raises
        ------
        IqbenchError
            If it is no number.
        """
        text = str(text).strip()
        number = read_printed(text)
        value = float(number)
        exponent = number.as_tuple().exponent
        half = 0.5 * 10.0**exponent if isinstance(exponent, int) else 0.0
        return cls(text, value, half + float_error * max(1.0, min(abs(value), LARGEST)), half)

    @property
    def exact(self) -> float:
        """Half a unit of the last digit, and the error of float64 arithmetic."""
        return self.half + EXACT_ERROR * max(1.0, min(abs(self.value), LARGEST))

    def difference(self, value: float) -> float:
        """Return by how much another value is larger; 0 if both are infinite.

        Many scripts print 100 where PSNR is infinite.
        """
        capped = value == math.inf and self.value == CAPPED
        return 0.0 if value == self.value or capped else value - self.value

    def shifted(self, halves: int) -> Reported:
        """Return the value as if digits were cut off (1) or rounded up (-1)."""
        return replace(self, value=self.value + halves * self.half)

    def matches(self, value: float) -> bool:
        """Tell whether a value would be printed like this, allowing for float32 arithmetic."""
        return abs(self.difference(value)) <= self.tolerance

    def prints(self, value: float) -> bool:
        """Tell whether a value would be printed like this."""
        return abs(self.difference(value)) <= self.exact
