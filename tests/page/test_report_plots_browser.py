"""The report's plots in a browser: drawing, labels, and printing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

from made_pages import made_results, place_of, rated_results

from iqbench.page.report import Appearance, report_page


def test_plots_are_drawn_and_say_what_a_point_is(view, page):
    viewed = view(page, plots=True)
    for name in ("front", "boxes", "scatter"):
        viewed.drawn(name)
    # plotly.js has a button that uploads a plot; here are only those that do not.
    buttons = viewed.page.locator("#plot-front .modebar-btn")
    titles = {button.get_attribute("data-title") for button in buttons.all()}
    assert titles == {"Download plot", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"}
    assert "on the front" in viewed.page.locator("#plot-front .legend").text_content()
    figure = viewed.page.locator("#plot-scatter")
    figure.scroll_into_view_if_needed()
    where = place_of(viewed, 1, 0)
    viewed.page.mouse.move(where[0], where[1])
    hover = viewed.page.wait_for_selector("#plot-scatter .hovertext")
    assert where[2] in hover.text_content()
    assert where[3] in hover.text_content()
    # With the decimals of the table, not those of a computer.
    assert re.search(r"psnr \d+\.\d{2}lpips-alex \d\.\d{4}$", hover.text_content())
    viewed.page.mouse.click(where[0], where[1])
    viewed.page.wait_for_function("document.getElementById('picked').textContent !== ''")
    shown = viewed.page.locator("#viewer[open]")
    if shown.count():
        assert viewed.page.locator("#viewer-title").inner_text() == where[3]
    else:
        assert "is not in this file" in viewed.page.locator("#picked").inner_text()


def test_what_is_chosen_while_plotly_is_unpacked_is_what_is_drawn(view, page):
    viewed = view(page, plots=True)
    viewed.page.evaluate(
        """() => {
          const [load, gate] = [iqbench.plotly, new Promise((open) => { window.open = open; })];
          window.asked = 0;
          iqbench.plotly = () => { window.asked += 1; return gate.then(load); };
        }"""
    )
    viewed.page.locator("#plot-boxes").scroll_into_view_if_needed()
    viewed.page.wait_for_function("() => asked > 0")
    before = viewed.page.evaluate("asked")
    viewed.page.locator("#tradeoff .dataset-choice").select_option(label="set5")
    viewed.page.wait_for_function(f"() => asked > {before}")
    viewed.page.evaluate("window.open()")
    viewed.drawn("boxes")
    assert viewed.page.locator("#plot-boxes[data-drawn=set5]").count() == 1
    viewed.page.wait_for_selector("#plot-boxes .boxes path", timeout=5_000)


def test_names_of_points_keep_off_each_other(view, page):
    viewed = view(page)
    crowd = [{"x": 100 + 9 * place, "y": 60 + place % 2, "width": 70} for place in range(12)]
    places = viewed.page.evaluate(
        "points => iqbench.placed(points, {width: 400, height: 120})", [*crowd, crowd[0]]
    )
    assert places[0] == "top center"  # the first has its choice
    assert places[1] == "bottom center"
    named = [place for place in places if place is not None]
    assert 2 <= len(named) < len(places)  # where there is no room, there is no name
    alone = [{"x": 398, "y": 4, "width": 70}]
    assert viewed.page.evaluate(
        "points => iqbench.placed(points, {width: 400, height: 120})", alone
    ) == ["bottom left"]


def test_long_names_leave_room_for_the_plots(view, tmp_path):
    names = [f"a method with a very long name {'x' * 90} {number}" for number in range(3)]
    made = made_results(tmp_path, names)
    report = report_page(made.folder, {}, appearance=Appearance(images=0))
    path = tmp_path / "report.html"
    path.write_text(report.html, encoding="utf-8")
    viewed = view(path, plots=True)
    for name in ("front", "boxes", "scatter"):
        viewed.drawn(name)
        plot = viewed.page.evaluate(
            f"document.getElementById('plot-{name}')._fullLayout.xaxis._length"
        )
        assert plot > 600, name
    ticks = viewed.page.locator("#plot-boxes .ytick text").all_text_contents()
    assert len(set(ticks)) == 3  # shortened in the middle, where they are alike
    assert viewed.page.locator("#plot-front .textpoint").count() == 3


def drawn_heatmap(viewed, name):
    """Wait until a heat map is drawn; give its cells as names and numbers, as the script has it."""
    figure = viewed.page.locator(f"#figure-{name}")
    figure.scroll_into_view_if_needed()
    viewed.page.wait_for_selector(f"#figure-{name}[data-drawn]", timeout=30_000)
    return figure.evaluate("({data: [{x, y, z}]}) => ({x, y, z})")


def test_a_cell_of_the_heat_map_opens_its_two_metrics(view, page):
    viewed = view(page, plots=True)
    found = drawn_heatmap(viewed, "spearman-1")
    assert found["y"][0] == "ssim"
    assert found["x"][0] == "psnr"
    where = viewed.page.locator("#figure-spearman-1").evaluate(
        """(figure) => {
          const {xaxis, yaxis} = figure._fullLayout;
          const box = figure.getBoundingClientRect();
          return [box.left + xaxis._offset + xaxis.d2p("psnr"),
                  box.top + yaxis._offset + yaxis.d2p("ssim")];
        }"""
    )
    viewed.page.mouse.move(*where)
    viewed.page.wait_for_selector("#figure-spearman-1 .hovertext")
    viewed.page.mouse.click(*where)
    assert viewed.page.locator("#scatter-x").input_value() == "psnr"
    assert viewed.page.locator("#scatter-y").input_value() == "ssim"
    viewed.page.wait_for_selector("#plot-scatter[data-drawn=set5]", timeout=30_000)


def test_a_heat_map_is_walked_through_and_chosen_by_keyboard(view, page):
    viewed = view(page, plots=True)
    found = drawn_heatmap(viewed, "kendall-0")
    viewed.page.locator("#figure-kendall-0").focus()
    spoken = viewed.page.locator("#spoken")
    viewed.page.keyboard.press("ArrowRight")
    assert spoken.inner_text() == f"|tv-ratio-1|, psnr: {found['z'][-1][0]:.3f}"
    viewed.page.keyboard.press("ArrowRight")
    viewed.page.keyboard.press("ArrowUp")
    assert spoken.inner_text() == f"tv-ratio, ssim: {found['z'][-2][1]:.3f}"
    viewed.page.keyboard.press("Enter")
    assert viewed.page.locator("#scatter-x").input_value() == "ssim"
    assert viewed.page.locator("#scatter-y").input_value() == "tv-ratio"
    assert viewed.page.evaluate("document.activeElement.id") == "scatter-x"
    # A distance to a target opens the metric that has it.
    drawn_heatmap(viewed, "spearman-1")
    viewed.page.locator("#figure-spearman-1").focus()
    viewed.page.keyboard.press("ArrowRight")
    assert spoken.inner_text().startswith("|tv-ratio-1|, psnr: ")
    viewed.page.keyboard.press("Enter")
    assert viewed.page.locator("#scatter-x").input_value() == "psnr"
    assert viewed.page.locator("#scatter-y").input_value() == "tv-ratio"


def test_a_heat_map_leaves_out_metrics_that_are_not_shown(view, page):
    viewed = view(page, plots=True)
    before = drawn_heatmap(viewed, "spearman-0")
    assert before["y"] == ["ssim", "lpips-alex", "tv-ratio", "|tv-ratio-1|"]
    assert before["x"] == ["psnr", "ssim", "lpips-alex", "tv-ratio"]
    viewed.page.locator("details.menu summary").click()
    viewed.page.get_by_role("checkbox", name="ssim").uncheck()
    viewed.page.get_by_role("checkbox", name="tv-ratio").uncheck()
    viewed.page.wait_for_function(
        "document.getElementById('figure-spearman-0').data[0].y.length === 1"
    )
    after = drawn_heatmap(viewed, "spearman-0")
    assert (after["x"], after["y"]) == (["psnr"], ["lpips-alex"])
    assert after["z"] == [[before["z"][1][0]]]
    assert viewed.texts("#correlation th") == []  # the table is folded
    viewed.page.locator("#correlation summary").first.click()
    assert viewed.page.locator('#correlation th[data-metric="ssim"]:visible').count() == 0
    assert viewed.page.locator('#correlation th[data-metric="psnr"]:visible').count() == 1
    rows = viewed.page.locator("#correlation table").first.locator("tbody tr:visible")
    assert [row.split()[0] for row in rows.all_inner_texts()] == ["lpips-alex"]


def test_plots_are_printed_light_and_as_wide_as_paper(view, page):
    viewed = view(page, plots=True, color_scheme="dark")
    for name in ("front", "boxes", "scatter"):
        viewed.drawn(name)
    look = """() => {
      const figure = document.getElementById("plot-front");
      const text = figure.querySelector(".textpoint text, text");
      return [figure._fullLayout.width, getComputedStyle(text).fill];
    }"""
    before = viewed.page.evaluate(look)
    assert before[0] > 1000
    viewed.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    width, ink = viewed.page.evaluate(look)
    assert width <= 700  # of A4 between its margins
    assert ink == "rgb(28, 32, 36)"
    viewed.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert viewed.page.evaluate(look) == before


def test_a_plot_is_saved_as_svg_with_the_colours_of_the_page(view, page):
    viewed = view(page, plots=True, color_scheme="dark")
    viewed.drawn("front")
    button = viewed.page.locator("#plot-front .modebar-btn[data-title='Download plot']")
    button.focus()
    with viewed.page.expect_download() as waiting:
        viewed.page.keyboard.press("Enter")
    assert waiting.value.suggested_filename == "iqbench-front-other.svg"
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "swinir" in text
    assert "rgb(20, 23, 27)" in text  # the dark page's background, which its light names need


def test_points_whose_picture_is_not_in_the_file_look_so(view, page):
    viewed = view(page, plots=True)
    viewed.drawn("scatter")
    html = page.read_text(encoding="utf-8")
    scenes = map(json.loads, re.findall(r'id="scene-\d+">(.*?)</script>', html))
    shown = {
        (one["image"], picture["name"])
        for one in scenes
        if one["dataset"] == "other"
        for picture in one["pictures"][1:]
    }
    points = viewed.page.evaluate(
        """document.getElementById("plot-scatter").data.flatMap((trace) =>
          trace.text.map((image, at) => [image, trace.meta[0], trace.marker.symbol[at]]))"""
    )
    hollow = {(image, method) for image, method, symbol in points if symbol.endswith("-open")}
    filled = {(image, method) for image, method, symbol in points if not symbol.endswith("-open")}
    assert filled == shown
    assert {image for image, _ in hollow} == {"c"}  # three of four images are shown
    assert len(hollow) == 4
    viewed.drawn("boxes")
    faint = viewed.page.evaluate(
        """document.getElementById("plot-boxes").data.reduce(
          (count, trace) => count + trace.x.length - trace.selectedpoints.length, 0)"""
    )
    assert faint == 4


def test_points_are_reached_and_chosen_by_keyboard(view, page):
    viewed = view(page, plots=True)
    viewed.drawn("scatter")
    spoken = viewed.page.locator("#spoken")
    viewed.page.locator("#plot-scatter").focus()
    viewed.page.keyboard.press("ArrowRight")
    first = spoken.inner_text()
    assert re.fullmatch(r"\w+, \w+, psnr ↑ [\d.]+, lpips-alex ↓ [\d.]+", first)
    viewed.page.keyboard.press("ArrowRight")
    second = spoken.inner_text()
    values = [float(text.split("↑ ")[1].split(",")[0]) for text in (first, second)]
    assert values[0] < values[1]
    assert first.split(", ")[1] == second.split(", ")[1]  # of one method
    viewed.page.keyboard.press("ArrowUp")
    assert spoken.inner_text().split(", ")[1] != first.split(", ")[1]
    ring = viewed.page.locator("#plot-scatter .reached").bounding_box()
    where = [place_of(viewed, 1, at) for at in range(4)]
    middle = (ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    assert min(abs(middle[0] - x) + abs(middle[1] - y) for x, y, *_ in where) < 2
    viewed.page.keyboard.press("Enter")
    viewed.page.wait_for_function("document.getElementById('picked').textContent !== ''")
    assert spoken.inner_text().split(", ")[0] in viewed.page.locator("#picked").inner_text()
    # The boxes, too.
    viewed.page.keyboard.press("Escape")
    viewed.drawn("boxes")
    viewed.page.locator("#plot-boxes").focus()
    viewed.page.keyboard.press("ArrowDown")
    assert re.fullmatch(r"\w+, \w+, psnr ↑ [\d.]+", spoken.inner_text())


def test_each_panel_of_opinions_is_walked_through_by_keyboard(view, tmp_path):
    report = report_page(rated_results(tmp_path / "results"), {}, appearance=Appearance(images=0))
    path = tmp_path / "report.html"
    path.write_text(report.html, encoding="utf-8")
    viewed = view(path, plots=True)
    figure = viewed.page.locator("#figure-people-0-0")
    figure.scroll_into_view_if_needed()
    viewed.page.wait_for_selector("#figure-people-0-0 .main-svg", timeout=30_000)
    figure.focus()
    viewed.page.keyboard.press("ArrowRight")
    rings = [figure.locator(".reached").bounding_box()]
    assert "psnr" in viewed.page.locator("#spoken").inner_text()
    for _ in range(2):  # past the other distortion of this panel
        viewed.page.keyboard.press("ArrowUp")
    rings.append(figure.locator(".reached").bounding_box())
    assert "ssim" in viewed.page.locator("#spoken").inner_text()
    middle = figure.bounding_box()["x"] + figure.bounding_box()["width"] / 2
    assert rings[0]["x"] < middle < rings[1]["x"]
