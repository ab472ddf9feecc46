"""Check whether a dataset or method of a run is the one with this name in the tables.

Names come from folders, and two folders may have the same name. The tables record the paths of the
files: a run from another path is refused if its files differ, so that no scores are replaced by
accident. The same files may have any path, because results and data can be moved.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.files import some
from iqbench.engine.computed import ComputedSource
from iqbench.engine.plan import DatasetPlan, RunPlan
from iqbench.errors import IqbenchError
from iqbench.images.source import Source
from iqbench.results.schema import Origin
from iqbench.results.store import Current, Key, Store

__all__ = ["Replaced", "check_origins", "origins_of"]


@dataclass(frozen=True)
class Replaced:
    """Scores of a method on a dataset that another dataset of that name replaces.

    Attributes
    ----------
    dataset, method
        Whose scores.
    images
        Of which images.
    """

    dataset: str
    method: str
    images: Collection[str]

    @property
    def sentence(self) -> str:
        """Say what was taken out of the tables."""
        return (
            f"dataset {self.dataset!r} was replaced: the scores of method {self.method!r} on the "
            f"dataset that had this name were taken out of the tables"
        )


def origins_of(plan: RunPlan, results: str) -> dict[Key, Origin]:
    """Say where the images of a run lie, and its results, for the footers of its tables."""
    root = _text(results)
    origins: dict[Key, Origin] = {}
    for item in plan.datasets:
        references = item.dataset.place
        for method in item.assignments:
            folder = plan.folders.get(method)
            outputs = references if folder is None else str(folder.resolve())
            origins[item.dataset.name, method] = Origin(_text(references), _text(outputs), root)
    return origins


def check_origins(plan: RunPlan, store: Store, *, replace: bool) -> list[Replaced]:
    """Compare the files of a run with those that the tables know under the same names.

    Files are read only where they lie elsewhere than the tables say. A dataset is the same if all
    its images in the tables are there with the same references; a method, if its outputs are.
    Without references, a dataset is the same if the tables have none either, and some image.

    Parameters
    ----------
    plan
        What is to be scored.
    store
        The tables.
    replace
        Let what is another dataset or method replace the one in the tables.

    Returns
    -------
    list of Replaced
        What other methods have of a dataset that is replaced; it must be taken out.

    Raises
    ------
    IqbenchError
        If a dataset or method is another one, and is not to replace it. Nothing is written then.
    """
    now = origins_of(plan, store.place)
    replaced: list[Replaced] = []
    for item in plan.datasets:
        name = item.dataset.name
        known = store.origins(name)
        others, refusal = _other_dataset(item, known, now, store)
        if refusal is not None:
            if not replace:
                raise refusal
            replaced += [
                Replaced(name, method, list(table.images))
                for method, table in others.items()
                if method not in item.assignments
            ]
            continue
        for method in item.assignments:
            then = known.get(method, Origin())
            if not replace and _elsewhere(then, now[name, method], "outputs"):
                difference = _other_outputs(item, method, store.current(name, method))
                if difference:
                    pair = then.outputs, now[name, method].outputs
                    raise _other_method((name, method), store.root, pair, difference)
    if not replace:
        _check_absent(plan, store)
    return replaced


def _other_dataset(
    item: DatasetPlan, known: Mapping[str, Origin], now: Mapping[Key, Origin], store: Store
) -> tuple[Mapping[str, Current], IqbenchError | None]:
    """Find the methods in the tables that were scored on another dataset of this name.

    Returns
    -------
    tuple
        What the tables have of each of them, and why the run may not replace them unasked; None
        where the dataset is the same.
    """
    dataset = item.dataset
    here = now[dataset.name, next(iter(item.assignments))]
    alone = {method: then for method, then in known.items() if then and not then.references}
    current = {method: store.current(dataset.name, method) for method in alone}
    scored = {
        image
        for table in current.values()
        for image, state in table.images.items()
        if state.output_digest is not None
    }
    mine = {image for one in item.assignments.values() for image in one.images}
    if scored and not scored & mine:
        place = next(iter(alone.values())).outputs
        return current, _other_images(dataset, store.root, place, scored, mine)
    moved = {method: then for method, then in known.items() if _elsewhere(then, here, "references")}
    if not dataset.has_references:
        # Tables of earlier versions say nothing of places.
        moved |= {method: then for method, then in known.items() if not then}
    current = {method: store.current(dataset.name, method) for method in moved}
    if not dataset.has_references:
        current = {name: table for name, table in current.items() if _has_references(table)}
        if not current:
            return {}, None
        return current, _referenced(dataset, store.root, moved[next(iter(current))].references)
    difference = _other_references(item, current.values())
    if not difference:
        return {}, None
    place = next(iter(moved.values())).references
    return current, _differing(dataset, store.root, place, difference)


def _has_references(table: Current) -> bool:
    return any(state.reference_digest is not None for state in table.images.values())


def _check_absent(plan: RunPlan, store: Store) -> None:
    """Refuse that a method without outputs for a dataset withdraws another one's scores."""
    for absence in plan.absences:
        then = store.origins(absence.dataset).get(absence.method, Origin())
        folder = plan.folders[absence.method].resolve()
        results = _text(store.place)
        here = Origin("", _text(str(folder)), results)
        if _elsewhere(then, here, "outputs"):
            known = store.current(absence.dataset, absence.method).images.values()
            lost = sum(state.output_digest is not None for state in known)
            if lost:
                difference = f"{lost} of {lost} files are not there"
                key, pair = (absence.dataset, absence.method), (then.outputs, here.outputs)
                raise _other_method(key, store.root, pair, difference)


