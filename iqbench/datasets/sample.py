"""One image of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iqbench.images.source import Source

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """A reference image and the id by which outputs, tables and messages know it.

    Attributes
    ----------
    image
        Path below the reference root without suffix, ``/``-separated.
    reference
        Where the reference's pixels come from.
    """

    image: str
    reference: Source
