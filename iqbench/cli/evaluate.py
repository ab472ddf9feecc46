"""``iqbench evaluate``: score the outputs of methods, and write tables."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iqbench.cli.compute import compute_options, memory_bytes
from iqbench.cli.options import (
    PLACE,
    GivenPath,
    gray_output_option,
    naming_options,
    peak_option,
    single_option,
)
from iqbench.cli.streams import say

if TYPE_CHECKING:
    from typing import Any

    from iqbench.engine.ledger import Summary

__all__ = ["evaluate", "report_summary"]

FOLDER = GivenPath(path_type=Path)
SOME_FAILED = 3
NAMED = 20
"""How many failures of a method on a dataset are named on stderr; the tables have all of them."""


@click.command(short_help="Score methods' outputs, against references or alone.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="[NAME=]DIR[/TEMPLATE]",
    help="Folder of a method's outputs. NAME is the method's name, by default that of the folder. "
    "TEMPLATE is used instead of --output-name: nlm=out/nlm/{id}_x4. May be repeated.",
)
@single_option("--methods-in", type=PLACE, metavar="DIR", help="Every sub-folder is a method.")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME",
    help="Dataset of the datasets file (see `iqbench datasets list`). May be repeated.",
)
@single_option(
    "--reference", type=PLACE, metavar="DIR", help="Folder of references, instead of a dataset."
)
@single_option(
    "--reference-set",
    type=PLACE,
    metavar="DIR",
    help="Folder of images with which metrics of sets (fid, kid) compare all outputs of a method; "
    "any names, number and sizes. Default: the references that have an output.",
)
@single_option(
    "--features",
    type=click.Choice(["keep", "moments"]),
    help="What to store for metrics of sets (fid, kid): the features of each image, 8 KB, or the "
    "moments of each set (no kid, no intervals). Default: moments if a set has more than "
    "100,000 images.",
)
@single_option(
    "--pairs",
    type=FOLDER,
    metavar="FILE.csv",
    help="Table of paths, instead of folders: columns reference, output[, method, image, mos, "
    "...], separated by commas, semicolons or tabs.",
)
@single_option(
    "--dataset-name",
    metavar="NAME",
    help="Name of the dataset for --reference or --pairs (default: the name of the folder or "
    "file), or for outputs without references (default: outputs).",
)
@naming_options
@click.option(
    "--datasets-file",
    type=FOLDER,
    metavar="FILE",
    help="Datasets file, instead of ./datasets.yaml.",
)
@single_option(
    "--protocol",
    metavar="SPEC",
    help="How pixels are prepared before they are scored, e.g. rgb or sr-y:scale=4; default: the "
    "protocol of the dataset.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="SPEC",
    help="Metric or column, e.g. psnr, lpips:net=vgg (see `iqbench metrics list`); required "
    "without references. May be repeated.",
)
@click.option(
    "--results",
    type=PLACE,
    default="results",
    show_default=True,
    help="Where to write the tables: a folder, or an address such as s3://bucket/results.",
)
@compute_options
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of threads that decode files.",
)
@click.option(
    "--alpha",
    type=click.Choice(["error", "composite"]),
    default="error",
    show_default=True,
    help="Images with transparency: refuse them, or put them over white. Other images are not "
    "changed.",
)
@peak_option
@gray_output_option()
@click.option(
    "--recompute",
    is_flag=True,
    help="Read and compute everything again, even if the tables have it.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Replace another dataset or method of the same name in the tables.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Score one of N parts of the images, from 1/N to N/N, so that N jobs can share the work. "
    "They may use one results folder or several (see `iqbench results merge`).",
)
@click.option(
    "--executor",
    default="inline",
    show_default=True,
    metavar="inline|processes[:N]|ray[:ADDRESS]",
    help="Which processes score: this one; N processes, by default one per GPU or core; or the "
    "workers of a Ray cluster.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress and no warnings.")
def evaluate(memory: str | None, quiet: bool, **options: Any) -> None:
    """Score methods' outputs, against references or alone; write Parquet tables.

    Outputs are in METHOD/DATASET/ or, with one dataset, in METHOD/. They are paired with their
    references by name. Without --reference, outputs are paired with each other, and --metric must
    name metrics that need no reference. Values that the tables already have for the same files are
    not computed again. If the tables have a dataset or method of the same name from another place
    or with other images, the run stops, unless the files are the same: choose another name
    (--dataset-name, --method NAME=DIR), or give --replace.

    \b
    Examples:
      iqbench evaluate --method outputs/ --reference hr/
      iqbench evaluate --methods-in outputs/ --dataset Set5-x4 --dataset Set14-x4
      iqbench evaluate --method mine=run7/ --method swinir/ --dataset Set5-x4 --metric psnr
      iqbench evaluate --method out/ --reference hr/ --output-name '{id}_x4' --device cuda
      iqbench evaluate --method 'nlm=outputs/nlm/{id}_denoised.png' --method swinir/ --reference hr/
      iqbench evaluate --pairs pairs.csv --metric psnr
      iqbench evaluate --method out/ --metric niqe
      iqbench evaluate --method out/ --reference-set photographs/ --metric fid --metric kid
      iqbench evaluate --methods-in outputs/ --dataset DIV2K --shard 1/8
      iqbench evaluate --method mine=out.zip --reference 's3://bucket/hr-*.parquet#image'
      iqbench evaluate --methods-in outputs/ --dataset DIV2K-x4 --executor processes
    """
    from iqbench.api import Evaluation, run_evaluation
    from iqbench.cli.progress import progress_bar
    from iqbench.document.text import printable

    evaluation = Evaluation(memory=memory_bytes(memory), **options)
    with progress_bar(quiet=quiet) as bar:
        summary = run_evaluation(evaluation, bar, own_process=True)
    code = report_summary(summary, quiet=quiet)
    folder = shlex.quote(printable(str(evaluation.results)))
    shown = "" if evaluation.results == "results" else f" {folder}"
    say(f"Tables are in {folder}. Next: iqbench leaderboard{shown}")
    if code:
        click.get_current_context().exit(code)


def report_summary(summary: Summary, *, quiet: bool = False) -> int:
    """Print what a run did, on stderr.

    Parameters
    ----------
    summary
        Of the run.
    quiet
        Leave the warnings out. Failures are always named, up to 20 of a method on a dataset, and
        so are columns that lack values.

    Returns
    -------
    int
        The exit code: 3 if some outputs could not be scored or have no value at all, or if a set
        has no value.
    """
    from iqbench.document.text import printable

    if not quiet:
        for warning in summary.warnings:
            say(printable(warning), label="warning", color="yellow")
    for line in _failures(summary):
        say(printable(line), label="not scored", color="red")
    for line in summary.remarks:
        say(printable(line), label="no value", color="yellow")
    parts = [f"{summary.scored} scored"]
    if summary.current:
        parts.append(f"{summary.current} already in the tables")
    if summary.failures:
        parts.append(f"{len(summary.failures)} could not be scored")
    say(f"Outputs: {', '.join(parts)}.")
    return SOME_FAILED if summary.failures or summary.sets else 0


def _failures(summary: Summary) -> Iterator[str]:
    """Yield one line per failure; after `NAMED` lines of a method on a dataset, only a count."""
    counts = Counter((failure.dataset, failure.method) for failure in summary.failures)
    seen: Counter[tuple[str, str]] = Counter()
    for failure in summary.failures:
        group = failure.dataset, failure.method
        seen[group] += 1
        place = " / ".join(group)
        if seen[group] <= NAMED:
            yield f"{place} / {failure.image}: {failure.error}"
        elif seen[group] == NAMED + 1:
            yield (
                f"{place}: {counts[group] - NAMED} more; all are in column error of "
                "iqbench export -o scores.csv"
            )
