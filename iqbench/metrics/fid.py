"""FID: the Fréchet distance between Inception's features of two sets of images."""

from __future__ import annotations

from typing import ClassVar

from iqbench.metrics._inception_distance import InceptionDistance
from iqbench.metrics._set_distances import frechet_of_moments, frechet_of_sets
from iqbench.metrics._sets import Distance, FeatureSet, Moments

__all__ = ["FrechetInceptionDistance"]


class FrechetInceptionDistance(InceptionDistance):
    """FID = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of Inception's 2048 features.

    There is one value for all outputs of a method on a dataset. They are compared with the
    references that have an output, or with a reference set.
    Gray images count as three equal channels; images of 16 bits are scaled, not rounded.

    ``resizer`` chooses how images are resized to 299x299: ``clean`` as in clean-fid, ``pytorch`` as
    in pytorch-fid, ``tensorflow`` as in the authors' code. ``patches=256`` uses patches of 256x256
    pixels instead of whole images (FID/256).

    FID depends on the number of images. With fewer than about 10,000 it is too large, and only
    values over the same number of images can be compared.
    """

    name: ClassVar[str] = "fid"
    summary: ClassVar[str] = "Frechet distance between Inception's features of two sets"
    citation: ClassVar[str] = "Heusel et al. 2017, arXiv:1706.08500"
    decimals: ClassVar[int] = 3

    def distance(self, reference: FeatureSet, output: FeatureSet, *, paired: bool) -> Distance:
        """Return the Fréchet distance, and its standard error by a grouped jackknife."""
        return frechet_of_sets(reference, output, paired=paired)

    def distance_of_moments(self, reference: Moments, output: Moments) -> Distance:
        """Return the Fréchet distance without a standard error, which moments cannot give."""
        return frechet_of_moments(reference, output)
