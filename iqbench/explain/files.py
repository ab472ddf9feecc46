"""Find and read the pairs whose value is to be explained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from iqbench.datasets.comparison import check_ways
from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.matching import match_outputs
from iqbench.datasets.methods import Method
from iqbench.engine.reading import fit_pair
from iqbench.errors import IqbenchError
from iqbench.explain.pair import Pair
from iqbench.images.source import FileSource, Source
from iqbench.protocols.presets import Protocol
from iqbench.protocols.view import GrayOutput, View
from iqbench.user_files import expand_user

__all__ = ["Sources", "find_pairs", "read_pair"]

Sources = tuple[Source, Source]


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
        Of folders: how names are paired, as in `iqbench.api.Evaluation`.

    Returns
    -------
    sequence of tuple
        Name and sources of each pair.

    Raises
    ------
    IqbenchError
        If one is a folder and the other a file, or an output is missing: the mean over part of a
        data set is no value that anybody reported.
    """
    first, second = expand_user(Path(reference)), expand_user(Path(output))
    if not first.is_dir() and not second.is_dir():
        naming = {
            "--reference-name": reference_name is not None,
            "--output-name": output_name is not None,
            "--match": bool(match),
        }
        for option in (name for name, given in naming.items() if given):
            raise IqbenchError(f"{option} is for folders, but two files are given")
        return [(str(first), (FileSource(first), FileSource(second)))]
    if not (first.is_dir() and second.is_dir()):
        names = (first, second) if first.is_dir() else (second, first)
        raise IqbenchError(
            f"{names[0]} is a folder, {names[1]} is none", hint="Give two files or two folders"
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
        (sample.image, (sample.reference, FileSource(matches.outputs[sample.image])))
        for sample in dataset.samples
    ]


def read_pair(sources: Sources, modcrops: Iterable[int], gray_output: GrayOutput = "error") -> Pair:
    """Decode a pair.

    Parameters
    ----------
    sources
        Of reference and output.
    modcrops
        Under one of which the two must have one size; 1 comes first.
    gray_output
        What a gray output of a colour reference holds; ``error``: both readings are tried.

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
        return Pair(fitted.reference, fitted.output, gray_output)
    assert first is not None
    raise first
