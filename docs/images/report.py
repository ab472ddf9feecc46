"""Photograph the pages of `iqbench report` and `iqbench check --html` for the documents.

iqbench demo && python docs/images/report.py

It takes a Chromium and the extra ``test``. The candidate of the check is the demo's best denoiser,
blurred.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
DEMO = Path("results/demo")
COLORS = 256


def keep(page: Page, name: str, **options: Any) -> None:
    """Keep a photograph, in few colours: photographs inside it stay good enough."""
    picture = Image.open(BytesIO(page.screenshot(**options))).convert("RGB")
    palette = picture.quantize(COLORS, method=Image.Quantize.MEDIANCUT, kmeans=2)
    # What is nearly white is white, or the page would look gray beside the document's.
    triples = np.asarray(palette.getpalette(), np.uint8).reshape(-1, 3)
    triples = np.where(triples.min(axis=1, keepdims=True) > 245, 255, triples)
    palette.putpalette(triples.ravel().tolist())
    small = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(FOLDER / f"{name}.png", optimize=True)


def make_pages(folder: Path) -> None:
    """Write both pages into a folder that also gets the tables, so that no other path shows."""
    (folder / "results").mkdir()
    shutil.copytree(DEMO, folder / "results" / "demo")
    blurred = "outputs/nl-means"
    (folder / blurred).mkdir(parents=True)
    for file in (DEMO / "outputs" / "nl-means" / "demo-denoise").glob("*.png"):
        pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(folder / blurred / file.name), cv2.GaussianBlur(pixels, (0, 0), 0.8))
    run(folder, "report", "results/demo", "-o", "report.html")
    metrics = [word for name in ("psnr", "ssim", "lpips-alex") for word in ("--metric", name)]
    run(folder, "evaluate", "--method", blurred, "--dataset", "demo-denoise", *metrics)
    only = ("--dataset", "demo-denoise", "--method", "nl-means", *metrics)
    run(folder, "check", "--baseline", "results/demo", *only, "--html", "check.html")


def run(folder: Path, *arguments: str) -> None:
    """Run iqbench in a folder; that a check says no is what it is for."""
    command = Path(sys.executable).with_name("iqbench")
    subprocess.run([command, *arguments], check=False, cwd=folder)


def photograph(folder: Path) -> None:
    """Open both pages and keep what is worth showing."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 1246})
        page.goto((folder / "report.html").as_uri())
        keep(page, "report")
        plots(page)
        page.locator('button.thumb:has-text("coins")').nth(1).click()
        page.set_viewport_size({"width": 1200, "height": 860})
        page.get_by_role("button", name="Side by side").click()
        page.select_option("#viewer-map", "ssim")
        keep(page, "report-maps")
        page.goto((folder / "check.html").as_uri())
        page.set_viewport_size({"width": 1200, "height": 1040})
        keep(page, "check")
        browser.close()


def plots(page: Page) -> None:
    """Keep the plots of the dataset with the most methods on its front."""
    page.set_viewport_size({"width": 1200, "height": 1086})
    page.locator("#tradeoff").scroll_into_view_if_needed()
    page.locator("#tradeoff .dataset-choice").select_option(label="demo-jpeg")
    for name in ("front", "boxes"):
        page.wait_for_selector(f"#plot-{name}[data-drawn=demo-jpeg]")
    page.evaluate("document.getElementById('tradeoff').scrollIntoView({behavior: 'instant'})")
    keep(page, "report-plots")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        make_pages(Path(temporary))
        photograph(Path(temporary))
