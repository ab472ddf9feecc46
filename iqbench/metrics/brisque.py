"""BRISQUE: quality without a reference, by a regression on natural scene statistics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.columns import Margin
from iqbench.images.resize import imresize
from iqbench.metrics._base import Column, Maps, Metric, Needs, Tap
from iqbench.metrics._generalised_gaussians import (
    AsymmetricFit,
    asymmetric_fit,
    sign_sums,
    symmetric_shape,
)
from iqbench.metrics._images import accept_image
from iqbench.metrics._tensors import score_as_they_are
from iqbench.networks.weights import Weights, load
from iqbench.protocols.presets import Role

__all__ = ["Brisque", "brisque"]

SCALES = 2
SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))
SMALLEST = 16
"""Smallest side in pixels, so that a window of 7x7 fits at half size."""

GRAY = (0.2989360212937753, 0.5870430744511214, 0.1140209042551033)
"""MATLAB's rgb2gray."""

RANGES = (
    *((0.338, 10), (0.017204, 0.806612)),
    *((0.236, 1.642), (-0.123884, 0.20293), (0.000155, 0.712298), (0.001122, 0.470257)),
    *((0.244, 1.641), (-0.123586, 0.179083), (0.000152, 0.710456), (0.000975, 0.470984)),
    *((0.249, 1.555), (-0.135687, 0.100858), (0.000174, 0.684173), (0.000913, 0.534174)),
    *((0.258, 1.561), (-0.143408, 0.100486), (0.000179, 0.685696), (0.000888, 0.536508)),
    *((0.471, 3.264), (0.012809, 0.703171)),
    *((0.218, 1.046), (-0.094876, 0.187459), (1.5e-05, 0.442057), (0.001272, 0.40803)),
    *((0.222, 1.042), (-0.115772, 0.162604), (1.6e-05, 0.444362), (0.001374, 0.40243)),
    *((0.227, 0.996), (-0.117188, 0.098323), (3e-05, 0.531903), (0.001122, 0.369589)),
    *((0.228, 0.99), (-0.12243, 0.098658), (2.8e-05, 0.530092), (0.001118, 0.370399)),
)
"""Smallest and largest value of each feature in the training images, from the file allrange of the
authors' release."""


