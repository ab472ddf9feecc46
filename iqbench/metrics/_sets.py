"""The base class of set-level metrics: features of images, and a distance between two sets."""

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
    """Extracts the features of an image. Metrics with equal extractors share features."""

    @property
    def options(self) -> Options:
        """The options that the features depend on, for the signature."""
        ...

    def weights(self, folder: Path | None) -> Weights | None:
        """Find the weights, and fetch them if necessary; None for an extractor without weights.

        Parameters
        ----------
        folder
            The folder that is searched first: the value of ``--weights``, or None.
        """
        ...

    def extract(self, image: Tensor, weights: Weights | None) -> Features:
        """Return the features of one image.

        Parameters
        ----------
        image
            (1, C, H, W) in [0, 1], C 1 or 3.
        weights
            The result of `weights`.

        Returns
        -------
        ndarray
            (rows, features), at least one row.

        Raises
        ------
        IqbenchError
            If the image has no features, e.g. because it is too small.
        """
        ...


class SetMetric(Metric):
    """A metric with one value for all outputs of a method on a dataset.

    A subclass defines `columns` (without taps), `extractor` and `distance`; also
    `distance_of_moments`, if the moments of both sets are sufficient.
    """

    role: ClassVar[Role] = "set"
    needs: ClassVar[Needs] = "reference and output"
    scope: ClassVar[Scope] = "set"

    @property
    @abstractmethod
    def extractor(self) -> Extractor:
        """The extractor of the features."""

    @abstractmethod
    def distance(self, reference: FeatureSet, output: FeatureSet, *, paired: bool) -> Distance:
        """Compare two sets.

        Parameters
        ----------
        reference, output
            The features of both sets: at least two images each, of equal length, finite. They may
            not fit into memory.
        paired
            Whether the images of both sets are pairs.

        Raises
        ------
        IqbenchError
            If the sets have no distance, e.g. because they are too small.
        """

    def distance_of_moments(self, reference: Moments, output: Moments) -> Distance:
        """Compare two sets by the number, mean and covariance of their features.

        Parameters
        ----------
        reference, output
            Moments of at least two images each.
        """
        raise self._lacks("has no distance of moments")

    @property
    def needs_features(self) -> bool:
        """Whether moments are not sufficient, so that the features of every image are stored."""
        return type(self).distance_of_moments is SetMetric.distance_of_moments
