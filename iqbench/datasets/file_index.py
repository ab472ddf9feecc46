"""The files below a dataset's folder, found by name in any case; no file is opened."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iqbench.datasets.files import is_image_name, natural_key, walk
from iqbench.datasets.layout import MissingDataError, missing_data, root_hint
from iqbench.errors import IqbenchError

__all__ = ["FileIndex", "base_name", "join"]


def join(folder: str, name: str) -> str:
    """Join a folder and a path in it, both below a dataset's; ``.`` is the dataset's own."""
    folder = folder.removeprefix("./").rstrip("/")
    return name if folder in (".", "") else f"{folder}/{name}"


def base_name(name: str) -> str:
    """Give the last part of a path below a dataset's folder."""
    return name.rpartition("/")[2]


class FileIndex:
    """What lies below a folder.

    Names are compared without regard to case: published archives mix ``I01.BMP`` and
    ``i01_01_1.bmp``, and some file systems keep no case.

    Parameters
    ----------
    folder
        The dataset's folder.
    names
        Paths of its files, relative and ``/``-separated.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.folder = folder
        self._names: dict[str, str] = {}
        self._twins: dict[str, str] = {}
        for name in names:
            other = self._names.setdefault(name.casefold(), name)
            if other is not name:
                self._twins[name.casefold()] = name

    @classmethod
    def of(cls, root: Path | None, folder: str, landmark: str) -> FileIndex:
        """List a dataset's folder.

        Parameters
        ----------
        root
            The folder below which data lies, or None where nobody said.
        folder
            The dataset's, below the root.
        landmark
            A file that every copy of the dataset has, below the dataset's folder.

        Raises
        ------
        MissingDataError
            If nobody said where data lies, or the folder is not there or is empty.
        IqbenchError
            If the landmark is not there; the hint says where it is instead, if anywhere.
        """
        if root is None:
            raise missing_data("its data root is not set", folder)
        path = root / folder
        if not path.is_dir():
            raise MissingDataError(f"folder {path} does not exist", hint=_near(root, folder))
        tree = cls(path, walk(path))
        if not tree._names:
            raise missing_data(f"folder {path} is empty", folder)
        if landmark not in tree:
            deeper = tree.elsewhere(landmark)
            hint = f"Unpack the archive as it is distributed into {path}"
            if deeper and deeper.casefold().endswith(f"/{landmark.casefold()}"):
                found = join(folder, deeper[: -len(landmark) - 1])
                hint = f"It is in a sub-folder: write `folder: {found}` into the dataset's block"
            raise IqbenchError(f"there is no {landmark} in {path}", hint=hint)
        return tree

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self._names

    def path(self, name: str) -> Path:
        """Give the path of a file that is there.

        Raises
        ------
        IqbenchError
            If it is not there, or is there twice in different case.
        """
        key = name.casefold()
        if key not in self._names:
            raise IqbenchError(f"there is no {name} in {self.folder}")
        if key in self._twins:
            raise IqbenchError(
                f"{self._names[key]} and {self._twins[key]} in {self.folder} differ in case only",
                hint="Keep the one that the archive has",
            )
        return self.folder / self._names[key]

    def files(self, folder: str) -> list[str]:
        """Name the files below one of its folders, in no order."""
        prefix = join(folder, "").casefold()
        return [name for key, name in self._names.items() if key.startswith(prefix)]

    def images(self, folder: str) -> list[str]:
        """Name the images below one of its folders, in no order."""
        return [name for name in self.files(folder) if is_image_name(name)]

    def elsewhere(self, name: str) -> str | None:
        """Find a file of the same name in another folder, the nearest to the top."""
        base = f"/{base_name(name)}".casefold()
        others = [
            other
            for key, other in self._names.items()
            if f"/{key}".endswith(base) and key != name.casefold()
        ]
        return min(others, key=lambda other: (other.count("/"), natural_key(other)), default=None)


def _near(root: Path, folder: str) -> str:
    """Say which folder may be meant where only the case or the nesting differs."""
    try:
        others = [entry.name for entry in root.iterdir() if entry.is_dir()]
    except OSError:
        return root_hint(folder)
    wanted = base_name(folder).casefold()
    for other in sorted(others):
        if other.casefold() == wanted:
            return f"There is {root / other}: write `folder: {other}` into the dataset's block"
    if root.name.casefold() == wanted:
        return f"{root} looks like the dataset itself: the data root is the folder above it"
    return root_hint(folder)
