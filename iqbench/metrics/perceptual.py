"""Perceptual loss: distances between features of a pretrained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from torch import Tensor

from iqbench.columns import ColumnMap, Margin
from iqbench.errors import IqbenchError
from iqbench.metrics._base import NETWORK_TOLERANCE, Column, Maps, Metric, Tap
from iqbench.metrics._fast_paths import FeatureMean
from iqbench.metrics._tensors import score_tensors
from iqbench.networks.registry import architecture
from iqbench.protocols.presets import Role
from iqbench.specs import format_value, validate

if TYPE_CHECKING:
    from iqbench.networks.backbone import Backbone

__all__ = [
    "Distance",
    "Normalise",
    "Perceptual",
    "default_layers",
    "perceptual",
    "perceptual_metric",
]

Distance = Literal["l1", "l2"]
Normalise = Literal["imagenet", "none"]
MARGIN = Margin(0.01, relative=True, reason="its scale depends on network and layer")
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def default_layers(net: str) -> tuple[str, ...]:
    """Return the last activation of each block of a VGG, and similar layers of other networks."""
    layers = architecture(net).layers
    if net.startswith("vgg"):
        relus = [layer for layer in layers if layer.startswith("relu")]
        return tuple({layer.partition("_")[0]: layer for layer in relus}.values())
    if net.startswith("resnet"):
        return tuple(f"layer{stage}" for stage in range(1, 5))
    return tuple(layer for layer in layers if layer.startswith(("relu", "fire")))


class Perceptual(Metric):
    """Mean absolute (l1) or mean squared (l2) difference of features over C, H and W of a layer.

    Options: `net`, any VGG, ResNet, AlexNet or SqueezeNet by torchvision's name; `layers`, joined
    by + (``conv5_4`` before activation, ``relu5_4`` after); `distance`, l1 or l2; `weights` of the
    layers in the sum, 1 each if not given; `normalise`, imagenet or none.
    """

    name: ClassVar[str] = "perceptual"
    summary: ClassVar[str] = "Distance between features of a pretrained network, layer by layer"
    citation: ClassVar[str] = "Johnson et al. 2016, doi:10.1007/978-3-319-46475-6_43"
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    net: str = "vgg16"
    layers: tuple[str, ...] = ()
    distance: Distance = "l1"
    weights: tuple[Weight, ...] = ()
    normalise: Normalise = "imagenet"

    @model_validator(mode="before")
    @classmethod
    def _fill_layers(cls, values: Any) -> Any:
        net = values.get("net", "vgg16")
        architecture(net).check(values.get("layers") or ())
        return {**values, "layers": tuple(values.get("layers") or default_layers(net))}

    @field_validator("layers")
    @classmethod
    def _no_layer_twice(cls, layers: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(layers)) < len(layers):
            raise IqbenchError(f"a layer is named twice: {format_value(layers)}")
        return layers

    @model_validator(mode="after")
    def _one_weight_a_layer(self) -> Perceptual:
        if self.weights and len(self.weights) != len(self.layers):
            raise IqbenchError(
                f"{len(self.weights)} weights for {len(self.layers)} layers "
                f"({format_value(self.layers)})"
            )
        return self

    @classmethod
    def parse_column(cls, stem: str) -> dict[str, str] | None:
        """Parse net, layer and distance in ``perceptual-<net>-<layer>-<distance>``."""
        parts = stem.split("-")
        if len(parts) != 4 or parts[0] != cls.name:
            return None
        layers = {} if parts[2] == "sum" else {"layers": parts[2]}
        return {"net": parts[1], **layers, "distance": parts[3]}

    def columns(self) -> tuple[Column, ...]:
        """Return one column per layer; also their sum, for several layers or given weights."""
        stem, suffix = f"{self.name}-{self.net}", ""
        common = (("net", self.net), ("normalise", self.normalise), ("distance", self.distance))
        if self.normalise != "imagenet":
            suffix = f"-normalise={self.normalise}"
        what = "absolute" if self.distance == "l1" else "squared"
        single = tuple(
            Column(
                f"{stem}-{layer}-{self.distance}{suffix}",
                "lower",
                f"Mean {what} difference of {self.net} {layer}",
                (self._tap(layer),),
                (*common, ("layer", layer)),
                margin=MARGIN,
                tolerance=NETWORK_TOLERANCE,
                map=ColumnMap("stretch"),
            )
            for layer in self.layers
        )
        if len(self.layers) == 1 and not self.weights:
            return single
        named = ""
        if self.layers != default_layers(self.net):
            named += f"-layers={format_value(self.layers)}"
        if self.weights:
            named += f"-weights={format_value(self.weights)}"
        total = Column(
            f"{stem}-sum-{self.distance}{named}{suffix}",
            "lower",
            f"Weighted sum over {self.net} {', '.join(self.layers)}",
            tuple(self._tap(layer) for layer in self.layers),
            (
                *common,
                ("layers", format_value(self.layers)),
                ("weights", format_value(self._weights())),
            ),
            margin=MARGIN,
            tolerance=NETWORK_TOLERANCE,
            map=ColumnMap("stretch"),
        )
        return (*single, total)

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the absolute or squared difference of a layer's features."""
        difference = reference[0] - output
        return {tap.layer: difference.abs_() if self.distance == "l1" else difference.square_()}

    def fast_path(self, tap: Tap) -> FeatureMean:
        """Declare the distance."""
        return FeatureMean(tap.layer, "absolute" if self.distance == "l1" else "squared")

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return a layer's mean, or the weighted sum."""
        part = column.split("-")[2]
        if part != "sum":
            return means[part]
        total = [
            weight * means[layer]
            for weight, layer in zip(self._weights(), self.layers, strict=True)
        ]
        return sum(total[1:], start=total[0])

    def _tap(self, layer: str) -> Tap:
        return Tap(self.net, layer, normalise=self.normalise == "imagenet")

    def _weights(self) -> tuple[float, ...]:
        return self.weights or (1.0,) * len(self.layers)


