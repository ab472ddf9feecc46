"""A network as a list of named layers, and one pass through it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from iqbench.errors import unknown_name
from iqbench.networks.convolution import Convolution
from iqbench.networks.layer import Layer, NetworkLayer, Size
from iqbench.networks.layers import Relu
from iqbench.networks.stream import PointwiseStream, Stream

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Backbone",
    "ImagenetNormalisation",
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
    constants = _constants if torch.compiler.is_compiling() else _kept_constants
    mean, deviation = constants(image.device, image.dtype)
    return (image - mean) / deviation


def _constants(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return ImageNet's mean and standard deviation, (1, 3, 1, 1) each."""
    mean, deviation = (
        torch.tensor(values, dtype=dtype, device=device).view(1, 3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return mean, deviation


@lru_cache(maxsize=8)
def _kept_constants(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Carry the constants to a device once: waiting for them would stop a GPU at every band."""
    with torch.inference_mode(False):  # they must also serve calls with gradients
        return _constants(device, dtype)


class ImagenetNormalisation(Layer):
    """`imagenet_normalise`, where a network changes the image before."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a whole image."""
        return imagenet_normalise(x)

    def stream(self) -> Stream:
        """Begin a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size


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
    branches
        Name of a layer, or "" for the image, to further layers that go on from it; they may share
        parameters with `nodes`.

    Attributes
    ----------
    layers
        The names of all layers in the order of the pass, without those of branches.
    """

    def __init__(
        self,
        name: str,
        parts: Mapping[str, Layer],
        nodes: Sequence[tuple[str, NetworkLayer]],
        branches: Mapping[str, Sequence[tuple[str, NetworkLayer]]] | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        for key, part in parts.items():
            self.add_module(key, part)
        self.layers = tuple(layer for layer, _ in nodes)
        self._nodes = _chain(nodes, "")
        for start, branch in (branches or {}).items():
            self._nodes |= _chain(branch, start)

    @property
    def trained(self) -> bool:
        """Whether it has weights; what has none computes in float32 always."""
        return any(True for _ in self.parameters())

    def see(self, image: Tensor, *, normalise: bool) -> Tensor:
        """Turn an image into the input of the network.

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
            if layer not in self._nodes:
                raise unknown_name(f"layer of {self.name}", layer, self.layers)

    def upto(self, wanted: Iterable[str]) -> tuple[tuple[str, NetworkLayer], ...]:
        """Return the layers that are passed on the way to those that are wanted, in order."""
        return tuple((name, node.layer) for name, node in self._path(wanted).items())

    def sizes(self, wanted: Iterable[str], height: int, width: int) -> dict[str, Size]:
        """Return channels, height and width of every layer on the way to those that are wanted.

        A size of 0 says that the image is too small for the layer.
        """
        sizes: dict[str, Size] = {"": (3, height, width)}
        for name, node in self._path(wanted).items():
            size = sizes[node.source]
            sizes[name] = node.layer.size(size) if min(size) > 0 else (size[0], 0, 0)
        del sizes[""]
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
        wanted = tuple(wanted)
        sizes = {"": (3, *size), **self.sizes(wanted, *size)}
        heights = {name: height for name, (_, height, _) in sizes.items()}
        return Pass(self._path(wanted), frozenset(wanted), heights)

    def _path(self, wanted: Iterable[str]) -> dict[str, _Node]:
        self.check(wanted := tuple(wanted))
        needed: set[str] = set()
        for name in wanted:
            source = name
            while source and source not in needed:
                needed.add(source)
                source = self._nodes[source].source
        return {name: node for name, node in self._nodes.items() if name in needed}

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


class _Node(NamedTuple):
    """A layer, and the name of the layer whose rows it gets; empty for those of the image."""

    layer: NetworkLayer
    source: str


def _chain(layers: Sequence[tuple[str, NetworkLayer]], start: str) -> dict[str, _Node]:
    """Let each layer get the rows of the one before."""
    sources = (start, *(name for name, _ in layers))
    return {
        name: _Node(layer, source) for (name, layer), source in zip(layers, sources, strict=False)
    }


class Pass:
    """One pass of one batch through some layers of a network, in bands."""

    def __init__(
        self, nodes: Mapping[str, _Node], wanted: frozenset[str], heights: Mapping[str, int]
    ) -> None:
        readers = Counter(node.source for node in nodes.values())
        self._streams: dict[str, tuple[Stream, str]] = {}
        for name, (layer, source) in nodes.items():
            # Rows that no other layer reads may be changed in place.
            own = source != "" and source not in wanted and readers[source] == 1
            if isinstance(layer, Relu) and own:
                before = nodes[source]
                if isinstance(before.layer, Convolution):
                    del self._streams[source]
                    self._streams[name] = before.layer.stream(rectify=True), before.source
                else:
                    self._streams[name] = PointwiseStream(_rectify), source
            else:
                self._streams[name] = layer.stream_of(heights[source]), source
        self._wanted = wanted
        self._readers = Counter(source for _, source in self._streams.values())

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
        given: dict[str, Tensor | None] = {"": rows}
        left = self._readers.copy()
        for name, (stream, source) in self._streams.items():
            arriving = given[source]
            left[source] -= 1
            if not left[source]:
                del given[source]  # before the layer computes: its memory can be used again
            given[name] = rows = (
                None if arriving is None and not last else stream.push(arriving, last=last)
            )
            del arriving
            if name in self._wanted and rows is not None:
                yield name, rows
            del rows
            if not left[name]:
                del given[name]


def _rectify(rows: Tensor) -> Tensor:
    """Cut off below zero, in place where no gradient needs what was there."""
    return rows.relu() if torch.is_grad_enabled() else rows.relu_()
