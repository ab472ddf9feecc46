"""What every layer is: a torch module that works on whole images and in bands."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from iqbench.networks.stream import Stream

__all__ = ["Layer", "NetworkLayer", "Size"]

Size = tuple[int, int, int]
"""Channels, height, width."""


class NetworkLayer(nn.Module, ABC):
    """What the backbones are made of; called, it applies to a whole image, (N, C, H, W)."""

    @abstractmethod
    def stream_of(self, height: int) -> Stream:
        """Begin a pass in bands over an image of so many rows."""

    @abstractmethod
    def size(self, size: Size) -> Size:
        """Return the size of the output for an input's; 0 where the input is too small."""


class Layer(NetworkLayer):
    """A layer that treats the first rows of an image alike, however many follow: nearly all do."""

    @abstractmethod
    def stream(self) -> Stream:
        """Begin a pass in bands."""

    def stream_of(self, height: int) -> Stream:
        """Begin a pass in bands over an image of any height."""
        del height
        return self.stream()
