"""The Python face: what the command line calls, and what a notebook calls."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from iqbench.errors import IqbenchError, IqbenchWarning, unknown_name

if TYPE_CHECKING:
    import pandas as pd

    from iqbench.datasets.dataset import Dataset
    from iqbench.datasets.methods import Method
    from iqbench.engine.ledger import Summary
    from iqbench.engine.plan import RunPlan
    from iqbench.engine.run import Reporter
    from iqbench.images.picture import Picture
    from iqbench.images.source import Alpha
    from iqbench.protocols.view import GrayOutput, View

__all__ = ["Evaluation", "evaluate", "measure", "run_evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """What is to be evaluated, and how: the options of ``iqbench evaluate``.

    Attributes
    ----------
    methods
        ``DIR`` or ``NAME=DIR``, each; none for datasets that bring distorted images.
    methods_in
        A folder whose sub-folders are methods.
    datasets
        Names of datasets of the datasets file.
    reference, dataset_name
        A folder of references instead, and the name its scores are kept under.
    pairs
        A CSV of paths instead, which names references and outputs; ``dataset_name`` names it too.
    reference_name
        Template of the names in the folder of references, e.g. ``{id}_GT`` or
        ``{scene}/sharp/{frame}``: where each image's id is in them.
    output_name
        Template of the outputs' names, e.g. ``{id}_x4``.
    match
        How names are compared that are not spelt alike: ``case``, ``numbers`` or ``flat``, one
        or several.
    datasets_file
        Instead of ``./datasets.yaml`` or the built-in one.
    protocol
        Spec; by default the dataset's own.
    metrics
        Specs or column names; by default the dataset's own or the default metrics.
    results
        Folder of the tables.
    weights
        Folder where pretrained weights are looked for first.
    device, precision, memory
        Where, how precisely, and within how many bytes.
    workers
        Threads that decode ahead; by default one a core, at most 8, beside a GPU at most 32.
    alpha
        ``error``, or ``composite`` over white.
    peak
        The sample value of white, e.g. 4095 of 12 bits in a file of 16; by default the protocol's,
        or what the files say.
    gray_output
        What a gray output of a colour reference holds under a protocol that compares luma:
        ``luma``, the protocol's own; ``expand``, gray of three equal channels; ``error``, it is
        refused.
    recompute
        Compute everything again.
    replace
        Let a dataset or method replace another one of its name, whose files lay elsewhere and
        were others; without it, that is refused.
    """

    methods: Sequence[str] = ()
    methods_in: Path | None = None
    datasets: Sequence[str] = ()
    reference: Path | None = None
    dataset_name: str | None = None
    pairs: Path | None = None
    reference_name: str | None = None
    output_name: str | None = None
    match: str | Sequence[str] = ()
    datasets_file: Path | None = None
    protocol: str | None = None
    metrics: Sequence[str] = ()
    results: Path = Path("results")
    weights: Path | None = None
    device: str = "auto"
    precision: str = "exact"
    memory: int | None = None
    workers: int | None = None
    alpha: Alpha = "error"
    peak: int | None = None
    gray_output: GrayOutput = "error"
    recompute: bool = False
    replace: bool = False


def run_evaluation(
    evaluation: Evaluation, reporter: Reporter | None = None, *, own_process: bool = False
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

    Returns
    -------
    Summary
        How many outputs were scored, which failed, what else the user should know.

    Raises
    ------
    IqbenchError
        If the input is wrong; nothing was computed then.
    """
    return _run(evaluation, _plan(evaluation), reporter, own_process=own_process)


