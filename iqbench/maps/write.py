"""Write maps to files atomically."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from iqbench.errors import IqbenchError
from iqbench.maps.model import DifferenceMap
from iqbench.maps.palettes import render
from iqbench.results.paths import slug
from iqbench.user_files import expand_user, write_file

__all__ = ["write_maps"]


def write_maps(
    maps: Sequence[DifferenceMap],
    folder: str | PathLike[str],
    *,
    raw: bool = False,
    sources: Iterable[Path] = (),
) -> list[Path]:
    """Write each map as a PNG with its own limits, and optionally its values.

    Parameters
    ----------
    maps
        The maps; files get their names.
    folder
        The folder, which is created if it does not exist. Files with these names are replaced.
    raw
        Whether to write the values too, as .npy: (height, width) float32, NaN for no value.
    sources
        The images of the maps, which must not be replaced.

    Returns
    -------
    list of Path
        The PNG of each map.

    Raises
    ------
    IqbenchError
        If a file would replace a source, or cannot be written.
    """
    from iqbench.images.write import write_png

    files = [expand_user(folder) / slug(map_.name) for map_ in maps]
    suffixes = (".png", ".npy") if raw else (".png",)
    protected = [source for source in sources if source.exists()]
    for target in (_named(file, suffix) for file in files for suffix in suffixes):
        if target.exists() and any(target.samefile(source) for source in protected):
            raise IqbenchError(
                f"a map would replace {target}, one of its images",
                hint="Write the maps to another folder",
            )
    for map_, file in zip(maps, files, strict=True):
        write_png(_named(file, ".png"), render(map_))
        if raw:
            write_file(_named(file, ".npy"), partial(_save, map_), durable=False)
    return [_named(file, ".png") for file in files]


def _named(file: Path, suffix: str) -> Path:
    """Append a suffix to a name, which may contain dots."""
    return file.with_name(file.name + suffix)


def _save(map_: DifferenceMap, file: IO[bytes]) -> None:
    np.save(file, map_.values, allow_pickle=False)
