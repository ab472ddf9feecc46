"""The Python functions that score images; the command line calls them, too."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from iqbench.errors import IqbenchError, IqbenchWarning, warn_each_time
from iqbench.user_files import expand_user

if TYPE_CHECKING:
    import pandas as pd

    from iqbench.computed import Computed
    from iqbench.datasets.dataset import Dataset
    from iqbench.datasets.matching.methods import Method
    from iqbench.engine.compute import Precision
    from iqbench.engine.ledger import Summary
    from iqbench.engine.plan import DatasetPlan, KeptFeatures, RunPlan
    from iqbench.engine.reporter import Reporter
    from iqbench.images.memory import Image
    from iqbench.images.source import Alpha, Source
    from iqbench.protocols.view import GrayOutput

__all__ = ["Evaluation", "evaluate", "measure", "run_evaluation"]


StrPath: TypeAlias = str | os.PathLike[str]
"""A path, as text or as a ``pathlib.Path``."""


@dataclass(frozen=True)
class Evaluation:
    """The arguments of `evaluate`, where its documentation is, in the form that a run takes."""

    methods: Sequence[str] = ()
    methods_in: StrPath | None = None
    datasets: Sequence[str] = ()
    reference: StrPath | None = None
    dataset_name: str | None = None
    reference_set: StrPath | None = None
    features: KeptFeatures | None = None
    pairs: Path | None = None
    reference_name: str | None = None
    output_name: str | None = None
    match: str | Sequence[str] = ()
    datasets_file: Path | None = None
    protocol: str | None = None
    metrics: Sequence[str] = ()
    results: StrPath = "results"
    weights: Path | None = None
    device: str = "auto"
    precision: Precision = "exact"
    memory: int | None = None
    workers: int | None = None
    alpha: Alpha = "error"
    peak: int | None = None
    gray_output: GrayOutput = "error"
    recompute: bool = False
    replace: bool = False
    shard: str | None = None
    executor: str = "inline"


def run_evaluation(
    evaluation: Evaluation,
    reporter: Reporter | None = None,
    *,
    own_process: bool = False,
    trust_digests: bool = True,
) -> Summary:
    """Score methods' outputs and leave the values in the tables.

    Parameters
    ----------
    evaluation
        What, and how.
    reporter
        Is told how far it is.
    own_process
        Whether this process does nothing else: then malloc is set up for the run.
    trust_digests
        Whether digests of files at addresses that earlier runs read count.

    Returns
    -------
    Summary
        How many outputs were scored, which failed, what else the user should know.

    Raises
    ------
    IqbenchError
        If the input is wrong; nothing was computed then.
    """
    return _run(
        evaluation,
        _plan(evaluation),
        reporter,
        own_process=own_process,
        trust_digests=trust_digests,
    )


def evaluate(
    *,
    methods: StrPath | Sequence[StrPath] | Mapping[str, StrPath | Computed] = (),
    methods_in: StrPath | None = None,
    datasets: str | Sequence[str] = (),
    dataset: str | None = None,
    degradation: str | None = None,
    seed: int = 0,
    inputs: StrPath | None = None,
    input_name: str | None = None,
    reference: StrPath | None = None,
    dataset_name: str | None = None,
    reference_set: StrPath | None = None,
    features: KeptFeatures | None = None,
    pairs: StrPath | None = None,
    reference_name: str | None = None,
    output_name: str | None = None,
    match: str | Sequence[str] = (),
    datasets_file: StrPath | None = None,
    protocol: str | None = None,
    metrics: str | Sequence[str] = (),
    results: StrPath = "results",
    weights: StrPath | None = None,
    device: str = "auto",
    precision: Precision = "exact",
    memory: int | None = None,
    workers: int | None = None,
    alpha: Alpha = "error",
    peak: int | None = None,
    gray_output: GrayOutput = "error",
    recompute: bool = False,
    replace: bool = False,
    shard: str | None = None,
    executor: str = "inline",
) -> pd.DataFrame:
    """Score methods' outputs, write the scores into tables, and return them.

    This is ``iqbench evaluate``. Outputs are paired with references by name, or, for metrics that
    need no reference, with each other. Files that the tables have current scores of are not scored
    again.

    Parameters
    ----------
    methods
        Folders of outputs, one or several: ``DIR``, a method named as its folder, or ``NAME=DIR``.
        A template of the outputs' names may follow a folder: ``NAME=DIR/{id}_x4.png``. None for
        datasets that bring their own distorted images. Or a mapping of names to folders, or to what
        computes outputs, of which no file is written: a function that takes an input image,
        (H, W, C), and returns the output, an array or a tensor; or outputs, as a mapping by image
        or an iterable in the dataset's order. A function is called in the thread of the caller,
        once an image; the seconds it takes are the column ``runtime``. Where it raises an
        exception, the values of that image are errors that say so.
    methods_in
        A folder whose sub-folders are methods.
    datasets
        Names of datasets of the datasets file (``iqbench datasets list``).
    dataset
        A single one.
    degradation
        How the inputs of functions are made from the references, as in ``iqbench degrade``, e.g.
        ``noise:sigma=25``; by default ``bicubic`` with the dataset's scale. It is part of the
        signature of ``runtime``. Where it is not the dataset's own, scores are kept under the
        dataset's name followed by it.
    seed
        Of the degradation's noise.
    inputs
        In place of a degradation, a folder with the files that functions are given: the
        low-resolution or noisy images of the field. They are matched with the references by
        name, as outputs are (`match`); of several datasets, each has a sub-folder of its name.
        An input that is missing or cannot be read is the error of its image. Functions get
        uint8, or uint16 of files of 16 bits. Scores are kept under the dataset's name followed
        by the folder; the signature of ``runtime`` has a digest of the files.
    input_name
        Template of the names in `inputs`, e.g. ``{id}x4``; by default the template of outputs'
        names that is the dataset's own.
    reference
        A folder of reference images, in place of `datasets`.
    dataset_name
        The name that the scores are kept under: by default that of the folder `reference` or of
        the file `pairs`, and ``outputs`` where there are no references.
    reference_set
        A folder of images, of any names, number and sizes, with which metrics of sets such as FID
        compare all outputs of a method; by default the dataset's own, or the references that have
        an output.
    features
        What is kept of the images of sets: ``keep``, the features of every image (8 KB of
        Inception's), or ``moments``, number, mean and covariance of the features of each set.
        Moments are enough for FID, without an interval, and not for KID; where an image of the set
        changed, all of them are read again. By default moments are kept of the sets of a dataset
        where one has more than 100,000 images.
    pairs
        A CSV file of paths, in place of `methods` and `reference`: its columns are ``reference``
        and ``output``, and may be ``method``, ``image``, ``mos`` and others.
    reference_name
        Template of the names in `reference`, e.g. ``{id}_GT`` or ``{scene}/sharp/{frame}``: where
        the image's id is in them.
    output_name
        Template of the outputs' names, e.g. ``{id}_x4``, of methods that have none of their own; by
        default the dataset's own.
    match
        How names that are not spelt alike are compared: ``case``, ``numbers``, ``flat``, or
        several of them.
    datasets_file
        A file of datasets, in place of ``./datasets.yaml`` or the one that comes with iqbench.
    protocol
        How pixels are seen, e.g. ``rgb`` or ``sr-y:scale=4``; by default the dataset's own.
    metrics
        Metrics or columns, one or several, e.g. ``psnr`` or ``lpips:net=vgg``; by default the
        dataset's own, the protocol's, or the default ones. None of these is taken where there are
        no references: then metrics must be given.
    results
        The folder of the tables, or its address, e.g. ``s3://bucket/results``.
    weights
        A folder where pretrained weights are looked for first.
    device
        ``auto`` (the first GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    precision
        Of the networks: ``exact`` (float32), ``tf32`` (on a GPU only) or ``bf16``.
    memory
        Bytes that decoded images and bands may take; by default derived from the device.
    workers
        Threads that read and decode ahead, at least 1; by default one per core, at most 8, beside a
        GPU at most 32. They are divided among the processes of `executor`, as `memory` is.
    alpha
        What to do with images that have transparency: ``error`` refuses them, ``composite`` puts
        them over white.
    peak
        The sample value of white, from 1 to 65535, e.g. 4095 of 12 bits in a file of 16; by
        default the protocol's, or what the files say.
    gray_output
        What a gray output of a colour reference holds under a protocol that compares luma:
        ``luma``, the protocol's own; ``expand``, gray of three equal channels; ``error``, it is
        refused.
    recompute
        Read and score everything again, also what the tables have.
    replace
        Let a dataset or method replace another one of its name, whose files lay elsewhere and
        were others; otherwise that is refused.
    shard
        Score one part of the images only, ``i/n`` with i from 1, e.g. ``2/8``: each reference with
        all its outputs is in one of the n parts. Several jobs that take one part each, into one
        results folder or into several that ``iqbench results merge`` joins, leave what one run
        would. Values of sets are computed when results are merged, or by a run without `shard`.
    executor
        Who scores: ``inline``, this process; ``processes``, one process per GPU, or several that
        share the processor; ``processes:4``, four of them; ``ray`` or ``ray:ADDRESS``, the workers
        of a Ray cluster, each with what ``ray:cpus=2,gpus=0.5`` asks for. The tables are the same.
        Methods that are functions are computed in this process, so they need ``inline``.

    Returns
    -------
    DataFrame
        One row per value: dataset, method, image, metric, value, error, signature, protocol; of the
        datasets and methods of this call, as they are in the tables now. Values of whole sets,
        such as FID, are read by ``load_scores(results, scope="set")``; where nothing but such
        metrics was asked for, they are returned. Units and ranges are the metrics' own.

    Raises
    ------
    IqbenchError
        If the input is wrong; nothing was scored then. Outputs that could not be scored raise
        nothing: their rows have an error in place of a value.

    Warns
    -----
    IqbenchWarning
        Of outputs that could not be scored, and of all else that the command line warns of.

    Examples
    --------
    >>> scores = iqbench.evaluate(methods="outputs/mine", reference="hr")  # doctest: +SKIP
    >>> scores = iqbench.evaluate(methods="outputs/mine", metrics="niqe")  # doctest: +SKIP
    >>> scores = iqbench.evaluate(methods={"mine": upscale}, dataset="Set5-x4")  # doctest: +SKIP
    """
    from iqbench.engine.executors.spec import INLINE
    from iqbench.notebook import notebook_progress
    from iqbench.results.read import Scope, load_scores, no_scores

    folders, functions = _split(methods)
    _check_inputs(degradation, inputs, input_name, functions)
    evaluation = Evaluation(
        methods=folders,
        methods_in=methods_in,
        datasets=[*_texts(datasets), *([] if dataset is None else [dataset])],
        reference=reference,
        dataset_name=dataset_name,
        reference_set=reference_set,
        features=features,
        pairs=_path(pairs),
        reference_name=reference_name,
        output_name=output_name,
        match=match,
        datasets_file=_path(datasets_file),
        protocol=protocol,
        metrics=_texts(metrics),
        results=results,
        weights=_path(weights),
        device=device,
        precision=precision,
        memory=memory,
        workers=workers,
        alpha=alpha,
        peak=peak,
        gray_output=gray_output,
        recompute=recompute,
        replace=replace,
        shard=shard,
        executor=executor,
    )
    if functions and executor != INLINE:
        raise IqbenchError(
            f"{', '.join(functions)}: methods that are functions are computed in this process, and "
            f"executor {executor!r} scores in others",
            hint="Leave executor out, or write the outputs into a folder first",
        )
    plans = []
    messages: list[str] = []
    with notebook_progress() as reporter:
        if folders or methods_in is not None or not functions:
            plans.append(_plan(evaluation))
            messages += _run(evaluation, plans[0], reporter).messages
        if functions:
            computed = _computed(
                evaluation,
                functions,
                degradation=degradation,
                seed=seed,
                folder=inputs,
                input_name=input_name,
                reporter=reporter,
            )
            plans.append(computed.plan)
            messages += computed.messages
    for message in messages:
        warn_each_time(message, stacklevel=2)
    items = [item for plan in plans for item in plan.datasets]
    names = dict.fromkeys(name for item in items for name in item.assignments)
    if items and not any(map(_has_images, items)):
        return no_scores()
    filters = {"dataset": [item.dataset.name for item in items], "method": list(names)}
    scopes = {request.metric.scope for item in items for request in item.requests}
    scope: Scope = "set" if scopes == {"set"} else "image"
    return load_scores(evaluation.results, filters=filters, scope=scope)


def measure(
    reference: Image | None = None,
    output: Image | None = None,
    *,
    metrics: str | Sequence[str] = (),
    protocol: str = "rgb",
    device: str = "auto",
    precision: Precision = "exact",
    memory: int | None = None,
    weights: StrPath | None = None,
    alpha: Alpha = "error",
    peak: int | None = None,
    gray_output: GrayOutput = "error",
) -> pd.DataFrame:
    """Score one output against its reference, or one output alone; nothing is kept.

    This is ``iqbench measure``.

    Parameters
    ----------
    reference, output
        Images of one size: paths of files; arrays (H, W, C) or (H, W); or tensors (C, H, W). Arrays
        and tensors are uint8, uint16, or floating point in [0, 1], which is rounded to 8 bits. A
        single image is an output without a reference.
    metrics
        Metrics or columns, one or several, e.g. ``psnr`` or ``lpips:net=vgg``; by default the
        protocol's or the default ones. Where there is no reference, they must be given, and need
        none, as ``niqe``.
    protocol
        How pixels are seen, e.g. ``sr-y:scale=4``.
    device
        ``auto`` (the first GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    precision
        Of the networks: ``exact`` (float32), ``tf32`` (on a GPU only) or ``bf16``.
    memory
        Bytes that bands may take; by default derived from the device.
    weights
        A folder where pretrained weights are looked for first.
    alpha
        What to do with images that have transparency: ``error`` refuses them, ``composite`` puts
        them over white.
    peak
        The sample value of white, from 1 to 65535, e.g. 4095 of 12 bits in a file of 16; by
        default the protocol's, or what the files say.
    gray_output
        What a gray output of a colour reference holds under a protocol that compares luma:
        ``luma``, the protocol's own; ``expand``, gray of three equal channels; ``error``, it is
        refused. An output without a reference takes ``error`` only: nothing is compared with it.

    Returns
    -------
    DataFrame
        One row per column of a metric: metric, value, error, direction (``higher``, ``lower``,
        ``target:<value>`` or ``none``), decimals to print, signature, and peak: the sample value of
        white, as text (of reference and output, with a stroke between them, where these differ).
        Units and ranges are the metrics' own.

    Raises
    ------
    IqbenchError
        If an argument is wrong, a metric needs a reference and there is none, a file cannot be
        read, or the two do not fit each other. A metric that has no value of these files raises
        nothing: its row has an error in place of a value.

    Warns
    -----
    IqbenchWarning
        Of what the files say of their peaks and their EXIF orientation.

    Examples
    --------
    >>> iqbench.measure("reference.png", "output.png", metrics="psnr")  # doctest: +SKIP
    >>> iqbench.measure("output.png", metrics="niqe")  # doctest: +SKIP
    """
    import pandas as pd

    from iqbench.engine.grouping import Outcome, refuse_without_references
    from iqbench.engine.pairs import PairScorer
    from iqbench.images.decode import check_alpha

    check_alpha(alpha)
    first, second = (None, reference) if output is None else (reference, output)
    if second is None:
        raise IqbenchError(
            "no image is given", hint="Give a reference and an output, or an output alone"
        )
    source = _source("output", second, peak)
    if first is None and not _texts(metrics):
        raise IqbenchError(
            f"nothing says what to compare {source.name} with",
            hint="Give a reference and an output, or a metric that needs no reference: "
            "--metric niqe",
        )
    scorer = PairScorer.resolve(
        _texts(metrics),
        protocol,
        device=device,
        precision=precision,
        memory=memory,
        weights=_path(weights),
        peak=peak,
        gray_output=gray_output,
    )
    of_sets = [item.column.name for item in scorer.requests if item.metric.scope == "set"]
    if of_sets:
        verb = "compare" if len(of_sets) > 1 else "compares"
        raise IqbenchError(
            f"{', '.join(of_sets)} {verb} sets of images, not single ones",
            hint="Use iqbench evaluate",
        )
    if first is None:
        needing = [
            request.column.name
            for request in scorer.requests
            if request.metric.needs == "reference and output"
        ]
        refuse_without_references(
            needing,
            gray_output,
            why=f"{source.name} is given without one",
            hint="Give a reference and an output, or a metric that needs no reference, e.g. "
            "--metric niqe",
        )
        pair = scorer.read_alone(source, alpha)
    else:
        pair = scorer.read(_source("reference", first, peak), source, alpha)
    for remark in pair.remarks:
        warnings.warn(str(remark), IqbenchWarning, stacklevel=2)
    no_bitstream = Outcome(None, "measure reads pictures, not bitstreams: use iqbench evaluate")
    (found,) = scorer.score([pair])
    outcomes = defaultdict(lambda: no_bitstream, found)
    signatures = scorer.signatures.of(pair.peaks)
    return pd.DataFrame(
        [
            {
                "metric": request.column.name,
                "value": outcomes[request.column.name].value,
                "error": outcomes[request.column.name].error,
                "direction": request.column.direction,
                "decimals": request.column.decimals,
                "signature": signatures[request.column.name],
                "peak": str(pair.peaks),
            }
            for request in scorer.requests
        ]
    )


def _source(kind: str, image: Image, peak: int | None) -> Source:
    """Take an image as it is given; refuse what is none."""
    from iqbench.images.memory import TensorSource, image_sources
    from iqbench.metrics._images import check_images

    (source,) = image_sources(kind, [image], 8, peak=peak)
    if isinstance(source, TensorSource):
        check_images(source.name, source.image)
    return source


def _split(
    methods: StrPath | Sequence[StrPath] | Mapping[str, StrPath | Computed],
) -> tuple[list[str], dict[str, Computed]]:
    """Part methods that are folders from those whose outputs are computed."""
    if not isinstance(methods, Mapping):
        return _texts(methods), {}
    folders = [
        f"{name}={os.fspath(method)}"
        for name, method in methods.items()
        if isinstance(method, (str, os.PathLike))
    ]
    functions = {
        name: method
        for name, method in methods.items()
        if not isinstance(method, (str, os.PathLike))
    }
    return folders, functions


def _check_inputs(
    degradation: str | None,
    inputs: StrPath | None,
    input_name: str | None,
    functions: Mapping[str, Computed],
) -> None:
    """Refuse what is said of inputs where it fits nothing."""
    given = {"degradation": degradation, "folder of inputs": inputs}
    named = [what for what, value in given.items() if value is not None]
    if named and not functions:
        raise IqbenchError(
            f"a {named[0]} is given, and no method that is a function",
            hint="Give one in methods={'name': function}, or make files with iqbench degrade",
        )
    if len(named) > 1:
        raise IqbenchError(
            "a degradation and a folder of inputs are given, but inputs are one or the other",
            hint="Leave one out; call evaluate for each to compare them",
        )
    if input_name is not None and inputs is None:
        raise IqbenchError(
            "a template of the inputs' names is given without a folder of inputs",
            hint="Give inputs='DIR'",
        )


def _computed(
    evaluation: Evaluation,
    functions: Mapping[str, Computed],
    *,
    degradation: str | None,
    seed: int,
    folder: StrPath | None,
    input_name: str | None,
    reporter: Reporter | None = None,
) -> _Computed:
    """Compute and score the outputs of functions, and write how long they took."""
    from iqbench.computed import computed_dataset
    from iqbench.datasets.matching.comparison import check_ways
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.manifest import manifest_of
    from iqbench.engine.runtimes import write_runtimes
    from iqbench.images.decode import check_alpha
    from iqbench.inputs import InputImages, degraded_references, input_files
    from iqbench.results.mirror import written_results
    from iqbench.results.store import Store

    if not evaluation.datasets and evaluation.reference is None:
        raise IqbenchError(
            f"nothing says on which images {', '.join(functions)} is to be run",
            hint="Give dataset='NAME' (`iqbench datasets list`) or reference='DIR'",
        )
    check_alpha(evaluation.alpha)
    ways = check_ways(evaluation.match)
    opened = _datasets(evaluation, (), ())

    def inputs_of(dataset: Dataset) -> InputImages | None:
        if folder is None:
            return degraded_references(dataset, degradation, seed, evaluation.alpha)
        alone = len(opened) == 1
        return input_files(
            dataset,
            folder,
            alone=alone,
            input_name=input_name,
            ways=ways,
            alpha=evaluation.alpha,
        )

    datasets = [computed_dataset(one, functions, inputs_of(one)) for one in opened]
    if len(datasets) > 1 and any(one.iterators for one in datasets):
        raise IqbenchError(
            "an iterable has the outputs of one dataset, and several are given",
            hint="Call evaluate for each dataset, or give functions",
        )
    evaluation = replace(evaluation, output_name=None, match=())
    plan = _plan(evaluation, [one.dataset for one in datasets])
    messages = _run(evaluation, plan, reporter, in_threads=False).messages
    compute = resolve_compute(evaluation.device, evaluation.precision, evaluation.memory)
    inputs = {one.dataset.name: one.identity for one in datasets}
    with written_results(evaluation.results) as local:
        write_runtimes(plan, Store(local), manifest_of(compute), inputs)
    return _Computed(plan, [*messages, *(text for one in datasets for text in one.messages())])


class _Computed(NamedTuple):
    """The plan for methods that are functions, and notes for the user."""

    plan: RunPlan
    messages: list[str]


def _plan(evaluation: Evaluation, computed: Sequence[Dataset] = ()) -> RunPlan:
    """Find out what is to be scored, by what; `computed` are datasets with their outputs."""
    from iqbench.datasets.matching.comparison import check_ways
    from iqbench.datasets.matching.methods import resolve_methods
    from iqbench.datasets.shard import Shard
    from iqbench.engine.executors.spec import ExecutorSpec
    from iqbench.engine.plan import plan_run
    from iqbench.images.decode import check_alpha
    from iqbench.images.probe import maximum_pixels

    maximum_pixels()  # a limit that is none is refused here, not at every image
    if evaluation.workers is not None and evaluation.workers < 1:
        raise IqbenchError(f"workers must be at least 1, not {evaluation.workers}")
    ExecutorSpec.parse(evaluation.executor)
    check_alpha(evaluation.alpha)
    shard = Shard.parse(evaluation.shard)
    methods: list[Method] = []
    if not computed and (evaluation.methods or evaluation.methods_in is not None):
        methods = resolve_methods(evaluation.methods, evaluation.methods_in)
    ways = check_ways(evaluation.match)
    return plan_run(
        computed or _datasets(evaluation, methods, ways),
        methods,
        metrics=evaluation.metrics,
        protocol=evaluation.protocol,
        output_name=evaluation.output_name,
        match=ways,
        peak=evaluation.peak,
        gray_output=evaluation.gray_output,
        reference_set_folder=evaluation.reference_set,
        shard=shard,
        features=evaluation.features,
    )


def _run(
    evaluation: Evaluation,
    plan: RunPlan,
    reporter: Reporter | None = None,
    *,
    own_process: bool = False,
    in_threads: bool = True,
    trust_digests: bool = True,
) -> Summary:
    """Load what the plan needs, and carry it out."""
    from iqbench.engine.executors.open import open_executor
    from iqbench.engine.executors.spec import INLINE, ExecutorSpec
    from iqbench.engine.file_places import places_of
    from iqbench.engine.manifest import manifest_of
    from iqbench.engine.run import RunSettings, run
    from iqbench.results.mirror import written_results
    from iqbench.results.store import Store

    settings = RunSettings(
        alpha=evaluation.alpha,
        recompute=evaluation.recompute,
        replace=evaluation.replace,
        trust_digests=trust_digests,
    )
    executor_spec = ExecutorSpec.parse(evaluation.executor)
    if executor_spec.kind != INLINE and (place := _in_memory(plan)):
        raise IqbenchError(
            f"{place} is in the memory of this process, and executor {evaluation.executor!r} "
            "scores in others",
            hint="Leave executor out, or write the images into a folder first",
        )
    with (
        open_executor(
            executor_spec,
            plan.requests,
            device=evaluation.device,
            precision=evaluation.precision,
            memory=evaluation.memory,
            readers=evaluation.workers if in_threads else 0,
            weights=evaluation.weights,
            own_process=own_process,
        ) as executor,
        written_results(evaluation.results) as folder,
    ):
        return run(
            plan,
            Store(folder),
            manifest=manifest_of(executor.compute, places_of(plan.datasets), executor.device),
            executor=executor,
            settings=settings,
            reporter=reporter,
        )


def _has_images(plan: DatasetPlan) -> bool:
    """Tell whether a dataset has images in the shard of the run: a small one may have none."""
    if plan.shard.whole:
        return True
    images = (image for one in plan.assignments.values() for image in one.images)
    return any(map(plan.has_image, images))


def _in_memory(plan: RunPlan) -> str:
    """Name a place of the plan that no other process has; empty where there is none."""
    places: list[object] = list(plan.folders.values())
    for item in plan.datasets:
        places.append(item.dataset.place)
        places.append(item.reference_set and item.reference_set.folder)
    found = (str(place) for place in places if place is not None)
    return next((name for name in found if name.startswith("memory:")), "")


def _texts(given: StrPath | Sequence[StrPath]) -> list[str]:
    """Take one or several, texts or paths."""
    several = [given] if isinstance(given, (str, os.PathLike)) else given
    return [os.fspath(item) for item in several]


def _path(given: StrPath | None) -> Path | None:
    """Take a path as text or as a path."""
    return None if given is None else expand_user(given)


def _datasets(
    evaluation: Evaluation, methods: Sequence[Method], ways: Collection[str]
) -> list[Dataset]:
    """Open what is to be scored."""
    from iqbench.datasets.dataset import pairs_file, reference_folder
    from iqbench.datasets.load import load_datasets, select
    from iqbench.datasets.matching.outputs import outputs_alone

    if evaluation.datasets_file is not None and not evaluation.datasets:
        raise IqbenchError(
            "a datasets file is given, but no dataset of it",
            hint="Give --dataset NAME, or leave --datasets-file out",
        )
    if evaluation.reference_name is not None and evaluation.reference is None:
        raise IqbenchError(
            "a template of the references' names is given without a folder of references",
            hint="Give --reference DIR; a dataset's block says it by `id:`",
        )
    if evaluation.pairs is not None:
        if evaluation.datasets or evaluation.reference is not None:
            raise IqbenchError(
                "a file of pairs names its references itself",
                hint="Give neither datasets by name nor a folder of references with it",
            )
        return [pairs_file(evaluation.pairs, evaluation.dataset_name)]
    if evaluation.reference is not None:
        if evaluation.datasets:
            raise IqbenchError("give either datasets by name or a folder of references, not both")
        return [
            reference_folder(
                evaluation.reference, evaluation.dataset_name, evaluation.reference_name
            )
        ]
    if evaluation.datasets and evaluation.dataset_name is not None:
        raise IqbenchError(
            "a dataset name is given beside datasets that have names",
            hint="Leave --dataset-name out; it is for --reference, --pairs or outputs alone",
        )
    if not evaluation.datasets:
        if evaluation.metrics and not methods:
            raise IqbenchError(
                "no method to score", hint="Give --method [NAME=]DIR or --methods-in DIR"
            )
        if evaluation.metrics:
            return [outputs_alone(methods, evaluation.dataset_name, evaluation.output_name, ways)]
        raise IqbenchError(
            "nothing says what to compare with",
            hint="Give --reference DIR, --pairs FILE or --dataset NAME (`iqbench datasets list`), "
            "or a metric that needs no reference: --metric niqe, or --metric fid with "
            "--reference-set DIR",
        )
    specs = load_datasets(evaluation.datasets_file)
    return [spec.open() for spec in select(specs, evaluation.datasets)]
