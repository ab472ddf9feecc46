"""Determine the peak, the sample value of white, of an image or of a pair of images.

A file of 16 bits may contain samples of 10 or 12 bits. The PNG standard requires to scale such
samples to 16 bits and to record their original bits in sBIT. Other programs write them unscaled,
with or without this record. So the record decides only if the samples of both images agree with it.
Metrics that read only the output use the peak that it has without its reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log2
from numbers import Integral
from typing import TypeAlias

import numpy as np

from iqbench.errors import IqbenchError
from iqbench.images.formats.reader import ImageHeader
from iqbench.images.picture import Picture
from iqbench.images.remark import Remark

__all__ = [
    "LARGEST_PEAK",
    "Peaks",
    "check_peak",
    "peaks_of_headers",
    "settle_peak",
    "settle_peaks",
]

_Side: TypeAlias = Picture | ImageHeader

LARGEST_PEAK = 65535
"""The largest sample of 16 bits."""

_OWN = (255, LARGEST_PEAK)
_DARK = 4095  # the largest sample of 12 bits, one sixteenth of the range of 16 bits
_LEAST_BITS = 2  # smallest difference of depths: a factor of 2 may be a property of the image
_NEAR_FACTOR = 0.15
_ROWS = 64

_HOW_TO_SAY = "`--peak N` says otherwise"


@dataclass(frozen=True)
class Peaks:
    """The sample values of white.

    Attributes
    ----------
    reference, output
        The peaks of a pair. Without a reference, both are the peak of the output.
    own
        The peak of the output without regard to its reference; by default that of the pair.
    """

    reference: int
    output: int
    own: int = 0

    def __post_init__(self) -> None:
        if not self.own:
            object.__setattr__(self, "own", self.output)

    @classmethod
    def alone(cls, peak: int) -> Peaks:
        """Return the peaks of an output without a reference."""
        return cls(peak, peak)

    @property
    def own_label(self) -> str:
        """The text in a signature for the output alone; empty as `label`."""
        return "" if self.own in _OWN else str(self.own)

    @property
    def label(self) -> str:
        """The text in a signature for a pair; empty if samples use their full range.

        If output and reference have different peaks, that of the output follows after a slash.
        """
        if self.output in (*_OWN, self.reference):
            return "" if self.reference in _OWN else str(self.reference)
        return f"{self.reference}/{self.output}"

    def __str__(self) -> str:
        """Return both peaks, or the common one."""
        if self.reference == self.output:
            return str(self.reference)
        return f"{self.reference}/{self.output}"


def check_peak(peak: object) -> None:
    """Check that a peak is possible for samples of 8 or 16 bits; None means no peak.

    Raises
    ------
    IqbenchError
        If it is not a whole number from 1 to 65535.
    """
    whole = (
        not isinstance(peak, bool) and isinstance(peak, Integral) and 1 <= int(peak) <= LARGEST_PEAK
    )
    if peak is not None and not whole:
        raise IqbenchError(
            f"the peak must be a whole number from 1 to {LARGEST_PEAK}, not {peak!r}",
            hint="It is the sample value of white: 1023 for 10 bits, 4095 for 12",
        )


def peaks_of_headers(
    reference: ImageHeader, output: ImageHeader, given: int | None = None
) -> Peaks | None:
    """Return the peaks of a pair, if they do not depend on its samples.

    Parameters
    ----------
    reference, output
        The headers.
    given
        The peak that the user gave, if any.

    Returns
    -------
    Peaks or None
        None if a header records fewer bits than the file has, so that the samples decide; and if
        the given peak is too large for both files, which `settle_peaks` refuses.
    """
    sides = (reference, output)
    if given is None and _candidates(sides) and any(_is_open(side) for side in sides):
        return None
    if given is not None and _is_too_large(given, sides):
        return None
    return Peaks(*(_given_or_own(side, given) for side in sides))


def settle_peaks(
    reference: Picture, output: Picture, given: int | None = None
) -> tuple[Picture, Picture, list[Remark]]:
    """Determine the peak of each image of a pair.

    Parameters
    ----------
    reference, output
        The decoded images.
    given
        The peak that the user gave, if any. It is used for every image that can have it.

    Returns
    -------
    tuple
        Both images with their peaks, and remarks for the user.

    Raises
    ------
    IqbenchError
        If samples are above the given peak, or neither image can have it.

    Notes
    -----
    Without a given peak, a record of b bits in either file gives the peak 2**b - 1 if no sample of
    either image exceeds it, unless the samples of both were evidently scaled from b bits to 16
    (then the images are dark). Images of 8 bits always have the peak 255.
    """
    remarks: list[Remark] = []
    peaks = Peaks(*_settled((reference, output), given, remarks))
    remarks.extend(_dark((reference, output), given))
    remarks.extend(_differences(reference, output, peaks))
    return _relative_to(reference, peaks.reference), _relative_to(output, peaks.output), remarks


def settle_peak(picture: Picture, given: int | None = None) -> tuple[Picture, list[Remark]]:
    """Determine the peak of a single image; see `settle_peaks`.

    Parameters
    ----------
    picture

    Returns
    -------
    tuple
        The picture with its peak, and remarks for the user.

    Raises
    ------
    IqbenchError
        If samples are above the given peak, or it is too large for the file.
    """
    remarks: list[Remark] = []
    (peak,) = _settled((picture,), given, remarks)
    remarks.extend(_dark((picture,), given))
    return _relative_to(picture, peak), remarks


def _settled(sides: Sequence[Picture], given: int | None, remarks: list[Remark]) -> list[int]:
    """Return the peak of each image. Images whose format does not state it share one peak."""
    if given is None:
        noted = _noted_peak(sides, remarks)
        return [noted if _is_open(side) else side.peak for side in sides]
    _check_given(sides, given)
    return [_given_or_own(side, given) for side in sides]


def _relative_to(picture: Picture, peak: int) -> Picture:
    return picture if picture.peak == peak else replace(picture, peak=peak)


def _is_open(side: _Side) -> bool:
    """Return whether a record may change the peak: 16 bits, in a format that states no peak."""
    return side.peak == LARGEST_PEAK


def _is_deep(side: _Side) -> bool:
    return side.bit_depth == 16


def _can_hold(side: _Side, given: int) -> bool:
    """Return whether an image can have this peak; the peak of floating point is always 1."""
    return side.bit_depth <= 16 and given < 1 << side.bit_depth


def _is_too_large(given: int, sides: Sequence[_Side]) -> bool:
    """Return whether no file can have this peak."""
    return any(side.bit_depth <= 16 for side in sides) and not any(
        _can_hold(side, given) for side in sides
    )


def _given_or_own(side: _Side, given: int | None) -> int:
    return given if given is not None and _can_hold(side, given) else side.peak


def _candidates(sides: Sequence[_Side]) -> list[int]:
    """Return the peaks below 65535 that the images record, ascending."""
    noted = {(1 << side.noted_bits) - 1 for side in sides if side.noted_bits}
    stated = {side.peak for side in sides if _is_deep(side)}
    return sorted(peak for peak in noted | stated if peak < LARGEST_PEAK)


def _noted_peak(sides: Sequence[Picture], remarks: list[Remark]) -> int:
    """Return the peak of the images whose format does not state it."""
    name = sides[-1].name
    opened = [side for side in sides if _is_open(side)]
    candidates = _candidates(sides)
    if not opened or not candidates:
        return LARGEST_PEAK
    largest = max(side.largest for side in sides if _is_deep(side))
    for peak in candidates:
        if largest > peak:
            continue
        said = f"a file notes {peak.bit_length()} bits per sample"
        if all(_looks_scaled(side, peak.bit_length()) for side in opened):
            text = (
                f"the peak is {LARGEST_PEAK} although {said} and no sample exceeds {peak}: all "
                f"samples are multiples, as of dark images that were scaled up to 16 bits; "
                f"`--peak {peak}` says otherwise"
            )
            remarks.append(Remark(text, name))
            return LARGEST_PEAK
        text = (
            f"the peak is {peak}, not {LARGEST_PEAK}: {said} and no sample exceeds {peak}; "
            f"{_HOW_TO_SAY}"
        )
        remarks.append(Remark(text, name))
        return peak
    text = (
        f"the peak is {LARGEST_PEAK} although a file notes {candidates[-1].bit_length()} bits per "
        f"sample: samples exceed {candidates[-1]}, as those do that were scaled up; {_HOW_TO_SAY}"
    )
    remarks.append(Remark(text, name))
    return LARGEST_PEAK


def _looks_scaled(picture: Picture, bits: int) -> bool:
    """Return whether every sample is a possible result of scaling from `bits` to 16 bits.

    Programs shift to the left, or multiply by 65535 / (2**bits - 1). Samples that are not scaled
    have all values, unless they come from even fewer bits.
    """
    shift, peak = 16 - bits, (1 << bits) - 1
    if not picture.largest:
        return False
    for start in range(0, picture.height, _ROWS):
        samples = picture.pixels[start : start + _ROWS].astype(np.int64)
        shifted = (samples & ((1 << shift) - 1)) == 0
        source = (samples * peak + LARGEST_PEAK // 2) // LARGEST_PEAK
        if not (shifted | (samples == (source * LARGEST_PEAK + peak // 2) // peak)).all():
            return False
    return True


def _check_given(sides: Sequence[Picture], given: int) -> None:
    """Raise an error for a peak that the samples exceed."""
    if _is_too_large(given, sides):
        output = sides[-1]
        those = f"{output.name} has" if len(sides) == 1 else f"{output.name} and its reference have"
        raise IqbenchError(
            f"{those} {output.bit_depth} bits per sample, too few for the peak {given}",
            hint="Omit the peak: for 8-bit files it is 255",
        )
    for side in filter(lambda side: _can_hold(side, given), sides):
        # If the peak is the largest value of the type, the samples need not be read.
        if given + 1 < 1 << side.bit_depth and side.largest > given:
            raise IqbenchError(
                f"{side.name} has samples up to {side.largest}, above the peak {given}",
                hint="Give the sample value of white, or write the file with its values clipped",
            )


def _dark(sides: Sequence[Picture], given: int | None) -> Iterator[Remark]:
    """Report samples of 16 bits in so small a range that they may have fewer bits."""
    deep = [side for side in sides if _is_deep(side)]
    if not deep:
        return
    largest = max(side.largest for side in deep)
    unnoted = given is None and not _candidates(sides)
    if unnoted and all(_is_open(side) for side in deep) and 0 < largest <= _DARK:
        yield Remark(
            f"no sample of the 16-bit files exceeds {_DARK}, a sixteenth of their range: if they "
            "hold 12 bits or fewer, `--peak` must say the sample value of white, e.g. 4095",
            sides[-1].name,
        )


def _differences(reference: Picture, output: Picture, peaks: Peaks) -> Iterator[Remark]:
    """Report suspicious differences between the images of a pair, if one has 16 bits."""
    if not (_is_deep(reference) or _is_deep(output)):
        return
    whole = reference.bit_depth <= 16 and output.bit_depth <= 16
    if whole and peaks.reference != peaks.output:
        yield Remark(
            f"white is {peaks.reference} in the reference and {peaks.output} in the output; "
            "each is divided by its own",
            output.name,
        )
    first, second = reference.mean / peaks.reference, output.mean / peaks.output
    if first > 0 and second > 0:
        ratio = second / first
        power = round(log2(ratio))
        if abs(power) >= _LEAST_BITS and abs(ratio / 2.0**power - 1) < _NEAR_FACTOR:
            factor = f"{2**power}" if power > 0 else f"1/{2**-power}"
            yield Remark(
                f"the output is about {factor} times as bright as its reference: one of the two "
                "seems to be scaled up to its whole range, and the other not; write both alike",
                output.name,
            )
