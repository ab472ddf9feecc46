"""The stored values of earlier runs in columns equal the rows that were written."""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from made_manifest import MANIFEST

from iqbench.results import known
from iqbench.results.known import ImageState
from iqbench.results.schema import (
    ColumnInfo,
    ImageRow,
    ScoreRow,
    bitstream_mark,
    output_mark,
    pair_digest,
)
from iqbench.results.store import Store

COLUMNS = {"psnr": ColumnInfo("higher")}


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)
DIGESTS = st.none() | st.sampled_from(
    ["", "ab", "AB12", "imported:x", "o", digest("a"), digest("b"), digest("c").upper()]
)
ROWS = st.builds(
    ImageRow,
    st.just("set5"),
    st.just("mine"),
    NAMES,
    reference_digest=DIGESTS,
    output_digest=DIGESTS,
    bitstream_digest=DIGESTS,
    height=st.none() | st.integers(1, 10**6),
    width=st.none() | st.integers(1, 10**6),
    bytes=st.none() | st.integers(0, 2**40),
    mos=st.none() | st.floats(0, 100),
    distortion=st.none() | NAMES,
    error=st.none() | NAMES.map("no: {}".format),
)


@settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
@given(st.lists(ROWS, max_size=8, unique_by=lambda row: row.image))
def test_every_row_comes_back(tmp_path_factory, rows):
    store = Store(tmp_path_factory.mktemp("rows"))
    with store.writer(MANIFEST, COLUMNS) as writer:
        for row in rows:
            writer.add_image(row)
    images = store.current("set5", "mine").images
    assert set(images) == {row.image for row in rows}
    for row in rows:
        found = images[row.image]
        assert found == ImageState(**{one.name: getattr(row, one.name) for one in fields(found)})
    assert "another name" not in images
    with pytest.raises(KeyError):
        images["another name"]


def test_names_of_one_hash_are_told_apart(tmp_path, monkeypatch):
    store = Store(tmp_path / "results")
    with store.writer(MANIFEST, COLUMNS) as writer:
        for image in "abc":
            writer.add_image(ImageRow("set5", "mine", image, output_digest=digest(image)))
    monkeypatch.setattr(known, "hash", len, raising=False)
    images = store.current("set5", "mine").images
    assert [images[image].output_digest for image in "cab"] == [digest(one) for one in "cab"]
    assert "d" not in images


def test_marks_name_the_files_of_each_value(tmp_path):
    store = Store(tmp_path / "results")
    row = ImageRow(
        "set5", "mine", "a", digest("r"), digest("o"), 4, 6, bitstream_digest=digest("b")
    )
    wanted = {
        ("psnr", "view=rgb"): pair_digest(row.reference_digest, row.output_digest),
        ("niqe", "view=rgb"): output_mark(row.output_digest),
        ("bpp", "view=y"): bitstream_mark(digest("b"), 4, 6),
    }
    many = {("psnr", f"view=rgb|n={number}"): wanted["psnr", "view=rgb"] for number in range(150)}
    with store.writer(MANIFEST, COLUMNS) as writer:
        writer.add_image(row)
        for (metric, text), mark in (wanted | many).items():
            writer.add_scores([score("a", metric, text, mark)])
        writer.add_image(ImageRow("set5", "mine", "b", digest("r"), digest("before")))
        stale = pair_digest(digest("r"), digest("before"))
        writer.add_scores([score("b", "psnr", "view=rgb", stale)])
    with store.writer(MANIFEST, COLUMNS) as writer:
        writer.add_image(ImageRow("set5", "mine", "b", digest("r"), digest("now")))
        writer.add_image(ImageRow("set5", "mine", "c"))
    marks = store.current("set5", "mine").marks
    assert dict(marks) == {"a": wanted | many}
    assert len(marks) == 1


def score(image: str, metric: str, text: str, mark: str | None) -> ScoreRow:
    return ScoreRow("set5", "mine", image, metric, 1.0, None, text, "rgb", mark)
