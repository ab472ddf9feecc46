"""What every layer is: a torch module that works on whole images and in bands."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from iqbench.networks.stream import Stream

__all__ = ["Layer", "Size"]

Size = tuple[int, int, int]
"""Channels, height, width."""


class Layer(nn.Module, ABC):
    """What the backbones are made of; called, it applies to a whole image, (N, C, H, W)."""

    @abstractmethod
    def stream(self) -> Stream:
        """Begin a pass in bands."""

    def stream_of(self, height: int) -> Stream:
        """Begin a pass in bands over an image of so many rows; few layers need to know them."""
        del height
        return self.stream()

    @abstractmethod
    def size(self, size: Size) -> Size:
        """Return the size of the output for an input's; 0 where the input is too small."""
