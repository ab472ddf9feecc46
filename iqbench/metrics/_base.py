"""What a metric is: where it reads, its maps, its closing formula.

Files of this folder whose names begin with an underscore are no metrics.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.networks.weights import Weights
from iqbench.protocols.presets import Family

__all__ = [
    "PIXELS",
    "Column",
    "Maps",
    "Metric",
    "Options",
    "Tap",
    "check_pair",
]

PIXELS = "pixels"

Maps = Mapping[str, Tensor]
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Tap:
    """Where a metric reads: a layer of a network, in windows of some rows.

    Attributes
    ----------
    network
        Name of a network, or ``pixels``.
    layer
        Name of one of its layers; of pixels, what the metric itself calls that which it reads.
    window
        How many neighbouring rows a value of a map depends on: 11 for SSIM's window, 2 for a
        forward difference along the columns, 1 where each row stands alone.
    normalise
        Whether the network sees ImageNet-normalised pixels.
    """

    network: str = PIXELS
    layer: str = PIXELS
    window: int = 1
    normalise: bool = True

    def __str__(self) -> str:
        """Name the tap in messages."""
        if self.network == PIXELS:
            return f"windows of {self.window}x{self.window} pixels"
        return f"layer {self.layer} of {self.network}"


@dataclass(frozen=True)
class Column:
    """One value of a metric: a column of the wide table.

    Attributes
    ----------
    name
        As in the table; spelt from the options, so that it hides no choice.
    direction
        ``higher`` or ``lower`` is better, ``target:1`` nearer to a value is, or ``none``.
    summary
        One line that says what the number is.
    taps
        Where it reads; none for a column that needs the whole image.
    options
        The choices the value depends on, for the signature.
    decimals
        Places that tables print.
    headline
        Whether tables for people show it without being asked.
    undefined
        What it means that the closing formula gives no number, e.g. ``the reference is flat``;
        empty where that must not happen.
    """

    name: str
    direction: str
    summary: str
    taps: tuple[Tap, ...]
    options: Options = ()
    decimals: int = 4
    headline: bool = False
    undefined: str = ""


class Metric(BaseModel):
    """A full-reference metric; its fields are its options.

    A subclass gives `columns`, `maps` and `close`, and, where work on the reference can be shared
    between methods, `prepare`. It does no I/O and knows no devices. Nothing needs the whole image:
    maps are summed and counted band by band, and only their means are kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str]
    version: ClassVar[int] = 1
    family: ClassVar[Family] = "fidelity"
    symmetric: ClassVar[bool] = False
    reads_bitstream: ClassVar[bool] = False

    @classmethod
    def parse_column(cls, stem: str) -> dict[str, str] | None:
        """Read the options off a column's name.

        Parameters
        ----------
        stem
            The column's name up to the first ``-key=value``.

        Returns
        -------
        dict or None
            Options of a metric that has this column; None if it is no column of this metric.
        """
        return {} if stem in {column.name for column in cls().columns()} else None

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return the values that the metric gives, in the order of the table."""

    def parameters(self) -> Callable[[], Weights] | None:
        """Return what loads the parameters that the maps need besides a network; None if none."""
        return None

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Do the work that depends on the reference alone, once for all methods.

        Parameters
        ----------
        tap
            Where the rows come from.
        reference
            (N, C, h, W): rows of the reference's pixels or features.
        parameters
            What `parameters` loads, by name.

        Returns
        -------
        tuple of Tensor
            Each with N in front; handed to `maps`.
        """
        return (reference,)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Turn rows into maps whose means the closing formula needs.

        Parameters
        ----------
        tap
            Where the rows come from.
        reference
            What `prepare` returned; N or, for one reference of many outputs, 1 in front.
        output
            (N, C, h, W): the same rows of the outputs.
        parameters
            What `parameters` loads, by name.

        Returns
        -------
        mapping
            Name to map, (N, ...) or (1, ...); names differ between taps. Every map of a name has
            the same number of values a row.
        """
        raise self._lacks("has columns with taps, but no maps")

    def close(self, column: str, means: Maps) -> Tensor:
        """Turn means into the value of a column.

        Parameters
        ----------
        column
            Name of the column.
        means
            Name of a map to its means, (N,). Those of the column's taps are there.

        Returns
        -------
        Tensor
            (N,); NaN where undefined.
        """
        raise self._lacks("has columns with taps, but no closing formula")

    def values(self, reference: Tensor, output: Tensor) -> Maps:
        """Score whole images: what the engine calls for columns without taps.

        Such a column is of the opaque kind: it needs the image as a whole (attention, sorting,
        Fourier transforms), is not streamed, and memory grows with the image.

        Parameters
        ----------
        reference, output
            (N, C, H, W) in [0, 1].

        Returns
        -------
        mapping
            Column name to (N,).
        """
        raise self._lacks("has columns without taps, but no values")

    def bitstream_value(self, size: int, height: int, width: int) -> float:
        """Score a bitstream: all that the engine calls where `reads_bitstream` is set.

        Parameters
        ----------
        size
            Bytes of the compressed file.
        height, width
            Of the reference.

        Returns
        -------
        float
            The value of the metric's one column.
        """
        raise self._lacks("reads bitstreams, but gives no value of one")

    # Methods are not abstract, since a metric has only those that its columns are made of. What it
    # lacks shows when a column is computed: then its author is told, by Python's error for that.
    def _lacks(self, what: str) -> NotImplementedError:
        """Say what a metric should have."""
        return NotImplementedError(f"{self.name} {what}")


def check_pair(reference: Tensor, output: Tensor) -> None:
    """Refuse tensors that are no pair of images.

    Raises
    ------
    IqbenchError
        If they are not (N, C, H, W) of one shape with 1 or 3 channels, or not floating point.
    """
    if reference.shape != output.shape:
        raise IqbenchError(
            f"reference and output differ in shape: {tuple(reference.shape)} "
            f"and {tuple(output.shape)}"
        )
    if reference.ndim != 4 or reference.shape[1] not in (1, 3):
        raise IqbenchError(
            f"expected (N, C, H, W) with C 1 or 3, not {tuple(reference.shape)}",
            hint="Add the batch dimension with unsqueeze(0)",
        )
    if not (torch.is_floating_point(reference) and torch.is_floating_point(output)):
        raise IqbenchError("images must be floating point in [0, 1]", hint="Divide uint8 by 255")
