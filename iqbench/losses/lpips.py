"""LPIPS for training."""

from __future__ import annotations

from iqbench.losses._network_loss import NetworkLoss
from iqbench.losses._reduction import Reduction, check_reduction
from iqbench.metrics.lpips import NETWORKS, Lpips, Net
from iqbench.networks.backbone import Backbone
from iqbench.networks.registry import pretrained
from iqbench.networks.weights import lpips_linear

__all__ = ["LPIPSLoss"]


class LPIPSLoss(NetworkLoss):
    """LPIPS v0.1 between output and target.

    Parameters
    ----------
    net
        ``alex``, ``vgg`` (the authors' choice for training) or ``squeeze``.
    reduction
        Over the batch: ``mean``, ``sum`` or ``none``.
    backbone
        The network with its weights; by default the pretrained one is loaded, once.

    Raises
    ------
    IqbenchError
        On an unknown net, or weights that cannot be had.

    Notes
    -----
    Called as ``loss(output, target)``; images are in [0, 1], not [-1, 1]. The network moves with
    the module, takes no gradients itself and is in no checkpoint. Zhang et al. 2018,
    doi:10.1109/CVPR.2018.00068.
    """

    def __init__(
        self, net: Net = "vgg", *, reduction: Reduction = "mean", backbone: Backbone | None = None
    ) -> None:
        check_reduction(reduction)
        linear = lpips_linear(net).tensors
        network = backbone if backbone is not None else pretrained(NETWORKS[net])
        super().__init__(Lpips(net=net), network, reduction)
        for name, weight in linear.items():
            self.register_buffer(name, weight.clone(), persistent=False)
