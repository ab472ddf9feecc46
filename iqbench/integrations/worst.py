"""The images with the worst scores, with their references and maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from iqbench.engine.fitting import FittedPair
from iqbench.engine.pairs import PairScorer
from iqbench.engine.ranks import gather
from iqbench.errors import IqbenchError, unknown_name
from iqbench.evaluator import Evaluator, names_of
from iqbench.images.memory import Images, image_sources
from iqbench.images.picture import Picture
from iqbench.maps.kinds import kind_of, resolve_maps
from iqbench.maps.model import DifferenceMap
from iqbench.maps.pair import maps_of_pair
from iqbench.maps.palettes import NO_VALUE, legend, render
from iqbench.stats.gains import shortfall

__all__ = ["WorstImage", "WorstImages"]

GAP = 4
"""White pixels between the images of a strip."""


@dataclass(frozen=True, eq=False)
class WorstImage:
    """One image to look at.

    Attributes
    ----------
    name
        Its id.
    column, value
        By what it was chosen, and its value.
    picture
        (height, width, 3) uint8: from left to right the reference, the output, and each map.
    caption
        Says so, with what the colours of the maps mean.
    """

    name: str
    column: str
    value: float
    picture: NDArray[np.uint8]
    caption: str


@dataclass(frozen=True, eq=False)
class _Kept:
    """An image while others may still be worse."""

    shortfall: float
    name: str
    value: float
    pair: FittedPair


class WorstImages:
    """Score images by an evaluator, and keep those that are worst by one column.

    Parameters
    ----------
    evaluator
        What scores; `update` hands images to it.
    column
        Name of one of its columns, which has a direction.
    count
        How many images are kept, on each rank.
    maps
        Names of the maps to show; by default the absolute error and, if it has one, the map of the
        column. They are made under the evaluator's protocol.

    Raises
    ------
    IqbenchError
        If the evaluator has no such column, nothing is better or worse in it, or there is no such
        map.

    Examples
    --------
    >>> worst = WorstImages(evaluator, "psnr")  # doctest: +SKIP
    >>> for low, high, name in loader:  # doctest: +SKIP
    ...     worst.update(model(low), high, ids=name)  # in place of evaluator.update
    >>> for image in worst.images():  # doctest: +SKIP
    ...     print(image.caption)
    """

    def __init__(
        self, evaluator: Evaluator, column: str, count: int = 4, *, maps: Sequence[str] = ()
    ) -> None:
        scorer = evaluator.scorer
        of_images = [item for item in scorer.requests if item.metric.scope == "image"]
        wanted = [item for item in of_images if item.column.name == column]
        if not wanted:
            known = [item.column.name for item in of_images]
            raise unknown_name("column of the evaluator", column, known)
        self._info = scorer.columns[column]
        if self._info.direction == "none":
            raise IqbenchError(
                f"no value of {column} is better than another",
                hint="Choose a column that has a direction, such as psnr",
            )
        if count < 1:
            raise IqbenchError(f"the number of images is {count}", hint="Keep at least one")
        self._kinds = resolve_maps(maps or ["absolute-error"])
        if not maps and wanted[0].column.map is not None:
            self._kinds += (kind_of(wanted[0]),)
        self._maps = PairScorer(
            [kind.request for kind in self._kinds], scorer.protocol, scorer.compute
        )
        self.evaluator = evaluator
        self.column = column
        self.count = count
        self._kept: list[_Kept] = []

    def update(
        self,
        output: Images,
        reference: Images | None = None,
        *,
        ids: Sequence[object] | Tensor | None = None,
    ) -> None:
        """Score images, and keep copies of those that are worse than what is kept.

        Parameters
        ----------
        output, reference, ids
            As in `iqbench.Evaluator.update`. Images without a value are not kept.

        Raises
        ------
        IqbenchError
            As there; and without references, which maps need.
        """
        if reference is None:
            raise IqbenchError(
                "there are no references, which the maps of the worst images need",
                hint="Give the reference, or let the evaluator score without WorstImages",
            )
        before = len(self.evaluator)
        self.evaluator.update(output, reference, ids=ids)
        new = self.evaluator.scores(merge=False, start=before)[self.column]
        outputs, references = (
            image_sources("image", images, self.evaluator.bits, peak=self._maps.protocol.peak)
            for images in (output, reference)
        )
        names = [None] * len(outputs) if ids is None else names_of(ids)
        places = _places(new.index, names)
        falls = shortfall(new.to_numpy(), self._info)
        for name, value, fall in zip(new.index, new, falls, strict=True):
            if np.isnan(fall) or not self._is_worse(fall):
                continue
            place = places[name]
            pair = self._maps.read(references[place], outputs[place], self.evaluator.alpha)
            kept = _Kept(float(fall), name, float(value), pair)
            self._kept = _worst([*self._kept, kept], self.count)

    def images(self, *, merge: bool = True) -> list[WorstImage]:
        """Return the worst images with their maps, the worst one first.

        Parameters
        ----------
        merge
            Whether to take those of all ranks, where `torch.distributed` is set up: then every rank
            must call this.
        """
        kept = self._kept
        if merge:
            kept = _worst([one for mine in gather(self._kept) for one in mine], self.count)
        return [self._shown(one) for one in kept]

    def reset(self) -> None:
        """Forget the images; the evaluator is reset too."""
        self._kept = []
        self.evaluator.reset()

    def _is_worse(self, fall: float) -> bool:
        return len(self._kept) < self.count or fall > self._kept[-1].shortfall

    def _shown(self, kept: _Kept) -> WorstImage:
        output, reference = kept.pair.output, kept.pair.reference
        maps = maps_of_pair(reference, output, self._kinds, self._maps)
        size = reference.height, reference.width
        painted = [_on_canvas(one, size) for one in maps]
        legends = "; ".join(f"{one.name} ({legend(one)})" for one in maps)
        return WorstImage(
            kept.name,
            self.column,
            kept.value,
            _side_by_side([_in_colour(reference), _in_colour(output), *painted]),
            f"{kept.name}: {self.column} {kept.value:.{self._info.decimals}f}. "
            f"Reference; output; {legends}",
        )


def _places(rows: Iterable[str], names: Sequence[str | None]) -> dict[str, int]:
    """Return where in a batch each new row came from.

    Parameters
    ----------
    rows
        Names of the new rows, in the order of the batch. An id that was known has no new row.
    names
        Ids of the batch; an image without an id always has a new row, whose name is a number.
    """
    left = iter(enumerate(names))
    return {row: next(place for place, name in left if name in (None, row)) for row in rows}


def _worst(kept: list[_Kept], count: int) -> list[_Kept]:
    """Return the worst, the worst one first; of equal ones those that came first."""
    return sorted(kept, key=lambda one: -one.shortfall)[:count]


def _in_colour(picture: Picture) -> NDArray[np.uint8]:
    """Return (height, width, 3) uint8."""
    values = picture.pixels.astype(np.float64) / picture.peak
    shown: NDArray[np.uint8] = (values.clip(0, 1) * 255).round().astype(np.uint8)
    return np.broadcast_to(shown, (*shown.shape[:2], 3)) if shown.shape[2] == 1 else shown


def _on_canvas(map_: DifferenceMap, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint a map where it lies on the image; what a protocol crops is gray."""
    canvas = np.full((*size, 3), NO_VALUE, dtype=np.uint8)
    painted = render(map_)
    height, width = painted.shape[:2]
    canvas[map_.top : map_.top + height, map_.left : map_.left + width] = painted
    return canvas


def _side_by_side(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Join images to one, with white between them."""
    height = max(image.shape[0] for image in images)
    width = sum(image.shape[1] + GAP for image in images) - GAP
    strip = np.full((height, width, 3), 255, dtype=np.uint8)
    left = 0
    for image in images:
        strip[: image.shape[0], left : left + image.shape[1]] = image
        left += image.shape[1] + GAP
    return strip
