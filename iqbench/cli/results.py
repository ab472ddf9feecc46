"""``iqbench results``: list, remove, rename, merge, compact and verify results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from iqbench.cli.evaluate import evaluate
from iqbench.cli.options import (
    PLACE,
    ResultsFolder,
    changed_results_argument,
    format_of,
    format_option,
    output_option,
    place_options,
    results_argument,
    results_copies,
)
from iqbench.cli.streams import deliver, print_result, say
from iqbench.errors import IqbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iqbench.document.model import Document
    from iqbench.results.inventory import Holding
    from iqbench.results.pending import Change

__all__ = ["results"]

_NOT_RIGHT = 1

_DATASETS = click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME",
    help="Only on this dataset. May be repeated.",
)


@click.group()
def results() -> None:
    """Results: list, remove, rename, merge, compact, verify.

    \b
    Examples:
      iqbench results list
      iqbench results verify results/
    """


@results.command("list", short_help="List methods, datasets, images, runs and sizes.")
@results_argument
@place_options
@format_option("table", "markdown", "csv", "spreadsheet", "json", "latex", "html")
@output_option()
def list_results(
    results: Path,
    *,
    dataset: tuple[str, ...],
    method: tuple[str, ...],
    format: str | None,
    output: Path | None,
) -> None:
    """List the contents of a results folder, by method and dataset.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/.

    \b
    Columns:
      images   how many the method should have
      scored   how many of these were scored
      metrics  how many columns there are; csv and json have their names
      runs     how many runs left rows; last: when the newest began (UTC)
      parts, size  files of the tables; features are shared, and not counted

    Below the table: the methods that were removed or renamed.

    \b
    Examples:
      iqbench results list
      iqbench results list results/ --method edsr --format json
      iqbench results list -o results.csv
    """
    from iqbench.cli.progress import waiting
    from iqbench.document.render import render
    from iqbench.document.terminal import Window
    from iqbench.results.inventory import list_holdings
    from iqbench.results.pending import read_changes

    format = format or format_of(output)
    window = Window() if output else Window.of_stdout()
    with waiting("Listing"):
        found = list_holdings(results, {"dataset": dataset, "method": method})
        document = _holdings_document(found, read_changes(results))
    deliver(render(document, format, window=window), format, output, color=window.color)


def _holdings_document(found: Sequence[Holding], changes: Sequence[Change]) -> Document:
    """Arrange what a results folder has."""
    import pandas as pd

    from iqbench.document.model import Document, Entry, Section, TableColumn, numbers, texts
    from iqbench.document.text import file_size, plural

    size = sum(one.bytes for one in found)
    facts = [
        plural(len({one.method for one in found}), "method"),
        plural(len({one.dataset for one in found}), "dataset"),
        plural(sum(one.parts for one in found), "part"),
        file_size(size),
    ]
    sizes = [Entry(file_size(one.bytes), value=one.bytes) for one in found]
    table = Section(
        "",
        columns=[
            texts("method", (one.method for one in found)),
            texts("dataset", (one.dataset for one in found)),
            numbers("images", (one.images for one in found), 0),
            numbers("scored", (one.scored for one in found), 0),
            numbers("metrics", (len(one.metrics) for one in found), 0),
            numbers("runs", (one.runs for one in found), 0),
            texts("last", (one.last.partition("+")[0] for one in found)),
            numbers("parts", (one.parts for one in found), 0),
            TableColumn("value", "size", sizes),
        ],
        fixed=2,
    )
    names = ("method", "dataset", "images", "scored", "runs", "last", "parts", "bytes")
    records = pd.DataFrame(
        [
            {name: getattr(one, name) for name in names} | {"metrics": " ".join(one.metrics)}
            for one in found
        ]
    )
    return Document(
        [table],
        facts=", ".join(facts),
        notes=[f"{change.time.partition('+')[0]}: {change.sentence}" for change in changes],
        records=records,
        page="iqbench results list",
    )


@results.command("remove", short_help="Take a method out.")
@click.argument("method")
@changed_results_argument
@_DATASETS
def remove(method: str, results: Path, datasets: tuple[str, ...]) -> None:
    """Remove a method from the tables: its scores, values of sets and published means.

    All of the method is removed at one moment: if the process is killed, either all of it is there
    or nothing. The folder keeps a record of the removal (see `iqbench results list`). It also keeps
    features, because other methods may share them. Deleted rows cannot be restored; iqbench
    evaluate computes them again.

    \b
    Examples:
      iqbench results remove old-model
      iqbench results remove old-model results/ --dataset Set5-x4
    """
    from iqbench.document.text import printable
    from iqbench.results.changes import remove_method

    say(printable(remove_method(results, method, datasets).sentence))


@results.command("rename", short_help="Give a method another name.")
@click.argument("method")
@click.argument("new")
@changed_results_argument
@_DATASETS
def rename(method: str, new: str, results: Path, datasets: tuple[str, ...]) -> None:
    """Rename a method of the tables: METHOD becomes NEW.

    There must be no method NEW on these datasets. All of the method is renamed at one moment, as
    with `iqbench results remove`, and the folder keeps a record.

    \b
    Examples:
      iqbench results rename run7 swinir-finetuned
      iqbench results rename run7 swinir results/ --dataset Set5-x4
    """
    from iqbench.datasets.files import check_text
    from iqbench.document.text import printable
    from iqbench.results.changes import rename_method

    check_text("method", new)
    say(printable(rename_method(results, method, new, datasets).sentence))


@results.command("compact", short_help="Merge many small parts into few.")
@changed_results_argument
def compact(results: Path) -> None:
    """Merge the many small parts of the tables into few, and leave out rows that are not current.

    Other commands then read the tables faster and show the same values, with one exception: values
    of sets (fid, kid) that belong to older images are computed again, if the features of all images
    are stored. Other commands may read and write at the same time. Each run compacts the methods
    that it scores. Use this command after many parallel runs, or after many runs of one image each.

    Example: iqbench results compact results/
    """
    from iqbench.cli.progress import waiting
    from iqbench.document.text import file_size, plural, printable
    from iqbench.results.compact import compact_results, has_stale_sets
    from iqbench.results.schema import FORMAT

    with waiting("Merging parts"):
        found = compact_results(results)
        problems = []
        if has_stale_sets(results):
            from iqbench.engine.closing import close_stored_sets

            problems = close_stored_sets(results)
    for text in problems:
        say(printable(text), label="warning", color="yellow")
    if found.upgraded:
        click.secho("warning: ", fg="yellow", err=True, nl=False)
        say(
            f"tables of an earlier format were merged into format {FORMAT}: older releases of "
            f"iqbench cannot read {printable(str(results))}"
        )
    say(
        f"{printable(str(results))}: {plural(found.parts, 'part')}, {file_size(found.bytes)}, "
        f"became {found.parts_now:,}, {file_size(found.bytes_now)}"
    )


@results.command("verify", short_help="Read every part; or score again and compare.")
@results_argument
@click.option(
    "--rescore",
    is_flag=True,
    help="Score the outputs that the options below name again, and compare the values.",
)
@click.option(
    "--whole",
    is_flag=True,
    help="With --rescore: also exit with 1 if RESULTS has values of methods or datasets for which "
    "no outputs are given.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def verify(
    results: Path, *, rescore: bool, whole: bool, form: str, memory: str | None, **options: Any
) -> None:
    """Read every part of the tables and compare it with the checksum in its name.

    Stored features and moments are parts, too. Files that describe reference sets are compared with
    the digest in their names.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. Parts of older releases
    have no checksum, so the command can only check that they can be read. It exits with 1 if a part
    has changed or cannot be read. It does not notice a deleted part; evaluate scores the images of
    that part again.

    Checksums detect damage. They do not show that the values are right, because a person who writes
    a file can also write its checksum. --rescore computes the values again from the outputs and
    references that you name, in the same way (metrics, protocol, precision). It exits with 1 if a
    value differs by more than the metric's tolerance, belongs to other files, is missing, or has a
    signature that cannot be computed here. Imported values and times are not checked. Values of
    methods and datasets for which you name no outputs are only counted; with --whole, the command
    exits with 1 if there are any. Use --rescore --whole before you merge results that somebody
    sends you: nothing else detects every forged value. iqbench evaluate computes only two outputs
    of each method again, and none if the tables say that they were computed in this folder.

    \b
    Examples:
      iqbench results verify
      iqbench results verify results/ --format json
      iqbench results verify theirs/ --rescore --whole --method edsr=outputs/edsr --reference hr/
      iqbench results verify theirs/ --rescore --methods-in outputs/ --dataset Set5-x4
    """
    import json

    from iqbench.cli.progress import waiting
    from iqbench.document.text import printable
    from iqbench.results.mirror import with_addresses
    from iqbench.results.verify import verify_results

    given = [name for name, value in options.items() if not _is_default(name, value)]
    if given and not rescore:
        raise click.UsageError(f"{_spelt(given[0])} belongs to --rescore")
    if whole and not rescore:
        raise click.UsageError("--whole belongs to --rescore")
    with waiting("Reading parts"):
        found = list(verify_results(results))
    bad = any(one.bad for one in found)
    if rescore and not bad:
        _rescore(results, form, memory, options, whole=whole)
        return
    if form == "json":
        rows = [
            {
                "part": with_addresses(str(one.part)),
                "state": one.state,
                "rows": one.rows,
                "problem": with_addresses(one.problem),
            }
            for one in found
        ]
        print_result(json.dumps(rows, indent=2) + "\n", form)
    else:
        lines = [
            f"{one.state}: {IqbenchError(one.problem, hint=one.hint)}" for one in found if one.bad
        ]
        count = Counter(one.state for one in found)
        read = sum(one.rows or 0 for one in found)
        says = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
        lines.append(f"{results}: {len(found)} parts, {read:,} rows: {says}")
        print_result("".join(f"{printable(with_addresses(line))}\n" for line in lines))
    if bad:
        click.get_current_context().exit(_NOT_RIGHT)


_OF_EVALUATE = (
    *("methods", "methods_in", "datasets", "reference", "reference_set", "pairs", "dataset_name"),
    *("reference_name", "output_name", "match", "datasets_file"),
    *("device", "memory", "weights", "workers", "alpha", "peak"),
)
"""The options of `iqbench evaluate` that say which files are scored, and where."""

verify.params += [option for option in evaluate.params if option.name in _OF_EVALUATE]


def _is_default(name: str, value: object) -> bool:
    (option,) = (one for one in evaluate.params if one.name == name)
    return value in ((), None) or value == option.default


def _spelt(name: str) -> str:
    (option,) = (one for one in evaluate.params if one.name == name)
    return option.opts[0]


def _rescore(
    results: Path, form: str, memory: str | None, options: dict[str, Any], *, whole: bool
) -> None:
    """Score again, and print how the values compare."""
    from iqbench.api import Evaluation
    from iqbench.cli.compute import memory_bytes
    from iqbench.cli.progress import progress_bar
    from iqbench.document.render import render
    from iqbench.document.terminal import Window
    from iqbench.document.text import printable
    from iqbench.rescoring import not_compared, rescore, rescoring_document

    with progress_bar() as bar:
        found = rescore(results, Evaluation(memory=memory_bytes(memory), **options), bar)
    window = Window.of_stdout()
    text = render(rescoring_document(found), form, window=window)
    print_result(text, form, color=window.color)
    if found.others and form == "json":
        say(printable(not_compared(found)), label="warning", color="yellow")
    if found.wrong or (whole and found.others):
        click.get_current_context().exit(_NOT_RIGHT)


@results.command("merge", short_help="Merge results folders into a new one.")
@results_copies("folders")
@click.argument("folders", nargs=-1, required=True, type=ResultsFolder())
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FOLDER",
    type=PLACE,
    help="The new folder, or its address; it must not exist yet.",
)
@click.option(
    "--keep",
    type=click.Choice(["first", "last"]),
    help="If folders have different files of an image, or different values for the same files: "
    "take the row of the folder that is named first, or last. By default, this is an error.",
)
def merge(folders: tuple[Path, ...], output: str, keep: Literal["first", "last"] | None) -> None:
    """Merge results folders, such as those of shards or machines, into a new one.

    The new folder has every row once. If one folder lacks an image or value, or could not compute
    it, it is taken from a folder that has it. Values of sets (fid, kid) are computed again from the
    stored features if the set now has more images. The merged folders are not changed. The new
    folder has the current format, which older releases cannot read.

    \b
    Examples:
      iqbench results merge shard-1/ shard-2/ -o results/
      iqbench results merge old/ new/ -o both/ --keep last
    """
    from iqbench.cli.progress import waiting
    from iqbench.document.text import printable
    from iqbench.results.merge import merge_results
    from iqbench.results.mirror import written_results
    from iqbench.results.schema import FORMAT

    with waiting("Merging"), written_results(output) as folder:
        found = merge_results(folders, folder, keep=keep)
        problems = []
        if (folder / "sets").is_dir():
            from iqbench.engine.closing import close_stored_sets

            problems = close_stored_sets(folder)
    if found.upgraded:
        problems.append(
            f"tables of an earlier format were merged into format {FORMAT}: older releases of "
            f"iqbench cannot read {output}"
        )
    for text in (*found.differing, *problems):
        say(printable(text), label="warning", color="yellow")
    say(f"wrote {found.images:,} images and {found.scores:,} values into {printable(output)}")