def _text(path: str) -> str:
    """Spell a path for the tables, which hold Unicode."""
    return path.encode("utf-8", "backslashreplace").decode()


def _elsewhere(then: Origin, now: Origin, which: str) -> bool:
    """Tell whether files lie elsewhere than before, also seen from the results folder.

    A project that is moved or checked out again as a whole has everything where it was.
    """
    before, here = getattr(then, which), getattr(now, which)
    if not before or before == here:
        return False
    with suppress(ValueError):  # on Windows, of two drives
        return os.path.relpath(before, then.results) != os.path.relpath(here, now.results)
    return True


def _other_references(item: DatasetPlan, tables: Iterable[Current]) -> str:
    """Say how the references differ from those in the tables; nothing if they are the same."""
    sources = _references(item.dataset)
    known: dict[str, set[str]] = {}
    for table in tables:
        for image, state in table.images.items():
            digests = known.setdefault(image, set())
            if state.reference_digest is not None:
                digests.add(state.reference_digest)
    return _difference(known, sources)


def _other_outputs(item: DatasetPlan, method: str, table: Current) -> str:
    """Say how the outputs differ from those in the tables; nothing if they are the same."""
    outputs = item.assignments[method].outputs
    if any(isinstance(output.source, ComputedSource) for output in outputs.values()):
        return "a function computes its outputs"
    known = {
        image: {state.output_digest}
        for image, state in table.images.items()
        if state.output_digest is not None
    }
    return _difference(known, {image: output.source for image, output in outputs.items()})


def _references(dataset: Dataset) -> dict[str, Source]:
    """Return the reference of every image by the id that the tables have."""
    return {
        image: sample.reference
        for sample in dataset.samples
        if sample.reference
        for image in ([one.image for one in sample.outputs] or [sample.image])
    }


def _difference(known: Mapping[str, set[str]], sources: Mapping[str, Source]) -> str:
    """Compare digests in the tables with files; those that cannot be read are left out."""
    lost = [image for image in known if image not in sources]
    if lost:
        return f"{len(lost)} of {len(known)} images are not there: {some(lost)}"
    digests: dict[Source, str] = {}
    changed = []
    for image, expected in known.items():
        source = sources[image]
        with suppress(IqbenchError):
            if expected and source not in digests:
                digests[source] = source.read().digest
            if expected and digests[source] not in expected:
                changed.append(image)
    if changed:
        return f"{len(changed)} of {len(known)} files differ: {some(changed)}"
    return ""


_RENAME = (
    "Give it another name (--dataset-name NAME, or that of its block in the datasets file), choose "
    "other --results, or let it replace the other one with --replace"
)


def _differing(dataset: Dataset, results: Path, then: str, difference: str) -> IqbenchError:
    return IqbenchError(
        f"{results} has scores of another dataset {dataset.name!r}, from {then}. This one is "
        f"{dataset.place} ({difference})",
        hint=_RENAME,
    )


def _referenced(dataset: Dataset, results: Path, then: str) -> IqbenchError:
    return IqbenchError(
        f"{results} has scores of another dataset {dataset.name!r} with references"
        f"{f', from {then}' if then else ''}. This one has no references",
        hint=f"Give the references (--reference DIR), if it is the same. {_RENAME}",
    )


def _other_images(
    dataset: Dataset, results: Path, then: str, known: Collection[str], mine: Collection[str]
) -> IqbenchError:
    return IqbenchError(
        f"{results} has scores of other images under the dataset name {dataset.name!r}, from "
        f"{then}: none of them ({some(sorted(known))}) is among those of this run "
        f"({some(sorted(mine))})",
        hint=_RENAME,
    )


def _other_method(
    key: Key, results: Path, places: tuple[str, str], difference: str
) -> IqbenchError:
    dataset, method = key
    then, now = places
    return IqbenchError(
        f"{results} has scores of another method {method!r} on {dataset!r}, from {then}. "
        f"This one is {now} ({difference})",
        hint="Give it another name with --method NAME=DIR, choose other --results, or let it "
        "replace the other one with --replace",
    )