def evaluate(**options: Any) -> pd.DataFrame:
    """Score methods' outputs against references; write tables and return the scores.

    Parameters
    ----------
    **options
        The attributes of `Evaluation`, e.g. ``methods=["outputs/mine"]``, ``reference="hr"``,
        ``metrics=["psnr", "lpips"]``, ``results="results"``.

    Returns
    -------
    DataFrame
        One row a value: dataset, method, image, metric, value, error, signature, protocol; of the
        datasets and methods of this call, as they are in the tables now. Values of whole sets,
        such as FID, are read by ``load_scores(results, scope="set")``; where nothing but such
        metrics was asked for, they are returned.

    Raises
    ------
    IqbenchError
        If the input is wrong. Outputs that could not be scored have an error in their rows.

    Warns
    -----
    IqbenchWarning
        Of outputs that could not be scored, and of all else that the command line warns of.

    Examples
    --------
    >>> scores = iqbench.evaluate(methods=["outputs/mine"], reference="hr")  # doctest: +SKIP
    """
    from iqbench.results.read import Scope, load_scores

    known = [field.name for field in fields(Evaluation)]
    for key in options:
        if key not in known:
            raise unknown_name("option of evaluate", key, known)
    for key in ("methods_in", "reference", "pairs", "datasets_file", "results", "weights"):
        if isinstance(options.get(key), str):
            options[key] = Path(options[key])
    for key in ("methods", "datasets", "metrics"):
        if key in options:
            options[key] = _texts(options[key])
    evaluation = Evaluation(**options)
    plan = _plan(evaluation)
    summary = _run(evaluation, plan)
    for message in summary.messages:
        warnings.warn(message, IqbenchWarning, stacklevel=2)
    methods = dict.fromkeys(name for item in plan.datasets for name in item.assignments)
    filters = {"dataset": [item.dataset.name for item in plan.datasets], "method": list(methods)}
    scopes = {request.metric.scope for item in plan.datasets for request in item.requests}
    scope: Scope = "set" if scopes == {"set"} else "image"
    return load_scores(evaluation.results, filters=filters, scope=scope)


def measure(
    reference: str | Path,
    output: str | Path,
    *,
    metrics: str | Sequence[str] = (),
    protocol: str = "rgb",
    device: str = "auto",
    precision: str = "exact",
    memory: int | None = None,
    weights: str | Path | None = None,
    alpha: Alpha = "error",
    peak: int | None = None,
    gray_output: GrayOutput = "error",
) -> pd.DataFrame:
    """Score one pair of files.

    Parameters
    ----------
    reference, output
        Image files.
    metrics
        Specs or column names; by default the protocol's or the default metrics.
    protocol
        Spec, e.g. ``sr-y:scale=4``.
    device, precision, memory, weights, alpha, peak, gray_output
        As in `Evaluation`.

    Returns
    -------
    DataFrame
        One row a metric: metric, value, error, direction, decimals to print, signature, and peak:
        the sample value of white, as text (of reference and output, with a stroke between them,
        where these differ).

    Warns
    -----
    IqbenchWarning
        Of what the two files say of their peaks and their EXIF orientation.

    Raises
    ------
    IqbenchError
        If a file cannot be read or the two do not fit.
    """
    import warnings

    import pandas as pd

    from iqbench.engine.batch import Batch
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.grouping import Outcome, views_of
    from iqbench.engine.reading import fit_pair
    from iqbench.engine.resources import load_resources
    from iqbench.engine.scorer import Scorer
    from iqbench.engine.signatures import signatures_of, with_peak
    from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics
    from iqbench.protocols.presets import resolve_protocol

    _check_alpha(alpha)
    chosen = resolve_protocol(protocol).with_peak(peak).with_gray_output(gray_output)
    requests = resolve_metrics(
        _texts(metrics) or chosen.metrics or DEFAULT_METRICS, chosen.variants
    )
    of_sets = [item.column.name for item in requests if item.metric.scope == "set"]
    if of_sets:
        raise IqbenchError(
            f"{', '.join(of_sets)} compares sets of images, not one pair",
            hint="Use iqbench evaluate",
        )
    views = views_of(requests, chosen)
    first, second = _decoded_pair(Path(reference), Path(output), views, alpha)
    pair = fit_pair(first, second, chosen, views)
    for remark in pair.remarks:
        warnings.warn(str(remark), IqbenchWarning, stacklevel=2)
    compute = resolve_compute(device, precision, memory)
    resources = load_resources(requests, compute, folder=None if weights is None else Path(weights))
    spelt = signatures_of(requests, chosen, resources.digests, compute.precision)
    scorer = Scorer(requests, chosen, resources, compute)
    no_bitstream = Outcome(None, "a pair of pictures has no bitstream: use iqbench evaluate")
    (found,) = scorer.score(Batch([pair.reference], [pair.output], [0]))
    outcomes = defaultdict(lambda: no_bitstream, found)
    return pd.DataFrame(
        [
            {
                "metric": request.column.name,
                "value": outcomes[request.column.name].value,
                "error": outcomes[request.column.name].error,
                "direction": request.column.direction,
                "decimals": request.column.decimals,
                "signature": with_peak(spelt[request.column.name], pair.peaks.label),
                "peak": str(pair.peaks),
            }
            for request in requests
        ]
    )


