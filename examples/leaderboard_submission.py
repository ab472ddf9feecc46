"""Check submissions to a leaderboard, merge them into its tables, and build its site.

A submission is a folder that somebody sends, by a pull request for instance:

    submissions/edsr/
        scores/ images/ sets/      tables that iqbench evaluate wrote
        outputs/edsr/Set5/*.png    the outputs that were scored
        methods.yaml               date, paper and code of the method

Nothing in it is believed: values are computed again from the outputs, and only what was computed
again is merged. docs/leaderboard-submissions.md describes the whole of it.

    python leaderboard_submission.py check submissions/edsr --dataset Set5
    python leaderboard_submission.py accept submissions/edsr --dataset Set5 --site public
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

import iqbench

TABLES = ("scores", "images", "sets")
"""Folders of a submission that are merged. Features are not: of files of other methods, too."""

KNOWN = {*TABLES, "features", "outputs", "runs", "methods.yaml", "README.md", "LICENSE"}


class Refused(click.ClickException):
    """What a submission lacks, and what to do."""


def run(*arguments: str | Path) -> str:
    """Run iqbench, and return what it prints; where it says no, so does this script."""
    command = [str(Path(sys.executable).with_name("iqbench")), *map(str, arguments)]
    ran = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if ran.returncode:
        raise Refused(f"iqbench {' '.join(command[1:])} says no:\n{ran.stdout}")
    return ran.stdout


def held(results: Path) -> list[dict[str, str]]:
    """List the methods and datasets of a results folder."""
    if not any((results / name).is_dir() for name in TABLES):
        return []
    rows: list[dict[str, str]] = json.loads(run("results", "list", results, "--format", "json"))
    return rows


def check_files(folder: Path) -> None:
    """Refuse links, which lead elsewhere, and files that a submission does not have."""
    if not folder.is_dir() or folder.is_symlink():
        raise Refused(f"{folder} is not a folder")
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise Refused(f"{path} is a link. Put the file itself there")
    for path in folder.iterdir():
        if path.name not in KNOWN:
            raise Refused(f"{path} is not part of a submission. It may have {sorted(KNOWN)}")


def check_names(folder: Path, results: Path, datasets: Sequence[str]) -> None:
    """Refuse other datasets, methods that are there already, and methods without outputs."""
    rows = held(folder)
    if not rows:
        raise Refused(f"{folder} has no tables. Score with iqbench evaluate --results {folder}")
    for name in sorted({row["dataset"] for row in rows} - set(datasets)):
        raise Refused(f"{folder} has values of {name!r}. Compared are {', '.join(datasets)}")
    methods = {row["method"] for row in rows}
    for name in sorted(methods & {row["method"] for row in held(results)}):
        raise Refused(
            f"{name!r} is in the leaderboard already. Choose another name, or ask its maintainers "
            f"to run: iqbench results remove {name} {results}"
        )
    for name in sorted(methods):
        if not (folder / "outputs" / name).is_dir():
            raise Refused(f"{folder}/outputs/{name} is not there. The outputs are scored again")


def check_values(folder: Path, options: Sequence[str | Path]) -> None:
    """Refuse what cannot be computed again, and values that are not what the outputs give."""
    for scope in ("image", "set"):
        scores = iqbench.load_scores(folder, scope=scope)
        unchecked = scores["signature"].str.contains("source=imported") | (
            scores["metric"] == "runtime"
        )
        for name in sorted(set(scores["metric"][unchecked])):
            raise Refused(f"{folder} has values of {name!r} that cannot be computed again")
    # One by one: what is not asked for is not checked.
    for row in held(folder):
        name, dataset = row["method"], row["dataset"]
        outputs = f"{name}={folder / 'outputs' / name}"
        chosen = ("--method", outputs, "--dataset", dataset, *options)
        click.echo(run("results", "verify", folder, "--rescore", *chosen))


def check_submission(
    folder: Path, results: Path, datasets: Sequence[str], options: Sequence[str | Path]
) -> None:
    """Refuse a submission that is not as it should be."""
    check_files(folder)
    check_names(folder, results, datasets)
    check_values(folder, options)
    with tempfile.TemporaryDirectory() as temporary:  # methods.yaml is checked by what reads it
        run("site", folder, "-o", Path(temporary) / "site", "--quiet")


def merged(results: Path, folders: Sequence[Path], into: Path) -> Path:
    """Merge the tables of submissions into those of the leaderboard, in a new folder."""
    parts = [results] if held(results) else []
    for number, folder in enumerate(folders):
        part = into / f"part-{number}"
        for name in TABLES:
            if (folder / name).is_dir():
                shutil.copytree(folder / name, part / name)
        parts.append(part)
    whole = into / results.name
    if len(parts) > 1:
        run("results", "merge", *parts, "-o", whole)
    else:
        parts[0].rename(whole)
    texts = [
        (place / "methods.yaml").read_text(encoding="utf-8").strip()
        for place in (results, *folders)
        if (place / "methods.yaml").is_file()
    ]
    if any(texts):
        text = "\n".join(filter(None, texts))
        (whole / "methods.yaml").write_text(f"{text}\n", encoding="utf-8")
    return whole


@click.group()
def main() -> None:
    """Check submissions to a leaderboard, and accept them."""


FOLDERS = click.argument(
    "folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True)
)
RESULTS = click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True
)
DATASETS = click.option("--dataset", "datasets", multiple=True, required=True)
DATASETS_FILE = click.option("--datasets-file", type=click.Path(path_type=Path, exists=True))


@main.command()
@FOLDERS
@RESULTS
@DATASETS
@DATASETS_FILE
def check(
    folders: Sequence[Path], results: Path, datasets: Sequence[str], datasets_file: Path | None
) -> None:
    """Compute the values of submissions again; exit with 1 where anything is wrong."""
    options = ("--datasets-file", datasets_file) if datasets_file else ()
    for folder in folders:
        check_submission(folder, results, datasets, options)
        click.echo(f"{folder} can be accepted")


@main.command()
@FOLDERS
@RESULTS
@DATASETS
@DATASETS_FILE
@click.option("--site", type=click.Path(path_type=Path), required=True)
@click.option("--title", default="Leaderboard", show_default=True)
def accept(
    *,
    folders: Sequence[Path],
    results: Path,
    datasets: Sequence[str],
    datasets_file: Path | None,
    site: Path,
    title: str,
) -> None:
    """Check submissions, merge them into the tables, and build the site; all of it or nothing."""
    options = ("--datasets-file", datasets_file) if datasets_file else ()
    for folder in folders:
        check_submission(folder, results, datasets, options)
    results.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=results.parent, prefix=".accept-") as temporary:
        whole = merged(results, folders, Path(temporary))
        note = f"Accepts {', '.join(folder.name for folder in folders)}"
        run("site", whole, "-o", site, "--title", title, "--note", note)
        if results.exists():
            results.rename(Path(temporary) / "before")
        whole.rename(results)
    click.echo(f"{results} and {site} have {', '.join(folder.name for folder in folders)}")


if __name__ == "__main__":
    main()