def perceptual_metric(
    net: str,
    layers: tuple[str, ...] | str,
    distance: Distance,
    weights: tuple[float, ...],
    normalise: Normalise,
) -> Perceptual:
    """Return the metric with these options.

    Raises
    ------
    IqbenchError
        If a network, layer or option is unknown.
    """
    if isinstance(layers, str):
        raise IqbenchError(
            f"layers is the text {layers!r}, not a tuple of names", hint=f"Give ({layers!r},)"
        )
    options = {
        "net": net,
        "layers": layers,
        "distance": distance,
        "weights": weights,
        "normalise": normalise,
    }
    return validate(Perceptual, options, where="the perceptual distance")


def perceptual(
    reference: Tensor,
    output: Tensor,
    *,
    net: str = "vgg16",
    layers: tuple[str, ...] = (),
    distance: Distance = "l1",
    weights: tuple[float, ...] = (),
    normalise: Normalise = "imagenet",
    backbone: Backbone | None = None,
) -> Tensor:
    """Perceptual distance of each image of a batch: the weighted sum over layers.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1]; gray is replicated to three channels.
    net
        torchvision's name of the network.
    layers
        Names of layers; by default the last activation of each block.
    distance
        ``l1``: mean absolute, ``l2``: mean squared difference over C, H and W of a layer.
    weights
        One per layer; 1 each by default.
    normalise
        ``imagenet``: the network gets ImageNet-normalised pixels; ``none``: unchanged ones.
    backbone
        The network with its weights; by default the pretrained one.

    Returns
    -------
    Tensor
        (N,), 0 for equal images.

    Raises
    ------
    IqbenchError
        If a network, layer or option is unknown, the tensors are not a pair of images or are too
        small for a layer, or pretrained weights are missing and cannot be fetched.

    Notes
    -----
    Johnson et al. 2016, doi:10.1007/978-3-319-46475-6_43. Their form for super-resolution is
    ``layers=("relu2_2",), distance="l2"``; SRGAN uses relu5_4 and ESRGAN conv5_4 of VGG19.
    """
    metric = perceptual_metric(net, layers, distance, weights, normalise)
    column = metric.columns()[-1].name
    return score_tensors(metric, column, reference, output, backbone=backbone)
