"""Plan a run before anything is computed: its images, its metrics, and missing files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import get_args

from iqbench.datasets.dataset import Dataset
from iqbench.datasets.files import some
from iqbench.datasets.layout import folder_below
from iqbench.datasets.matching.bitstreams import Bitstream, find_bitstreams
from iqbench.datasets.matching.by_name import Matches, match_outputs
from iqbench.datasets.matching.hints import offered_options
from iqbench.datasets.matching.methods import Method
from iqbench.datasets.reference_set import ReferenceSet, list_reference_set, reference_set
from iqbench.datasets.sample import OutputImage, Sample
from iqbench.datasets.shard import WHOLE, Shard
from iqbench.datasets.storage.paths import Place, source_of
from iqbench.datasets.storage.stored_file import StoredFile
from iqbench.engine.compute import Precision
from iqbench.engine.grouping import refuse_without_references, views_of
from iqbench.engine.kept_features import KeptFeatures, check_moments
from iqbench.engine.reading import Job
from iqbench.engine.requests import requests_under
from iqbench.engine.signatures import Signatures
from iqbench.errors import IqbenchError, unknown_name
from iqbench.images.source import FileSource, Source
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import DEFAULT_METRICS, Request
from iqbench.protocols.presets import Protocol, resolve_protocol
from iqbench.protocols.view import View
from iqbench.results.schema import ColumnInfo

__all__ = [
    "Absence",
    "Assignment",
    "DatasetPlan",
    "KeptFeatures",
    "RunPlan",
    "columns_of",
    "plan_run",
]


KEPT_IMAGES = 100_000
"""Largest set whose features are kept by default; of larger sets, moments are kept."""


@dataclass(frozen=True)
class Absence:
    """A method that has nothing for a whole dataset, and the line that says so."""

    dataset: str
    method: str
    why: str


@dataclass(frozen=True)
class Assignment:
    """What one method is to be scored on, for one dataset.

    Attributes
    ----------
    images
        Ids of all images that the method should have.
    outputs
        Those that it has, by id.
    problems
        Why it lacks the others, by id.
    folder
        Where its outputs lie; None where the dataset brings them.
    """

    images: Sequence[str]
    outputs: Mapping[str, OutputImage]
    problems: Mapping[str, str] = field(default_factory=dict)
    folder: Place | None = None

    @property
    def files(self) -> set[Source]:
        """The files of the outputs."""
        sources = (output.source for output in self.outputs.values())
        return {source for source in sources if isinstance(source, FileSource | StoredFile)}


class FoundOutputs(Mapping[str, OutputImage]):
    """The outputs of a method by image; each is made when it is asked for.

    Parameters
    ----------
    method
        Its name.
    files
        By image.
    """

    def __init__(self, method: str, files: Mapping[str, Place]) -> None:
        self._method = method
        self._files = files

    def __getitem__(self, image: str) -> OutputImage:
        return OutputImage(self._method, image, source_of(self._files[image]))

    def __contains__(self, image: object) -> bool:
        return image in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@dataclass(frozen=True)
class DatasetPlan:
    """The planned work for one dataset.

    Attributes
    ----------
    dataset
        References.
    protocol
        By which it is scored.
    requests
        The columns.
    assignments
        By method, of those that attempted the dataset.
    bitstreams
        Method to its bitstreams by image, where some metric reads them.
    reference_set
        What sets of outputs are compared with, where some metric compares sets; None for their
        references.
    shard
        Which items are scored. The others are known all the same: what is missing or was removed
        is told from all of them.
    features
        What is kept of sets: the features of every image, or moments.
    """

    dataset: Dataset
    protocol: Protocol
    requests: tuple[Request, ...]
    assignments: Mapping[str, Assignment]
    bitstreams: Mapping[str, Mapping[str, Bitstream]]
    reference_set: ReferenceSet | None = None
    shard: Shard = WHOLE
    features: KeptFeatures = "keep"

    @property
    def views(self) -> tuple[View, ...]:
        """What the columns see of pixels."""
        return views_of(self.requests, self.protocol)

    @property
    def compares_sets(self) -> bool:
        """Whether some metric compares sets."""
        return any(request.metric.scope == "set" for request in self.requests)

    def jobs(self) -> Iterator[Job]:
        """Give one a reference of the shard that there is some output for."""
        for sample in self._samples():
            if outputs := self._outputs_of(sample):
                yield Job(sample.reference, outputs)

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many outputs of the shard there are, by method."""
        if self.shard.whole:
            return {method: len(one.outputs) for method, one in self.assignments.items()}
        has = self.has_image
        return {method: sum(map(has, one.outputs)) for method, one in self.assignments.items()}

    def _samples(self) -> Iterator[Sample]:
        name = self.dataset.name
        return (one for one in self.dataset.samples if self.shard.has(name, one.image))

    def _outputs_of(self, sample: Sample) -> tuple[OutputImage, ...]:
        if sample.outputs:
            return sample.outputs
        found = (assignment.outputs.get(sample.image) for assignment in self.assignments.values())
        return tuple(output for output in found if output is not None)

    @property
    def has_image(self) -> Callable[[str], bool]:
        """What tells whether an output of some id is in the shard.

        An output that the dataset brings is where its reference is. An id that the dataset does
        not have is in one shard, too.
        """
        if self.shard.whole:
            return lambda image: True
        items = {
            output.image: sample.image
            for sample in self.dataset.samples
            for output in sample.outputs
        }
        name, shard = self.dataset.name, self.shard
        return lambda image: shard.has(name, items.get(image, image))

    def signatures(self, digests: Mapping[str | Metric, str], precision: Precision) -> Signatures:
        """Return the signature of every column that has one value per image."""
        signatures = Signatures.of_requests(self.requests, self.protocol, digests, precision)
        of_sets = [item.column.name for item in self.requests if item.metric.scope == "set"]
        without = of_sets if self.reference_set else []
        return replace(signatures, alone=signatures.alone | frozenset(without))


