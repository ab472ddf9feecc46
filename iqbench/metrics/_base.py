"""What a metric is: what it needs, where it reads, its statistics, its closing formula.

Files of this folder whose names begin with an underscore are no metrics.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from iqbench.columns import ColumnMap, ColumnRole, Margin, Tolerance
from iqbench.metrics._fast_paths import FastPath
from iqbench.metrics._statistics import Mean, Statistic
from iqbench.networks.weights import Weights
from iqbench.protocols.presets import Role

__all__ = [
    "NETWORK_TOLERANCE",
    "PIXELS",
    "THIRD_DIGIT",
    "Column",
    "Maps",
    "Metric",
    "Needs",
    "Options",
    "Place",
    "Scope",
    "Statistics",
    "Tap",
    "too_few_pixels",
]

PIXELS = "pixels"

THIRD_DIGIT = Margin(0.001, reason="papers print four digits and argue over the third")
"""The margin of indices that lie between 0 and 1."""

NETWORK_TOLERANCE = Tolerance(
    1e-5,
    relative=True,
    unit="relative",
    reason="networks compute in float32, in an order that depends on processor and library "
    "(measured: 6e-7 on CPUs); TF32 is off by 1e-4 and more, a wrong layer or weight by far more",
)
"""Tolerance of columns that read a network."""

Maps = Mapping[str, Tensor]
Statistics = Mapping[str, Statistic]
Options = tuple[tuple[str, str], ...]
Needs = Literal["output", "reference and output", "bitstream"]
"""What a metric reads: the output alone, both images, or the compressed file."""

Scope = Literal["image", "set"]
"""What a value belongs to: an image, or all outputs of a method on a dataset."""


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
    whole
        Whether the metric reads all rows at once (sorting, Fourier transforms, attention). Only
        pixels can be read so; memory grows with the image. `window` is then the shortest side.
    border
        So many rows and columns are put around what is read, the outermost ones repeated, before
        the window. Not with `whole`.
    """

    network: str = PIXELS
    layer: str = PIXELS
    window: int = 1
    normalise: bool = True
    whole: bool = False
    border: int = 0

    @property
    def smallest(self) -> int:
        """Height and width that what is read must have at least, to hold one window."""
        return max(1, self.window - 2 * self.border)

    def __str__(self) -> str:
        """Name the tap in messages."""
        if self.whole:
            return f"a metric that needs {self.window}x{self.window}"
        if self.network == PIXELS:
            return f"windows of {self.window}x{self.window} pixels"
        return f"layer {self.layer} of {self.network}"


