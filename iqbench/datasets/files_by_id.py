"""Files by ids of images, in a few bytes per file: most names are a prefix, the id, a suffix."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from iqbench.datasets.sample import Sample
from iqbench.datasets.storage.paths import Place, source_of

__all__ = ["FileSamples", "FilesById", "Ids"]

_NONE = -1
_MOST_FORMS = 2**15
"""How many pairs of prefix and suffix are numbered; files with any other keep their whole name."""


class Ids(Mapping[str, int]):
    """Ids of images and the place of each; tables of the same images share them.

    Parameters
    ----------
    ids
        Unique, in their order.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._places = {name: place for place, name in enumerate(ids)}

    def __getitem__(self, name: str) -> int:
        return self._places[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class FilesById(Mapping[str, Place]):
    """The file of each image that has one.

    Parameters
    ----------
    folder
        All lie in it.
    ids
        Of all images.
    names
        Id and the name of its file, relative to the folder; in any order.
    """

    def __init__(self, folder: Place, ids: Ids, names: Iterable[tuple[str, str]]) -> None:
        self.folder = folder
        self.ids = ids
        self._forms: list[tuple[str, str]] = []
        self._whole: dict[int, str] = {}
        """By place, names that do not hold the id, or whose prefix and suffix are not numbered."""
        self._form_of: array[int] = array("h", [_NONE]) * len(ids)
        numbers: dict[tuple[str, str], int] = {}
        for image, name in names:
            place = ids[image]
            before, found, after = name.rpartition(image)
            if found and len(numbers) < _MOST_FORMS:
                number = numbers.setdefault((before, after), len(numbers))
                self._form_of[place] = number
            else:
                self._whole[place] = name
        self._forms = list(numbers)
        self._count = len(ids) - self._form_of.count(_NONE) + len(self._whole)

    def name(self, image: str) -> str:
        """Return the name of a file, relative to the folder."""
        place = self.ids[image]
        form = self._form_of[place]
        if form == _NONE:
            return self._whole[place]
        before, after = self._forms[form]
        return f"{before}{image}{after}"

    def __getitem__(self, image: str) -> Place:
        try:
            return self.folder / self.name(image)
        except KeyError:
            raise KeyError(image) from None

    def __contains__(self, image: object) -> bool:
        place = self.ids.get(image) if isinstance(image, str) else None
        return place is not None and (self._form_of[place] != _NONE or place in self._whole)

    def __iter__(self) -> Iterator[str]:
        return (image for image in self.ids if image in self)

    def __len__(self) -> int:
        return self._count


class FileSamples(Sequence[Sample]):
    """Samples whose references are files of one folder; each is made when it is asked for.

    Parameters
    ----------
    files
        The reference of every image.
    problems
        Why no output of an image can be scored, where that is so.
    """

    def __init__(self, files: FilesById, problems: Mapping[str, str]) -> None:
        self.ids = files.ids
        self._images = list(files.ids)
        self._files = files
        self._problems = problems

    def _sample(self, image: str) -> Sample:
        return Sample(image, source_of(self._files[image]), problem=self._problems.get(image, ""))

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> list[Sample]: ...

    def __getitem__(self, place: int | slice) -> Sample | list[Sample]:
        if isinstance(place, slice):
            return [self._sample(image) for image in self._images[place]]
        return self._sample(self._images[place])

    def __iter__(self) -> Iterator[Sample]:
        return map(self._sample, self._images)

    def __len__(self) -> int:
        return len(self._images)
