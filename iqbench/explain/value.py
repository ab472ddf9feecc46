"""A value as somebody printed it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from iqbench.explain.printed import read_printed

__all__ = ["Reported"]

CAPPED = 100.0

LARGEST = 1e6
"""Larger values, also infinite ones, may be off by as much as this one."""

FLOAT_ERROR = 2e-6
"""What float32 arithmetic may be off by, relative to values above 1, absolute below."""

EXACT_ERROR = 5e-8
"""What float64 arithmetic on luma in float32 may be off by, in the same terms."""


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
        Half a unit of the last digit, and what float32 arithmetic may be off by.
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
            What float32 arithmetic may be off by, relative to values above 1, absolute below.

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
        """Half a unit of the last digit, and what float64 arithmetic may be off by."""
        return self.half + EXACT_ERROR * max(1.0, min(abs(self.value), LARGEST))

    def difference(self, value: float) -> float:
        """Return by how much another value is larger; 0 for equal infinities.

        Many scripts print 100 where PSNR is infinite.
        """
        capped = value == math.inf and self.value == CAPPED
        return 0.0 if value == self.value or capped else value - self.value

    def shifted(self, halves: int) -> Reported:
        """Return what was meant if digits were cut off (1) or rounded up (-1)."""
        return replace(self, value=self.value + halves * self.half)

    def matches(self, value: float) -> bool:
        """Tell whether a value would be printed like this, if it were computed in float32."""
        return abs(self.difference(value)) <= self.tolerance

    def prints(self, value: float) -> bool:
        """Tell whether a value would be printed like this."""
        return abs(self.difference(value)) <= self.exact
