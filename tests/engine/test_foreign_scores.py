"""Values that were copied into a results folder are checked before they are accepted."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_folders import IMAGES

from iqbench.results.part_file import encode, open_part, part_name


@pytest.fixture
def theirs(made):
    """Scores of the method ``one`` in a folder of somebody else, ``theirs/deep/results``."""
    made.references()
    made.method("one")
    made.method("two")
    folder = made.root / "theirs/deep/results"
    made.evaluate(f"{made.root}/out/one", results=folder)
    made.evaluate(f"{made.root}/out/two")
    return folder


def forge(folder, by=20.0, rows=3):
    """Raise the values of some rows, under a checksum that is right."""
    (part,) = folder.glob("scores/*/one/*.parquet")
    with open_part(part, "scores") as (_, footer):
        table = pq.read_table(part)
    values = [v + by * (n < rows) for n, v in enumerate(table["value"].to_pylist())]
    at = table.schema.get_field_index("value")
    table = table.set_column(at, table.schema.field(at), pa.array(values, pa.float64()))
    content = encode(table, footer)
    part.unlink()
    (part.parent / part_name(int(part.name[:20]), content)).write_bytes(content)


def submit(made, folder):
    """Copy a folder of scores into the results."""
    for kind in ("scores", "images"):
        shutil.copytree(folder / kind / "hr/one", made.results / kind / "hr/one")


def honest(made):
    made.evaluate(results=made.root / "honest")
    frame = made.scores()
    from iqbench.results.read import load_scores

    return frame.astype(object).equals(load_scores(made.root / "honest").astype(object))


def test_forged_values_are_reported_and_replaced(made, theirs):
    forge(theirs)
    submit(made, theirs)
    assert not honest(made)
    summary = made.evaluate()
    assert (summary.scored, summary.current) == (3, 3)
    (said,) = summary.warnings
    assert said.startswith(
        "hr / one: 3 of 3 stored values differ from those computed from the files; the largest "
        "difference is "
    )
    assert str(theirs) in said
    assert honest(made)
    assert made.evaluate().warnings == []


def test_a_value_that_is_found_makes_all_be_computed(made, theirs, monkeypatch):
    from iqbench.engine import foreign_scores

    monkeypatch.setattr(foreign_scores, "TRIED", len(IMAGES))
    forge(theirs, rows=1)
    submit(made, theirs)
    summary = made.evaluate()
    assert summary.scored == 3
    assert "1 of 3 stored values differ from those computed from the files" in summary.warnings[0]
    assert honest(made)


def test_forged_scores_of_a_method_that_is_there_do_not_hide_its_own(made, theirs):
    forge(theirs)
    made.evaluate()
    assert honest(made)
    for kind in ("scores", "images"):
        (part,) = (theirs / kind / "hr/one").glob("*.parquet")
        later = f"{10**18 * 9:020d}{part.name[20:]}"
        shutil.copy(part, made.results / kind / "hr/one" / later)
    assert not honest(made)
    summary = made.evaluate()
    assert "3 of 3 stored values differ from those computed from the files" in summary.warnings[0]
    assert honest(made)


def test_honest_values_stay_and_the_message_says_what_was_tried(made, theirs, decoded):
    submit(made, theirs)
    decoded.clear()
    before = made.scores()
    summary = made.evaluate()
    assert (summary.scored, summary.current) == (0, 6)
    assert sum(name.startswith("one/") for name in decoded) == 2
    (said,) = summary.warnings
    assert said.endswith(
        "2 of 3 were computed again and are equal; the others are taken as they are. Compare all "
        "of them with iqbench results verify --rescore"
    )
    assert made.scores().equals(before)


def test_a_project_that_was_moved_is_checked_without_a_message(made, decoded):
    made.references(folder="project/hr")
    made.method("one", folder="../project/out/one")
    chosen = {"reference": made.root / "project/hr", "results": made.root / "project/results"}
    made.evaluate(f"{made.root}/project/out/one", **chosen)
    (made.root / "project").rename(made.root / "moved")
    decoded.clear()
    chosen = {"reference": made.root / "moved/hr", "results": made.root / "moved/results"}
    summary = made.evaluate(f"{made.root}/moved/out/one", **chosen)
    assert (summary.scored, summary.current, summary.warnings) == (0, 3, [])
    assert sum(name.startswith("one/") for name in decoded) == 2


def test_values_of_this_folder_are_not_computed_again(made, theirs, decoded):
    decoded.clear()
    assert made.evaluate(f"{made.root}/out/two").current == 3
    assert decoded == []
