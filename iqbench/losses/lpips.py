"""LPIPS for training."""

from __future__ import annotations

from iqbench.errors import unknown_name
from iqbench.losses._network_loss import NetworkLoss
from iqbench.losses._reduction import Reduction
from iqbench.metrics.lpips import NETWORKS, Lpips, Net
from iqbench.networks.backbone import Backbone

__all__ = ["LPIPSLoss"]


class LPIPSLoss(NetworkLoss):
    """LPIPS v0.1 between output and target.

    Parameters
    ----------
    net
        ``alex``, ``vgg`` (the authors' choice for training) or ``squeeze``.
    reduction
        The reduction over the batch: ``mean``, ``sum`` or ``none``.
    backbone
        The network with its weights; by default the pretrained one, which all evaluators, functions
        and losses of the process share.

    Raises
    ------
    IqbenchError
        If the net is unknown, or weights are missing and cannot be fetched.

    Notes
    -----
    Call it as ``loss(output, target)``, with images in [0, 1], not [-1, 1]. The network moves with
    the module, its weights get no gradients, and it is not in checkpoints. Zhang et al. 2018,
    doi:10.1109/CVPR.2018.00068.
    """

    def __init__(
        self, net: Net = "vgg", *, reduction: Reduction = "mean", backbone: Backbone | None = None
    ) -> None:
        if net not in NETWORKS:
            raise unknown_name("LPIPS network", net, NETWORKS)
        metric = Lpips(net=net)
        super().__init__(metric, metric.columns()[0], reduction, backbone)
