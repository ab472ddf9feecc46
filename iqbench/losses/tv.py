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
        The reduction over the batch: ``mean``, ``sum`` or ``none``.

    Raises
    ------
    IqbenchError
        If the form or reduction is unknown.

    Notes
    -----
    All gradients are finite: isotropic variation has gradient 0 in flat regions.
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
