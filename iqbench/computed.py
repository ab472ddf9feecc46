"""Methods that are functions: they compute outputs from a dataset's inputs during the scoring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

from numpy.typing import NDArray

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.files import check_text, some
from iqbench.datasets.sample import OutputImage, Sample
from iqbench.engine.computed import ComputedSource
from iqbench.errors import IqbenchError
from iqbench.images.memory import Image
from iqbench.inputs import InputImages

__all__ = ["Computed", "ComputedDataset", "computed_dataset"]

Computed: TypeAlias = Callable[[NDArray[Any]], Image] | Mapping[str, Image] | Iterable[Image]
"""A function from input to output; or outputs by image, or one an image in the dataset's order."""


@dataclass(frozen=True)
class ComputedDataset:
    """A dataset whose outputs are computed.

    Attributes
    ----------
    dataset
        With the outputs as its own; its name says what the inputs are, unless they are its own.
    inputs
        What the methods are given; None where nothing says so, and none is a function.
    iterators
        Of the methods that are neither functions nor sized: they may have more outputs.
    """

    dataset: Dataset
    inputs: InputImages | None
    iterators: Mapping[str, _InOrder]

    @property
    def identity(self) -> str:
        """What the methods are given, for signatures."""
        return "none" if self.inputs is None else self.inputs.identity

    def messages(self) -> Iterator[str]:
        """Say what the user should know once all is scored."""
        yield from self.inputs.messages if self.inputs is not None else ()
        yield from self._surplus()

    def _surplus(self) -> Iterator[str]:
        """Say which methods have more outputs than the dataset has images."""
        for name, iterator in self.iterators.items():
            if iterator.has_more_than(len(self.dataset.samples)):
                yield (
                    f"method {name!r} gives more outputs than the {len(self.dataset.samples)} "
                    f"images of {self.dataset.name}: the others were left out"
                )


def computed_dataset(
    dataset: Dataset, methods: Mapping[str, Computed], inputs: InputImages | None
) -> ComputedDataset:
    """Let methods compute the outputs of a dataset.

    Parameters
    ----------
    dataset
        With references.
    methods
        By name.
    inputs
        What functions are given; None where nothing says so.

    Raises
    ------
    IqbenchError
        If the dataset has no references or outputs of its own, nothing says what the inputs
        of functions are, or a method has another number of outputs than it has images.
    """
    if dataset.brings_outputs or not dataset.has_references:
        raise IqbenchError(
            f"dataset {dataset.name!r} has no references that methods could restore"
            if not dataset.has_references
            else f"dataset {dataset.name!r} brings its own outputs, and takes no methods",
            hint="Choose another dataset",
        )
    if inputs is None and any(callable(method) for method in methods.values()):
        raise IqbenchError(
            f"nothing says how the inputs of {dataset.name} are made from its references",
            hint="Give degradation='noise:sigma=25' or degradation='bicubic:scale=4', say, or "
            "the folder of their files: inputs='DIR'",
        )
    iterators: dict[str, _InOrder] = {}
    outputs: dict[str, list[OutputImage]] = {sample.image: [] for sample in dataset.samples}
    for method, given in methods.items():
        check_text("method", method)
        steps = _steps(method, given, dataset, inputs, iterators)
        for sample in dataset.samples:
            prepare, compute = steps(sample)
            source = ComputedSource(
                f"method {method} on {sample.image}",
                prepare,
                compute,
                timed=callable(given) or method in iterators,
            )
            outputs[sample.image].append(OutputImage(method, sample.image, source))
    samples = [replace(one, outputs=tuple(outputs[one.image])) for one in dataset.samples]
    name = f"{dataset.name} {inputs.label}" if inputs and inputs.label else dataset.name
    return ComputedDataset(replace(dataset, name=name, samples=samples), inputs, iterators)


_Steps: TypeAlias = tuple[Callable[[], object], Callable[[Any], object]]
"""The function that prepares the input of an image, and the one that computes its output."""


def _steps(
    method: str,
    given: Computed,
    dataset: Dataset,
    inputs: InputImages | None,
    iterators: dict[str, _InOrder],
) -> Callable[[Sample], _Steps]:
    """Return what gives the steps of an image."""
    if callable(given):
        return lambda sample: (partial(inputs.read, sample) if inputs else _nothing, given)
    images = [sample.image for sample in dataset.samples]
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in images]
        if unknown:
            raise IqbenchError(
                f"method {method!r} has outputs of what is not an image of {dataset.name}: "
                f"{some(unknown)}",
                hint=f"Its images are called {some(images)}",
            )
        return lambda sample: (_nothing, partial(_by_name, given, sample.image))
    if isinstance(given, Sized) and len(given) != len(images):
        raise IqbenchError(
            f"method {method!r} has {len(given)} outputs, but {dataset.name} has {len(images)} "
            "images",
            hint="Give one output per image, in the dataset's order, or a mapping by image",
        )
    in_order = _InOrder(given)
    if not isinstance(given, Sized):
        iterators[method] = in_order
    places = {image: place for place, image in enumerate(images)}
    return lambda sample: (partial(in_order.skip_to, places[sample.image]), in_order.take)


def _by_name(given: Mapping[str, Image], image: str, _: object) -> Image:
    if image not in given:
        raise IqbenchError(f"missing output: there is none of {image}")
    return given[image]


class _InOrder:
    """The outputs of an iterable, one an image in the dataset's order; a shard skips some."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = iter(images)
        self._taken = 0

    def skip_to(self, place: int) -> None:
        """Pass over the outputs before a place, which are those of images in other shards."""
        for _ in islice(self._images, max(place - self._taken, 0)):
            self._taken += 1

    def take(self, _: object) -> Image:
        """Return the next output."""
        for image in self._images:
            self._taken += 1
            return image
        raise IqbenchError("missing output: the iterable has no more images")

    def has_more_than(self, number: int) -> bool:
        """Tell whether there is an output after so many, all of which were taken."""
        return self._taken == number and next(self._images, None) is not None


def _nothing() -> None:
    return None
