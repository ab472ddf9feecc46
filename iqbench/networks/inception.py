"""Inception for FID: TensorFlow's inception-2015-12-05 up to its last pooling layer.

Szegedy et al. 2016, doi:10.1109/CVPR.2016.308, figures 5 to 7. It differs from torchvision's
Inception v3: average pooling ignores padding, the last block uses max pooling, and the weights
differ.
Batch normalisation is folded into the convolutions when the network is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqbench.networks.weights import Weights, load
from iqbench.networks.weights.catalogue import inception_convolutions

__all__ = ["SIDE", "Inception", "load_inception"]

SIDE = 299
"""Rows and columns of the images in its training."""

_EPSILON = 0.001

Pool = Callable[[Tensor], Tensor]


class Inception(nn.Module):
    """The convolutional part, and the mean over the positions of its last layer.

    Parameters
    ----------
    tensors
        ``weight``, ``beta``, ``mean`` and ``var`` of each convolution, by the names of
        `inception_convolutions`.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, _ in inception_convolutions():
            scale = (tensors[f"{name}.var"].double() + _EPSILON).rsqrt()
            kernel = tensors[f"{name}.weight"].double() * scale[:, None, None, None]
            shift = tensors[f"{name}.beta"].double() - tensors[f"{name}.mean"].double() * scale
            key = name.replace(".", "/")
            self.register_buffer(f"{key}/kernel", kernel.float(), persistent=False)
            self.register_buffer(f"{key}/shift", shift.float(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return the features of images.

        Parameters
        ----------
        image
            (N, 3, 299, 299) in [-1, 1], by TensorFlow's scaling: (x - 128) / 128 of 0..255.

        Returns
        -------
        Tensor
            (N, 2048).
        """
        x = self._step(image, "conv", stride=2)
        x = self._step(self._step(x, "conv_1"), "conv_2", pad=1)
        x = self._step(F.max_pool2d(x, 3, 2), "conv_3")
        x = F.max_pool2d(self._step(x, "conv_4"), 3, 2)
        for block in ("mixed", "mixed_1", "mixed_2"):
            x = self._block_35(x, block)
        x = self._reduce_35(x)
        for number in range(4, 8):
            x = self._block_17(x, f"mixed_{number}")
        x = self._reduce_17(x)
        x = self._block_8(x, "mixed_9", _mean_pool)
        x = self._block_8(x, "mixed_10", _largest_pool)
        return x.mean((2, 3))

    def _step(self, x: Tensor, name: str, *, stride: int = 1, pad: int | None = None) -> Tensor:
        """Convolve and rectify; with `pad` None, only 1x1 kernels keep the size."""
        key = name.replace(".", "/")
        kernel = self.get_buffer(f"{key}/kernel")
        padding = (0, 0) if pad is None else (kernel.shape[2] // 2, kernel.shape[3] // 2)
        y = F.conv2d(x, kernel, self.get_buffer(f"{key}/shift"), stride, padding)
        return y.relu() if torch.is_grad_enabled() else y.relu_()

    def _same(self, x: Tensor, *names: str) -> Tensor:
        """Apply several convolutions that keep the size."""
        for name in names:
            x = self._step(x, name, pad=1)
        return x

    def _block_35(self, x: Tensor, block: str) -> Tensor:
        tower = [f"{block}.tower.{name}" for name in ("conv", "conv_1")]
        deeper = [f"{block}.tower_1.{name}" for name in ("conv", "conv_1", "conv_2")]
        return torch.cat(
            [
                self._same(x, f"{block}.conv"),
                self._same(x, *tower),
                self._same(x, *deeper),
                self._same(_mean_pool(x), f"{block}.tower_2.conv"),
            ],
            dim=1,
        )

    def _reduce_35(self, x: Tensor) -> Tensor:
        tower = self._same(x, "mixed_3.tower.conv", "mixed_3.tower.conv_1")
        return torch.cat(
            [
                self._step(x, "mixed_3.conv", stride=2),
                self._step(tower, "mixed_3.tower.conv_2", stride=2),
                F.max_pool2d(x, 3, 2),
            ],
            dim=1,
        )

    def _block_17(self, x: Tensor, block: str) -> Tensor:
        tower = [f"{block}.tower.{name}" for name in ("conv", "conv_1", "conv_2")]
        names = ("conv", "conv_1", "conv_2", "conv_3", "conv_4")
        deeper = [f"{block}.tower_1.{name}" for name in names]
        return torch.cat(
            [
                self._same(x, f"{block}.conv"),
                self._same(x, *tower),
                self._same(x, *deeper),
                self._same(_mean_pool(x), f"{block}.tower_2.conv"),
            ],
            dim=1,
        )

    def _reduce_17(self, x: Tensor) -> Tensor:
        tower = self._same(x, "mixed_8.tower.conv")
        names = ("conv", "conv_1", "conv_2")
        deeper = self._same(x, *(f"mixed_8.tower_1.{name}" for name in names))
        return torch.cat(
            [
                self._step(tower, "mixed_8.tower.conv_1", stride=2),
                self._step(deeper, "mixed_8.tower_1.conv_3", stride=2),
                F.max_pool2d(x, 3, 2),
            ],
            dim=1,
        )

    def _block_8(self, x: Tensor, block: str, pool: Pool) -> Tensor:
        tower = self._same(x, f"{block}.tower_conv")
        deeper = self._same(x, f"{block}.tower_1_conv", f"{block}.tower_1_conv_1")
        return torch.cat(
            [
                self._same(x, f"{block}.conv"),
                self._same(tower, f"{block}.tower_mixed_conv"),
                self._same(tower, f"{block}.tower_mixed_conv_1"),
                self._same(deeper, f"{block}.tower_1_mixed_conv"),
                self._same(deeper, f"{block}.tower_1_mixed_conv_1"),
                self._same(pool(x), f"{block}.tower_2_conv"),
            ],
            dim=1,
        )


def _mean_pool(x: Tensor) -> Tensor:
    """Average over 3x3, without padding."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _largest_pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


_KEPT: dict[tuple[str, torch.device], Inception] = {}
"""Loaded networks by device and digest of the weights; no digest if no folder was given."""


def load_inception(device: torch.device, weights: Weights | None = None) -> Inception:
    """Return the pretrained network on a device, built once and kept.

    Parameters
    ----------
    device
        The device.
    weights
        Weights that are already loaded; by default those that are found without a folder.

    Raises
    ------
    IqbenchError
        If its weights are missing and cannot be fetched.
    """
    key = weights.digest if weights else "", device
    if key not in _KEPT:
        with torch.inference_mode(False):  # calls with gradients use the cached network too
            found = weights or load("inception")
            network = _KEPT.get((found.digest, device))
            if network is None:
                network = Inception(found.tensors).eval().to(device)
                network = network.to(memory_format=torch.channels_last)
        _KEPT[key] = _KEPT[found.digest, device] = network
    return _KEPT[key]