@dataclass(frozen=True)
class RunPlan:
    """What a run is to do.

    Attributes
    ----------
    datasets
        One plan a dataset that some method attempted.
    warnings
        What the user should know: extra files, datasets that were not attempted.
    absences
        Those datasets, by method: what the tables may have of them is no longer there.
    folders
        Method to its folder.
    shard
        Which items are scored.
    """

    datasets: tuple[DatasetPlan, ...]
    warnings: list[str] = field(default_factory=list)
    absences: tuple[Absence, ...] = ()
    folders: Mapping[str, Place] = field(default_factory=dict)
    shard: Shard = WHOLE

    @property
    def columns(self) -> dict[str, ColumnInfo]:
        """How tables show the columns of the run."""
        return columns_of(self.requests)

    @property
    def tasks(self) -> dict[str, str]:
        """Dataset to what its methods restore; empty where its block says nothing."""
        return {plan.dataset.name: plan.dataset.spec.task for plan in self.datasets}

    @property
    def requests(self) -> tuple[Request, ...]:
        """The columns of all datasets."""
        return tuple(request for plan in self.datasets for request in plan.requests)


def _needs_no_reference(request: Request, reference_set: ReferenceSet | None) -> bool:
    """Say whether a column has values without a reference of the output."""
    metric = request.metric
    if metric.scope == "set":
        return reference_set is not None
    return metric.needs != "reference and output"


def _column_info(request: Request) -> ColumnInfo:
    """Note what readers must know of a column, so that they need not import its metric."""
    column = request.column
    return ColumnInfo(
        column.direction,
        column.decimals,
        column.headline,
        column.summary,
        role=request.role,
        margin=column.margin,
        tolerance=column.tolerance,
        definition=request.definition,
        citation=request.metric.citation,
    )


