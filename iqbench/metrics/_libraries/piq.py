"""piq (PyTorch Image Quality): its functions of image pairs, and its metrics with networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from iqbench.classes import is_class
from iqbench.metrics._base import Needs
from iqbench.metrics._library import Call, Library, Offer, option_fields, probe_images

__all__ = ["Piq"]

_FIXED = ("reduction", "data_range", "full", "enable_grad")
"""Parameters that the adapter sets: one value per image, for images in [0, 1]."""

_SCORES = frozenset({"clipiqa"})
"""Classes that derive from a loss, but whose value is a score: higher is better."""

_SIDE = 192
"""A side of images that every function of piq accepts."""


class Piq(Library):
    """The adapter of piq. Functions keep their names; other classes have names in lower case.

    The parameters of a function show whether it needs a reference. piq does not declare directions:
    a function of two images is tested on equal and on noisy images, and classes are losses.
    """

    name: ClassVar[str] = "piq"
    package: ClassVar[str] = "piq"
    distribution: ClassVar[str] = "piq"
    home: ClassVar[str] = "https://github.com/photosynthesis-team/piq"
    batches: ClassVar[bool] = True

    def names(self) -> Iterable[str]:
        """Return the functions, the classes without a function, and the metrics of sets."""
        return self._found().keys()

    def canonical(self, name: str) -> str:
        """Accept the name of a class: ``PieAPP`` means ``pieapp``."""
        return name if name in self._found() else name.lower()

    def offer(self, name: str) -> Offer:
        """Describe a metric from its parameters."""
        found = self._found()[name]
        if isinstance(found, type) and hasattr(found, "compute_metric"):
            return Offer(name, "none", "reference and output", scope="set")
        images = _images(getattr(found, "forward", found))
        needs: Needs = "reference and output" if len(images) == 2 else "output"
        options = option_fields(inspect.signature(found), [*images, *_FIXED])
        return Offer(name, self._direction(name, found, images), needs, options=options)

    def load(self, name: str, options: Mapping[str, Any]) -> tuple[Call, nn.Module | None]:
        """Create an object of a class, or set the options of a function."""
        found = self._found()[name]
        known = inspect.signature(found).parameters
        fixed = {"reduction": "none", "data_range": 1.0}
        given = {key: value for key, value in fixed.items() if key in known} | dict(options)
        given = {
            key: list(item) if isinstance(item, tuple) else item for key, item in given.items()
        }
        module: nn.Module | None = None
        if isinstance(found, type):
            made: Any = found(**given)
            module = made.eval()

        def call(output: Tensor, reference: Tensor | None) -> Any:
            images = (output,) if reference is None else (output, reference)
            return found(*images, **given) if module is None else module(*images)

        return call, module

    def _direction(self, name: str, found: Any, images: list[str]) -> str:
        if isinstance(found, type) or len(images) == 1:
            return "higher" if name in _SCORES else "lower"
        noisy, clean = probe_images(_SIDE)
        with torch.inference_mode():
            return "higher" if found(clean, clean) > found(noisy, clean) else "lower"

    def _found(self) -> dict[str, Any]:
        return _public(self.imported())


@cache
def _public(module: ModuleType) -> dict[str, Any]:
    """Return piq's functions of images, and the classes in files without functions."""
    public = {name: item for name, item in vars(module).items() if not name.startswith("_")}
    functions = {
        name: item for name, item in public.items() if inspect.isfunction(item) and _images(item)
    }
    files = {item.__module__ for item in functions.values()}
    classes = {
        name.lower().removesuffix("loss"): item
        for name, item in public.items()
        if is_class(item) and issubclass(item, nn.Module) and item.__module__ not in files
    }
    return dict(sorted((functions | classes).items()))


def _images(called: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters that are images: x, or x and y."""
    names = [name for name in inspect.signature(called).parameters if name != "self"]
    return [name for name in names[:2] if name in ("x", "y", "x_input")]
