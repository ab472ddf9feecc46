"""Inception's features of images of any size, for FID and KID."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from iqbench.columns import Margin
from iqbench.errors import IqbenchError, unknown_name
from iqbench.metrics._base import Options, too_few_pixels
from iqbench.metrics._feature_sets import Features
from iqbench.metrics._images import accept_image
from iqbench.metrics._tensors import full_precision
from iqbench.networks.inception import SIDE, Inception, load_inception
from iqbench.networks.weights import Weights, load

__all__ = ["MARGIN", "InceptionExtractor", "Resizer", "inception_features"]

MARGIN = Margin(0.02, relative=True, reason="its scale depends on the set and its size")
"""Margin of FID and KID, relative to the baseline."""

Resizer = Literal["clean", "pytorch", "tensorflow"]


def inception_features(image: Tensor, *, resizer: Resizer = "clean") -> Tensor:
    """Return the 2048 features of each image of a batch, for FID and KID; without gradients.

    Parameters
    ----------
    image
        (N, C, H, W) in [0, 1], C 1 or 3; gray counts as three equal channels.
    resizer
        How images are resized to 299x299. ``clean``: Pillow's bicubic filter on unrounded values,
        clipped to 0..255, as in clean-fid. ``pytorch``: bilinear without antialiasing, pixel
        centres aligned, as in pytorch-fid. ``tensorflow``: bilinear without antialiasing, aligned
        as in TensorFlow 1, as in the FID authors' code. The network then gets (x - 128) / 128 for
        x in 0..255; with ``pytorch`` x / 127.5 - 1, as in pytorch-fid.

    Returns
    -------
    Tensor
        (N, 2048) float32, on the device of the images.

    Raises
    ------
    IqbenchError
        If the tensor is not a batch of images in [0, 1], the resizer is unknown, or the weights are
        missing and cannot be fetched.

    Notes
    -----
    Heusel et al. 2017, arXiv:1706.08500; Parmar et al. 2022, arXiv:2104.11222 on resizing.
    """
    if resizer not in get_args(Resizer):
        raise unknown_name("resizer", resizer, get_args(Resizer))
    pixels = accept_image(image)
    return _features(load_inception(pixels.device), pixels, resizer)


def _features(network: Inception, image: Tensor, resizer: Resizer) -> Tensor:
    pixels = image.float().expand(-1, 3, -1, -1) * 255
    with torch.inference_mode(), full_precision(pixels.device):
        middle = _MIDDLES[resizer]
        seen = (_RESIZERS[resizer](pixels) - middle) / middle
        seen = seen.contiguous(memory_format=torch.channels_last)
        found: Tensor = network(seen)
    return found.clone()


@dataclass(frozen=True)
class InceptionExtractor:
    """Inception's features of whole images, or of patches.

    Attributes
    ----------
    resizer
        See `inception_features`.
    patches
        Side of square patches; 0 for whole images. There are two grids of adjacent patches: from
        the top left corner, and shifted by half a patch down and right, as in Mentzer et al. 2020,
        arXiv:2006.09965, appendix A.7. Incomplete patches at the borders are left out.
    """

    resizer: Resizer = "clean"
    patches: int = 0

    @property
    def options(self) -> Options:
        """The options that the features depend on."""
        cut = (("patches", str(self.patches)),) if self.patches else ()
        middle = (("middle", "127.5"),) if _MIDDLES[self.resizer] == 127.5 else ()
        return (("features", "inception"), ("resizer", self.resizer), *middle, *cut)

    @property
    def suffix(self) -> str:
        """The suffix of a column's name: the options that are not the default."""
        resizer = "" if self.resizer == "clean" else f"-resizer={self.resizer}"
        return resizer + (f"-patches={self.patches}" if self.patches else "")

    def weights(self, folder: Path | None) -> Weights:
        """Find the weights of Inception, and fetch them if necessary."""
        return load("inception", folder=folder)

    def extract(self, image: Tensor, weights: Weights | None) -> Features:
        """Return the features of one image, (rows, 2048)."""
        height, width = image.shape[2:]
        if self.patches and min(height, width) < self.patches:
            what = f"patches of {self.patches}x{self.patches}"
            raise IqbenchError(too_few_pixels(what, height, width, self.patches))
        parts = list(self._patches(image)) if self.patches else [image]
        network = load_inception(image.device, weights)
        rows = [_features(network, part, self.resizer).cpu().numpy() for part in parts]
        return np.concatenate(rows)

    def _patches(self, image: Tensor) -> Iterator[Tensor]:
        """Cut an image into the patches of both grids."""
        side = self.patches
        for shift in (0, side // 2):
            for top in range(shift, image.shape[2] - side + 1, side):
                for left in range(shift, image.shape[3] - side + 1, side):
                    yield image[:, :, top : top + side, left : left + side]


def _clean(pixels: Tensor) -> Tensor:
    """Resize each channel with Pillow, in float32."""
    resized = np.empty((*pixels.shape[:2], SIDE, SIDE), dtype=np.float32)
    for image, small in zip(pixels.detach().cpu().numpy(), resized, strict=True):
        for channel, plane in enumerate(image):
            fitted = Image.fromarray(plane).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            small[channel] = np.asarray(fitted)
    return torch.from_numpy(resized).clamp_(0, 255).to(pixels.device)


def _pytorch(pixels: Tensor) -> Tensor:
    return F.interpolate(pixels, (SIDE, SIDE), mode="bilinear", align_corners=False)


def _tensorflow(pixels: Tensor) -> Tensor:
    """Interpolate between pixel floor(i s) and the next, where s is the ratio of the sides."""
    for axis in (2, 3):
        length = pixels.shape[axis]
        place = torch.arange(SIDE, dtype=torch.float32, device=pixels.device) * (length / SIDE)
        low = place.floor().long().clamp_max(length - 1)
        high = (low + 1).clamp_max(length - 1)
        share = (place - low).view(-1, 1) if axis == 2 else place - low
        first, second = (pixels.index_select(axis, index) for index in (low, high))
        pixels = first + (second - first) * share
    return pixels


_RESIZERS = {"clean": _clean, "pytorch": _pytorch, "tensorflow": _tensorflow}

_MIDDLES = {"clean": 128.0, "pytorch": 127.5, "tensorflow": 128.0}
"""The value in 0..255 that becomes 0 for the network; twice this value becomes 1."""
