"""Normalised Laplacian pyramid distance."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Tap
from iqbench.metrics._tensors import score_tensors
from iqbench.networks.laplacian import SCALES
from iqbench.protocols.presets import Role

__all__ = ["Nlpd", "nlpd"]

TAPS = tuple(
    Tap("laplacian", f"normalised{scale}", normalise=False) for scale in range(1, SCALES + 1)
)


class Nlpd(Metric):
    """NLPD: the distance of two Laplacian pyramids with normalised local contrast.

    The pyramid has six scales of luma (0.299 R + 0.587 G + 0.114 B) in [0, 1]. Each difference to
    the next scale, and the last scale, is divided by a constant plus a weighted sum of surrounding
    magnitudes; the authors fitted these to photographs. The value is the mean over scales of the
    root of the mean squared difference.
    """

    name: ClassVar[str] = "nlpd"
    summary: ClassVar[str] = "Normalised Laplacian pyramid distance"
    citation: ClassVar[str] = "Laparra et al. 2016, doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103"
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``nlpd``."""
        return (Column("nlpd", "lower", self.summary, TAPS, headline=True, margin=THIRD_DIGIT),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the squared difference at a scale."""
        return {tap.layer: (reference[0] - output).square()}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the mean root."""
        return safe_sqrt(torch.stack([means[tap.layer] for tap in TAPS])).mean(0)


def nlpd(reference: Tensor, output: Tensor) -> Tensor:
    """Normalised Laplacian pyramid distance of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3.

    Returns
    -------
    Tensor
        (N,), 0 for equal images.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.

    Notes
    -----
    Laparra et al. 2016, doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103, as in the authors'
    ``NLP_dist.m``. Implementations with other filters or another treatment of edges differ.
    """
    return score_tensors(Nlpd(), "nlpd", reference, output)
