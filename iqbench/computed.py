"""Methods that are functions: outputs are computed from a dataset's inputs as they are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.files import check_text, some
from iqbench.datasets.sample import OutputImage, Sample
from iqbench.degradation.files import degrade_picture, seed_of
from iqbench.degradation.kinds import Degradation, resolve_degradation
from iqbench.engine.computed import ComputedSource
from iqbench.errors import IqbenchError
from iqbench.images.memory import Image

__all__ = ["Computed", "ComputedDataset", "computed_dataset"]

Computed: TypeAlias = Callable[[NDArray[np.uint8]], Image] | Mapping[str, Image] | Iterable[Image]
"""A function from input to output; or outputs by image, or one an image in the dataset's order."""


@dataclass(frozen=True)
class ComputedDataset:
    """A dataset whose outputs are computed.

    Attributes
    ----------
    dataset
        With the outputs as its own; its name says what the inputs are, unless they are its own.
    inputs
        What the methods are given, for signatures.
    iterators
        Of the methods that are neither functions nor sized: they may have more outputs.
    """

    dataset: Dataset
    inputs: str
    iterators: Mapping[str, Iterator[Image]]

    def surplus(self) -> Iterator[str]:
        """Say which methods have more outputs than the dataset has images."""
        for name, iterator in self.iterators.items():
            if next(iterator, None) is not None:
                yield (
                    f"method {name!r} gives more outputs than the {len(self.dataset.samples)} "
                    f"images of {self.dataset.name}: the others were left out"
                )


def computed_dataset(
    dataset: Dataset, methods: Mapping[str, Computed], degradation: str | None, seed: int
) -> ComputedDataset:
    """Let methods compute the outputs of a dataset.

    Parameters
    ----------
    dataset
        With references.
    methods
        By name.
    degradation
        Spec of how inputs are made of references; by default the dataset's own, which for
        super-resolution is ``bicubic`` by its scale.
    seed
        Of the noise.

    Raises
    ------
    IqbenchError
        If the dataset has no references or outputs of its own, nothing says how its inputs are
        made, or a method has another number of outputs than it has images.
    """
    if dataset.brings_outputs or not dataset.has_references:
        raise IqbenchError(
            f"dataset {dataset.name!r} has no references that methods could restore"
            if not dataset.has_references
            else f"dataset {dataset.name!r} brings its own outputs, and takes no methods",
            hint="Choose another dataset",
        )
    scale = dataset.spec.scale
    own = resolve_degradation(f"bicubic:scale={scale}") if scale else None
    chosen = resolve_degradation(degradation) if degradation else own
    functions = [name for name, method in methods.items() if callable(method)]
    if chosen is None and functions:
        raise IqbenchError(
            f"nothing says how the inputs of {dataset.name} are made from its references",
            hint="Give one, e.g. degradation='noise:sigma=25' or degradation='bicubic:scale=4'",
        )
    inputs = name = ""
    if chosen is not None:
        inputs = chosen.identity + (f",seed={seed}" if chosen.random else "")
    if degradation and chosen != own:
        name = f"{dataset.name} {_plain(degradation)}"
        name += f",seed={seed}" if chosen is not None and chosen.random and seed else ""
    iterators: dict[str, Iterator[Image]] = {}
    outputs: dict[str, list[OutputImage]] = {sample.image: [] for sample in dataset.samples}
    for method, given in methods.items():
        check_text("method", method)
        images = [sample.image for sample in dataset.samples]
        take = _taker(method, given, images, dataset.name, iterators)
        for sample in dataset.samples:
            prepare: Callable[[], object] = (
                partial(_input, sample, chosen, seed)
                if callable(given) and chosen is not None
                else _nothing
            )
            source = ComputedSource(
                f"method {method} on {sample.image}",
                prepare,
                take(sample.image),
                timed=callable(given) or method in iterators,
            )
            outputs[sample.image].append(OutputImage(method, sample.image, source))
    samples = [replace(one, outputs=tuple(outputs[one.image])) for one in dataset.samples]
    named = replace(dataset, name=name or dataset.name, samples=samples)
    return ComputedDataset(named, inputs or "none", iterators)


def _taker(
    method: str,
    given: Computed,
    images: Sequence[str],
    dataset: str,
    iterators: dict[str, Iterator[Image]],
) -> Callable[[str], Callable[[Any], object]]:
    """Return what makes, for an image, the function that gives its output."""
    if callable(given):
        return lambda image: given
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in images]
        if unknown:
            raise IqbenchError(
                f"method {method!r} has outputs of what is no image of {dataset}: {some(unknown)}",
                hint=f"Its images are called {some(images)}",
            )
        return lambda image: partial(_by_name, given, image)
    if isinstance(given, Sized) and len(given) != len(images):
        raise IqbenchError(
            f"method {method!r} has {len(given)} outputs, but {dataset} has {len(images)} images",
            hint="Give one output an image, in the dataset's order, or a mapping by image",
        )
    iterator = iter(given)
    if not isinstance(given, Sized):
        iterators[method] = iterator
    return lambda image: partial(_next, iterator)


def _by_name(given: Mapping[str, Image], image: str, _: object) -> Image:
    if image not in given:
        raise IqbenchError(f"missing output: there is none of {image}")
    return given[image]


def _next(iterator: Iterator[Image], _: object) -> Image:
    for image in iterator:
        return image
    raise IqbenchError("missing output: the iterable has no more images")


def _nothing() -> None:
    return None


def _input(sample: Sample, degradation: Degradation, seed: int) -> NDArray[np.uint8]:
    """Make the input of an image, (H, W, C) uint8, which the method may write to."""
    picture = sample.needed_reference.read().decode()
    image, _ = degrade_picture(degradation, picture, seed_of(seed, sample.image))
    return np.array(image)


def _plain(text: str) -> str:
    """Make a text part of a dataset's name, which is also that of a folder."""
    return text.replace("/", "-").replace("\\", "-")
