"""Total variation: the sum of differences between neighbouring pixels."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from iqbench.columns import Margin, Tolerance
from iqbench.errors import unknown_name
from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import Column, Maps, Metric, Tap
from iqbench.metrics._fast_paths import PixelMean
from iqbench.metrics._images import accept_signal
from iqbench.metrics._tensors import score_tensors
from iqbench.protocols.presets import Role

__all__ = [
    "Form",
    "Reduction",
    "Tv",
    "check_form",
    "total_variation",
    "tv_ratio",
    "tv_residual",
    "variation_maps",
]

Form = Literal["aniso", "iso", "sq"]
Reduction = Literal["mean", "sum"]

Side = Literal["output", "reference", "residual"]

TOLERANCE = Tolerance(
    1e-6,
    relative=True,
    unit="relative",
    reason="differences of float32 pixels, sums in float64 (measured: 7e-8)",
)


def _taps(side: Side, power: str = "") -> tuple[Tap, Tap]:
    """Return the taps for differences along rows and columns of one image."""
    return Tap(layer=f"dx{power} {side}", window=1), Tap(layer=f"dy{power} {side}", window=2)


def _form_taps(form: Form, side: Side) -> tuple[Tap, ...]:
    """Return the taps of a form of total variation."""
    if form == "iso":
        return (Tap(layer=f"iso {side}", window=2),)
    return _taps(side, "2" if form == "sq" else "")


FORMS: dict[Form, str] = {
    "aniso": "mean |dx| + mean |dy|",
    "iso": "mean sqrt(dx^2 + dy^2) where both exist",
    "sq": "mean dx^2 + mean dy^2",
}


def check_form(form: str) -> None:
    """Raise an error for a form that is not ``aniso``, ``iso`` or ``sq``."""
    if form not in FORMS:
        raise unknown_name("form of total variation", form, FORMS)


def _dx(image: Tensor) -> Tensor:
    """Return forward differences along a row, (N, C, H, W - 1)."""
    return image[..., 1:] - image[..., :-1]


def _dy(image: Tensor) -> Tensor:
    """Return forward differences to the next row, (N, C, H - 1, W)."""
    return image[..., 1:, :] - image[..., :-1, :]


def variation_maps(image: Tensor, form: Form) -> tuple[Tensor, ...]:
    """Return maps. The sum of their means is the total variation per pixel and channel.

    Parameters
    ----------
    image
        (N, C, H, W), at least 2x2.
    form
        ``aniso``: |dx| on its H x (W-1) grid and |dy| on its (H-1) x W grid; ``iso``:
        sqrt(dx^2 + dy^2) on the (H-1) x (W-1) grid where both exist (Rudin, Osher, Fatemi 1992);
        ``sq``: dx^2 and dy^2 on their own grids.

    Returns
    -------
    tuple of Tensor
        One or two maps.
    """
    if form == "iso":
        return (_isotropic(image),)
    dx, dy = _dx(image), _dy(image)
    return (dx.abs(), dy.abs()) if form == "aniso" else (dx.square(), dy.square())


def _isotropic(image: Tensor) -> Tensor:
    return safe_sqrt(_dx(image[..., :-1, :]).square() + _dy(image[..., :-1]).square())


def _row_means(values: Tensor) -> Tensor:
    """Average along each row, (N, 1, h, 1), which does not change the mean of the map.

    All methods share the reference's maps, so that these are summed only once. The sum is in the
    order of channels-last memory, so that it does not depend on other images of the batch.
    """
    return values.permute(0, 2, 3, 1).flatten(2).mean(2).double()[:, None, :, None]


def _statistic(what: str, image: Tensor) -> Tensor:
    """Return a map of one image, averaged along the rows: |dx|, dx^2 (dx2), |dy|, dy^2 or iso."""
    if what == "iso":
        return _row_means(_isotropic(image))
    change = _dx(image) if what.startswith("dx") else _dy(image)
    return _row_means(change.square() if what.endswith("2") else change.abs())


class Tv(Metric):
    """Total variation per pixel and channel of output, reference and residual, and their ratio.

    With forward differences dx on the H x (W-1) grid and dy on the (H-1) x W grid, per channel:
    aniso = sum|dx| / (C H (W-1)) + sum|dy| / (C (H-1) W); iso = sum sqrt(dx^2 + dy^2) /
    (C (H-1)(W-1)), on the grid where both exist; sq = sum dx^2 / (C H (W-1)) + sum dy^2 /
    (C (H-1) W). The ratio is aniso of the output divided by aniso of the reference: below 1 the
    output is over-smoothed, above 1 it has noise or ringing. The residual is output minus
    reference.
    """

    name: ClassVar[str] = "tv"
    summary: ClassVar[str] = "Total variation per pixel of output and reference, ratio, residual"
    citation: ClassVar[str] = "Rudin, Osher, Fatemi 1992, doi:10.1016/0167-2789(92)90242-F"
    role: ClassVar[Role] = "perception"

    def columns(self) -> tuple[Column, ...]:
        """Return tv-aniso|iso|sq-output|reference, tv-ratio and tv-residual."""
        sides: tuple[Side, ...] = ("output", "reference")
        statistics = tuple(
            Column(
                f"tv-{form}-{side}",
                "none",
                f"Total variation of the {side}: {text}",
                _form_taps(form, side),
                role="statistic",
                tolerance=TOLERANCE,
            )
            for form, text in FORMS.items()
            for side in sides
        )
        ratio = Column(
            "tv-ratio",
            "target:1",
            "tv-aniso-output / tv-aniso-reference: below 1 over-smoothed, above 1 noise or ringing",
            (*_taps("output"), *_taps("reference")),
            decimals=3,
            headline=True,
            undefined="the reference is flat",
            role="statistic",
            margin=Margin(0.01, reason="one per cent of the reference's total variation"),
            tolerance=TOLERANCE,
        )
        residual = Column(
            "tv-residual",
            "lower",
            "Anisotropic total variation of output minus reference",
            _taps("residual"),
            role="statistic",
            tolerance=TOLERANCE,
        )
        return (*statistics, ratio, residual)

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference, or its statistics for a tap of the reference."""
        what, _, side = tap.layer.partition(" ")
        return (_statistic(what, reference) if side == "reference" else reference,)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the map of the tap: dx, dx2, dy, dy2 or iso of output, reference or residual."""
        what, _, side = tap.layer.partition(" ")
        if side == "reference":
            found = reference[0]
        else:
            found = _statistic(what, output if side == "output" else output - reference[0])
        return {f"{what}_{side}": found}

    def fast_path(self, tap: Tap) -> PixelMean:
        """Declare the map of the tap."""
        what, _, side = tap.layer.partition(" ")
        return PixelMean(f"{what}_{side}")

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Add the means of a form; divide for the ratio (NaN if the reference is flat)."""
        if column == "tv-ratio":
            reference = means["dx_reference"] + means["dy_reference"]
            output = means["dx_output"] + means["dy_output"]
            return torch.where(reference > 0, output / reference, torch.nan)
        if column == "tv-residual":
            return means["dx_residual"] + means["dy_residual"]
        _, form, side = column.split("-")
        if form == "iso":
            return means[f"iso_{side}"]
        power = "2" if form == "sq" else ""
        return means[f"dx{power}_{side}"] + means[f"dy{power}_{side}"]


