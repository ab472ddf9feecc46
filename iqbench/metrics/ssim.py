"""Structural similarity: the authors' definition, and variants in papers and libraries."""

from __future__ import annotations

import math
from functools import cache
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor

from iqbench.columns import ColumnMap, Tolerance
from iqbench.errors import IqbenchError
from iqbench.images.filters import filter_axis, gaussian_weights
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Tap
from iqbench.metrics._fast_paths import SimilarityMean
from iqbench.metrics._tensors import score_tensors
from iqbench.specs import validate

__all__ = [
    "TOLERANCE",
    "Downsample",
    "Form",
    "Padding",
    "Shape",
    "Ssim",
    "Structure",
    "filter_valid",
    "shrink",
    "shrink_factor",
    "ssim",
    "ssim_terms",
    "window_weights",
]

Shape = Literal["gaussian", "uniform"]
Padding = Literal["valid", "zero", "replicate", "reflect"]
Form = Literal["2d", "3d"]
Downsample = Literal["none", "matlab", "pool"]
Structure = Literal["signed", "clipped"]

SIZES: dict[Shape, int] = {"gaussian": 11, "uniform": 7}
SIGMA = 1.5
TOLERANCE = Tolerance(
    1e-6, reason="pixels are float32, moments float64 (measured: 3e-8); papers report 1e-4"
)
C1 = 0.01**2
C2 = 0.03**2
_TORCH_PADDING = {"zero": "constant", "replicate": "replicate", "reflect": "reflect"}


@cache
def window_weights(shape: Shape) -> tuple[float, ...]:
    """Return the weights of a window along one axis; their sum is 1."""
    size = SIZES[shape]
    if shape == "uniform":
        return (1 / size,) * size
    return gaussian_weights(size, SIGMA)


def sample_scale(shape: Shape) -> float:
    """Return the moment correction: n / (n - 1) for the uniform window, else 1.

    It converts population moments to sample moments, the default of scikit-image.
    """
    count = SIZES["uniform"] ** 2
    return count / (count - 1) if shape == "uniform" else 1.0


def filter_valid(image: Tensor, shape: Shape, axes: tuple[int, ...]) -> Tensor:
    """Filter with a separable window on valid positions."""
    for axis in axes:
        image = filter_axis(image, window_weights(shape), axis)
    return image