def plan_run(
    datasets: Sequence[Dataset],
    methods: Sequence[Method],
    *,
    metrics: Sequence[str] = (),
    protocol: str | None = None,
    output_name: str | None = None,
    match: Collection[str] = (),
    peak: int | None = None,
    gray_output: str = "error",
    reference_set_folder: str | PathLike[str] | None = None,
    shard: Shard = WHOLE,
    features: KeptFeatures | None = None,
) -> RunPlan:
    """Match methods with datasets and resolve what is to be computed; no image is opened.

    Parameters
    ----------
    datasets, methods
        Every method is looked for in every dataset but those that bring their own outputs.
    metrics
        Specs or column names; by default the dataset's own, the protocol's, or the default ones.
    protocol
        Spec of a protocol; by default the dataset's own.
    output_name
        Template of the outputs' names; by default the dataset's own. A method's own comes first.
    match
        How names are compared that are not spelt alike: a way of
        `iqbench.datasets.matching.comparison`.
    peak
        The sample value of white; by default the protocol's, or what the files say.
    gray_output
        What gray outputs of colour references hold; see `Protocol.with_gray_output`.
    reference_set_folder
        What metrics of sets compare the outputs with; by default the dataset's own reference set,
        or the references of the outputs.
    shard
        Which items are scored.
    features
        What is kept of sets; by default moments where a set has more than `KEPT_IMAGES`.

    Returns
    -------
    RunPlan
        With at least one dataset.

    Raises
    ------
    IqbenchError
        On unknown metrics or protocols, if no method attempted any dataset, or if there are
        methods and no dataset takes any, or datasets that need methods and none.
    """
    plans: list[DatasetPlan] = []
    notes = _Notes()
    if features not in (None, *get_args(KeptFeatures)):
        raise unknown_name("way to keep features", str(features), get_args(KeptFeatures))
    naming = _Naming(output_name, match)
    given = None if reference_set_folder is None else reference_set(reference_set_folder)
    _check_methods(datasets, methods, naming)
    for dataset, assignments in _assign_all(datasets, methods, naming, notes):
        if assignments:
            spec = dataset.spec.protocol if protocol is None else protocol
            with _blamed_on(dataset, protocol is None):
                chosen = resolve_protocol(spec).with_peak(peak)
            chosen = chosen.with_gray_output(gray_output)
            specs = metrics or dataset.spec.metrics or chosen.metrics or DEFAULT_METRICS
            with _blamed_on(dataset, not metrics and dataset.spec.metrics):
                requests = requests_under(chosen, specs)
            compared = _reference_set(dataset, requests, given)
            _check_needs(dataset, requests, compared, gray_output)
            bitstreams: dict[str, dict[str, Bitstream]] = {}
            if any(request.metric.needs == "bitstream" for request in requests):
                bitstreams = {
                    name: find_bitstreams(assignment.folder)
                    for name, assignment in assignments.items()
                    if assignment.folder
                }
            one = DatasetPlan(dataset, chosen, requests, assignments, bitstreams, compared, shard)
            plans.append(replace(one, features=_kept_features(one, features, notes)))
    if given is not None and plans and not any(item.reference_set for item in plans):
        raise IqbenchError(
            f"a reference set {given.folder} is given, but no metric that compares sets",
            hint="Give one too, e.g. --metric fid, or leave the reference set out",
        )
    if features is not None and plans and not any(item.compares_sets for item in plans):
        raise IqbenchError(
            f"features is given ({features}), but no metric that compares sets",
            hint="Give one too, e.g. --metric fid, or leave --features out",
        )
    for folder, files in {
        item.reference_set.folder: item.reference_set.ignored
        for item in plans
        if item.reference_set and item.reference_set.ignored
    }.items():
        notes.warnings.append(
            f"reference set {folder} holds files that are not images; left out: {some(files)}"
        )
    skipped = [absence.why for absence in notes.absences]
    if not plans:
        raise IqbenchError(
            "; ".join(skipped) or "there is no dataset to score",
            hint="Outputs lie in METHOD/DATASET/ or, with one dataset, in METHOD/",
        )
    folders = {method.name: method.folder for method in methods}
    return RunPlan(tuple(plans), notes.warnings + skipped, tuple(notes.absences), folders, shard)


