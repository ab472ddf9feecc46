"""Deep image structure and texture similarity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from iqbench.columns import Margin
from iqbench.metrics._base import (
    NETWORK_TOLERANCE,
    PIXELS,
    Column,
    Maps,
    Metric,
    Options,
    Place,
    Statistics,
    Tap,
)
from iqbench.metrics._fast_paths import ChannelMoments
from iqbench.metrics._statistics import pair_moments
from iqbench.metrics._tensors import score_tensors
from iqbench.networks.vgg import SHRUNK
from iqbench.networks.weights import Weights, load
from iqbench.protocols.presets import Role
from iqbench.specs import validate

if TYPE_CHECKING:
    from iqbench.networks.backbone import Backbone

__all__ = ["Dists", "Resize", "dists"]

Resize = Literal["none", "256"]

LAYERS = (
    "relu1_2",
    *(f"l2pool/relu{layer}" for layer in ("2_2", "3_3", "4_3", "5_3")),
)
CHANNELS = (3, 64, 128, 256, 512, 512)
C1 = C2 = 1e-6


class Dists(Metric):
    """DISTS: one minus a weighted sum of texture and structure similarities of features.

    The features are the image itself, in [0, 1], and five layers of VGG16 with blurred L2 pooling
    instead of max pooling. For each channel, with means m, variances v and covariance c over all
    positions, the texture similarity is (2 mx my + C1) / (mx^2 + my^2 + C1), and the structure
    similarity is (2 c + C2) / (vx + vy + C2), with C1 = C2 = 1e-6. Their weights are the authors'
    alpha and beta, which sum to 1. Gray is expanded to three channels.

    Option: `resize`, none: the formula of the paper on the unchanged image; or 256: images with a
    longer short side are first shrunk to a short side of 256, as in the authors'
    ``prepare_image(image, resize=True)`` (Pillow's bilinear filter on 8 bits).
    """

    name: ClassVar[str] = "dists"
    summary: ClassVar[str] = "Deep image structure and texture similarity"
    citation: ClassVar[str] = "Ding et al. 2020, doi:10.1109/TPAMI.2020.3045810"
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    resize: Resize = "none"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``dists``, or ``dists-resize=256``."""
        name, summary = self.name, self.summary
        options: Options = ()
        taps: tuple[Tap, ...] = (Tap(), *(Tap("vgg16", layer) for layer in LAYERS))
        if self.resize != "none":
            name = f"dists-resize={self.resize}"
            summary = f"{self.summary}, short side shrunk to {self.resize} pixels"
            taps = tuple(Tap("vgg16", layer, normalise=False) for layer in self._layers)
            options = (("resize", self.resize),)
        return (
            Column(
                name,
                "lower",
                summary,
                taps,
                options,
                headline=True,
                margin=Margin(0.002, reason="papers print three digits, as for LPIPS"),
                tolerance=NETWORK_TOLERANCE,
            ),
        )

    @property
    def _layers(self) -> tuple[str, ...]:
        """Return the names of the layers; the first is the image."""
        if self.resize == "none":
            return (PIXELS, *LAYERS)
        return tuple(f"{SHRUNK}{layer}" for layer in ("image", *LAYERS))

    def parameters(self, folder: Path | None) -> Weights:
        """Load alpha and beta."""
        return load("dists", folder=folder)

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the moments of every channel of a layer."""
        return {tap.layer: pair_moments(reference[0], output)}

    def fast_path(self, tap: Tap) -> ChannelMoments:
        """Declare the moments of a layer."""
        return ChannelMoments(tap.layer)

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return one minus the weighted sum of texture and structure of all channels."""
        moments = [means[layer] for layer in self._layers]
        if moments[0].shape[2] == 1:
            moments[0] = moments[0].expand(-1, -1, 3)
        first, second, variance, other, covariance = torch.cat(moments, dim=2).unbind(1)
        texture = (2 * first * second + C1) / (first.square() + second.square() + C1)
        structure = (2 * covariance + C2) / (variance + other + C2)
        alpha, beta = (
            parameters[name].flatten().to(device=first.device, dtype=first.dtype)
            for name in ("alpha", "beta")
        )
        similarity = (alpha * texture + beta * structure).sum(1)
        return 1 - similarity / (alpha.sum() + beta.sum())


def dists(
    reference: Tensor,
    output: Tensor,
    *,
    resize: Resize = "none",
    backbone: Backbone | None = None,
) -> Tensor:
    """DISTS of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3; gray is expanded to three channels.
    resize
        ``none``; ``256``: images with a longer short side are first shrunk to that.
    backbone
        VGG16 with its weights; by default the pretrained one.

    Returns
    -------
    Tensor
        (N,), 0 for equal images up to rounding.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or pretrained weights are missing and cannot be
        fetched.

    Notes
    -----
    Ding et al. 2020, doi:10.1109/TPAMI.2020.3045810. It equals the package ``dists-pytorch`` within
    1e-5.
    """
    metric = validate(Dists, {"resize": resize}, where="DISTS")
    return score_tensors(metric, metric.columns()[0].name, reference, output, backbone=backbone)
