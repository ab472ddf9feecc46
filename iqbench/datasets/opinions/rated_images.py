"""Pair images with human opinions with their references by name, and check them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from iqbench.datasets.file_index import FileIndex, base_name
from iqbench.datasets.files import natural_key, some, split_suffix
from iqbench.datasets.sample import DISTORTED, Direction, Opinion, OutputImage, Sample
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource

__all__ = ["Rating", "check_levels", "check_order", "rated_samples"]


@dataclass(frozen=True)
class Rating:
    """What a table of opinions says of one distorted image.

    Attributes
    ----------
    image
        The id under which tables know it.
    distorted, reference
        The files, below the dataset's folder.
    opinion
        What people said.
    distortion
        Kind of distortion.
    where
        File and line, for messages.
    level
        How strong the distortion is, where the name says so.
    """

    image: str
    distorted: str
    reference: str
    opinion: Opinion
    distortion: str
    where: str
    level: float | None = None


def rated_samples(
    tree: FileIndex, ratings: Sequence[Rating], table: str, *, judged: Iterable[str] = ()
) -> list[Sample]:
    """Pair distorted images with their references; nothing is opened.

    Parameters
    ----------
    tree
        The dataset's files.
    ratings
        One a distorted image.
    table
        Name of the table of opinions, for messages.
    judged
        Folders of which every image but the references must have an opinion.

    Returns
    -------
    list of Sample
        One per reference, in natural order, and so are the outputs of each.

    Raises
    ------
    IqbenchError
        If there are no ratings, two of one image, images without rating, or ratings without
        image; the sentence names the first few.
    """
    if not ratings:
        raise IqbenchError(f"{table} has no opinions")
    _refuse_twice(ratings)
    _refuse_missing(tree, ratings, table)
    _refuse_unrated(tree, ratings, table, judged)
    outputs: dict[str, list[OutputImage]] = {}
    for rating in ratings:
        source = FileSource(tree.path(rating.distorted))
        outputs.setdefault(rating.reference, []).append(
            OutputImage(DISTORTED, rating.image, source, rating.opinion, rating.distortion)
        )
    return [
        Sample(
            image=split_suffix(base_name(reference))[0],
            reference=FileSource(tree.path(reference)),
            outputs=tuple(sorted(outputs[reference], key=lambda output: natural_key(output.image))),
        )
        for reference in sorted(outputs, key=natural_key)
    ]


def check_levels(ratings: Sequence[Rating], table: str) -> None:
    """Refuse opinions by which stronger distortions look better.

    Compared are the means over all images of the lowest and of the highest level: single kinds of
    distortion (contrast, local blocks) are not monotone.

    Raises
    ------
    IqbenchError
        If a DMOS seems to be taken for a MOS, or the other way round.
    """
    levels = sorted({rating.level for rating in ratings if rating.level is not None})
    if len(levels) < 2:
        return
    low, high = (
        [rating.opinion.mos for rating in ratings if rating.level == level]
        for level in (levels[0], levels[-1])
    )
    what = "the weakest distortions", "the strongest"
    check_order(low, high, ratings[0].opinion.direction, table, what)


def check_order(
    better: Sequence[float],
    worse: Sequence[float],
    direction: Direction,
    table: str,
    what: tuple[str, str],
) -> None:
    """Refuse opinions that look reversed.

    Parameters
    ----------
    better, worse
        Opinions of images of which the former look better for certain, on average.
    direction
        Which opinions should be good.
    table, what
        The file, and what the two sides are; for the message.

    Raises
    ------
    IqbenchError
        If the mean of the former is the worse one.
    """
    if not better or not worse:
        return
    first, second = fmean(better), fmean(worse)
    if (first < second) if direction == "higher" else (first > second):
        raise IqbenchError(
            f"the opinions of {table} look reversed: {direction} should be better, but the mean "
            f"of {what[0]} is {first:.4g} and that of {what[1]} is {second:.4g}",
            hint="MOS and DMOS may have been mixed up: take the file as it is distributed",
        )


def _refuse_twice(ratings: Sequence[Rating]) -> None:
    known: dict[str, Rating] = {}
    for rating in ratings:
        other = known.setdefault(rating.distorted.casefold(), rating)
        if other is not rating:
            raise IqbenchError(
                f"{rating.where}: {base_name(rating.distorted)} has an opinion already "
                f"({other.where})",
                hint="Take the file of opinions as it is distributed",
            )


def _refuse_missing(tree: FileIndex, ratings: Sequence[Rating], table: str) -> None:
    references = {rating.reference for rating in ratings}
    lost_references = [name for name in references if name not in tree]
    lost = [rating.distorted for rating in ratings if rating.distorted not in tree]
    if not lost and not lost_references:
        return
    if lost and lost_references:
        # If both are missing, check whether they were exchanged.
        reference, distorted = min(lost_references), min(lost)
        places = tree.elsewhere(reference), tree.elsewhere(distorted)
        home = reference.partition("/")[0].casefold()
        if places[0] and places[1] and places[1].casefold().startswith(f"{home}/"):
            raise IqbenchError(
                f"references and distorted images look swapped in {tree.folder}: "
                f"{places[0]} should be {reference}, {places[1]} should be {distorted}",
                hint="Exchange the two folders",
            )
    for names, total, what in (
        (lost_references, len(references), "reference images"),
        (lost, len(ratings), "distorted images"),
    ):
        if names:
            found = tree.elsewhere(min(names, key=natural_key))
            advice = f"There is {found}; unpack" if found else "Unpack"
            raise IqbenchError(
                f"{len(names)} of {total} {what} that {table} names are missing in {tree.folder}: "
                f"{some(names)}",
                hint=f"{advice} the archive again, as it is distributed",
            )


def _refuse_unrated(
    tree: FileIndex, ratings: Sequence[Rating], table: str, judged: Iterable[str]
) -> None:
    known = {rating.distorted.casefold() for rating in ratings}
    known |= {rating.reference.casefold() for rating in ratings}
    extra = [
        name for folder in judged for name in tree.images(folder) if name.casefold() not in known
    ]
    if extra:
        raise IqbenchError(
            f"{len(extra)} images in {tree.folder} have no opinion in {table}: {some(extra)}",
            hint="Remove what is not part of the dataset, or complete the file of opinions",
        )
