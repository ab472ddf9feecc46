"""FID and KID, which have one value for all images, under the conventions in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, get_args

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from iqbench.errors import IqbenchError
from iqbench.explain.convention import QUANTISED, Convention
from iqbench.explain.family import Family
from iqbench.explain.learned import need_weights
from iqbench.explain.pair import Pair
from iqbench.explain.prepared import AS_STORED, JPEG, ORIENTATIONS, reference_of
from iqbench.metrics._feature_sets import ArrayFeatures
from iqbench.metrics._inception_distance import InceptionDistance
from iqbench.metrics._inception_features import Resizer, inception_features
from iqbench.metrics.fid import FrechetInceptionDistance
from iqbench.metrics.kid import KernelInceptionDistance
from iqbench.networks.inception import SIDE

__all__ = ["InceptionFamily"]

Features: TypeAlias = NDArray[np.float64]

METRICS: Mapping[str, type[InceptionDistance]] = {
    "fid": FrechetInceptionDistance,
    "kid": KernelInceptionDistance,
}


class InceptionFamily(Family[tuple[Features, Features]]):
    """A distance between Inception's features, for each resizer of its input."""

    departures = 1
    networks = True
    whole_set = True

    def __init__(self, metric: str) -> None:
        need_weights(("inception",), metric.upper())
        self.metric = metric
        self._kind = METRICS[metric]
        self._resizers = {
            self._kind(resizer=resizer).columns()[0].name: resizer for resizer in get_args(Resizer)
        }
        self._antialiased = f"{metric}, bilinear with antialiasing"
        self._resizers[self._antialiased] = "tensorflow"
        self.forms = tuple(name for name in self._resizers if name != metric)

    def values(self) -> Mapping[str, Sequence[str]]:
        """Return resizers, and changes that may have been made to the images."""
        return {
            "colour": ("rgb", "bgr"),
            "quantise": QUANTISED,
            "prepared": (AS_STORED, *ORIENTATIONS, *JPEG),
            "metric": tuple(self._resizers),
        }

    def affordable(self, convention: Convention, scale: int | None) -> bool:
        """Try whole images only: every convention is a pass through a network."""
        return (convention.crop, convention.modcrop) == (0, 1)

    def measure(self, pair: Pair, convention: Convention) -> tuple[Features, Features]:
        """Return the features of both images."""
        reference, output = pair.part(convention)
        # Some changes are made to the output alone.
        seen = convention._replace(prepared=reference_of(convention.prepared))
        first = pair.once(("reference", seen), lambda: self._features(reference, seen), large=False)
        return first, self._features(output, convention)

    def _features(self, image: Tensor, convention: Convention) -> Features:
        resizer: Resizer = self._resizers[convention.metric]
        if convention.metric == self._antialiased:
            # An image of this size is not resized once more.
            size = (SIDE, SIDE)
            image = F.interpolate(image, size, mode="bilinear", antialias=True).clamp(0, 1)
        found: Features = inception_features(image, resizer=resizer)[0].double().numpy()
        return found

    def close(self, found: Sequence[tuple[Features, Features]], convention: Convention) -> float:
        """Return the distance of both sets.

        Raises
        ------
        IqbenchError
            If there is one pair only.
        """
        if len(found) < 2:
            raise IqbenchError(
                f"{self.metric} is a value of many images, and one pair is given",
                hint="Give the folders of all references and all outputs",
            )
        first, second = (ArrayFeatures(np.stack(side)) for side in zip(*found, strict=True))
        return self._kind().distance(first, second, paired=True).value
