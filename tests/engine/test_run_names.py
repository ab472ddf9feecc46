"""Names of any kind, and tables for other readers."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from made_folders import IMAGES

from iqbench.boards.board import read_board


def test_tables_are_read_by_others_too(made):
    made.references()
    made.evaluate(f"001={made.method()}")
    frame = pd.read_parquet(made.results / "scores")
    assert set(frame["method"]) == {"001"}
    assert set(frame["image"]) == set(IMAGES)


@pytest.mark.parametrize(
    "name",
    ["<b>bold</b>", "été 漢字", "a|b`c*", "..", "con", "[red]x[/red]", "x=y", "-rf"],
)
def test_names_of_any_kind_come_back_as_they_are(made, name):
    made.references()
    folder = made.method()
    made.evaluate(f"{name}={folder}" if "=" not in name else _renamed(folder, name))
    assert set(made.scores()["method"]) == {name}
    outside = [path for path in made.root.rglob("*.parquet") if made.results not in path.parents]
    assert outside == []
    read_board(made.results, {"method": (name,)})


def _renamed(folder, name):
    return folder.rename(folder.with_name(name))


def test_images_of_any_name_come_back_as_they_are(made):
    images = ("<img src=x>", "漢字", "a b", "a'b\"c", "$(x)", "{id}")
    made.references(images)
    made.evaluate(made.method(images=images))
    assert {image for _, image in made.values()} == set(images)


@pytest.mark.parametrize(
    "name",
    [
        *("Screenshot at 9.15.02\u202fAM", "v\u00a013.05", "\u56fe\u30001", "a\u00adb"),
        *("\U0001f468\u200d\U0001f469", "a\u202eb", "\ufeffa", "\ue000", "a "),
    ],
)
def test_spaces_of_any_kind_and_invisible_signs_are_parts_of_names(made, name):
    images = (name, "a", "b")
    made.references(images, folder=f"hr {name}")
    made.method(name, images=images)
    summary = made.evaluate(reference=made.root / f"hr {name}")
    assert (summary.scored, summary.failures) == (3, [])
    assert set(made.values()) == {(name, image) for image in images}
    assert set(made.scores()["dataset"]) == {f"hr {name}"}
    read_board(made.results, {"method": (name,)})


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("a\nb", "a\\nb"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("bad\udcff", "bad\\udcff"),
        ("x\u2028", "x\\u2028"),
    ],
)
def test_a_reference_whose_name_cannot_be_used_stops_no_other(made, name, spelt):
    hr = made.references()
    out = made.method()
    for folder in (hr, out):
        (folder / "a.png").rename(folder / f"{name}.png")
    summary = made.evaluate()
    assert summary.scored == 2
    assert [failure.image for failure in summary.failures] == [spelt]
    error = made.errors()["mine", spelt]
    assert error.startswith(f"the name of the reference {name + '.png'!r} cannot be used: it holds")
    assert error.endswith("; rename it")
    assert made.evaluate().current == 2


def test_a_method_whose_name_cannot_be_used_stops_no_other(made):
    made.references()
    made.method("sound")
    odd = made.method("odd")
    odd.rename(odd.with_name("odd\x1b"))
    summary = made.evaluate()
    assert summary.scored == 3
    assert {failure.method for failure in summary.failures} == {"odd\\x1b"}
    assert len(summary.failures) == 3
    assert "or give --method NAME=DIR" in made.errors()["odd\\x1b", "a"]


def test_a_folder_whose_name_is_no_text_can_still_be_named_and_read(made):
    made.references()
    folder = made.method()
    odd = os.fsdecode(os.fsencode(folder) + b"\xff\x1b[31m\n")
    folder.rename(odd)
    Path(odd, "b.png").unlink()
    summary = made.evaluate(f"odd={odd}")
    assert summary.scored == 2
    assert made.errors()["odd", "b"].startswith("missing output: no b.* in ")
    assert "\\udcff" in made.errors()["odd", "b"]


@pytest.mark.parametrize("match", ["numbers", ["numbers"], "case,numbers"])
def test_names_are_compared_as_they_are_asked_to_be(made, match):
    made.references([f"{number:04}" for number in (1, 2, 10)])
    made.method(images=("1", "2", "10"))
    summary = made.evaluate(match=match)
    assert (summary.scored, summary.failures) == (3, [])
    assert {image for _, image in made.values()} == {"0001", "0002", "0010"}


def test_an_output_that_matches_two_references_is_not_scored(made):
    made.references(("a/1", "b/1", "c/2"))
    made.method(images=("1", "2"))
    summary = made.evaluate(match="flat")
    assert summary.scored == 1
    assert made.errors()["mine", "a/1"].endswith("1.png, which could be that of a/1 or b/1")
    assert made.errors()["mine", "b/1"].startswith("ambiguous output in ")