class Brisque(Metric):
    """BRISQUE: quality from statistics of natural scenes, by a regression on human opinion.

    Luma (MATLAB's rgb2gray, rounded to 8 bits) is locally normalised to mean 0 and variance 1
    (7x7 Gaussian of sigma 7/6, zero padding, 1 added to the deviation). A generalised Gaussian is
    fitted to the values, and an asymmetric one to the products of neighbours in four directions,
    at full and at half size (MATLAB's imresize). This gives 36 features. They are scaled to [-1, 1]
    by their range in the training images, rounded to six digits as in the authors' software, and
    mapped to the value by the authors' support vector regression, which was trained on LIVE. Values
    are from about 0 (best) to 100 (worst). The computation uses float64.
    """

    name: ClassVar[str] = "brisque"
    version: ClassVar[int] = 2
    summary: ClassVar[str] = "Blind image spatial quality evaluator; no reference is read"
    citation: ClassVar[str] = "Mittal, Moorthy and Bovik 2012, doi:10.1109/TIP.2012.2214050"
    role: ClassVar[Role] = "naturalness"
    needs: ClassVar[Needs] = "output"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``brisque``."""
        return (
            Column(
                self.name,
                "lower",
                self.summary,
                (Tap(whole=True),),
                decimals=2,
                headline=True,
                undefined="the image is flat, or is at half size",
                smallest=SMALLEST,
                margin=Margin(0.5, reason="papers print one or two decimals of about 100"),
            ),
        )

    def parameters(self, folder: Path | None) -> Weights:
        """Load the authors' regression."""
        return load("brisque", folder=folder)

    def values(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Compute the value of each image on the CPU."""
        model = {name: tensor.double().cpu() for name, tensor in parameters.items()}
        values = [regress(features(_luma(image)), model) for image in torch.split(output, 1)]
        return {self.name: torch.stack(values).to(output.device)}


def _luma(image: Tensor) -> Tensor:
    """Return luma in [0, 255], (H, W) float64, rounded as in MATLAB; gray is not converted."""
    planes = image[0].cpu().double() * 255
    if len(planes) == 3:
        red, green, blue = planes
        planes = (GRAY[0] * red + GRAY[1] * green + GRAY[2] * blue)[None]
    return (planes[0] + 0.5).floor()


def features(plane: Tensor) -> Tensor:
    """Return the 36 features of an image.

    Parameters
    ----------
    plane
        (H, W) float64 in [0, 255].

    Returns
    -------
    Tensor
        (36,) float64, those of full size first; NaN if a fit does not exist, and for a flat image,
        whose normalised values are only rounding errors.

    Notes
    -----
    In flat regions, normalised values are only rounding errors of the local mean, but their signs
    are counted. So other implementations differ there by about 1e-5.
    """
    if bool((plane == plane[0, 0]).all()):
        return plane.new_full((18 * SCALES,), math.nan)
    found: list[Tensor] = []
    for scale in range(SCALES):
        if scale:
            plane = imresize(plane[None, None], scale=0.5, edge="symmetric")[0, 0]
        values = _normalised(plane)
        square = values.square().mean()
        found += [symmetric_shape(square, values.abs().mean()), square]
        for shift in SHIFTS:
            products = (values * values.roll(shift, dims=(0, 1))).flatten()
            fit = asymmetric_fit(sign_sums(products), products.numel())
            found += [fit.shape, _mean(fit), fit.left.square(), fit.right.square()]
    return torch.stack(found)


def _mean(fit: AsymmetricFit) -> Tensor:
    """Return the mean of a fit."""
    step = (fit.right - fit.left) * fit.scale
    return step * torch.exp(torch.lgamma(2 / fit.shape) - torch.lgamma(1 / fit.shape))


def _normalised(plane: Tensor) -> Tensor:
    """Subtract the local mean, and divide by the local deviation plus 1."""
    mean = _blurred(plane)
    deviation = (_blurred(plane.square()) - mean.square()).abs().sqrt()
    return (plane - mean) / (deviation + 1)


def _blurred(plane: Tensor) -> Tensor:
    """Filter with a 7x7 Gaussian of sigma 7/6 and zero padding, columns first and then rows."""
    places = torch.arange(-3, 4, dtype=torch.float64, device="cpu")
    weights = torch.exp(-places.square() / (2 * (7 / 6) ** 2))
    weights = weights / weights.sum()
    for axis, border in ((0, (0, 0, 3, 3)), (1, (3, 3, 0, 0))):
        wide = F.pad(plane, border)
        parts = (wide.narrow(axis, tap, plane.shape[axis]) * weights[tap] for tap in range(7))
        plane = sum(parts, start=torch.zeros_like(plane))  # in the same order on every machine
    return plane


def regress(found: Tensor, model: Maps) -> Tensor:
    """Compute the value from features.

    Parameters
    ----------
    found
        (36,), from `features`.
    model
        ``vectors`` (774, 36), ``coefficients`` (774,), and ``kernel``: gamma and offset.

    Returns
    -------
    Tensor
        A scalar; NaN if a feature is NaN.
    """
    if not found.isfinite().all():
        return found.new_tensor(math.nan)
    ranges = found.new_tensor(RANGES)
    scaled = 2 * (found - ranges[:, 0]) / (ranges[:, 1] - ranges[:, 0]) - 1
    # The authors' software passes them to the regression as text.
    written = found.new_tensor([float(f"{value:.6g}") for value in scaled.tolist()])
    gamma, offset = model["kernel"]
    distances = (written - model["vectors"]).square().sum(1)
    value: Tensor = model["coefficients"] @ torch.exp(-gamma * distances) - offset
    return value


def brisque(image: Tensor) -> Tensor:
    """BRISQUE of each image of a batch; it has no gradient.

    Parameters
    ----------
    image
        (N, C, H, W) in [0, 1], C 1 or 3, both sides at least 16 pixels.

    Returns
    -------
    Tensor
        (N,) float64, lower is better, about 0 to 100; NaN if the image is flat, also at half size.

    Raises
    ------
    IqbenchError
        If the tensor is not a batch of images, or too small, or the model is missing and cannot be
        fetched.

    Notes
    -----
    Mittal, Moorthy and Bovik 2012, doi:10.1109/TIP.2012.2214050, with the authors' model. It equals
    MATLAB's values of the two images in piq's tests to 11 digits.
    """
    metric = Brisque()
    with torch.no_grad():
        image = accept_image(image)
        return score_as_they_are(metric, metric.name, image, image)
