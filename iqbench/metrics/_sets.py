"""What a set-level metric is: features of images, and a distance between two sets of them."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol

from torch import Tensor

from iqbench.metrics._base import Metric, Needs, Options, Scope
from iqbench.metrics._feature_sets import Features, FeatureSet, Moments
from iqbench.metrics._set_distances import Distance
from iqbench.networks.weights import Weights
from iqbench.protocols.presets import Role

__all__ = ["Distance", "Extractor", "FeatureSet", "Features", "Moments", "SetMetric"]


class Extractor(Protocol):
    """Turns an image into features. Equal extractors share what they extract."""

    @property
    def options(self) -> Options:
        """What the features depend on besides the weights and the pixels, for the signature."""
        ...

    def weights(self, folder: Path | None) -> Weights | None:
        """Find the weights, and fetch them if need be; None where there are none.

        Parameters
        ----------
        folder
            Where they are looked for first: what a user gave with ``--weights``, or None.
        """
        ...

    def extract(self, image: Tensor, weights: Weights | None) -> Features:
        """Return the features of one image.

        Parameters
        ----------
        image
            (1, C, H, W) in [0, 1], C 1 or 3.
        weights
            What `weights` returned.

        Returns
        -------
        ndarray
            (rows, features), at least one row.

        Raises
        ------
        IqbenchError
            If there are none, e.g. because the image is too small.
        """
        ...


class SetMetric(Metric):
    """A metric with one value for all outputs of a method on a dataset.

    A subclass gives `columns` (without taps), `extractor` and `distance`, and `distance_of_moments`
    where the moments of both sets are enough.
    """

    role: ClassVar[Role] = "set"
    needs: ClassVar[Needs] = "reference and output"
    scope: ClassVar[Scope] = "set"

    @property
    @abstractmethod
    def extractor(self) -> Extractor:
        """What turns an image into features."""

    @abstractmethod
    def distance(self, reference: FeatureSet, output: FeatureSet, *, paired: bool) -> Distance:
        """Compare two sets.

        Parameters
        ----------
        reference, output
            The features of both sets: at least two images each, of one length, finite. They may
            be more than fit into memory.
        paired
            Whether the images of both belong together, one by one.

        Raises
        ------
        IqbenchError
            If the sets have no distance, e.g. because they are too small.
        """

    def distance_of_moments(self, reference: Moments, output: Moments) -> Distance:
        """Compare two sets of which number, mean and covariance of the features are known alone.

        Parameters
        ----------
        reference, output
            Of at least two images each.
        """
        raise self._lacks("has no distance of moments")

    @property
    def needs_features(self) -> bool:
        """Whether moments are not enough: then the features of every image are kept."""
        return type(self).distance_of_moments is SetMetric.distance_of_moments