@dataclass(frozen=True)
class Place:
    """Where some rows lie among all rows of the image, or of a layer's features.

    Attributes
    ----------
    top
        Index of the first row, from 0.
    rows
        How many there are. Neighbouring bands of a tap with a window overlap by ``window - 1``.
    height
        How many rows the whole image has.
    """

    top: int
    rows: int
    height: int

    @property
    def first(self) -> bool:
        """Whether the image begins here."""
        return self.top == 0

    @property
    def last(self) -> bool:
        """Whether the image ends here."""
        return self.top + self.rows == self.height


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
        Where it reads; none for a column of a bitstream.
    options
        The choices the value depends on, for the signature.
    decimals
        Places that tables print.
    headline
        Whether tables for people show it without being asked.
    undefined
        What it means that the closing formula gives no number, e.g. ``the reference is flat``;
        empty where that must not happen.
    smallest
        Least pixels of an image's shorter side, where the taps alone would allow fewer.
    role
        What the number tells; None for the metric's own role. Tables show statistics and costs
        after qualities, and a front is spanned by fidelity and perception.
    margin
        By how much the mean must get worse for a check to call it worse; None where nothing is
        known of the scale.
    tolerance
        By how much `iqbench doctor` lets a value deviate from a recorded one; None for its default.
    definition
        What the number is, in paragraphs, for reports; empty for the docstring of the metric.
    map
        How the value spreads over the image; None where the closing formula is not linear.
    """

    name: str
    direction: str
    summary: str
    taps: tuple[Tap, ...]
    options: Options = ()
    decimals: int = 4
    headline: bool = False
    undefined: str = ""
    smallest: int = 1
    role: ColumnRole | None = None
    margin: Margin | None = None
    tolerance: Tolerance | None = None
    definition: str = ""
    map: ColumnMap | None = None


class Metric(BaseModel):
    """A metric; its fields are its options.

    A subclass gives `columns`, `maps` (or `observe`) and `close`, and, where work on the reference
    can be shared between methods, `prepare`. It does no I/O and knows no devices. Rows become
    statistics, the statistics of all rows are merged, and `close` turns them into values; only a
    tap with ``whole`` gets all rows at once, and may give `values` in place of `maps` and `close`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str]
    version: ClassVar[int] = 1
    role: ClassVar[Role] = "fidelity"
    symmetric: ClassVar[bool] = False
    needs: ClassVar[Needs] = "reference and output"
    scope: ClassVar[Scope] = "image"

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
            Options of a metric that has this column; None if it is not a column of this metric.
        """
        return {} if stem in {column.name for column in cls().columns()} else None

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return the values that the metric gives, in the order of the table."""

    def parameters(self, folder: Path | None) -> Weights | None:
        """Load the trained parameters besides those of networks; None if there are none.

        Parameters
        ----------
        folder
            Where weights are looked for first: what a user gave with ``--weights``, or None.

        Raises
        ------
        IqbenchError
            If they are nowhere and cannot be fetched.
        """
        return None

    def bytes_a_pixel(self) -> int | None:
        """Return what a pixel of a whole image takes of memory; None where it was not measured.

        Of metrics with a tap that is ``whole``.
        """
        return None

    def batched(self) -> bool:
        """Tell whether several outputs may be observed at once, of a tap that is ``whole``."""
        return False

    def chosen(self) -> Iterable[tuple[str, object]]:
        """Give the options by name, for people."""
        return iter(self)

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
        if not tap.whole:
            raise self._lacks("has columns with taps, but no maps")
        values = self.values(tap, reference, output, parameters)
        return {name: value[:, None] for name, value in values.items()}

    def values(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Compute values of whole images at once, in place of `maps` and `close`.

        Parameters
        ----------
        tap
            Where the rows come from; it has ``whole``.
        reference, output, parameters
            As for `maps`, of all rows.

        Returns
        -------
        mapping
            Name of a column to (N,); NaN where undefined.
        """
        raise self._lacks("has columns with taps, but neither maps nor values")

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Turn rows into statistics: by default the mean of each of the `maps`.

        Parameters
        ----------
        tap, reference, output, parameters
            As for `maps`. A metric that needs the output alone gets an empty `reference`.
        place
            Where the rows lie in the image.

        Returns
        -------
        mapping
            Name to statistic of N images; names differ between taps.
        """
        maps = self.maps(tap, reference, output, parameters)
        return {
            # Do not flatten: the map is channels-last, and flattening would copy it.
            name: Mean(values.sum(tuple(range(1, values.ndim))), values[0].numel())
            for name, values in maps.items()
        }

    def fast_path(self, tap: Tap) -> FastPath | None:
        """Say what `observe` amounts to at a tap, where a device may have a quicker way to it.

        Parameters
        ----------
        tap
            One of the metric's.

        Returns
        -------
        FastPath or None
            None: `observe` is called on every device. A subclass that defines `prepare`, `maps` or
            `observe` itself inherits no fast path.
        """
        return None

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Turn the statistics of an image into the value of a column.

        Parameters
        ----------
        column
            Name of the column.
        means
            Name of a statistic to its value, (N, ...): of a map its mean, (N,). Those of the
            column's taps are there.
        parameters
            What `parameters` loads, by name.

        Returns
        -------
        Tensor
            (N,); NaN where undefined. By default the statistic that is called as the column, as
            those of `values` are.
        """
        if column not in means:
            raise self._lacks(f"has columns with taps, but no closing formula for {column}")
        return means[column]

    def bitstream_value(self, size: int, height: int, width: int) -> float:
        """Score a bitstream: all that the engine calls of a metric that needs one.

        Parameters
        ----------
        size
            Bytes of the compressed file.
        height, width
            Of the output.

        Returns
        -------
        float
            The value of the metric's one column.
        """
        raise self._lacks("reads bitstreams, but gives no value of one")

    def _lacks(self, what: str) -> NotImplementedError:
        """Return the error for a method that a metric does not define.

        NotImplementedError, because it is for the author of the metric, not for its users. The
        methods are not abstract: a metric defines only those that its columns use.
        """
        return NotImplementedError(f"{self.name} {what}")


def too_few_pixels(what: str, height: int, width: int, side: int) -> str:
    """Say that an image is too small for a metric, and how large it must be.

    Parameters
    ----------
    what
        The metric or column.
    height, width
        Of the image.
    side
        The least height and width that suffice.
    """
    return f"{width}x{height} pixels are too few for {what}, which needs at least {side}x{side}"
