"""A reference set: images of any number, names and sizes, for metrics of whole sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike

from iqbench.datasets.files import check_text, did_you_mean, is_image_name, natural_key, walk
from iqbench.datasets.storage.paths import Place, source_of
from iqbench.datasets.storage.places import archives_hint, find_place
from iqbench.errors import IqbenchError
from iqbench.images.source import Source

__all__ = ["ReferenceSet", "list_reference_set", "reference_set"]


@dataclass(frozen=True)
class ReferenceSet:
    """All images of a folder.

    Attributes
    ----------
    name
        What people call it: the folder's name.
    folder
        Where the images are.
    images
        In natural order.
    ignored
        Files beside them that are no images.
    """

    name: str
    folder: Place
    images: tuple[Source, ...]
    ignored: tuple[str, ...] = field(default=(), compare=False)


def reference_set(given: str | PathLike[str]) -> ReferenceSet:
    """List the images of a folder and its sub-folders, without opening any.

    Parameters
    ----------
    given
        With images of any names and sizes; whatever
        `iqbench.datasets.storage.places.find_place` takes for a folder.

    Raises
    ------
    IqbenchError
        If the folder does not exist, is none, or holds no images.
    """
    folder = find_place(given)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        hint = did_you_mean(folder, folder=True) or "Give --reference-set DIR"
        raise IqbenchError(f"folder of the reference set {folder} {what}", hint=hint)
    return list_reference_set(folder)


def list_reference_set(folder: Place) -> ReferenceSet:
    """List the images of a folder that is there; see `reference_set`."""
    files = sorted(walk(folder), key=natural_key)
    images = tuple(source_of(folder / name) for name in files if is_image_name(name))
    if not images:
        raise IqbenchError(
            f"reference set {folder} holds no image (PNG, JPEG, BMP, TIFF, WebP)",
            hint=archives_hint(folder, files) or "Give the folder that the images are in",
        )
    name = check_text("reference set", folder.resolve().name, hint="Rename the folder")
    ignored = tuple(name for name in files if not is_image_name(name))
    return ReferenceSet(name, folder.resolve(), images, ignored)
