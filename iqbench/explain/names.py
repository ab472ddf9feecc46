"""The names by which a list of values may call a pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

__all__ = ["Names"]


class Names:
    """Pairs by the name of the image, of the reference's file or of the output's.

    Parameters
    ----------
    images
        Names of the pairs.
    files
        Names of reference and output of each pair.
    """

    def __init__(self, images: Sequence[str], files: Sequence[Sequence[str]]) -> None:
        self.images = list(images)
        self._places: dict[str, set[int]] = {}
        for place, (image, paths) in enumerate(zip(images, files, strict=True)):
            for name in (image, *paths):
                for key in _spellings(name):
                    self._places.setdefault(key, set()).add(place)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.images)

    def find(self, name: str) -> int | None:
        """Return the place of the only pair of this name; None if none or several have it.

        Tried first as it is, then without folders, without suffix, and in lower case.
        """
        for key in _spellings(name):
            places = self._places.get(key, set())
            if len(places) == 1:
                return next(iter(places))
        return None

    def examples(self) -> str:
        """Name a few pairs, for messages."""
        return ", ".join(self.images[:3]) + (", ..." if len(self) > 3 else "")


def _spellings(name: str) -> list[str]:
    """Return a name as it is and in shorter forms, the most exact first."""
    path = PurePath(name.strip().replace("\\", "/"))
    forms = [str(path), str(path.with_suffix("")) if path.suffix else "", path.name, path.stem]
    return list(dict.fromkeys(form for name in forms if name for form in (name, name.lower())))
