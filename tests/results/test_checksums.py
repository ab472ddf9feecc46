"""Damage is never read as numbers: part names have checksums, which every read verifies."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from results_bench import COLUMNS, Bench, manifest

from iqbench.errors import IqbenchError
from iqbench.results import part_file
from iqbench.results.part_file import checksum_in_name, encode
from iqbench.results.read import load_images, load_scores
from iqbench.results.schema import FORMAT, SCHEMAS, SCORES, Footer, Kind
from iqbench.results.verify import verify_results

FOOTER = Footer(FORMAT, "set5", "edsr", [manifest()], dict(COLUMNS))


def unnamed(part: Path) -> Path:
    """Take the checksum out of a part's name: older releases wrote none."""
    return part.rename(part.with_name(f"{part.name.rpartition('-')[0]}.parquet"))


def states(bench: Bench) -> list[str]:
    return [one.state for one in verify_results(bench.root)]


@pytest.fixture
def scored(bench: Bench) -> Bench:
    for image in "abc":
        bench.score(image, value=30.0 + ord(image))
    return bench


def test_every_part_has_its_checksum_in_its_name(scored: Bench) -> None:
    parts = [*scored.parts("images"), *scored.parts()]
    assert len(parts) == 2  # merged: the merged part has one too
    assert None not in map(checksum_in_name, parts)
    assert states(scored) == ["ok", "ok"]


def test_every_changed_byte_gives_an_error_or_the_same_values(scored: Bench) -> None:
    before = load_scores(scored.root), load_images(scored.root)
    chance = random.Random(1)
    for part in [*scored.parts("images"), *scored.parts()]:
        content = part.read_bytes()
        places = chance.sample(range(len(content)), 150)
        for number, place in enumerate(places):
            changed = bytearray(content)
            changed[place] = (
                changed[place] ^ (1 << chance.randrange(8)) if number % 2 else chance.randrange(256)
            )
            part.write_bytes(changed)
            if changed == content:
                continue
            with pytest.raises(IqbenchError, match="is not the file that was written"):
                load_scores(scored.root)
        for cut in (0, 1, len(content) // 2, len(content) - 1):
            part.write_bytes(content[:cut])
            with pytest.raises(IqbenchError, match="is not the file that was written") as caught:
                load_scores(scored.root)
            assert "delete it and run iqbench evaluate again" in caught.value.hint
        part.write_bytes(content)
    assert all(
        a.equals(b)
        for a, b in zip(before, (load_scores(scored.root), load_images(scored.root)), strict=True)
    )


def test_pages_carry_checksums_that_readers_without_the_name_verify(tmp_path: Path) -> None:
    """As a reader of another kind, or a part whose name somebody changed, has nothing else."""
    rows = 2000
    names = {name: ["set5"] * rows for name in SCORES.names if name not in ("value", "error")}
    table = (
        pa.table(
            {
                **names,
                "method": ["edsr"] * rows,
                "value": [float(row) for row in range(rows)],
                "error": [None] * rows,
                "signature": ["view=rgb"] * rows,
            },
        )
        .select(SCORES.names)
        .cast(SCORES)
    )
    part = tmp_path / "renamed.parquet"
    content = encode(table, FOOTER)
    chance, silent, refused = random.Random(2), 0, 0
    place = content.index(b"PAR1") + 200
    for _ in range(100):
        changed = bytearray(content)
        changed[chance.randrange(place, len(content) // 2)] ^= 1 << chance.randrange(8)
        part.write_bytes(changed)
        try:
            read = part_file.read_part(part, "scores")[0]
        except IqbenchError:
            refused += 1
        else:
            silent += not read.equals(table)
    assert silent == 0
    assert refused > 50


def test_parts_of_older_releases_are_read_and_said_to_have_none(scored: Bench) -> None:
    before = load_scores(scored.root)
    for part in [*scored.parts("images"), *scored.parts()]:
        unnamed(part)
    assert load_scores(scored.root).equals(before)
    assert states(scored) == ["no checksum", "no checksum"]
    scored.score("d", value=1.0)  # merges them with a part of its own
    assert states(scored) == ["ok", "ok"]
    assert len(load_scores(scored.root)) == 4


@pytest.mark.parametrize("kind", ["scores", "images"])
def test_verify_names_what_differs_and_what_cannot_be_read(scored: Bench, kind: Kind) -> None:
    part = scored.parts(kind)[0]
    part.write_bytes(part.read_bytes()[:-1])
    (bad,) = (one for one in verify_results(scored.root) if one.bad)
    assert (bad.part, bad.state, bad.rows) == (part, "differs", None)
    assert "Put back a copy" in bad.hint
    part = unnamed(part)
    (bad,) = (one for one in verify_results(scored.root) if one.bad)
    assert (bad.part, bad.state) == (part, "unreadable")


def test_large_parts_are_checked_too(scored: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_file, "_IN_MEMORY", 10)
    before = load_scores(scored.root)
    assert len(before) == 3
    part = scored.parts()[0]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(IqbenchError, match="is not the file that was written"):
        load_scores(scored.root)


def test_verify_of_no_results_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(IqbenchError, match="there are no results"):
        list(verify_results(tmp_path))


@pytest.mark.parametrize("kind", ["scores", "images"])
def test_other_readers_of_parquet_read_parts_as_ever(scored: Bench, kind: Kind) -> None:
    table = pq.read_table(scored.root / kind)
    assert table.num_rows == 3
    assert table.schema.names == SCHEMAS[kind].names
