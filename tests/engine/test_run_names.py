"""Names of any kind, and tables for other readers."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from made_folders import IMAGES

from iqbench.errors import IqbenchError
from iqbench.report.overview import read_leaderboard


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
    read_leaderboard(made.results, {"method": (name,)})


def _renamed(folder, name):
    return folder.rename(folder.with_name(name))


def test_images_of_any_name_come_back_as_they_are(made):
    images = ("<img src=x>", "漢字", "a b", "a'b\"c", "$(x)", "{id}")
    made.references(images)
    made.evaluate(made.method(images=images))
    assert {image for _, image in made.values()} == set(images)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "bad\udcff"])
def test_names_that_cannot_be_printed_are_refused_for_references(made, name):
    hr = made.references()
    made.method()
    (hr / "a.png").rename(hr / f"{name}.png")
    with pytest.raises(IqbenchError, match="cannot be used as a name"):
        made.evaluate()
    assert made.files() == {}


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
