"""Find files that were scored earlier, but that a new template of names does not match."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from iqbench.datasets.storage.paths import Place, StoredPath
from iqbench.engine.known_files import KnownFiles
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource, Source
from iqbench.results.store import ImageState

__all__ = ["unchanged_files"]


def unchanged_files(
    folder: Place,
    missing: Mapping[str, ImageState],
    taken: Collection[Source],
    references: Mapping[str, Source],
    known_files: KnownFiles,
) -> dict[str, Source]:
    """Find the files that the scores of missing outputs were computed from.

    Digests decide, so tables of somebody else are not believed: an image is found only if a file
    of the method, and the reference, are those that the tables know.

    Parameters
    ----------
    folder
        Of the method; its sub-folders are searched too.
    missing
        What the tables have of the images that no output was found for.
    taken
        Files that are outputs of other images.
    references
        Image to reference; one that is not there is not compared.
    known_files
        Files that need not be read.

    Returns
    -------
    dict
        Image to file.
    """
    wanted = {
        state.output_digest: image
        for image, state in missing.items()
        if state.output_digest is not None
        and _same_reference(state, references.get(image), known_files)
    }
    sizes = {missing[image].bytes for image in wanted.values()}
    found: dict[str, Source] = {}
    for source, size in _files(folder) if wanted else ():
        if size in sizes and source not in taken:
            with suppress(IqbenchError):
                image = wanted.get(known_files.digest(source))
                if image is not None:
                    found.setdefault(image, source)
    return found


def _same_reference(state: ImageState, reference: Source | None, known_files: KnownFiles) -> bool:
    if reference is None:
        return True
    with suppress(IqbenchError):
        return known_files.digest(reference) == state.reference_digest
    return False


def _files(folder: Place) -> Iterator[tuple[Source, int]]:
    if isinstance(folder, StoredPath):
        for name in sorted(folder.walk()):
            source = (folder / name).source()
            yield source, source.size()
        return
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            with suppress(OSError):
                if path.is_file():
                    yield FileSource(path), path.stat().st_size