def _kept_features(plan: DatasetPlan, asked: KeptFeatures | None, notes: _Notes) -> KeptFeatures:
    """Decide what is kept of the sets of a dataset.

    Raises
    ------
    IqbenchError
        If moments are kept, and a metric needs the features of every image.
    """
    sizes = [len(one.outputs) for one in plan.assignments.values()]
    if plan.reference_set is not None:
        sizes.append(len(plan.reference_set.images))
    most = max(sizes, default=0)
    if asked == "keep" or (asked is None and most <= KEPT_IMAGES) or not plan.compares_sets:
        return "keep"
    why = (
        "--features moments keeps none"
        if asked
        else f"sets of more than {KEPT_IMAGES:,} images keep only moments, and dataset "
        f"{plan.dataset.name!r} has one of {most:,}"
    )
    check_moments(plan.requests, why, keep="--features keep")
    if asked is None:
        notes.warnings.append(
            f"dataset {plan.dataset.name!r} has a set of {most:,} images: moments of its sets are "
            "kept instead of features, so that values of sets have no intervals; "
            "--features keep keeps features (Inception's take 8 KB an image)"
        )
    return "moments"


def _reference_set(
    dataset: Dataset, requests: Sequence[Request], given: ReferenceSet | None
) -> ReferenceSet | None:
    """Find what a dataset's sets of outputs are compared with; None where no metric does that."""
    if all(request.metric.scope != "set" for request in requests):
        return None
    place = dataset.spec.reference_set
    if given is not None or place is None:
        return given
    with _blamed_on(dataset, place):
        found = folder_below(dataset.spec.root, place, "folder of the reference set")
        return list_reference_set(found)


def _check_needs(
    dataset: Dataset,
    requests: Sequence[Request],
    compared: ReferenceSet | None,
    gray_output: str,
) -> None:
    """Refuse what needs a reference, where a dataset has none."""
    if dataset.has_references:
        return
    needing = {
        request.column.name: request.metric.scope
        for request in requests
        if not _needs_no_reference(request, compared)
    }
    instead = (
        "--reference-set DIR, with images of any names and number"
        if set(needing.values()) == {"set"}
        else "a metric that needs none, e.g. --metric niqe"
    )
    refuse_without_references(
        list(needing),
        gray_output,
        why=f"dataset {dataset.name!r} has none",
        hint=f"Give --reference DIR, or {instead}",
    )


def _assign_all(
    datasets: Sequence[Dataset],
    methods: Sequence[Method],
    naming: _Naming,
    notes: _Notes,
) -> list[tuple[Dataset, dict[str, Assignment]]]:
    """Find what each method has for each dataset.

    A method may have left out some datasets. One that has nothing for any of them lacks every
    output: it is listed, with nothing scored.
    """
    alone = sum(not dataset.brings_outputs for dataset in datasets) == 1
    found: list[tuple[Dataset, dict[str, Assignment]]] = []
    for dataset in datasets:
        if dataset.ignored:
            notes.warnings.append(
                f"dataset {dataset.name!r}: left out, because they are not images of it: "
                f"{some(dataset.ignored)}"
            )
        if dataset.brings_outputs:
            found.append((dataset, _own(dataset)))
        else:
            found.append((dataset, _assign(dataset, methods, alone, naming, notes)))
    attempted = {name for _, assignments in found for name in assignments}
    if attempted:
        for dataset, assignments in found:
            images = dataset.images
            for absence in notes.absences:
                if absence.dataset == dataset.name and absence.method not in attempted:
                    problems = dict.fromkeys(images, f"missing output: {absence.why}")
                    assignments[absence.method] = Assignment(images, {}, problems)
        notes.absences = [item for item in notes.absences if item.method in attempted]
    return found


