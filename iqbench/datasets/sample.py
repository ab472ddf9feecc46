"""One reference of a dataset, with its distorted images if they are part of the dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iqbench.errors import IqbenchError

if TYPE_CHECKING:
    from iqbench.images.source import Source

__all__ = ["DISTORTED", "Direction", "Opinion", "OutputImage", "Sample"]

DISTORTED = "distorted"
"""The method under which a dataset's own distorted images are scored."""

Direction = Literal["higher", "lower", "choice"]
"""What an opinion means: a MOS (``higher`` is better), a DMOS (``lower``), or the share of people
who chose this output among two (``choice``)."""


@dataclass(frozen=True)
class Opinion:
    """What people said of an output.

    Attributes
    ----------
    mos
        Mean opinion, on the dataset's own scale.
    std
        Standard deviation of the opinions, where the dataset gives it.
    direction
        How it is to be read.
    """

    mos: float
    std: float | None
    direction: Direction


@dataclass(frozen=True)
class OutputImage:
    """An image to be scored against a reference.

    Attributes
    ----------
    method
        Whose it is; `DISTORTED` where a dataset brings distorted images of no method.
    image
        The id by which tables know it; unique within its method.
    source
        Where its pixels come from.
    opinion
        What people said of it.
    distortion
        Kind of distortion, in the dataset's own words.
    """

    method: str
    image: str
    source: Source
    opinion: Opinion | None = None
    distortion: str | None = None


@dataclass(frozen=True)
class Sample:
    """An image of a dataset.

    Attributes
    ----------
    image
        Its id: path below the reference root without suffix, ``/``-separated. Methods' outputs are
        known by it.
    reference
        Where the reference's pixels come from; None where there is none: only metrics that need
        no reference can score its outputs.
    outputs
        What the dataset itself brings to be scored against it: distorted images with opinions, or
        the outputs that a list of paths names. Such a dataset takes no methods.
    problem
        Why no output of it can be scored, whatever a method has; ``""`` as a rule.
    """

    image: str
    reference: Source | None
    outputs: tuple[OutputImage, ...] = ()
    problem: str = ""

    @property
    def needed_reference(self) -> Source:
        """The reference, for work that cannot do without one.

        Raises
        ------
        IqbenchError
            If the image has none.
        """
        if self.reference is None:
            raise IqbenchError(f"image {self.image!r} has no reference")
        return self.reference
