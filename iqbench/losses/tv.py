"""Total variation as a regulariser."""

from __future__ import annotations

from torch import Tensor, nn

from iqbench.losses._reduction import Reduction, check_reduction, reduce
from iqbench.metrics.tv import Form, check_form, total_variation

__all__ = ["TVLoss"]


class TVLoss(nn.Module):
    """Total variation of the output, per pixel and channel.

    Parameters
    ----------
    form
        ``aniso``, ``iso`` or ``sq``; see `iqbench.functional.total_variation`.
    reduction
        Over the batch: ``mean``, ``sum`` or ``none``.

    Raises
    ------
    IqbenchError
        On an unknown form or reduction.

    Notes
    -----
    Gradients are finite everywhere: isotropic variation has gradient 0 where the image is flat.
    """

    def __init__(self, form: Form = "aniso", *, reduction: Reduction = "mean") -> None:
        super().__init__()
        check_form(form)
        check_reduction(reduction)
        self.form = form
        self.reduction = reduction

    def forward(self, output: Tensor) -> Tensor:
        """Return the loss of (N, C, H, W)."""
        return reduce(total_variation(output, form=self.form), self.reduction)
