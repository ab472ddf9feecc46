"""Perceptual loss for training."""

from __future__ import annotations

from iqbench.losses._network_loss import NetworkLoss
from iqbench.losses._reduction import Reduction
from iqbench.metrics.perceptual import Distance, Normalise, perceptual_metric
from iqbench.networks.backbone import Backbone

__all__ = ["PerceptualLoss"]


class PerceptualLoss(NetworkLoss):
    """Weighted sum, over layers, of distances between features of a pretrained network.

    Parameters
    ----------
    net
        torchvision's name of a VGG, ResNet, AlexNet or SqueezeNet.
    layers
        Names such as ``conv5_4`` (before activation) or ``relu2_2``; by default the last
        activation of each block.
    distance
        ``l1`` or ``l2``: mean absolute or mean squared difference over a layer.
    weights
        One weight per layer; by default all are 1.
    normalise
        ``imagenet`` or ``none``.
    reduction
        The reduction over the batch: ``mean``, ``sum`` or ``none``.
    backbone
        The network with its weights; by default the pretrained one, which all evaluators, functions
        and losses of the process share.

    Raises
    ------
    IqbenchError
        If a network, layer or option is unknown, or weights are missing and cannot be fetched.

    Notes
    -----
    Call it as ``loss(output, target)``, with images in [0, 1]. The network moves with the module,
    its weights get no gradients, and it is not in checkpoints. Johnson et al. 2016,
    doi:10.1007/978-3-319-46475-6_43. ESRGAN uses ``PerceptualLoss("vgg19", ("conv5_4",))``.
    """

    def __init__(
        self,
        net: str = "vgg16",
        layers: tuple[str, ...] = (),
        *,
        distance: Distance = "l1",
        weights: tuple[float, ...] = (),
        normalise: Normalise = "imagenet",
        reduction: Reduction = "mean",
        backbone: Backbone | None = None,
    ) -> None:
        metric = perceptual_metric(net, layers, distance, weights, normalise)
        super().__init__(metric, metric.columns()[-1], reduction, backbone)
