"""Rows that a run flushed are there exactly once, however the run died."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from results_bench import COLUMNS, Bench, manifest, placeholder

from iqbench.errors import IqbenchError
from iqbench.results import parts, store
from iqbench.results.parts import TableParts, list_parts, merge
from iqbench.results.read import load_images, load_runs, load_scores
from iqbench.results.schema import (
    FOOTER_KEY,
    FORMAT,
    NOT_SCORED_YET,
    ImageRow,
    ScoreRow,
    removed,
)


class Died(BaseException):
    """Like KeyboardInterrupt: nothing may catch it."""


def rows(image: str, value: float, method: str = "edsr") -> tuple[ImageRow, ScoreRow]:
    row = ImageRow("set5", method, image, "ref", "v1")
    return row, ScoreRow("set5", method, image, "psnr", value, None, "view=rgb", "rgb", row.pair)


def flush(bench: Bench, image: str, value: float = 30.0) -> None:
    """Leave parts behind as a killed run does: flushed, never merged."""
    row, score = rows(image, value)
    writer = bench.store.writer(manifest(), COLUMNS)
    writer.add_image(row)
    writer.add_scores([score])
    writer.flush()


def shown(bench: Bench) -> dict[str, float]:
    frame = load_scores(bench.root)
    assert not frame.duplicated(["image", "metric", "signature"]).any()
    return dict(zip(frame["image"].astype(str), frame["value"], strict=True))


def test_dying_before_a_part_is_in_place_loses_that_part_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush(bench, "a")

    def die(*_: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        patch.setattr(Path, "unlink", die)  # who is killed cleans nothing up
        with pytest.raises(Died):
            flush(bench, "b")
    assert list(bench.root.rglob(".*.tmp"))
    assert shown(bench) == {"a": 30.0}
    flush(bench, "b")
    assert shown(bench) == {"a": 30.0, "b": 30.0}


def test_dying_between_images_and_scores_shows_the_image_as_not_scored(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.score("a", "v1", 30.0)
    write = parts.write

    def die_at_scores(folder: Path, *arguments: Any, **moment: Any) -> Path:
        if folder.parent.parent.name == "scores":
            raise Died
        return write(folder, *arguments, **moment)

    monkeypatch.setattr(parts, "write", die_at_scores)
    with pytest.raises(Died):
        bench.score("a", "v2", 33.0)
    assert load_scores(bench.root).empty
    assert load_images(bench.root)["output_digest"].tolist() == ["v2"]
    assert bench.store.current("set5", "edsr").marks == {}


@pytest.mark.parametrize("deleted", [0, 1, 2])
def test_dying_while_merged_parts_are_deleted_shows_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, deleted: int
) -> None:
    for image, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        flush(bench, image, value)
    folder = bench.parts()[0].parent
    left = [deleted]
    delete = parts._delete

    def die(part: Path) -> None:
        if not left[0]:
            raise Died
        left[0] -= 1
        delete(part)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "_delete", die)
        with pytest.raises(Died):
            merge(TableParts(folder, "scores"))
    assert len(bench.parts()) == 4 - deleted
    assert shown(bench) == {"a": 3.0, "b": 2.0}
    flush(bench, "b", 5.0)
    merge(TableParts(folder, "scores"))
    assert len(bench.parts()) == 1
    assert shown(bench) == {"a": 3.0, "b": 5.0}


def test_an_interrupted_run_keeps_what_it_has_and_merges(bench: Bench) -> None:
    def run() -> None:
        with bench.store.writer(manifest(), COLUMNS) as writer:
            for number, image in enumerate("abc"):
                row, score = rows(image, number)
                writer.add_image(row)
                writer.add_scores([score])
                if image != "c":
                    writer.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert shown(bench) == {"a": 0.0, "b": 1.0, "c": 2.0}
    assert len(bench.parts()) == len(bench.parts("images")) == 1


def test_a_killed_process_leaves_its_flushed_rows(bench: Bench) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "here = Path(sys.argv[2])\n"
        "sys.path[:0] = [str(here), str(here.parent)]\n"
        "from results_bench import Bench\n"
        "from test_killed_runs import flush, rows\n"
        "bench = Bench(Path(sys.argv[1]))\n"
        "flush(bench, 'a')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", script, str(bench.root), here], check=False)
    assert done.returncode != 0
    assert shown(bench) == {"a": 30.0}


def test_rows_do_not_wait_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    writer = bench.store.writer(manifest(), COLUMNS)
    row, score = rows("a", 1.0)
    writer.add_image(row)
    writer.add_scores([score])
    assert not bench.parts()
    now[0] = store.FLUSH_SECONDS + 1
    writer.add_image(rows("b", 1.0)[0])
    assert shown(bench) == {"a": 1.0}


def test_many_rows_do_not_wait_at_all(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FLUSH_ROWS", 2)
    writer = bench.store.writer(manifest(), COLUMNS)
    row, score = rows("a", 1.0)
    writer.add_image(row)
    writer.add_scores([score])
    assert shown(bench) == {"a": 1.0}


def test_two_runs_side_by_side_both_count(bench: Bench) -> None:
    def run(name: str) -> None:
        with bench.store.writer(manifest(command=name), COLUMNS) as writer:
            for number in range(8):
                row, score = rows(f"{name}{number}", number)
                writer.add_image(row)
                writer.add_scores([score])
                writer.flush()
                merge(bench.store.table("scores", "set5", "edsr"))

    threads = [threading.Thread(target=run, args=(name,)) for name in "xy"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if bench.parts("images"):
            shown(bench)
    for thread in threads:
        thread.join()
    assert shown(bench) == {f"{name}{number}": number for name in "xy" for number in range(8)}
    assert {run.command for run in load_runs(bench.root)} == {"x", "y"}


def announce(bench: Bench, row: ImageRow) -> None:
    """Enter a row without scores, as a run does that then dies."""
    writer = bench.store.writer(manifest(), COLUMNS)
    writer.add_image(row)
    writer.flush()


@pytest.mark.parametrize("merged", [False, True])
def test_a_run_that_began_before_another_one_scored_does_not_hide_its_scores(
    bench: Bench, merged: bool
) -> None:
    announce(bench, placeholder("set5", "edsr", "b"))
    flush(bench, "a")
    announce(bench, placeholder("set5", "edsr", "a"))
    if merged:
        merge(bench.store.table("images", "set5", "edsr"))
    assert shown(bench) == {"a": 30.0}
    errors = load_images(bench.root).set_index("image")["error"].astype(object)
    assert errors.where(errors.notna(), None).to_dict() == {"a": None, "b": NOT_SCORED_YET}
    marks = bench.store.current("set5", "edsr").marks
    assert {image: set(values) for image, values in marks.items()} == {"a": {("psnr", "view=rgb")}}


def test_an_image_that_was_removed_and_is_announced_again_shows_as_not_scored(
    bench: Bench,
) -> None:
    flush(bench, "a")
    announce(bench, removed("set5", "edsr", "a", "the dataset no longer has this image"))
    announce(bench, placeholder("set5", "edsr", "a"))
    assert shown(bench) == {}
    assert load_images(bench.root)["error"].tolist() == [NOT_SCORED_YET]
    flush(bench, "a", 31.0)
    assert shown(bench) == {"a": 31.0}


def test_a_reader_tries_again_when_a_part_is_merged_under_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush(bench, "a", 1.0)
    flush(bench, "b", 2.0)
    folder = bench.parts()[0].parent
    read = parts.read_part
    merged = []

    def merge_first(part: Path, kind: Any, *rest: Any) -> Any:
        if not merged and kind == "scores":
            merged.append(True)
            merge(bench.store.table("scores", "set5", "edsr"))
        return read(part, kind, *rest)

    monkeypatch.setattr(parts, "read_part", merge_first)
    assert shown(bench) == {"a": 1.0, "b": 2.0}
    assert len(list_parts(folder)) == 1


def test_a_reader_gives_up_on_a_folder_that_never_rests(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush(bench, "a")

    def vanish(*_: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(parts, "open_part", vanish)
    with pytest.raises(IqbenchError, match="keeps changing"):
        load_scores(bench.root)


def test_a_listing_that_misses_a_merge_is_taken_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush(bench, "a")
    folder = bench.parts()[0].parent
    answers = [[], *([parts._listing(folder)] * 2)]
    monkeypatch.setattr(parts, "_listing", lambda _: answers.pop(0))
    assert [part.parent for part in list_parts(folder)] == [folder]


def test_a_run_counts_as_newer_even_when_its_clock_is_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush(bench, "a", 1.0)
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    flush(bench, "a", 2.0)
    assert shown(bench) == {"a": 2.0}


def test_only_neighbours_in_age_are_merged(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MERGED_ROWS", 2)
    writer = bench.store.writer(manifest(), COLUMNS)
    for image, value in (("a", 1.0), ("a", 2.0), ("b", 2.0), ("c", 3.0), ("a", 4.0)):
        row, score = rows(image, value)
        writer.add_image(row)
        writer.add_scores([score] if image != "b" else [rows(name, 9.0)[1] for name in "abc"])
        writer.flush()
    merge(bench.store.table("scores", "set5", "edsr"))
    assert [pq.ParquetFile(part).metadata.num_rows for part in bench.parts()] == [1, 3, 2]
    merge(bench.store.table("images", "set5", "edsr"))
    assert shown(bench) == {"a": 4.0, "b": 9.0, "c": 3.0}


@pytest.mark.parametrize("most", [1, 3, 2**62])
def test_the_last_row_of_each_identity_counts_however_many_names_there_are(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(parts, "_MOST_NUMBERS", most)
    keys = [(image, metric, text) for image in "abc" for metric in "pq" for text in "xyz"] * 2
    columns = dict(zip(("image", "metric", "signature"), zip(*keys, strict=True), strict=True))
    names = {name: pa.array(column).dictionary_encode() for name, column in columns.items()}
    names["scope"] = pa.array(["image"] * len(keys)).dictionary_encode()
    table = pa.table({**names, "value": list(range(len(keys)))})
    found = parts.last_rows(table, "scores")
    assert found.column("value").to_pylist() == list(range(len(keys) // 2, len(keys)))


def test_unfinished_files_of_a_dead_run_are_deleted_a_day_later(bench: Bench) -> None:
    flush(bench, "a")
    folder = bench.parts()[0].parent
    old, new = folder / ".old.parquet.tmp", folder / ".new.parquet.tmp"
    for stray in (old, new):
        stray.write_bytes(b"half")
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    merge(TableParts(folder, "scores"))
    assert not old.exists()
    assert new.exists()
    assert shown(bench) == {"a": 30.0}


def unnamed(part: Path) -> Path:
    """Take the checksum out of a part's name: older releases wrote none."""
    return part.rename(part.with_name(f"{part.name.rpartition('-')[0]}.parquet"))


