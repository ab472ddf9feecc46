"""A network as a list of named layers, and a pass through it in bands."""

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
        The same shape. LPIPS computes the same from input in [-1, 1]: (x - shift) / scale.
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
    """Copy the constants to a device once: a copy per band would make the GPU wait each time."""
    with torch.inference_mode(False):  # calls with gradients use them too
        return _constants(device, dtype)


class ImagenetNormalisation(Layer):
    """`imagenet_normalise` as a layer, for networks that change the image before it."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a whole image."""
        return imagenet_normalise(x)

    def stream(self) -> Stream:
        """Start a pass in bands."""
        return PointwiseStream(self.forward)

    def size(self, size: Size) -> Size:
        """Return the size, unchanged."""
        return size


class Backbone(nn.Module):
    """A feature network without its classifier.

    Parameters
    ----------
    name
        torchvision's name of the architecture.
    parts
        The modules that hold the parameters, by torchvision's names.
    nodes
        The layers in the order of the pass, with the names that users give.
    branches
        Additional layers by the name of the layer that they follow ("" for the image); they may
        share parameters with `nodes`.

    Attributes
    ----------
    layers
        The names of all layers in the order of the pass, without branches.
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
        """Whether the network has weights; one without always computes in float32."""
        return any(True for _ in self.parameters())

    def see(self, image: Tensor, *, normalise: bool) -> Tensor:
        """Convert an image to the input of the network.

        Parameters
        ----------
        image
            (N, C, H, W) in [0, 1], C 1 or 3; a network with weights gets gray as three channels.
        normalise
            Whether to apply `imagenet_normalise`.

        Returns
        -------
        Tensor
            (N, 3, H, W), or (N, C, H, W) for a network without weights.
        """
        if self.trained and image.shape[1] == 1:
            image = image.expand(-1, 3, -1, -1)
        return imagenet_normalise(image) if normalise else image

    def check(self, wanted: Iterable[str]) -> None:
        """Check that the network has these layers.

        Raises
        ------
        IqbenchError
            If a layer does not exist; the error gives the most similar name.
        """
        for layer in wanted:
            if layer not in self._nodes:
                raise unknown_name(f"layer of {self.name}", layer, self.layers)

    def upto(self, wanted: Iterable[str]) -> tuple[tuple[str, NetworkLayer], ...]:
        """Return the wanted layers and all layers before them, in order."""
        return tuple((name, node.layer) for name, node in self._path(wanted).items())

    def sizes(self, wanted: Iterable[str], height: int, width: int) -> dict[str, Size]:
        """Return channels, height and width of the wanted layers and of all layers before them.

        A size of 0 means that the image is too small for the layer.
        """
        sizes: dict[str, Size] = {"": (3, height, width)}
        for name, node in self._path(wanted).items():
            size = sizes[node.source]
            sizes[name] = node.layer.size(size) if min(size) > 0 else (size[0], 0, 0)
        del sizes[""]
        return sizes

    def least_side(self, layer: str, window: int = 1) -> int:
        """Return the side of the smallest square image in which a layer has one window.

        Parameters
        ----------
        layer
            Name of a layer.
        window
            Rows and columns of the layer's features that are needed.
        """

        def features(side: int) -> int:
            return min(self.sizes([layer], side, side)[layer][1:])

        # The size of a layer grows with the image, so that a bisection finds the smallest side.
        enough = 1
        while features(enough) < window:
            enough *= 2
        return bisect_left(range(enough + 1), window, key=features)

    def begin(self, wanted: Iterable[str], size: tuple[int, int]) -> Pass:
        """Start one pass of one batch, in bands; `size` is the height and width of the images."""
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
            Features (N, C, h, w) by layer name, with gradients if the image has them.
        """
        size = image.shape[2], image.shape[3]
        return dict(self.begin(wanted, size).push(image, last=True))


class _Node(NamedTuple):
    """A layer, and the name of the layer that gives its input; empty for the image."""

    layer: NetworkLayer
    source: str


def _chain(layers: Sequence[tuple[str, NetworkLayer]], start: str) -> dict[str, _Node]:
    """Connect each layer to the one before."""
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
            # If no other layer reads these rows, the layer may change them in place.
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
        """Push the next rows through the layers, and yield each wanted layer's rows when complete.

        Parameters
        ----------
        rows
            (N, 3, h, W).
        last
            Whether these are the last rows of the image.

        Yields
        ------
        tuple
            Name of the layer, and its next rows (N, C, h', W'). They stay valid, but using them
            before the next ones are computed saves memory.
        """
        given: dict[str, Tensor | None] = {"": rows}
        left = self._readers.copy()
        for name, (stream, source) in self._streams.items():
            arriving = given[source]
            left[source] -= 1
            if not left[source]:
                del given[source]  # free the memory before the layer computes
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
    """Set negative values to zero, in place if no gradient needs the input."""
    return rows.relu() if torch.is_grad_enabled() else rows.relu_()