def _decoded_pair(
    reference: Path, output: Path, views: Collection[View], alpha: Alpha
) -> tuple[Picture, Picture]:
    """Read two files; their sizes are compared before a pixel is decoded."""
    from iqbench.engine.reading import check_size, in_sentences
    from iqbench.images.source import FileSource

    contents = []
    for path in (reference, output):
        with in_sentences(str(path)):
            contents.append(FileSource(path).read())
    names = str(reference), str(output)
    check_size(contents[0].probe(), contents[1].probe(), names, views)
    pictures = []
    for content in contents:
        with in_sentences(content.name):
            pictures.append(content.decode(alpha=alpha))
    first, second = pictures
    return first, second


def _plan(evaluation: Evaluation) -> RunPlan:
    """Find out what is to be scored, by what."""
    from iqbench.datasets.comparison import check_ways
    from iqbench.datasets.methods import resolve_methods
    from iqbench.engine.plan import plan_run
    from iqbench.images.probe import maximum_pixels

    maximum_pixels()  # a limit that is none is refused here, not at every image
    if evaluation.workers is not None and evaluation.workers < 1:
        raise IqbenchError(f"workers must be at least 1, not {evaluation.workers}")
    _check_alpha(evaluation.alpha)
    methods = []
    if evaluation.methods or evaluation.methods_in is not None:
        methods = resolve_methods(evaluation.methods, evaluation.methods_in)
    ways = check_ways(evaluation.match)
    return plan_run(
        _datasets(evaluation, methods, ways),
        methods,
        metrics=evaluation.metrics,
        protocol=evaluation.protocol,
        output_name=evaluation.output_name,
        match=ways,
        peak=evaluation.peak,
        gray_output=evaluation.gray_output,
    )


def _run(
    evaluation: Evaluation,
    plan: RunPlan,
    reporter: Reporter | None = None,
    *,
    own_process: bool = False,
) -> Summary:
    """Load what the plan needs, and carry it out."""
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.manifest import manifest_of
    from iqbench.engine.places import places_of
    from iqbench.engine.run import Settings, run
    from iqbench.results.store import Store

    compute = resolve_compute(evaluation.device, evaluation.precision, evaluation.memory)
    resources = plan.resources(compute, evaluation.weights)
    most = 32 if compute.device.type == "cuda" else 8
    settings = Settings(
        compute,
        workers=evaluation.workers or min(most, os.cpu_count() or 1),
        alpha=evaluation.alpha,
        recompute=evaluation.recompute,
        own_process=own_process,
        replace=evaluation.replace,
    )
    return run(
        plan,
        Store(evaluation.results),
        manifest=manifest_of(compute, places_of(plan.datasets)),
        resources=resources,
        settings=settings,
        reporter=reporter,
    )


def _texts(given: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """Take one or several, texts or paths."""
    several = [given] if isinstance(given, (str, os.PathLike)) else given
    return [os.fspath(item) for item in several]


def _check_alpha(alpha: str) -> None:
    """Refuse what is none of the ways to treat transparency."""
    from iqbench.images.source import Alpha

    if alpha not in get_args(Alpha):
        raise unknown_name("way to treat alpha", alpha, get_args(Alpha))


def _datasets(
    evaluation: Evaluation, methods: Sequence[Method], ways: Collection[str]
) -> list[Dataset]:
    """Open what is to be scored."""
    from iqbench.datasets.dataset import pairs_file, reference_folder
    from iqbench.datasets.load import load_datasets, select
    from iqbench.datasets.outputs import outputs_alone

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
        if evaluation.metrics and methods:
            return [outputs_alone(methods, evaluation.dataset_name, evaluation.output_name, ways)]
        raise IqbenchError(
            "nothing says what to compare with",
            hint="Give --reference DIR, --pairs FILE or --dataset NAME (`iqbench datasets list`), "
            "or a metric that needs no reference: --metric niqe",
        )
    specs = load_datasets(evaluation.datasets_file)
    return [spec.open() for spec in select(specs, evaluation.datasets)]
