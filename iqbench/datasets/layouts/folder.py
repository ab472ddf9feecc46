"""A folder of reference images, with sub-folders or without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from iqbench.datasets.files import check_text, is_image_name, natural_key, split_suffix, walk
from iqbench.datasets.layout import BelowRoot, Layout, MissingDataError
from iqbench.datasets.sample import Sample
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource

__all__ = ["FolderLayout"]


class FolderLayout(Layout):
    """Every image below one folder is a reference; its id is its path there without suffix.

    Attributes
    ----------
    references
        The folder, below the data root.
    files
        Glob patterns of the references' paths below that folder, where not every image there is
        one: ``*.png`` (no sub-folders), ``**/*_gt.png`` (any depth).
    """

    layout: Literal["folder"]
    references: BelowRoot
    files: Annotated[list[str], Field(min_length=1)] | None = None

    def samples(self, root: Path | None) -> list[Sample]:
        """List the references in natural order (``img_2`` before ``img_10``).

        Raises
        ------
        MissingDataError
            If no root is known or the folder is not there.
        IqbenchError
            If the folder holds no reference, or two references of one id.
        """
        folder = self._folder(root)
        wanted = self._wanted()
        by_id: dict[str, str] = {}
        for name in walk(folder):
            if not wanted(name):
                continue
            image = split_suffix(check_text("file", name))[0]
            if image in by_id:
                first, second = sorted((by_id[image], name))
                raise IqbenchError(
                    f"two references of {folder} have the id {image!r}: {first} and {second}",
                    hint="Keep one of them, or choose by `files:` in the dataset's block",
                )
            by_id[image] = name
        if not by_id:
            what = " or ".join(self.files) if self.files else "image (PNG, JPEG, BMP, TIFF, WebP)"
            raise IqbenchError(f"reference folder {folder} holds no {what}")
        return [
            Sample(image=image, reference=FileSource(folder / by_id[image]))
            for image in sorted(by_id, key=natural_key)
        ]

    def ignored(self, root: Path | None) -> list[str]:
        """Name the files that no image ends like; none where ``files`` says what is wanted."""
        if self.files:
            return []
        names = (name for name in walk(self._folder(root)) if not is_image_name(name))
        return sorted(names, key=natural_key)

    def _folder(self, root: Path | None) -> Path:
        hint = (
            f"Set the environment variable IQBENCH_DATA to the folder that holds "
            f"{self.references!r}, or write it as `root:` into the datasets file"
        )
        if root is None:
            raise MissingDataError("nobody said where its data lies", hint=hint)
        folder = root / self.references
        if not folder.is_dir():
            raise MissingDataError(f"reference folder {folder} does not exist", hint=hint)
        return folder

    def _wanted(self) -> Callable[[str], bool]:
        if not self.files:
            return is_image_name
        globs = [glob.split("/") for glob in self.files]
        return lambda name: any(_matches(name.split("/"), glob) for glob in globs)


def _matches(parts: Sequence[str], glob: Sequence[str]) -> bool:
    """Match a path with a glob, component by component; ``**`` is any number of folders."""
    head, rest = glob[0], glob[1:]
    if head == "**":
        if not rest:
            return True
        return _matches(parts, rest) or (len(parts) > 1 and _matches(parts[1:], glob))
    if bool(rest) != (len(parts) > 1) or not fnmatchcase(parts[0], head):
        return False
    return not rest or _matches(parts[1:], rest)