def total_variation(
    image: Tensor, *, form: Form = "aniso", reduction: Reduction = "mean"
) -> Tensor:
    """Total variation of each image of a batch.

    Parameters
    ----------
    image
        (N, C, H, W), at least 2x2.
    form
        ``aniso``: |dx| + |dy|; ``iso``: sqrt(dx^2 + dy^2) on the (H-1) x (W-1) grid where both
        exist; ``sq``: dx^2 + dy^2. dx, dy are forward differences within a channel.
    reduction
        ``sum``: over channels and positions. ``mean``: dx and dy each divided by the size of its
        own grid, C H (W-1) and C (H-1) W; iso by C (H-1)(W-1).

    Returns
    -------
    Tensor
        (N,). All gradients are finite; the gradient of iso is 0 where its root is 0.

    Raises
    ------
    IqbenchError
        If the image has fewer than 2 rows or columns, or the form or reduction is unknown.

    Notes
    -----
    Libraries define total variation differently: tf.image, torchmetrics, piq ``l1`` and kornia use
    ``aniso, sum``; piq's default ``l2`` is the square root of ``sq, sum``; piq ``l2_squared`` is
    ``sq, sum``; BasicSR and kornia ``mean`` use ``aniso, mean``. Rudin, Osher, Fatemi 1992,
    doi:10.1016/0167-2789(92)90242-F use ``iso``.
    """
    check_form(form)
    if reduction not in get_args(Reduction):
        raise unknown_name("reduction", reduction, get_args(Reduction))
    maps = [values.flatten(1) for values in variation_maps(accept_signal(image), form)]
    totals = [values.mean(1) if reduction == "mean" else values.sum(1) for values in maps]
    return totals[0] if len(totals) == 1 else totals[0] + totals[1]


def tv_ratio(reference: Tensor, output: Tensor) -> Tensor:
    """Anisotropic total variation of the output, divided by that of the reference.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], at least 2x2.

    Returns
    -------
    Tensor
        (N,): below 1 over-smoothed, above 1 noise or ringing; NaN if the reference is flat.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.
    """
    return score_tensors(Tv(), "tv-ratio", reference, output)


def tv_residual(reference: Tensor, output: Tensor) -> Tensor:
    """Anisotropic total variation, per pixel and channel, of output minus reference.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], at least 2x2.

    Returns
    -------
    Tensor
        (N,), 0 if they differ only by a constant.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.
    """
    return score_tensors(Tv(), "tv-residual", reference, output)