def rewrite_footer(part: Path, footer: bytes | None) -> None:
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({FOOTER_KEY: footer} if footer else None), part)


@pytest.mark.parametrize("footer", [None, b"{}", b"no json", b'{"format":99}'])
@pytest.mark.parametrize("kind", ["scores", "images"])
def test_a_part_of_another_version_is_refused_by_name(
    bench: Bench, footer: bytes | None, kind: str
) -> None:
    flush(bench, "a")
    part = unnamed(bench.parts(kind)[0])
    rewrite_footer(part, footer)
    with pytest.raises(IqbenchError, match="written by another version") as caught:
        load_scores(bench.root)
    assert str(part) in str(caught.value)
    assert ".." not in str(caught.value)
    assert "--results" in caught.value.hint
    with pytest.raises(IqbenchError, match="written by another version"):
        bench.store.current("set5", "edsr")


def test_a_newer_format_with_all_fields_is_refused_too(bench: Bench) -> None:
    flush(bench, "a")
    part = unnamed(bench.parts()[0])
    footer = pq.read_metadata(part).metadata[FOOTER_KEY]
    rewrite_footer(part, footer.replace(b'"format":%d' % FORMAT, b'"format":%d' % (FORMAT + 1)))
    with pytest.raises(IqbenchError, match="written by another version"):
        load_scores(bench.root)


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all, but some other file"])
def test_a_damaged_part_is_refused_by_name(bench: Bench, damage: bytes) -> None:
    flush(bench, "a")
    part = unnamed(bench.parts()[0])
    part.write_bytes(damage)
    with pytest.raises(IqbenchError, match="cannot read") as caught:
        load_scores(bench.root)
    assert str(part) in str(caught.value)
    assert ".." not in str(caught.value)


def test_a_part_with_damaged_pages_is_refused_by_name(bench: Bench) -> None:
    flush(bench, "a")
    part = unnamed(bench.parts()[0])
    content = bytearray(part.read_bytes())
    content[4:200] = bytes(196)
    part.write_bytes(content)
    with pytest.raises(IqbenchError, match="cannot read"):
        load_scores(bench.root)


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_dropped(bench: Bench) -> None:
    bench.root.mkdir()
    (bench.root / "images").write_text("in the way")
    row, score = rows("a", 1.0)
    writer = bench.store.writer(manifest(), COLUMNS)
    writer.add_image(row)
    writer.add_scores([score])
    with pytest.raises(IqbenchError, match="cannot write results to"):
        writer.flush()
    (bench.root / "images").unlink()
    writer.flush()
    assert shown(bench) == {"a": 1.0}
