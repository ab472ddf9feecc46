"""The report's pictures in a browser: compared, zoomed, and viewed one after the other."""

from __future__ import annotations

import pytest


def test_pictures_are_compared_under_a_divider_and_side_by_side(view, page):
    viewed = view(page)
    viewed.page.locator("button.thumb").first.click()
    assert viewed.texts(".stage .label")[0] == "reference"
    assert viewed.style(".pane img", "image-rendering") == "pixelated"
    slider = viewed.page.locator("#viewer-cut")
    slider.focus()
    for _ in range(4):
        viewed.page.keyboard.press("ArrowLeft")
    assert slider.input_value() == "48"
    assert viewed.style(".over", "clip-path") == "inset(0px 0px 0px 48%)"
    # The line itself can be dragged.
    stage = viewed.page.locator("#stage").bounding_box()
    line = viewed.page.locator(".line").bounding_box()
    middle = stage["y"] + stage["height"] / 4
    viewed.page.mouse.move(line["x"], middle)
    viewed.page.mouse.down()
    viewed.page.mouse.move(stage["x"] + stage["width"] / 4, middle)
    viewed.page.mouse.up()
    assert 24 < float(slider.input_value()) < 26

    viewed.page.get_by_role("button", name="Side by side").click()
    outputs = viewed.page.locator("#viewer-values tbody tr").count()
    assert viewed.page.locator(".pane").count() == 1 + outputs
    viewed.page.select_option("#viewer-map", "absolute-error")
    assert all("absolute-error" in text for text in viewed.texts(".stage .label")[1:])
    assert "black 0 to yellow" in viewed.page.locator("#viewer-legend").inner_text()
    colours = viewed.style(".ramp i", "background-image")
    assert colours.startswith("linear-gradient(to right, rgb(0, 0, 3), ")  # from black


def test_one_steps_from_image_to_image_by_keyboard(view, page):
    viewed = view(page)
    thumb = viewed.page.locator("button.thumb").first
    thumb.focus()
    viewed.page.keyboard.press("Enter")
    title = viewed.page.locator("#viewer-title")
    before = title.inner_text()
    viewed.page.get_by_role("button", name="Next image").focus()
    viewed.page.keyboard.press("Enter")
    viewed.page.keyboard.press("Enter")
    assert title.inner_text() != before
    assert viewed.page.evaluate("document.activeElement.dataset.do") == "next"
    viewed.page.keyboard.press("Escape")
    assert viewed.page.evaluate("document.activeElement.matches('button.thumb')")
    viewed.page.locator("details.menu summary").focus()
    viewed.page.keyboard.press("Enter")
    viewed.page.keyboard.press("Tab")
    assert viewed.page.locator("details.menu[open]").count() == 1
    viewed.page.keyboard.press("Escape")
    assert viewed.page.locator("details.menu[open]").count() == 0
    assert viewed.page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_zoom_and_pan_are_the_same_for_all_pictures(view, page):
    viewed = view(page)
    viewed.page.locator("button.thumb").first.click()
    viewed.page.get_by_role("button", name="Side by side").click()
    transforms = (
        "[...document.querySelectorAll('.pane img')].map(i => getComputedStyle(i).transform)"
    )

    def placed() -> list[float]:
        found = viewed.page.evaluate(transforms)
        assert len(set(found)) == 1
        return [float(part) for part in found[0].removeprefix("matrix(").rstrip(")").split(",")]

    before = placed()
    viewed.page.locator("[data-zoom=in]").click()
    assert placed()[0] == pytest.approx(2 * before[0])
    moved = placed()
    viewed.page.locator("#stage").focus()
    viewed.page.keyboard.press("ArrowLeft")
    assert placed()[4] == pytest.approx(moved[4] + 40)
    pane = viewed.page.locator(".pane").first.bounding_box()
    at = pane["x"] + 30, pane["y"] + 20
    viewed.page.mouse.move(*at)
    now = placed()
    viewed.page.mouse.wheel(0, -300)
    viewed.page.wait_for_function(
        f"getComputedStyle(document.getElementById('stage')).getPropertyValue('--scale') > {now[0]}"
    )
    then = placed()
    # What is under the pointer stays there.
    assert (30 - then[4]) / then[0] == pytest.approx((30 - now[4]) / now[0], abs=0.01)
    viewed.page.keyboard.press("0")
    assert placed() == pytest.approx(before)
    viewed.page.keyboard.press("Escape")
    assert viewed.page.locator("#viewer[open]").count() == 0


def test_pixels_are_those_of_the_files(view, page):
    """What the browser decodes of an output is what lies on disk."""
    from iqbench.images.source import FileSource

    viewed = view(page)
    found = viewed.page.evaluate(
        """async () => {
          const scene = JSON.parse(document.getElementById("scene-0").textContent);
          const picture = scene.pictures[1];
          const image = new Image();
          image.src = picture.source;
          await image.decode();
          const canvas = new OffscreenCanvas(picture.width, picture.height);
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const data = context.getImageData(0, 0, picture.width, picture.height).data;
          return [scene.image, picture.name, [...data.filter((_, place) => place % 4 < 3)]];
        }"""
    )
    image, method, pixels = found
    number = ("edsr", "swinir", "bicubic", "new").index(method)
    stored = FileSource(page.parent / "out" / str(number) / f"{image}.png").read().decode()
    assert pixels == stored.pixels.ravel().tolist()


@pytest.mark.parametrize("size", [(390, 844), (1280, 900), (1900, 640)])
def test_side_by_side_pictures_are_as_large_as_they_can_be(view, page, size):
    viewed = view(page, viewport=dict(zip(("width", "height"), size, strict=True)))
    viewed.page.locator("button.thumb").first.click()
    viewed.page.get_by_role("button", name="Side by side").click()
    panes = [pane.bounding_box() for pane in viewed.page.locator(".pane").all()]
    stage = viewed.page.locator("#stage").bounding_box()
    sizes = {
        columns: min(
            stage["width"] / columns / 56, stage["height"] / -(-len(panes) // columns) / 40
        )
        for columns in range(1, len(panes) + 1)
    }
    assert len({pane["x"] for pane in panes}) == max(sizes, key=sizes.__getitem__)


def test_fitting_takes_whole_pixels_of_the_screen(view, page):
    viewed = view(page, device_scale_factor=2)
    viewed.page.locator("button.thumb").first.click()
    scale = float(
        viewed.page.locator("#stage").evaluate("e => e.style.getPropertyValue('--scale')")
    )
    assert (2 * scale).is_integer()
    assert viewed.page.locator("#viewer-scale").inner_text() == f"{200 * scale:.0f} %"
    viewed.page.locator("[data-zoom=one]").click()
    assert viewed.page.locator("#viewer-scale").inner_text() == "100 %"
