"""Whether an output can be compared with its reference, and what is white in both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from iqbench.errors import IqbenchError
from iqbench.images.orientation import blame_orientation, orientation_remark, orientation_remarks
from iqbench.images.peaks import Peaks, settle_peak, settle_peaks
from iqbench.images.picture import Picture
from iqbench.images.probe import ImageHeader
from iqbench.images.remark import Remark
from iqbench.protocols.gray import check_pair
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import View

__all__ = ["FittedPair", "check_fit", "check_size", "fit_alone", "fit_pair"]


@dataclass(frozen=True)
class FittedPair:
    """A reference and an output that can be compared, or an output alone.

    Attributes
    ----------
    reference, output
        Of one size, at least after the protocol's modcrop, with their peaks.
    own_peak
        That of the output alone, whatever its reference; 0 for the same as in the pair.
    remarks
        What the user should know of them.
    alone
        Whether there is no reference: then the output stands in its place.
    """

    reference: Picture
    output: Picture
    own_peak: int = 0
    remarks: tuple[Remark, ...] = ()
    alone: bool = False

    @property
    def peaks(self) -> Peaks:
        """Which sample values are white."""
        return Peaks(self.reference.peak, self.output.peak, self.own_peak)


def fit_pair(
    reference: Picture,
    output: Picture,
    protocol: Protocol,
    views: Collection[View] | None = None,
    *,
    alone: bool = False,
) -> FittedPair:
    """See that an output can be compared with its reference, and decide what is white in both.

    Parameters
    ----------
    reference, output
        As decoded.
    protocol
        May say the peak.
    views
        What is computed sees; by default both views of the protocol.
    alone
        Whether something also reads the output without its reference.

    Raises
    ------
    IqbenchError
        As `check_fit` and `iqbench.images.peaks.settle_peaks`.
    """
    check_fit(reference, output, views or (protocol.fidelity, protocol.perception))
    first, second, remarks = settle_peaks(reference, output, protocol.peak)
    remarks.extend(orientation_remarks(first, second))
    own_peak = _own_peak(output, second.peak, protocol, remarks) if alone else 0
    return FittedPair(first, second, own_peak, tuple(remarks))


def _own_peak(output: Picture, peak: int, protocol: Protocol, remarks: list[Remark]) -> int:
    """Return what is white in an output without its reference, which may have settled another."""
    if protocol.peak is not None:
        return peak
    own = settle_peak(output)[0].peak
    if own != peak:
        text = (
            f"white is {peak} together with the reference, but {own} for metrics that read the "
            f"output alone: only the reference says {peak}. Give `--peak {peak}` to set it for all"
        )
        remarks.append(Remark(text, output.name))
    return own


def fit_alone(output: Picture, protocol: Protocol) -> FittedPair:
    """Decide what is white in an output that is seen without a reference.

    Parameters
    ----------
    output
        As decoded.
    protocol
        May say the peak.

    Raises
    ------
    IqbenchError
        As `iqbench.images.peaks.settle_peak`.
    """
    picture, remarks = settle_peak(output, protocol.peak)
    remarks.extend(orientation_remark(picture))
    return FittedPair(picture, picture, remarks=tuple(remarks), alone=True)


def check_fit(reference: Picture, output: Picture, views: Collection[View]) -> None:
    """See that an output can be compared with its reference.

    Parameters
    ----------
    reference, output
        As decoded.
    views
        What is computed sees. They may cut both to a multiple of the scale before sizes are
        compared; what only some of them cannot compare is left to these.

    Raises
    ------
    IqbenchError
        If sizes do not fit, or gray and colour do not in any view. Nothing is ever resized.
    """
    check_size(reference, output, (reference.name, output.name), views)
    errors = []
    for view in views:
        try:
            check_pair(view, reference, output)
        except IqbenchError as error:
            errors.append(error)
    if errors and len(errors) == len(views):
        raise errors[0]


def check_size(
    reference: Picture | ImageHeader,
    output: Picture | ImageHeader,
    names: tuple[str, str],
    views: Collection[View],
) -> None:
    """Refuse an output of another size than its reference's, after the views' modcrop.

    Parameters
    ----------
    reference, output
        As decoded, or what their headers say.
    names
        What to call the two.
    views
        They may cut both to a multiple of the scale.

    Raises
    ------
    IqbenchError
        If the sizes differ. Nothing is ever resized.
    """
    modcrops = {view.modcrop for view in views}

    def fits(first: tuple[int, int], second: tuple[int, int]) -> bool:
        return all(
            one - one % modcrop == other - other % modcrop
            for modcrop in modcrops
            for one, other in zip(first, second, strict=True)
        )

    if fits((reference.height, reference.width), (output.height, output.width)):
        return
    message = (
        f"{names[1]} has {output.width}x{output.height} pixels, its reference {names[0]} has "
        f"{reference.width}x{reference.height}"
    )
    hint = "Nothing is resized: write the output at the reference's size"
    blamed = blame_orientation(reference, output, fits)
    if blamed is not None:
        message, hint = f"{message}: {blamed[0]}", blamed[1]
    raise IqbenchError(message, hint=hint)
