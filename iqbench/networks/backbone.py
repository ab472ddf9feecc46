"""A network as a list of named layers, and one pass through it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from iqbench.errors import unknown_name
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer, Size
from iqbench.networks.layers import Relu
from iqbench.networks.stream import PointwiseStream, Stream

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Backbone",
    "Pass",
    "imagenet_normalise",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def imagenet_normalise(image: Tensor) -> Tensor:
    """Subtract ImageNet's mean and divide by its standard deviation, per channel.

    Parameters
    ----------
    image
        (N, 3, H, W) in [0, 1].

    Returns
    -------
    Tensor
        The same shape. Equal to what LPIPS does to [-1, 1] input: (x - shift) / scale.
    """
    mean, deviation = _imagenet(image.device, image.dtype)
    return (image - mean) / deviation


@lru_cache(maxsize=8)
def _imagenet(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Carry the constants to a device once: waiting for them would stop a GPU at every band."""
    with torch.inference_mode(mode=False):  # they must also serve calls with gradients
        mean, deviation = (
            torch.tensor(values, dtype=dtype, device=device).view(1, 3, 1, 1)
            for values in (IMAGENET_MEAN, IMAGENET_STD)
        )
    return mean, deviation


class Backbone(nn.Module):
    """A feature network cut off before its classifier.

    Parameters
    ----------
    name
        torchvision's name of the architecture.
    parts
        The modules that hold the parameters, by torchvision's names.
    nodes
        The layers in the order of the pass, by the names that users ask for.

    Attributes
    ----------
    layers
        The names of all layers, in the order of the pass.
    """

    def __init__(
        self, name: str, parts: Mapping[str, Layer], nodes: Sequence[tuple[str, Layer]]
    ) -> None:
        super().__init__()
        self.name = name
        for key, part in parts.items():
            self.add_module(key, part)
        self._nodes = tuple(nodes)
        self.layers = tuple(layer for layer, _ in nodes)

    @property
    def trained(self) -> bool:
        """Whether it has weights; what has none computes in float32 always."""
        return any(True for _ in self.parameters())

    def see(self, image: Tensor, *, normalise: bool) -> Tensor:
        """Make of an image what the network takes.

        Parameters
        ----------
        image
            (N, C, H, W) in [0, 1], C 1 or 3; gray is replicated where there are weights for RGB.
        normalise
            Whether to apply `imagenet_normalise`.

        Returns
        -------
        Tensor
            (N, 3, H, W), or (N, C, H, W) of a network without weights.
        """
        if self.trained and image.shape[1] == 1:
            image = image.expand(-1, 3, -1, -1)
        return imagenet_normalise(image) if normalise else image

    def check(self, wanted: Iterable[str]) -> None:
        """Refuse layers that the network does not have.

        Raises
        ------
        IqbenchError
            With the nearest layer's name.
        """
        for layer in wanted:
            if layer not in self.layers:
                raise unknown_name(f"layer of {self.name}", layer, self.layers)

    def upto(self, wanted: Iterable[str]) -> tuple[tuple[str, Layer], ...]:
        """Return the layers as far as the deepest one that is wanted."""
        self.check(wanted := tuple(wanted))
        deepest = max(self.layers.index(layer) for layer in wanted)
        return self._nodes[: deepest + 1]

    def sizes(self, wanted: Iterable[str], height: int, width: int) -> dict[str, Size]:
        """Return channels, height and width of every layer as far as the deepest wanted.

        A size of 0 says that the image is too small for the layer.
        """
        size: Size = (3, height, width)
        sizes: dict[str, Size] = {}
        for name, layer in self.upto(wanted):
            size = layer.size(size) if min(size) > 0 else (size[0], 0, 0)
            sizes[name] = size
        return sizes

    def least_side(self, layer: str, window: int = 1) -> int:
        """Return the shortest side of a square image whose layer holds one window.

        Parameters
        ----------
        layer
            Name of a layer.
        window
            Rows and columns of the layer's features that must be there.
        """

        def features(side: int) -> int:
            return min(self.sizes([layer], side, side)[layer][1:])

        # Layers grow with the image, so a side that suffices limits the search.
        enough = 1
        while features(enough) < window:
            enough *= 2
        return bisect_left(range(enough + 1), window, key=features)

    def begin(self, wanted: Iterable[str], size: tuple[int, int]) -> Pass:
        """Begin one pass of one batch, in bands; `size` is the height and width of the images."""
        return Pass(self.upto(wanted := tuple(wanted)), frozenset(wanted), size)

    def forward(self, image: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        """Return the features of a whole image.

        Parameters
        ----------
        image
            (N, 3, H, W), normalised as the network expects it.
        wanted
            Names of layers.

        Returns
        -------
        dict
            Layer name to (N, C, h, w), with gradients if the image has them.
        """
        size = image.shape[2], image.shape[3]
        return dict(self.begin(wanted, size).push(image, last=True))


class Pass:
    """One pass of one batch through the first layers of a network, in bands."""

    def __init__(
        self, nodes: Sequence[tuple[str, Layer]], wanted: frozenset[str], size: tuple[int, int]
    ) -> None:
        self._streams: list[tuple[str, Stream]] = []
        shape: Size = (3, *size)
        # Whether the rows before a rectifier are somebody's: the caller's own, or given to it.
        before: Layer | None = None
        for name, layer in nodes:
            if isinstance(layer, Relu) and isinstance(before, Convolution):
                self._streams[-1] = name, before.stream(rectify=True)
            elif isinstance(layer, Relu) and before is not None:
                self._streams.append((name, PointwiseStream(_rectify)))
            else:
                self._streams.append((name, layer.stream_of(shape[1])))
            shape = layer.size(shape)
            before = None if name in wanted else layer
        self._wanted = wanted

    def push(self, rows: Tensor | None, *, last: bool) -> Iterator[tuple[str, Tensor]]:
        """Push the next rows through, and give each wanted layer's rows as soon as they are there.

        Parameters
        ----------
        rows
            (N, 3, h, W).
        last
            Whether the image ends here.

        Yields
        ------
        tuple
            Name of the layer, and its next rows (N, C, h', W'). To be used before the next is
            asked for is what keeps memory small; they stay valid after.
        """
        for name, stream in self._streams:
            if rows is None and not last:
                return
            rows = stream.push(rows, last=last)
            if name in self._wanted and rows is not None:
                yield name, rows


def _rectify(rows: Tensor) -> Tensor:
    """Cut off below zero, in place where no gradient needs what was there."""
    return rows.relu() if torch.is_grad_enabled() else rows.relu_()
