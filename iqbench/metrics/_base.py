"""The base class of metrics: what a metric needs and reads, its statistics and closing formula.

Files of this folder whose names begin with an underscore are not metrics.
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

THIRD_DIGIT = Margin(0.001, reason="papers print four digits and compare the third")
"""The margin of indices between 0 and 1."""

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
"""What a metric reads: only the output, both images, or the compressed file."""

Scope = Literal["image", "set"]
"""What a value belongs to: an image, or all outputs of a method on a dataset."""


@dataclass(frozen=True)
class Tap:
    """An input of a metric: a layer of a network, with the height of the windows on it.

    Attributes
    ----------
    network
        Name of a network, or ``pixels``.
    layer
        Name of one of its layers; for pixels, any name that the metric chooses.
    window
        The number of neighbouring rows on which a value of a map depends: 11 for SSIM's window, 2
        for a forward difference along the columns, 1 if rows are independent.
    normalise
        Whether the network gets ImageNet-normalised pixels.
    whole
        Whether the metric needs all rows at once (for sorting, Fourier transforms, attention).
        This is possible only for pixels; memory grows with the image. `window` is then the
        smallest side.
    border
        The number of rows and columns that are added on each side before the window, by repeating
        the outermost ones. Not with `whole`.
    """

    network: str = PIXELS
    layer: str = PIXELS
    window: int = 1
    normalise: bool = True
    whole: bool = False
    border: int = 0

    @property
    def smallest(self) -> int:
        """The smallest height and width of the input, so that it contains one window."""
        return max(1, self.window - 2 * self.border)

    def __str__(self) -> str:
        """The name of the tap in messages."""
        if self.whole:
            return f"a metric that needs {self.window}x{self.window}"
        if self.network == PIXELS:
            return f"windows of {self.window}x{self.window} pixels"
        return f"layer {self.layer} of {self.network}"


@dataclass(frozen=True)
class Place:
    """The position of some rows among all rows of the image, or of a layer's features.

    Attributes
    ----------
    top
        Index of the first row, from 0.
    rows
        The number of rows. Neighbouring bands of a tap with a window overlap by ``window - 1``.
    height
        The number of rows of the whole image.
    """

    top: int
    rows: int
    height: int

    @property
    def first(self) -> bool:
        """Whether these are the first rows of the image."""
        return self.top == 0

    @property
    def last(self) -> bool:
        """Whether these are the last rows of the image."""
        return self.top + self.rows == self.height


@dataclass(frozen=True)
class Column:
    """One value of a metric: a column of the wide table.

    Attributes
    ----------
    name
        The name in tables. It contains all options that are not the default.
    direction
        ``higher`` or ``lower`` values are better, values near a target (``target:1``), or ``none``.
    summary
        One line that describes the value.
    taps
        The inputs; empty for a column of a bitstream.
    options
        The options that the value depends on, for the signature.
    decimals
        Decimals in tables.
    headline
        Whether tables for people show it by default.
    undefined
        Why the closing formula may give NaN, e.g. ``the reference is flat``; empty if it must not.
    smallest
        Smallest number of pixels of an image's shorter side, if the taps alone allow fewer.
    role
        The role of the value; None for the role of the metric. Tables show statistics and costs
        after qualities, and fidelity and perception span a Pareto front.
    margin
        The decrease of the mean that a check calls worse; None if the scale is not known.
    tolerance
        The largest deviation from a recorded value in `iqbench doctor`; None for its default.
    definition
        The definition of the value, in paragraphs, for reports; empty for the metric's docstring.
    map
        The map of the value over the image; None if the closing formula is not linear.
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
    """The base class of metrics. The fields of a metric are its options.

    A subclass defines `columns`, `maps` (or `observe`) and `close`; also `prepare`, if methods can
    share work on the reference. It does no I/O and does not choose devices. `maps` or `observe`
    computes statistics of rows, the statistics of all rows are merged, and `close` computes values
    from them. Only a tap with ``whole`` gets all rows at once; its metric may define `values`
    instead of `maps` and `close`.
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
        """Parse the options in a column's name.

        Parameters
        ----------
        stem
            The column's name up to the first ``-key=value``.

        Returns
        -------
        dict or None
            Options of the metric with this column; None if it is not a column of this metric.
        """
        return {} if stem in {column.name for column in cls().columns()} else None

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return the columns of the metric, in the order of the table."""

    def parameters(self, folder: Path | None) -> Weights | None:
        """Load the trained parameters, without those of networks; None if there are none.

        Parameters
        ----------
        folder
            The folder that is searched first: the value of ``--weights``, or None.

        Raises
        ------
        IqbenchError
            If they are missing and cannot be fetched.
        """
        return None

    def bytes_a_pixel(self) -> int | None:
        """Return the bytes of memory per pixel for a tap with ``whole``; None if not measured."""
        return None

    def batched(self) -> bool:
        """Return whether several outputs may be observed at once, for a tap with ``whole``."""
        return False

    def chosen(self) -> Iterable[tuple[str, object]]:
        """Return the options by name, for people."""
        return iter(self)

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Do the work that depends only on the reference, once for all methods.

        Parameters
        ----------
        tap
            The input.
        reference
            (N, C, h, W): rows of the reference's pixels or features.
        parameters
            The parameters that `parameters` loads, by name.

        Returns
        -------
        tuple of Tensor
            Tensors whose first dimension is N; arguments of `maps`.
        """
        return (reference,)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Compute maps of rows, whose means the closing formula needs.

        Parameters
        ----------
        tap
            The input.
        reference
            The result of `prepare`; the first dimension is N or, for one reference of many
            outputs, 1.
        output
            (N, C, h, W): the same rows of the outputs.
        parameters
            The parameters that `parameters` loads, by name.

        Returns
        -------
        mapping
            Maps by name, (N, ...) or (1, ...). Names differ between taps. All maps of one name
            have the same number of values per row.
        """
        if not tap.whole:
            raise self._lacks("has columns with taps, but no maps")
        values = self.values(tap, reference, output, parameters)
        return {name: value[:, None] for name, value in values.items()}

    def values(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Compute values of whole images at once, instead of `maps` and `close`.

        Parameters
        ----------
        tap
            The input, with ``whole``.
        reference, output, parameters
            As for `maps`, with all rows.

        Returns
        -------
        mapping
            Values (N,) by name of a column; NaN if undefined.
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
        """Compute statistics of rows: by default the mean of each of the `maps`.

        Parameters
        ----------
        tap, reference, output, parameters
            As for `maps`. A metric that needs only the output gets an empty `reference`.
        place
            The position of the rows in the image.

        Returns
        -------
        mapping
            Statistics of N images by name. Names differ between taps.
        """
        maps = self.maps(tap, reference, output, parameters)
        return {
            # Do not flatten the map: it is channels-last, and flattening would copy it.
            name: Mean(values.sum(tuple(range(1, values.ndim))), values[0].numel())
            for name, values in maps.items()
        }

    def fast_path(self, tap: Tap) -> FastPath | None:
        """Describe the computation of `observe` at a tap, if devices may have a faster way.

        Parameters
        ----------
        tap
            One of the metric's taps.

        Returns
        -------
        FastPath or None
            None if `observe` must be called on every device. A subclass that overrides `prepare`,
            `maps` or `observe` inherits no fast path.
        """
        return None

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Compute the value of a column from the statistics of an image.

        Parameters
        ----------
        column
            Name of the column.
        means
            Values of statistics by name, (N, ...): the mean (N,) for a map. They include those of
            the column's taps.
        parameters
            The parameters that `parameters` loads, by name.

        Returns
        -------
        Tensor
            (N,); NaN if undefined. By default the statistic with the name of the column, such as
            those of `values`.
        """
        if column not in means:
            raise self._lacks(f"has columns with taps, but no closing formula for {column}")
        return means[column]

    def bitstream_value(self, size: int, height: int, width: int) -> float:
        """Compute the value of a bitstream. The engine calls only this for such a metric.

        Parameters
        ----------
        size
            Size of the compressed file in bytes.
        height, width
            Size of the output in pixels.

        Returns
        -------
        float
            The value of the metric's only column.
        """
        raise self._lacks("reads bitstreams, but does not define bitstream_value")

    def _lacks(self, what: str) -> NotImplementedError:
        """Return the error for a method that a metric does not define.

        It is a NotImplementedError, because it is for the author of the metric, not for its users.
        The methods are not abstract, because a metric defines only those that its columns use.
        """
        return NotImplementedError(f"{self.name} {what}")


def too_few_pixels(what: str, height: int, width: int, side: int) -> str:
    """Return the message that an image is too small for a metric, with the required size.

    Parameters
    ----------
    what
        The metric or column.
    height, width
        Size of the image.
    side
        The smallest sufficient height and width.
    """
    return f"{width}x{height} pixels are too few for {what}, which needs at least {side}x{side}"
