"""Find and read the pairs of images whose value is explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.matching.by_name import match_outputs
from iqbench.datasets.matching.comparison import check_ways
from iqbench.datasets.matching.methods import Method
from iqbench.datasets.storage.paths import source_of
from iqbench.datasets.storage.places import find_place
from iqbench.engine.fitting import fit_pair
from iqbench.errors import IqbenchError
from iqbench.explain.names import Names
from iqbench.explain.pair import Pair
from iqbench.explain.prepared import partners
from iqbench.forks import ForkLock
from iqbench.images.picture import Picture
from iqbench.images.source import Source
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import GrayOutput, View

__all__ = ["Pairs", "Sources", "find_pairs", "read_pair"]

Sources = tuple[Source, Source]

KEPT = 384 * 2**20
"""How many bytes of decoded images are kept for the next look at them."""


class Pairs:
    """The pairs that are explained. They are decoded when needed; a few hundred MB stay decoded.

    Parameters
    ----------
    found
        Name and sources of each.
    modcrops, gray_output
        As in `read_pair`.
    """

    def __init__(
        self,
        found: Sequence[tuple[str, Sources]],
        modcrops: Sequence[int],
        gray_output: GrayOutput,
    ) -> None:
        self.names = Names(
            [name for name, _ in found],
            [[Path(source.name).name for source in sources] for _, sources in found],
        )
        self.partners = partners(
            *([Path(sources[side].name).name for _, sources in found] for side in (0, 1))
        )
        self.modcrops = modcrops
        self._sources = [sources for _, sources in found]
        self._gray_output = gray_output
        self._kept: dict[int, tuple[Picture, Picture]] = {}
        self._room = KEPT
        self._lock = ForkLock()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sources)

    def read(self, place: int) -> Pair:
        """Read a pair; nothing is computed of it yet.

        Raises
        ------
        IqbenchError
            If a file cannot be read, or the two do not fit under any modcrop.
        """
        with self._lock:
            kept = self._kept.get(place)
        others = {name: partial(self._output, row[place]) for name, row in self.partners.items()}
        if kept is not None:
            return Pair(*kept, self._gray_output, others)
        pair = read_pair(self._sources[place], self.modcrops, self._gray_output, others)
        size = pair.reference.pixels.nbytes + pair.output.pixels.nbytes
        with self._lock:
            if size <= self._room and place not in self._kept:
                self._room -= size
                self._kept[place] = (pair.reference, pair.output)
        return pair

    def _output(self, place: int) -> Picture:
        """Return the output of a pair."""
        with self._lock:
            kept = self._kept.get(place)
        return kept[1] if kept is not None else self._sources[place][1].read().decode()


def find_pairs(
    reference: str | Path,
    output: str | Path,
    *,
    reference_name: str | None = None,
    output_name: str | None = None,
    match: str | Sequence[str] = (),
) -> Sequence[tuple[str, Sources]]:
    """Pair references and outputs by name.

    Parameters
    ----------
    reference, output
        Two files, or two folders.
    reference_name, output_name, match
        Of folders: how names are paired, as in `iqbench.evaluate`.

    Returns
    -------
    sequence of tuple
        Name and sources of each pair.

    Raises
    ------
    IqbenchError
        If one is a folder and the other a file, or an output is missing: nobody reports the mean
        over a part of a data set.
    """
    first, second = find_place(reference), find_place(output)
    if not first.is_dir() and not second.is_dir():
        naming = {
            "--reference-name": reference_name is not None,
            "--output-name": output_name is not None,
            "--match": bool(match),
        }
        for option in (name for name, given in naming.items() if given):
            raise IqbenchError(f"{option} is for folders, but two files are given")
        return [(str(first), (source_of(first), source_of(second)))]
    if not (first.is_dir() and second.is_dir()):
        folder, other = (first, second) if first.is_dir() else (second, first)
        kind = "a file" if other.exists() else "not there"
        raise IqbenchError(
            f"{folder} is a folder, and {other} is {kind}", hint="Give two files or two folders"
        )
    dataset = reference_folder(first, reference_name=reference_name)
    matches = match_outputs(
        Method(second.name or "outputs", second),
        dataset,
        alone=True,
        output_name=output_name,
        ways=check_ways(match),
    )
    if not matches.attempted:
        raise IqbenchError(matches.message)
    if matches.problems:
        texts = list(matches.problems.values())
        more = f", and {len(texts) - 3} more" if len(texts) > 3 else ""
        raise IqbenchError("; ".join(texts[:3]) + more, hint=matches.hint)
    return [
        (sample.image, (sample.needed_reference, source_of(matches.outputs[sample.image])))
        for sample in dataset.samples
    ]


def read_pair(
    sources: Sources,
    modcrops: Iterable[int],
    gray_output: GrayOutput = "error",
    others: Mapping[str, Callable[[], Picture]] | None = None,
) -> Pair:
    """Decode a pair.

    Parameters
    ----------
    sources
        Of reference and output.
    modcrops
        Under one of which the two must have one size; 1 comes first.
    gray_output
        What a gray output of a colour reference holds; ``error``: both readings are tried.
    others
        As in `iqbench.explain.prepared.prepare`.

    Raises
    ------
    IqbenchError
        If a file cannot be read, or the two do not fit under any modcrop.
    """
    reference, output = (source.read().decode() for source in sources)
    first: IqbenchError | None = None
    for modcrop in modcrops:
        view = View(modcrop=modcrop, gray_output="expand")
        try:
            fitted = fit_pair(reference, output, Protocol("", 1, view, view))
        except IqbenchError as error:
            first = first or error
            continue
        return Pair(fitted.reference, fitted.output, gray_output, others)
    assert first is not None
    raise first
