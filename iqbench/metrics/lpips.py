"""Learned perceptual image patch similarity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from iqbench.columns import ColumnMap, Margin
from iqbench.metrics._base import NETWORK_TOLERANCE, Column, Maps, Metric, Tap
from iqbench.metrics._fast_paths import UNIT_EPSILON, FeatureMean
from iqbench.metrics._tensors import score_tensors
from iqbench.networks.weights import Weights, lpips_linear
from iqbench.protocols.presets import Role
from iqbench.specs import validate

if TYPE_CHECKING:
    from iqbench.networks.backbone import Backbone

__all__ = ["Lpips", "Net", "lpips"]

Net = Literal["alex", "vgg", "squeeze"]

NETWORKS: dict[Net, str] = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
LAYERS: dict[Net, tuple[str, ...]] = {
    "alex": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
    "squeeze": ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9"),
}


def _norm(features: Tensor) -> Tensor:
    """Return the norm over channels, which is never 0, with a finite gradient."""
    norm: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return norm + UNIT_EPSILON


class Lpips(Metric):
    """LPIPS v0.1 with the linear weights of the authors' package.

    Features of five (squeeze: seven) layers are normalised to unit length over channels. The value
    is the sum over layers of the mean over positions of their squared difference, with a weight for
    each channel. The input is normalised as for ImageNet, which equals the authors' scaling of
    [-1, 1], (2x - 1 - shift) / scale.
    """

    name: ClassVar[str] = "lpips"
    summary: ClassVar[str] = "Learned perceptual image patch similarity, v0.1"
    citation: ClassVar[str] = "Zhang et al. 2018, doi:10.1109/CVPR.2018.00068"
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    net: Net = "alex"

    @classmethod
    def parse_column(cls, stem: str) -> dict[str, str] | None:
        """Parse the net in ``lpips-<net>``."""
        name, _, net = stem.partition("-")
        return {"net": net} if name == cls.name and net in NETWORKS else None

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``lpips-<net>``."""
        taps = tuple(Tap(NETWORKS[self.net], layer) for layer in LAYERS[self.net])
        summary = f"LPIPS v0.1 on {NETWORKS[self.net]}"
        options = (("net", self.net),)
        return (
            Column(
                f"lpips-{self.net}",
                "lower",
                summary,
                taps,
                options,
                headline=True,
                margin=Margin(0.002, reason="papers print three digits and compare the third"),
                tolerance=NETWORK_TOLERANCE,
                map=ColumnMap("stretch"),
            ),
        )

    def parameters(self, folder: Path | None) -> Weights:
        """Load the linear weights, which are always those in the package ``lpips``."""
        return lpips_linear(self.net)

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference's features at unit length."""
        return (reference / _norm(reference),)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return a layer's weighted squared difference, (N, h, W)."""
        weight = parameters[self._weight(tap)].flatten()
        # In one step and in place, because temporary tensors of a large layer are slow.
        difference = torch.addcdiv(reference[0], output, _norm(output), value=-1).square_()
        # For channels-last features this is a matrix-vector product.
        return {tap.layer: difference.permute(0, 2, 3, 1) @ weight.to(difference.dtype)}

    def fast_path(self, tap: Tap) -> FeatureMean:
        """Declare the weighted squared difference at unit length."""
        return FeatureMean(tap.layer, "unit", self._weight(tap))

    def _weight(self, tap: Tap) -> str:
        """Return the name of the weights of a layer's channels."""
        return f"lin{LAYERS[self.net].index(tap.layer)}"

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the sum over layers."""
        return sum((means[layer] for layer in LAYERS[self.net][1:]), means[LAYERS[self.net][0]])


def lpips(
    reference: Tensor, output: Tensor, *, net: Net = "alex", backbone: Backbone | None = None
) -> Tensor:
    """LPIPS v0.1 of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1] (not [-1, 1]); gray is replicated to three channels.
    net
        ``alex`` (the authors' choice for scoring), ``vgg`` or ``squeeze``.
    backbone
        The network with its weights; by default the pretrained one.

    Returns
    -------
    Tensor
        (N,), 0 for equal images.

    Raises
    ------
    IqbenchError
        If the net is unknown, the tensors are not a pair of images or too small, or pretrained
        weights are missing and cannot be fetched.

    Notes
    -----
    Zhang et al. 2018, doi:10.1109/CVPR.2018.00068. It equals the package ``lpips`` with
    ``normalize=True``.
    """
    metric = validate(Lpips, {"net": net}, where="LPIPS")
    return score_tensors(metric, f"lpips-{net}", reference, output, backbone=backbone)
