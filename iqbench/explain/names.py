"""Find pairs by the names that lists of values use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import PurePath

__all__ = ["Names"]

_TOKEN = re.compile(r"[^\s,;|\"'()\[\]{}=<>&*`]+")
_SUFFIX = re.compile(r"\.[A-Za-z]\w*$")
"""The end of a file's name; that of ``26.03`` is none."""

_SCALE = re.compile(r"[_-]?x\d+(?:[_-].*)?$", re.IGNORECASE)
"""What super-resolution appends: ``x4``, ``_x4_SwinIR``."""


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
        unusual: set[str] = set()
        for place, (image, paths) in enumerate(zip(images, files, strict=True)):
            for name in (image, *paths):
                for key in _spellings(name):
                    self._places.setdefault(key, set()).add(place)
                    if not _TOKEN.fullmatch(key):
                        unusual.add(key)
        # Names that a line cannot be split into, the longest first.
        self._unusual = sorted(unusual, key=len, reverse=True)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.images)

    def find(self, name: str) -> int | None:
        """Return the place of the only pair of this name; None if none or several have it.

        The name is looked for as it is, then without folders, without the end of a file's name, in
        lower case, and without the scale of super-resolution at its end.
        """
        for key in (*_spellings(name), *_without_scale(name)):
            places = self._places.get(key, set())
            if len(places) == 1:
                return next(iter(places))
        return None

    def find_in(self, line: str) -> list[tuple[int, int, int]]:
        """Find the names in a line of text.

        A file's name counts more than a bare word, a word more than a number: ``22`` in a line that
        names ``1.png`` is no image.

        Returns
        -------
        list of tuple
            Place of the pair, and where its name starts and ends in the line; in the order of the
            line, only those that count most.
        """
        found: list[tuple[int, int, int, int]] = []
        for start, end in self._words(line):
            word = line[start:end].rstrip(":.").lstrip(".")
            progress = re.fullmatch(r"\d+/\d+", word) and word not in self._places
            place = None if progress or _is_key(line, end) else self.find(word)
            if place is not None:
                weight = 2 if _SUFFIX.search(word) else int(not word.isdecimal())
                found.append((weight, place, start, end))
        most = max((weight for weight, *_ in found), default=0)
        return [(place, start, end) for weight, place, start, end in found if weight == most]

    def examples(self) -> str:
        """Return the names of a few pairs, for messages."""
        return ", ".join(self.images[:3]) + (", ..." if len(self) > 3 else "")

    def _words(self, line: str) -> Iterator[tuple[int, int]]:
        """Yield where each word starts and ends; a name with spaces is one word."""
        folded = unicodedata.normalize("NFC", line)
        rest = folded if len(folded) == len(line) else line
        for name in self._unusual:
            start = rest.find(name)
            if start >= 0 and not rest[start + len(name) :][:1].isalnum():
                yield start, start + len(name)
                rest = rest[:start] + " " * len(name) + rest[start + len(name) :]
        for token in _TOKEN.finditer(rest):
            # ``baby:33.91`` is a name and a number; ``12:30:00`` and ``C:\\baby.png`` are words.
            name, colon, _ = token[0].partition(":")
            alone = colon and re.fullmatch(r"[^:]+:[-+]?[\d.]+\w*", token[0]) is not None
            yield token.start(), token.start() + len(name) if alone else token.end()


def _is_key(line: str, end: int) -> bool:
    """Tell whether a word is followed by ``=``: then it is a key, not the name of an image."""
    return line[end:].lstrip().startswith("=")


def _spellings(name: str) -> list[str]:
    """Return a name as it is and in shorter forms, the most exact first."""
    text = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    path = PurePath(text)
    forms = [str(path), _SUFFIX.sub("", str(path)), path.name, _SUFFIX.sub("", path.name)]
    return list(dict.fromkeys(form for name in forms if name for form in (name, name.lower())))


def _without_scale(name: str) -> list[str]:
    """Return the name of an image without the scale at its end; none if it has no scale."""
    short = _SUFFIX.sub("", PurePath(name.strip().replace("\\", "/")).name)
    cut = _SCALE.sub("", short)
    return [] if cut in ("", short) else _spellings(cut)
