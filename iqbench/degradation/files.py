"""Degrade all images of a folder, and write PNG files."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.files import split_suffix
from iqbench.datasets.sample import Sample
from iqbench.degradation.kinds import Degradation
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.images.source import FileSource
from iqbench.images.write import write_png
from iqbench.user_files import expand_user

if TYPE_CHECKING:
    from iqbench.engine.reporter import Reporter

__all__ = ["Done", "degrade_files", "degrade_picture", "seed_of"]


def seed_of(seed: int, image: str) -> int:
    """Derive an image's seed from that of the set and the image's id.

    It hangs on nothing else: adding, removing or renaming other images changes no noise.
    """
    return zlib.crc32(f"{seed}/{image}".encode())


@dataclass
class Done:
    """What became of the references.

    Attributes
    ----------
    written
        Ids of the images that were degraded.
    cropped
        Of these, those that were cut to a multiple first.
    failed
        Id to why it could not be done.
    """

    written: list[str] = field(default_factory=list)
    cropped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def degrade_files(
    degradation: Degradation,
    references: Path,
    target: Path,
    *,
    seed: int = 0,
    modcrop: Path | None = None,
    reporter: Reporter | None = None,
) -> Done:
    """Degrade references and write the results as PNG.

    Parameters
    ----------
    degradation
        What `resolve_degradation` returned.
    references
        An image file, or a folder of them with sub-folders or without.
    target
        Folder that gets ``<id>.png``, the id being the reference's path without suffix.
    seed
        Of the noise of the set; each image has its own, see `seed_of`.
    modcrop
        Folder that gets the references as they were degraded, cut to a multiple: what methods'
        outputs are compared with.
    reporter
        Is told how far it is.

    Returns
    -------
    Done
        Of a folder, an image that cannot be read, has 16 bits or is too small is in ``failed``, and
        the others are done.

    Raises
    ------
    IqbenchError
        If there are no references, or a file would be written over or among them, or the only
        reference cannot be degraded; nothing was written then.
    """
    references = expand_user(references)
    samples = _samples(references)
    places = [expand_user(target)]
    if modcrop is not None:
        places.append(expand_user(modcrop))
    _check_places(references, samples, places)
    done = Done()
    if reporter is not None:
        reporter.begin("degrade", len(samples))
    for sample in samples:
        try:
            _degrade(degradation, sample, places, seed_of(seed, sample.image), done)
        except IqbenchError as error:
            if not references.is_dir():
                raise
            done.failed[sample.image] = str(error)
        if reporter is not None:
            reporter.advance(1)
    return done


def _samples(references: Path) -> Sequence[Sample]:
    """List the references."""
    if references.is_dir():
        return reference_folder(references, "references").samples
    return [Sample(split_suffix(references.name)[0], FileSource(references))]


def _check_places(references: Path, samples: Sequence[Sample], places: list[Path]) -> None:
    """Refuse to write a file among or over the references, or over another that is written."""
    for place in places:
        if references.is_dir() and place.resolve().is_relative_to(references.resolve()):
            raise IqbenchError(
                f"{place} lies inside the references {references}",
                hint="Written there, the files would be references of the next run",
            )
    taken = {
        _where(Path(sample.needed_reference.name)): sample.needed_reference.name
        for sample in samples
    }
    for place in places:
        for sample in samples:
            path = place / f"{sample.image}.png"
            if _where(path) in taken:
                raise IqbenchError(
                    f"{path} would be written over {taken[_where(path)]}",
                    hint="Write to another folder than that of the references",
                )
    if len({_where(place) for place in places}) < len(places):
        raise IqbenchError(
            f"degraded images and references would both be written to {places[0]}",
            hint="Give two folders",
        )


def _where(path: Path) -> tuple[str, int] | Path:
    """Identify a file whatever it is called: on some disks case makes no difference."""
    try:
        status = path.stat()
    except OSError:
        return path.resolve()
    return ("file", status.st_dev << 64 | status.st_ino)


def _degrade(
    degradation: Degradation, sample: Sample, places: list[Path], seed: int, done: Done
) -> None:
    """Write the files of one image."""
    if sample.problem:
        raise IqbenchError(sample.problem)
    picture = sample.needed_reference.read().decode()
    images = degrade_picture(degradation, picture, seed)
    for place, pixels in zip(places, images, strict=False):  # the second place may not be wanted
        write_png(place / f"{sample.image}.png", pixels)
    done.written.append(sample.image)
    if images[1].shape != picture.pixels.shape:
        done.cropped.append(sample.image)


def degrade_picture(
    degradation: Degradation, picture: Picture, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Degrade an image.

    Parameters
    ----------
    degradation
        What is done.
    picture
        Of 8 bits.
    seed
        Of the noise, see `seed_of`.

    Returns
    -------
    tuple
        The degraded image, and the image as it was degraded: cut to a multiple.

    Raises
    ------
    IqbenchError
        If it has 16 bits, or is too small.
    """
    if picture.bit_depth != 8:
        raise IqbenchError(
            f"{picture.name} has {picture.bit_depth} bits per sample, but degradations are of 8",
            hint="Write the reference with 8 bits",
        )
    factor = degradation.multiple
    height, width = picture.height - picture.height % factor, picture.width - picture.width % factor
    if min(height, width) == 0:
        raise IqbenchError(
            f"{picture.name} has {picture.width}x{picture.height} pixels, fewer than {factor}"
        )
    image = picture.pixels[:height, :width].astype(np.uint8)
    return degradation.apply(image, seed), image
