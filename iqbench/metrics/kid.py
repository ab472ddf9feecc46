"""KID: the kernel distance between Inception's features of two sets of images."""

from __future__ import annotations

from typing import ClassVar

from iqbench.metrics._inception_distance import InceptionDistance
from iqbench.metrics._set_distances import kernel_of_sets
from iqbench.metrics._sets import Distance, FeatureSet

__all__ = ["KernelInceptionDistance"]


class KernelInceptionDistance(InceptionDistance):
    """KID: the unbiased squared maximum mean discrepancy with the kernel (x . y / 2048 + 1)^3.

    It uses Inception's 2048 features and all pairs of images, without random subsets. Its
    expectation does not depend on the number of images, and the value may be below 0. The options
    are those of fid, and both metrics share the features.
    """

    name: ClassVar[str] = "kid"
    summary: ClassVar[str] = "Kernel distance between Inception's features of two sets"
    citation: ClassVar[str] = "Bińkowski et al. 2018, arXiv:1801.01401"
    decimals: ClassVar[int] = 6

    def distance(self, reference: FeatureSet, output: FeatureSet, *, paired: bool) -> Distance:
        """Return the kernel distance, and its standard error by a jackknife."""
        return kernel_of_sets(reference, output, paired=paired)
