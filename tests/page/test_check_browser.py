"""The page of `iqbench check --html` in a browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_pages import made_results

from iqbench.gate.check import check_parts
from iqbench.gate.compared_scores import compared_datasets
from iqbench.page.check import check_page


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Of three methods the first got worse; pictures of both sides are there."""
    root = tmp_path_factory.mktemp("check")
    images = [f"image{number}" for number in range(8)]
    old = made_results(root / "old", images=images)
    new = made_results(root / "new", images=images, loss=1)
    shutil.rmtree(root / "new" / "hr")  # the baseline's references are the same files
    with compared_datasets(old.folder, new.folder, {}) as sides:
        found = check_parts(sides.parts(), methods=sides.methods)
        assert not found.passed
        made = check_page(
            *(found, sides, ("old", "new"), [*old.places, *new.places]),
            maps=("absolute-error",),
        )
    assert made.left_out == []
    path = root / "check.html"
    path.write_text(made.html, encoding="utf-8")
    return path


def test_it_says_what_got_worse(view, page):
    viewed = view(page)
    assert "Failed" in viewed.page.locator("h1").inner_text()
    rows = viewed.page.locator("tr[data-verdict=worse]")
    assert set(rows.locator("th").all_inner_texts()) == {"edsr"}
    viewed.page.select_option("#filter-verdict", "worse")
    assert set(viewed.texts("#comparisons tbody th")) == {"edsr"}
    gain = viewed.page.locator("tr[data-row-metric=psnr][data-verdict=worse] .gain.loss")
    assert gain.count() == 1
    table = viewed.page.locator("#comparisons table").first
    table.locator("th button.sort", has_text="gain").click()
    cells = table.locator("tbody tr:visible td:nth-child(6), tbody tr:visible th:nth-child(6)")
    gains = [float(cell.get_attribute("data-value")) for cell in cells.all()]
    assert gains == sorted(gains)


def test_baseline_and_now_stand_side_by_side(view, page):
    viewed = view(page)
    viewed.page.locator("button.thumb").first.click()
    assert viewed.texts(".stage .label") == ["baseline · edsr", "now · edsr"]
    assert viewed.texts("#viewer-values tbody th") == ["baseline", "now", "gain"]
    viewed.page.get_by_role("button", name="Side by side").click()
    assert viewed.texts(".stage .label")[0] == "reference"
    assert viewed.page.locator(".pane").count() == 3
    first = viewed.page.locator("#viewer-title").inner_text()
    viewed.page.get_by_role("button", name="Next image").click()
    assert viewed.page.locator("#viewer-title").inner_text() != first


def test_it_is_accessible(view, page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(view(page).page).response["violations"]
    assert [item["id"] for item in found if item["impact"] in ("serious", "critical")] == []