def ssim_terms(moments: tuple[Tensor, Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the maps of luminance and of contrast times structure.

    Parameters
    ----------
    moments
        Means of both images, variances of both, and covariance, for a peak of 1.

    Returns
    -------
    tuple of Tensor
        (2 m1 m2 + C1) / (m1^2 + m2^2 + C1) and (2 cov + C2) / (v1 + v2 + C2).
    """
    mean, other_mean, variance, other_variance, covariance = moments
    luminance = (2 * mean * other_mean + C1) / (mean.square() + other_mean.square() + C1)
    structure = (2 * covariance + C2) / (variance + other_variance + C2)
    return luminance, structure


def shrink_factor(image: Tensor, how: Downsample) -> int:
    """Return by how much `shrink` downsamples: round(min(H, W) / 256), at least 1.

    MATLAB rounds halves up; Python, and so piq, rounds halves to even.
    """
    short = min(image.shape[2:]) / 256
    if how == "none":
        return 1
    return max(1, round(short) if how == "pool" else int(short + 0.5))


def shrink(image: Tensor, how: Downsample) -> Tensor:
    """Downsample to a short side of about 256, as in some implementations of SSIM.

    Parameters
    ----------
    image
        (N, C, H, W).
    how
        ``none``; ``matlab``: mean over f x f around every f-th pixel, with mirrored edges (the
        authors' script); ``pool``: mean over f x f blocks, without incomplete blocks (piq). f is
        `shrink_factor`.

    Returns
    -------
    Tensor
        (N, C, h, w).
    """
    factor = shrink_factor(image, how)
    if factor == 1:
        return image
    if how == "matlab":
        before, after = (factor - 1) // 2, factor // 2
        for axis in (2, 3):
            # Mirror the image including the edge pixel.
            head = image.narrow(axis, 0, before).flip(axis)
            tail = image.narrow(axis, image.shape[axis] - after, after).flip(axis)
            image = torch.cat([head, image, tail], dim=axis)
    return F.avg_pool2d(image, factor)


class Ssim(Metric):
    """Mean SSIM: by default Gaussian 11x11, sigma 1.5, valid positions, population moments.

    K1 = 0.01, K2 = 0.03, peak 1, mean over channels. Options: `window`, gaussian, or uniform: 7x7
    with sample covariance, the default of scikit-image; `padding`, valid, or zero, replicate,
    reflect: the map is as large as the image; `form`, 2d, or 3d: a colour image as a volume, as
    MATLAB's ssim treats an RGB array (11x11x11, with edges replicated in all three directions);
    `downsample`, none, matlab or pool: first to a short side of about 256; `structure`, signed, or
    clipped: contrast times structure counts as 0 at positions where it is negative, as in pyiqa.
    This matters if the output has other details than the reference, as from generative models.
    """

    name: ClassVar[str] = "ssim"
    summary: ClassVar[str] = "Structural similarity, Gaussian 11x11, valid region, channel mean"
    citation: ClassVar[str] = "Wang et al. 2004, doi:10.1109/TIP.2003.819861"
    symmetric: ClassVar[bool] = True

    window: Shape = "gaussian"
    padding: Padding = "valid"
    form: Form = "2d"
    downsample: Downsample = "none"
    structure: Structure = "signed"

    @property
    def constants(self) -> tuple[float, float, float, float]:
        """The moment correction, C1, C2, and the smallest contrast times structure."""
        floor = 0.0 if self.structure == "clipped" else -math.inf
        return sample_scale(self.window), C1, C2, floor

    @model_validator(mode="after")
    def _volumes_are_replicated(self) -> Ssim:
        if self.form == "3d" and self.padding != "valid":
            raise IqbenchError("ssim:form=3d always replicates edges", hint="Leave padding out")
        return self

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``ssim``, with every option that is not the default."""
        # Omit the default, so that values stored before this option existed are still current.
        options = tuple(
            (key, str(value)) for key, value in self if key != "structure" or value != "signed"
        )
        chosen = {key: value for key, value in options if value != _DEFAULTS[key]}
        name = "".join([self.name, *(f"-{key}={value}" for key, value in chosen.items())])
        summary = f"SSIM with {', '.join(chosen.values())}" if chosen else self.summary
        tap = self._tap()
        return (
            Column(
                name,
                "higher",
                summary,
                (tap,),
                options,
                headline=True,
                margin=THIRD_DIGIT,
                tolerance=TOLERANCE,
                map=None if tap.whole else ColumnMap("centre", "similarity"),
            ),
        )

    def _tap(self) -> Tap:
        """Return a tap in bands for valid positions, else one for whole images."""
        size = SIZES[self.window]
        if self.form == "2d" and self.padding == "valid":
            return Tap(window=size, whole=self.downsample != "none")
        # Reflection needs at least as many pixels beside the edge.
        return Tap(window=size // 2 + 1 if self.padding == "reflect" else 1, whole=True)

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference, its local mean and variance.

        They are float64: in flat bright regions the variance is a small difference of large
        numbers, and float32 gives errors of 7e-4.
        """
        if self._sees_plane(reference):
            return self._plane().prepare(tap, reference, parameters)
        image = self._pad(shrink(reference, self.downsample).double())
        mean = self._filter(image)
        return image, mean, self._filter(image.square()) - mean.square()

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the SSIM map, smaller than the rows by the window."""
        if self._sees_plane(output):
            return self._plane().maps(tap, reference, output, parameters)
        image, mean, variance = reference
        other = self._pad(shrink(output, self.downsample).double())
        other_mean = self._filter(other)
        other_variance = self._filter(other.square()) - other_mean.square()
        covariance = self._filter(image * other) - mean * other_mean
        scale, *_, floor = self.constants
        luminance, structure = ssim_terms(
            (mean, other_mean, variance * scale, other_variance * scale, covariance * scale)
        )
        return {"ssim": luminance * structure.clamp_min(floor)}

    def fast_path(self, tap: Tap) -> SimilarityMean | None:
        """Declare window and constants; whole images have no fast path."""
        if tap.whole:
            return None
        return SimilarityMean("ssim", window_weights(self.window), self.constants)

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the mean of the map."""
        return means["ssim"]

    def _sees_plane(self, image: Tensor) -> bool:
        """Return whether a gray image is scored with ``form=3d``; MATLAB treats it as a plane."""
        return self.form == "3d" and image.shape[1] == 1

    def _plane(self) -> Ssim:
        """Return MATLAB's form for a plane: 2d with replicated edges."""
        return self.model_copy(update={"form": "2d", "padding": "replicate"})

    def _filter(self, image: Tensor) -> Tensor:
        return filter_valid(image, self.window, (2, 3) if self.form == "2d" else (1, 2, 3))

    def _pad(self, image: Tensor) -> Tensor:
        """Pad the image so that the map has its size."""
        border = SIZES[self.window] // 2
        if self.form == "3d":
            return F.pad(image.unsqueeze(1), (border,) * 6, mode="replicate").squeeze(1)
        if self.padding == "valid":
            return image
        return F.pad(image, (border,) * 4, mode=_TORCH_PADDING[self.padding])


_DEFAULTS = {key: field.default for key, field in Ssim.model_fields.items()}


def ssim(
    reference: Tensor,
    output: Tensor,
    *,
    window: Shape = "gaussian",
    padding: Padding = "valid",
    form: Form = "2d",
    downsample: Downsample = "none",
    structure: Structure = "signed",
) -> Tensor:
    """Structural similarity of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least as large as the window.
    window
        ``gaussian``: 11x11, sigma 1.5, population moments; ``uniform``: 7x7, sample covariance.
    padding
        ``valid``: only positions where the window fits; ``zero``, ``replicate``, ``reflect``: all.
    form
        ``2d``: the mean over channels; ``3d``: a colour image as a volume with replicated edges.
    downsample
        ``none``; ``matlab``, ``pool``: see `shrink`.
    structure
        ``signed``; ``clipped``: contrast times structure is at least 0 at each position.

    Returns
    -------
    Tensor
        (N,) float64, at most 1.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are smaller than the window.

    Notes
    -----
    Wang et al. 2004, doi:10.1109/TIP.2003.819861: K1 = 0.01, K2 = 0.03, peak 1; moments are
    float64. The default is the authors' definition without downsampling. scikit-image gives the
    same with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``, and
    the value of ``window="uniform"`` without these. The authors' script is
    ``downsample="matlab"``; MATLAB's ``ssim`` is ``padding="replicate"`` for gray and ``form="3d"``
    for RGB arrays; the common PyTorch port is ``padding="zero"``; pyiqa is ``structure="clipped"``
    on luma rounded to 8 bits.
    """
    options = {
        "window": window,
        "padding": padding,
        "form": form,
        "downsample": downsample,
        "structure": structure,
    }
    metric = validate(Ssim, options, where="SSIM")
    return score_tensors(metric, metric.columns()[0].name, reference, output)
