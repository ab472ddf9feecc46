"""Reports of datasets without references show the outputs alone."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from made_pages import MAPS, made_outputs

from iqbench.images.write import write_png
from iqbench.page.recorded import RecordedPlaces
from iqbench.page.report import Appearance, report_page
from iqbench.page.thumbnails import LONGEST
from iqbench.results.schema import FilePlace

pytestmark = pytest.mark.usefixtures("without_plotly")


def made_report(made, places=None, *, images=2, recorded=None):
    return report_page(
        made.folder,
        {},
        made.places if places is None else places,
        recorded=recorded,
        appearance=Appearance(images=images, maps=MAPS, device="cpu"),
    )


def scenes(html):
    found = re.findall(r'<script type="application/json" id="scene-\d+">(.*?)</script>', html, re.S)
    return [json.loads(text) for text in found]


def test_outputs_are_shown_without_reference_divider_and_maps(tmp_path):
    report = made_report(made_outputs(tmp_path))
    assert report.left_out == []
    for scene in scenes(report.html):
        assert [picture["name"] for picture in scene["pictures"]] == ["edsr", "swinir"]
        assert all(picture["maps"] == [] for picture in scene["pictures"])
        assert scene["first"] == 0
        assert not scene["compared"]
        assert (scene["part"], scene["note"]) == ("", "")


def test_the_worst_and_the_best_by_the_metric_come_first(tmp_path):
    first, second = scenes(made_report(made_outputs(tmp_path)).html)
    assert (first["image"], first["reasons"][0]) == ("c", "worst of edsr: niqe 4.200")
    assert (second["image"], second["reasons"][0]) == ("a", "best of edsr: niqe 4.000")


def test_they_are_found_where_the_tables_say(tmp_path):
    made = made_outputs(tmp_path, methods=("edsr",))
    there = FilePlace(
        dataset="outputs", method="edsr", before=f"{tmp_path}/out/edsr/", after=".png"
    )
    report = made_report(made, [], recorded=RecordedPlaces([there]))
    assert (report.pictures, report.left_out) == (2, [])


def test_an_output_that_changed_is_not_shown(tmp_path):
    made = made_outputs(tmp_path, methods=("edsr",), images=("a",))
    write_png(made.root / "out/edsr/a.png", np.zeros((40, 56, 3), np.uint8))
    report = made_report(made)
    assert report.pictures == 0
    assert "is still the same" in report.left_out[0]


def test_of_a_large_output_the_middle_is_shown(tmp_path):
    made = made_outputs(tmp_path, methods=("edsr",), images=("a",), size=(40, LONGEST + 100))
    (scene,) = scenes(made_report(made).html)
    assert scene["crop"] == [50, 0, LONGEST, 40]
    assert scene["part"] == (
        f"{LONGEST}x40 of {LONGEST + 100}x40 pixels, from column 50 and row 0 on, in the middle."
    )


def test_in_a_browser_outputs_stand_side_by_side(view, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(made_report(made_outputs(tmp_path)).html, encoding="utf-8")
    viewed = view(path)
    viewed.page.locator("button.thumb").first.click()
    assert viewed.texts(".stage .label") == ["edsr · niqe 4.200", "swinir · niqe 5.200"]
    for hidden in ("#viewer-cut", "#viewer-left", "#viewer-map", "[data-mode='slider']"):
        assert not viewed.page.locator(f"#viewer {hidden}").first.is_visible()
    assert viewed.page.locator("#viewer-values button").count() == 0
    viewed.page.get_by_role("button", name="Next image").click()
    assert viewed.texts(".stage .label") == ["edsr · niqe 4.000", "swinir · niqe 5.000"]
