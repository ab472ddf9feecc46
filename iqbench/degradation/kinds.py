"""The kinds of degradations, with names and options."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from iqbench.degradation.kernel import read_kernel
from iqbench.errors import unknown_name
from iqbench.forks import CachedProperty, cached_property
from iqbench.images import degrade
from iqbench.images.resize import Edge, Filter
from iqbench.specs import build, parse_spec

__all__ = ["DEGRADATIONS", "Degradation", "resolve_degradation"]

Image = NDArray[np.uint8]
Deviation = Annotated[float, Field(ge=0, le=1000)]


class Degradation(Protocol):
    """What is done to an image."""

    @property
    def multiple(self) -> int:
        """Height and width are cut to a multiple of this first."""
        ...

    @property
    def random(self) -> bool:
        """Whether the seed matters."""
        ...

    @property
    def identity(self) -> str:
        """What the degraded images depend on besides the seed, for signatures."""
        ...

    def apply(self, image: Image, seed: int) -> Image:
        """Degrade (H, W, C) uint8; the seed is that of the noise, if any."""
        ...


class _Options(BaseModel):
    """The options of a degradation's spec."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(CachedProperty,))

    @property
    def multiple(self) -> int:
        """Nothing is cut off."""
        return 1

    @property
    def random(self) -> bool:
        """Whether there is noise."""
        return bool(getattr(self, "noise", 0.0))

    @property
    def identity(self) -> str:
        """The name with all options."""
        return _spelt(self, self.model_dump(mode="json"))


class Bicubic(_Options):
    """Shrink by a whole factor as MATLAB's imresize does, after a modcrop."""

    scale: Annotated[int, Field(ge=1, le=64)]
    edge: Edge = "replicate"

    @property
    def multiple(self) -> int:
        """The factor."""
        return self.scale

    def apply(self, image: Image, seed: int) -> Image:
        """Shrink."""
        return degrade.bicubic_downscale(image, self.scale, self.edge)


class Upscale(_Options):
    """Enlarge by a whole factor as MATLAB's imresize does."""

    scale: Annotated[int, Field(ge=1, le=64)]
    filter: Filter = "bicubic"
    edge: Edge = "replicate"

    @field_validator("filter", mode="before")
    @classmethod
    def _lanczos(cls, value: Any) -> Any:
        """Lanczos without a number has three lobes, as everywhere."""
        return "lanczos3" if value == "lanczos" else value

    def apply(self, image: Image, seed: int) -> Image:
        """Enlarge."""
        return degrade.upscale(image, self.scale, self.filter, self.edge)


class Noise(_Options):
    """Add white Gaussian noise, rounded and clipped to 8 bits."""

    sigma: Deviation

    @property
    def random(self) -> bool:
        """Whether there is noise."""
        return self.sigma > 0

    def apply(self, image: Image, seed: int) -> Image:
        """Add noise."""
        return degrade.gaussian_noise(image, self.sigma, seed)


class Jpeg(_Options):
    """Compress as JPEG and decode again."""

    quality: Annotated[int, Field(ge=1, le=100)]

    def apply(self, image: Image, seed: int) -> Image:
        """Compress and decode."""
        return degrade.jpeg(image, self.quality)


class Blur(_Options):
    """Blur by a Gaussian of some pixels, then add noise."""

    sigma: Annotated[float, Field(ge=0, le=100)]
    noise: Deviation = 0.0

    def apply(self, image: Image, seed: int) -> Image:
        """Blur, add noise, round once."""
        return degrade.gaussian_blur(image, self.sigma, self.noise, seed)


class Kernel(_Options):
    """Blur by a kernel from a file, then add noise."""

    file: Path
    noise: Deviation = 0.0

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """The kernel, read once."""
        return read_kernel(self.file)

    @property
    def identity(self) -> str:
        """The name with a digest of the kernel."""
        digest = hashlib.sha256(repr(self.weights.shape).encode() + self.weights.tobytes())
        return _spelt(self, {"kernel": digest.hexdigest()[:12], "noise": self.noise})

    def apply(self, image: Image, seed: int) -> Image:
        """Blur, add noise, round once."""
        return degrade.kernel_blur(image, self.weights, self.noise, seed)


DEGRADATIONS: dict[str, type[Bicubic | Upscale | Noise | Jpeg | Blur | Kernel]] = {
    "bicubic": Bicubic,
    "upscale": Upscale,
    "noise": Noise,
    "jpeg": Jpeg,
    "blur": Blur,
    "kernel": Kernel,
}


def _spelt(degradation: _Options, options: Mapping[str, object]) -> str:
    name = next(name for name, kind in DEGRADATIONS.items() if isinstance(degradation, kind))
    return f"{name}:{','.join(f'{key}={value}' for key, value in options.items())}"


def resolve_degradation(spec: str) -> Degradation:
    """Read a degradation.

    Parameters
    ----------
    spec
        ``bicubic:scale=4``, ``upscale:scale=4,filter=lanczos3``, ``noise:sigma=25``,
        ``jpeg:quality=30``, ``blur:sigma=1.6,noise=2``, ``kernel:file=motion.png``.

    Raises
    ------
    IqbenchError
        On an unknown name or option, a value out of its range, or a file that holds no kernel.
    """
    name, options = parse_spec(spec)
    if name not in DEGRADATIONS:
        raise unknown_name("degradation", name, DEGRADATIONS)
    found = build(DEGRADATIONS[name], options, where=f"degradation {name!r}")
    if isinstance(found, Kernel):
        _ = found.weights  # what is wrong with it is said before anything is written
    return found
