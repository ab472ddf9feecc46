"""Natural image quality evaluator: quality without a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from iqbench.columns import Margin
from iqbench.errors import IqbenchError
from iqbench.images.resize import imresize
from iqbench.metrics._base import Column, Maps, Metric, Needs, Tap
from iqbench.metrics._generalised_gaussians import asymmetric_fit, sign_sums
from iqbench.metrics._images import accept_image
from iqbench.metrics._tensors import score_as_they_are
from iqbench.native import library, loops
from iqbench.networks.weights import Weights, load
from iqbench.protocols.presets import Role
from iqbench.specs import validate

__all__ = ["Luma", "Niqe", "niqe"]

Luma = Literal["studio", "full"]

BLOCK = 96
SCALES = (1, 2)
ROWS = 256
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


class Niqe(Metric):
    """NIQE: the distance of an image's statistics from those of natural photographs; no reference.

    Luma in [0, 255] is locally normalised to mean 0 and variance 1 (7x7 Gaussian of sigma 7/6,
    replicated edges, 1 added to the deviation). In blocks of 96x96 pixels, and at half size
    (MATLAB's imresize) in blocks of 48x48, an asymmetric generalised Gaussian is fitted to the
    values and to the products of neighbours in four directions. This gives 36 features per block.
    The value is the distance between their mean and covariance over blocks and those of natural
    photographs. Rows and columns beyond the last complete block are left out. The computation uses
    float64.

    Options: `luma`, studio: MATLAB's rgb2ycbcr, or full: 0.299 R + 0.587 G + 0.114 B; `rounded`,
    whether luma is rounded to 8 bits; `crop`, the width of a border that is first cropped.
    """

    name: ClassVar[str] = "niqe"
    summary: ClassVar[str] = "Natural image quality evaluator; no reference is read"
    citation: ClassVar[str] = "Mittal et al. 2013, doi:10.1109/LSP.2012.2227726"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "naturalness"
    needs: ClassVar[Needs] = "output"

    luma: Luma = "studio"
    rounded: bool = True
    crop: Annotated[int, Field(ge=0)] = 0

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``niqe``, with every option that is not the default."""
        options = tuple((key, str(value).lower()) for key, value in self)
        defaults = {
            (key, str(field.default).lower()) for key, field in type(self).model_fields.items()
        }
        chosen = [f"-{key}={value}" for key, value in options if (key, value) not in defaults]
        name = "".join([self.name, *chosen])
        tap = Tap(whole=True)
        return (
            Column(
                name,
                "lower",
                self.summary,
                (tap,),
                options,
                decimals=3,
                headline=True,
                undefined="the image is flat",
                margin=Margin(0.05, reason="papers print two or three decimals"),
            ),
        )

    def parameters(self, folder: Path | None) -> Weights:
        """Load the statistics of natural photographs."""
        return load("niqe", folder=folder)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Compute the value of each image on the CPU."""
        model = {name: tensor.double().cpu() for name, tensor in parameters.items()}
        values = [
            distance(features(plane, model["window"]), model) for plane in self._planes(output)
        ]
        return {"niqe": torch.stack(values)[:, None].to(output.device)}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the value."""
        return means["niqe"]

    def _planes(self, output: Tensor) -> Tensor:
        """Return luma in [0, 255] of all complete blocks, (N, H, W) float32.

        Gray counts as three equal channels.
        """
        # Convert a few rows at a time: float64 with three channels needs six times the memory.
        rows = [self._luma(rows) for rows in torch.split(output, ROWS, dim=2)]
        plane = torch.cat(rows, dim=1)
        if self.crop:
            plane = plane[:, self.crop : -self.crop, self.crop : -self.crop]
        height, width = plane.shape[1:]
        down, across = height // BLOCK, width // BLOCK
        if down * across < 2:
            raise IqbenchError(
                f"{width}x{height} pixels are too few for NIQE, which needs two blocks of "
                f"{BLOCK}x{BLOCK}, side by side or one above the other"
            )
        plane = plane[:, : down * BLOCK, : across * BLOCK]
        return plane.round() if self.rounded else plane

    def _luma(self, rows: Tensor) -> Tensor:
        """Return luma in [0, 255] of some rows, (N, h, W) float32."""
        rgb = rows.cpu().float().expand(-1, 3, -1, -1).double()
        return (_studio(rgb) if self.luma == "studio" else _full(rgb)) * 255


def _studio(rgb: Tensor) -> Tensor:
    """Return MATLAB's luma in [0, 1], float32, with the rounding of BasicSR."""
    red, green, blue = rgb.unbind(1)
    return ((24.966 * blue + 128.553 * green + 65.481 * red + 16) / 255).float()


def _full(rgb: Tensor) -> Tensor:
    """Return 0.299 R + 0.587 G + 0.114 B in [0, 1], with the rounding of OpenCV.

    Luma is often exactly between two integers, so that its rounding depends on the last digit.
    OpenCV uses float32 with fused multiply-add: green, then blue, then red.
    """
    total = rgb.new_zeros(())
    for channel, weight in ((1, 0.587), (2, 0.114), (0, 0.299)):
        exact = torch.tensor(weight, dtype=torch.float32, device="cpu").double()
        total = (rgb[:, channel] * exact + total).float().double()
    return total.float()


def features(plane: Tensor, window: Tensor) -> Tensor:
    """Return the 36 features of every block.

    Parameters
    ----------
    plane
        (H, W) float32 in [0, 255], both sides multiples of 96.
    window
        (7, 7) float64, symmetric.

    Returns
    -------
    Tensor
        (blocks, 36) float64; NaN if a fit does not exist.

    Notes
    -----
    In flat regions, normalised values are only rounding errors of the local mean, and their signs
    decide the fit. So each step has the precision of BasicSR and mmagic: float32 at full size,
    where flat regions are exactly 0; float64 at half size, with sums in the order of the window.
    """
    found = []
    for scale in SCALES:
        if scale == 2:
            half = imresize((plane / 255)[None, None], scale=0.5, edge="symmetric")[0, 0]
            plane = half.double() * 255
        side = BLOCK // scale
        blocks = _normalised(plane, window).double().unfold(0, side, side).unfold(1, side, side)
        found.append(_block_features(blocks.reshape(-1, side, side).contiguous()))
    return torch.cat(found, dim=1)


def _normalised(plane: Tensor, window: Tensor) -> Tensor:
    """Subtract the local mean, and divide by the local deviation plus 1."""
    mean = _blurred(plane, window)
    deviation = (_blurred(plane.square(), window) - mean.square()).abs_().sqrt_()
    return (plane - mean).div_(deviation.add_(1))


def _blurred(plane: Tensor, window: Tensor) -> Tensor:
    """Filter with replicated edges; sums are float64 and rounded to the type of the plane."""
    border = window.shape[0] // 2
    image = F.pad(plane.double()[None, None], (border,) * 4, mode="replicate")[0, 0]
    height, width = plane.shape
    if library.available():
        return loops.window_sums(image, window).to(plane.dtype)
    total = image.new_zeros(plane.shape)
    part = torch.empty_like(total)
    for row, weights in enumerate(window.tolist()):
        for column, weight in enumerate(weights):
            # Round after the multiplication and after the addition.
            torch.mul(image[row : row + height, column : column + width], weight, out=part)
            total.add_(part)
    return total.to(plane.dtype)


def _block_features(blocks: Tensor) -> Tensor:
    """Fit the values of every block and their products; (B, side, side) to (B, 18)."""
    sums = loops.sign_sums(blocks) if library.available() else _sign_sums(blocks)
    fit = asymmetric_fit(sums, blocks[0].numel())
    lefts, rights = fit.left * fit.scale, fit.right * fit.scale
    found = [fit.shape[:, 0], (lefts[:, 0] + rights[:, 0]) / 2]
    for kind in range(1, len(SHIFTS) + 1):
        shape, left, right = (values[:, kind] for values in (fit.shape, lefts, rights))
        mean = (right - left) * torch.exp(torch.lgamma(2 / shape) - torch.lgamma(1 / shape))
        found += [shape, mean, left, right]
    return torch.stack(found, dim=1)


def _sign_sums(blocks: Tensor) -> Tensor:
    """Compute the same as `loops.sign_sums`, without the compiled loop."""
    kinds = [blocks, *(blocks * blocks.roll(shift, dims=(1, 2)) for shift in SHIFTS)]
    return torch.stack([sign_sums(kind.flatten(1)) for kind in kinds], dim=1)


def distance(found: Tensor, model: Maps) -> Tensor:
    """Return the distance of an image from natural photographs.

    Parameters
    ----------
    found
        (blocks, 36), from `features`.
    model
        ``mean`` (36,) and ``covariance`` (36, 36) of natural photographs.

    Returns
    -------
    Tensor
        A scalar; NaN if a feature is NaN in all blocks.
    """
    whole = found[~found.isnan().any(1)]
    mean = found.nanmean(0)
    if len(whole) < 2 or mean.isnan().any():
        return found.new_tensor(torch.nan)
    covariance = (model["covariance"] + torch.cov(whole.T)) / 2
    step = model["mean"] - mean
    inverse = torch.linalg.pinv(covariance, hermitian=True)
    value: Tensor = step @ inverse @ step
    return value.clamp_min(0).sqrt()


def niqe(image: Tensor, *, luma: Luma = "studio", rounded: bool = True, crop: int = 0) -> Tensor:
    """NIQE of each image of a batch; it has no gradient.

    Parameters
    ----------
    image
        (N, C, H, W) in [0, 1], C 1 or 3, with at least two blocks of 96x96 pixels.
    luma
        ``studio``: MATLAB's rgb2ycbcr; ``full``: 0.299 R + 0.587 G + 0.114 B, which does not
        change gray.
    rounded
        Whether to round luma to 8 bits first, as in MATLAB.
    crop
        Width in pixels of a border that is first cropped.

    Returns
    -------
    Tensor
        (N,) float64, lower is better; NaN if the image is flat.

    Raises
    ------
    IqbenchError
        If the tensor is not a batch of images, or too small, an option is unknown, or the model is
        missing and cannot be fetched.

    Notes
    -----
    Mittal et al. 2013, doi:10.1109/LSP.2012.2227726. The default is that of BasicSR and mmagic. It
    gives 5.7296 for the baboon of Set14, as MATLAB R2021a.
    """
    options = {"luma": luma, "rounded": rounded, "crop": crop}
    metric = validate(Niqe, options, where="NIQE")
    with torch.no_grad():
        image = accept_image(image)
        return score_as_they_are(metric, metric.columns()[0].name, image, image)
