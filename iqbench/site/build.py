"""Make the files of a site from a results folder, and write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path

import pandas as pd

from iqbench import __version__
from iqbench.boards.composites import Composite
from iqbench.document.drawing import draw
from iqbench.document.model import Section
from iqbench.document.page import data_uri, render_page
from iqbench.document.records import for_spreadsheet, json_records, render_csv
from iqbench.errors import IqbenchError
from iqbench.page.contents import Contents, read_contents
from iqbench.site.changes import changes_between, kept_table, read_kept
from iqbench.site.method_facts import METHODS_FILE, MethodFacts, read_method_facts
from iqbench.site.page_names import file_names
from iqbench.site.pages import (
    HISTORY,
    INDEX,
    SitePage,
    dataset_pages,
    downloads_of,
    gone_page,
    history_page,
    index_page,
)
from iqbench.site.record import RECORD, SiteRecord, Version, read_record
from iqbench.site.write_folder import write_site_files

__all__ = ["BuiltSite", "SiteOptions", "build_site"]

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""

_SCRIPTS = ("core.js", "tables.js", "site.js")
_VERSIONS = "versions/"


@dataclass(frozen=True)
class SiteOptions:
    """What a site is to show.

    Attributes
    ----------
    title
        Of the site; empty for the name of the results folder.
    methods_file
        Dates and links of methods; by default ``methods.yaml`` of the results folder, if it is
        there.
    note
        What the history says of this build.
    sort, columns, front, composites
        As for `iqbench.boards.board.read_board`, where columns are ``shown``: those that are shown
        at first.
    """

    title: str = ""
    methods_file: Path | None = None
    note: str = ""
    sort: str | None = None
    columns: str | Sequence[str] = "headline"
    front: tuple[str, str] | None = None
    composites: Sequence[Composite] = ()


@dataclass(frozen=True)
class BuiltSite:
    """The result of writing a site.

    Attributes
    ----------
    files, size
        How many, and their bytes.
    version
        The entry of the history.
    """

    files: int
    size: int
    version: Version


def build_site(
    results: Path,
    output: Path,
    filters: Mapping[str, tuple[str, ...]] | None = None,
    options: SiteOptions | None = None,
    *,
    progress: Progress = lambda what, done, total: None,
) -> BuiltSite:
    """Write a leaderboard as a folder of pages that any static host serves, or the disk.

    Parameters
    ----------
    results
        The results folder.
    output
        The site's folder. What an earlier build wrote there is replaced, and its history goes on;
        other files stay. It is written whole or not at all.
    filters
        As `load_scores` takes them.
    options
        What to show.
    progress
        Is told how far it is.

    Raises
    ------
    IqbenchError
        As `iqbench.boards.board.read_board`; where the tables have no scores, ``methods.yaml`` is
        wrong, or the folder cannot be written or holds files of others in the same places.
    """
    chosen = options or SiteOptions()
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise IqbenchError(f"{output} is not a folder", hint="Name a folder with -o")
    before = read_record(output)
    progress("Comparing methods", 0, 1)
    contents = read_contents(
        results,
        filters or {},
        sort=chosen.sort,
        front=chosen.front,
        shown=chosen.columns,
        composites=chosen.composites,
    )
    progress("Comparing methods", 1, 1)
    frame = contents.table.frame
    if frame.empty:
        raise IqbenchError(
            f"{results} has no scores to show", hint="Run iqbench evaluate, or check the filters"
        )
    facts = _facts(results, chosen.methods_file, list(dict.fromkeys(frame["method"])))
    title = chosen.title or results.resolve().name
    names = file_names(frame["dataset"].unique(), before.pages)
    kept = {version.table for version in before.versions if (output / version.table).is_file()}
    known = {name: one.texts() for name, one in facts.items()}
    version, files = _next_version(output, before, contents, known, chosen.note)
    versions = [
        *(
            one.model_copy(update={"table": one.table if one.table in kept else ""})
            for one in before.versions
        ),
        version,
    ]
    made = [
        index_page(contents, facts, names, title),
        *dataset_pages(contents, facts, names),
        history_page(versions),
    ]
    there = {page.path for page in made}
    gone = [gone_page(dataset, name) for dataset, name in names.items()]
    made += [page for page in gone if page.path not in there]
    links = {name: f"datasets/{names[name]}.html" for name in frame["dataset"].unique()}
    for place, page in enumerate(made):
        progress("Writing pages", place, len(made))
        files[page.path] = _rendered(page, title, links, version)
    progress("Writing pages", len(made), len(made))
    files |= _downloads(contents, names)
    record = SiteRecord(
        title=title,
        pages=names,
        files=sorted({*files, *kept}),
        facts=known,
        versions=versions,
    )
    files[RECORD] = (record.model_dump_json(indent=1) + "\n").encode()
    own = {*before.files, *([RECORD] if before.versions else [])} - kept
    write_site_files(output, files, own)
    return BuiltSite(len(files), sum(map(len, files.values())), version)


def _facts(results: Path, file: Path | None, methods: Sequence[str]) -> dict[str, MethodFacts]:
    """Read what is known of methods, from the file that is named or that lies by the tables."""
    path = file or results / METHODS_FILE
    if file is None and not path.is_symlink() and not path.exists():
        return {}
    return read_method_facts(path, methods)


def _next_version(
    output: Path,
    before: SiteRecord,
    contents: Contents,
    facts: Mapping[str, Mapping[str, str]],
    note: str,
) -> tuple[Version, dict[str, bytes]]:
    """Make the entry of the history, and keep the leaderboard where it has changed."""
    frame = contents.table.without_intervals().frame
    number = before.versions[-1].number + 1 if before.versions else 1
    table = f"{_VERSIONS}{number}.csv"
    files = {table: kept_table(frame)}
    changes = ["first version"]
    if before.versions:
        last = before.versions[-1].table
        old = _kept(output / last) if last else None
        if old is None:
            changes = ["what has changed is not known: the table of the version before is gone"]
        else:
            changes = changes_between(old, read_kept(files[table]), before.facts, facts)
            if not changes:
                changes, table, files = ["nothing"], last, {}
    version = Version(
        number=number,
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        iqbench=__version__,
        note=note,
        datasets=int(frame["dataset"].nunique()),
        methods=int(frame["method"].nunique()),
        changes=changes,
        table=table,
    )
    return version, files


def _kept(path: Path) -> pd.DataFrame | None:
    """Read the leaderboard of the version before; None where it is gone or spoilt."""
    try:
        return read_kept(path.read_bytes())
    except (OSError, ValueError):
        return None


def _rendered(page: SitePage, title: str, links: Mapping[str, str], version: Version) -> bytes:
    ids = {name: f"definition-{number}" for number, name in enumerate(page.definitions)}
    html = render_page(
        "site.html",
        _SCRIPTS,
        page=page,
        title=title,
        links=links,
        index=INDEX,
        history=HISTORY,
        ids=ids,
        pictures=_pictures(page.document.sections),
        number=version.number,
        scenes=[],
        webgl=False,
        version=__version__,
        now=version.time[:16].replace("T", " ") + " UTC",
    )
    return html.encode(errors="backslashreplace")


def _pictures(sections: Sequence[Section]) -> dict[str, str]:
    """Draw the figures of sections, each as a part of its page."""
    return {
        section.figure.name: data_uri("svg+xml", draw(section.figure, "svg"))
        for section in sections
        if section.figure is not None
    }


def _downloads(contents: Contents, names: Mapping[str, str]) -> dict[str, bytes]:
    """Write the tables, of all datasets and of each: with intervals, in full precision."""
    tables = {"leaderboard": contents.table.frame}
    tables |= {f"dataset-{names[name]}": part.frame for name, part in contents.table.parts()}
    files: dict[str, bytes] = {}
    for name, table in tables.items():
        frame = table.dropna(axis="columns", how="all")
        packed = BytesIO()
        frame.to_parquet(packed, index=False, engine="pyarrow")
        contents_of = {
            "CSV": render_csv(for_spreadsheet(frame)).encode(errors="backslashreplace"),
            "Parquet": packed.getvalue(),
            "JSON": json_records(frame).encode(errors="backslashreplace"),
        }
        files |= {path: contents_of[kind] for kind, path in downloads_of(name).items()}
    return files
