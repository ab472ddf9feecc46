"""The locations of a run's files, for reports that show them later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from iqbench.engine.plan import DatasetPlan
from iqbench.images.source import FileSource, Source
from iqbench.results.schema import FilePlace

__all__ = ["places_of"]

_MOST_FORMS = 8
"""Most forms of names in one folder; ``a.png`` and ``a.jpg`` are two forms."""


def places_of(datasets: Iterable[DatasetPlan]) -> list[FilePlace]:
    """Say of each dataset's references and each method's outputs what stands around an image's id.

    Parameters
    ----------
    datasets
        What the run is to score.

    Returns
    -------
    list of FilePlace
        For files whose paths hold the image's id; others are not found by it.
    """
    found: list[FilePlace] = []
    for item in datasets:
        name = item.dataset.name
        references = ((one.image, one.reference) for one in item.dataset.samples if one.reference)
        found += _places(name, "", references)
        for method, assignment in item.assignments.items():
            outputs = ((image, one.source) for image, one in assignment.outputs.items())
            found += _places(name, method, outputs)
    return found


def _places(dataset: str, method: str, files: Iterable[tuple[str, Source]]) -> Iterator[FilePlace]:
    forms: Counter[tuple[str, str]] = Counter()
    folders: dict[Path, str] = {}
    for image, source in files:
        if not isinstance(source, FileSource):
            continue
        path = source.path
        if path.parent not in folders:
            folders[path.parent] = str(path.parent.absolute())
        before, found, after = f"{folders[path.parent]}/{path.name}".rpartition(image)
        if found and image:
            forms[before, after] += 1
    for (before, after), _ in forms.most_common(_MOST_FORMS):
        yield FilePlace(dataset=dataset, method=method, before=_text(before), after=_text(after))


def _text(path: str) -> str:
    """Spell a part of a path for the tables, which hold Unicode."""
    return path.encode("utf-8", "backslashreplace").decode()