@contextmanager
def _blamed_on(dataset: Dataset, chosen_there: object) -> Iterator[None]:
    """Say of what is misspelt in a dataset's block that it stands there."""
    try:
        yield
    except IqbenchError as error:
        if not chosen_there:
            raise
        raise IqbenchError(f"dataset {dataset.name!r}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True)
class _Naming:
    """How outputs are named: by which template, and how loosely names are compared."""

    output_name: str | None
    match: Collection[str]


@dataclass
class _Notes:
    """What the user should know."""

    warnings: list[str] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)


def _check_methods(datasets: Sequence[Dataset], methods: Sequence[Method], naming: _Naming) -> None:
    """Refuse what nothing is asked of, and datasets that nothing is there for."""
    needing = [dataset.name for dataset in datasets if not dataset.brings_outputs]
    if needing and not methods:
        raise IqbenchError(
            f"no method to score on {some(needing)}",
            hint="Give --method [NAME=]DIR or --methods-in DIR",
        )
    if datasets and not needing and (methods or naming.output_name or naming.match):
        names = some([dataset.name for dataset in datasets])
        raise IqbenchError(
            f"{names} brings its own distorted images and takes no method",
            hint="Leave --method, --methods-in, --output-name and --match out",
        )


def _own(dataset: Dataset) -> dict[str, Assignment]:
    """Take the outputs that a dataset brings, by method."""
    outputs: dict[str, dict[str, OutputImage]] = {}
    for sample in dataset.samples:
        for output in sample.outputs:
            outputs.setdefault(output.method, {})[output.image] = output
    return {method: Assignment(list(own), own) for method, own in outputs.items()}


def _assign(
    dataset: Dataset,
    methods: Sequence[Method],
    alone: bool,
    naming: _Naming,
    notes: _Notes,
) -> dict[str, Assignment]:
    """Look for every method's outputs."""
    assignments: dict[str, Assignment] = {}
    images = dataset.images
    for method, found in _matched(dataset, methods, alone, naming):
        if not found.attempted:
            notes.absences.append(Absence(dataset.name, method.name, found.message))
            continue
        outputs = FoundOutputs(method.name, found.outputs)
        assignments[method.name] = Assignment(images, outputs, found.problems, found.folder)
        if found.extra:
            notes.warnings.append(
                f"method {method.name!r}: {found.folder} holds files that are not outputs for "
                f"images of {dataset.name!r}; left out: {some(found.extra)}"
            )
        if found.hint:
            notes.warnings.append(
                f"method {method.name!r} lacks outputs for {len(found.problems)} of "
                f"{len(images)} images of {dataset.name!r}. {found.hint}"
            )
    return assignments


def _matched(
    dataset: Dataset, methods: Sequence[Method], alone: bool, naming: _Naming
) -> list[tuple[Method, Matches]]:
    """Match every method's outputs; a hint gives all methods one template only where that fits.

    A template for all would take from a method the outputs that it has, and another method may
    need another one.
    """
    match = partial(
        match_outputs,
        dataset=dataset,
        alone=alone,
        output_name=naming.output_name,
        ways=naming.match,
    )
    found = [(method, match(method)) for method in methods]
    offered = {offered_options(one.hint or one.message) for _, one in found}
    fits_all = len(offered) == 1 and not any(one.outputs for _, one in found)
    if len(methods) == 1 or fits_all:
        return found
    return [
        (method, match(method, hint_of_method=True) if one.hint or not one.attempted else one)
        for method, one in found
    ]


def columns_of(requests: Iterable[Request]) -> dict[str, ColumnInfo]:
    """Return how tables show some columns."""
    return {request.column.name: _column_info(request) for request in requests}
