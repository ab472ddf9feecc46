"""The base classes of layers: torch modules for whole images and for bands of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from iqbench.networks.stream import Stream

__all__ = ["Layer", "NetworkLayer", "Size"]

Size = tuple[int, int, int]
"""Channels, height, width."""


class NetworkLayer(nn.Module, ABC):
    """A layer of a backbone. A call applies it to a whole image, (N, C, H, W)."""

    @abstractmethod
    def stream_of(self, height: int) -> Stream:
        """Start a pass in bands over an image of this height."""

    @abstractmethod
    def size(self, size: Size) -> Size:
        """Return the size of the output for the size of an input; 0 if the input is too small."""


class Layer(NetworkLayer):
    """A layer whose stream does not depend on the height of the image, as for nearly all layers."""

    @abstractmethod
    def stream(self) -> Stream:
        """Start a pass in bands."""

    def stream_of(self, height: int) -> Stream:
        """Start a pass in bands over an image of any height."""
        del height
        return self.stream()
