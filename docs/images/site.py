"""Photograph the pages of `iqbench site` for the documents, on a desktop and on a phone.

iqbench demo && python docs/images/site.py

It takes a Chromium and the extra ``test``. The site is that of the demo, in two versions.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
DEMO = Path("results/demo")
COLORS = 64
LINKS = """
nl-means: {date: 2005-06-20, paper: 'https://doi.org/10.1109/CVPR.2005.38'}
tv-chambolle: {date: 2004-01-01, paper: 'https://doi.org/10.1023/B:JMIV.0000011325.36760.1e'}
bilateral: {date: 1998-01-07, paper: 'https://doi.org/10.1109/ICCV.1998.710815'}
wavelet: {date: 1994-09-01, paper: 'https://doi.org/10.1093/biomet/81.3.425'}
richardson-lucy: {date: 1972-01-01, paper: 'https://doi.org/10.1364/JOSA.62.000055'}
"""
DENOISING = "datasets/demo-denoise.html"


def make_site(folder: Path) -> Path:
    """Build the site twice, the second time with one method more."""
    shutil.copytree(DEMO, folder / "results")
    (folder / "results" / "methods.yaml").write_text(LINKS, encoding="utf-8")
    methods = sorted({path.name for path in (DEMO / "outputs").iterdir()} - {"nl-means"})
    chosen = [word for name in methods for word in ("--method", name)]
    (folder / "links.yaml").write_text("{}", encoding="utf-8")
    build(folder, *chosen, "--methods-file", "links.yaml")
    build(folder)
    return folder / "public"


def build(folder: Path, *options: str) -> None:
    """Run iqbench site in a folder."""
    command = Path(sys.executable).with_name("iqbench")
    words = ["site", "results", "-o", "public", "--title", "Classical restoration", "-q"]
    subprocess.run([command, *words, *options], check=True, cwd=folder)


def photograph(page: Page) -> Image.Image:
    """Take what a window shows."""
    return Image.open(BytesIO(page.screenshot())).convert("RGB")


def keep(picture: Image.Image, name: str) -> None:
    """Keep a photograph in few colours."""
    palette = picture.quantize(COLORS, method=Image.Quantize.MEDIANCUT, kmeans=2)
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(
        FOLDER / f"{name}.png", optimize=True
    )


def main() -> None:
    """Make the site and keep its pages."""
    with TemporaryDirectory() as temporary, sync_playwright() as driver:
        site = make_site(Path(temporary))
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        desktop = browser.new_page(viewport={"width": 1100, "height": 900})
        desktop.goto((site / "index.html").as_uri())
        keep(photograph(desktop), "site")
        phone = browser.new_context(
            viewport={"width": 390, "height": 760}, is_mobile=True, has_touch=True
        ).new_page()
        shots = []
        for name in ("index.html", DENOISING, "history.html"):
            phone.goto((site / name).as_uri())
            shots.append(
                np.pad(
                    np.asarray(photograph(phone)),
                    ((1, 1), (1, 9), (0, 0)),
                    "constant",
                    constant_values=205,
                )
            )
        keep(Image.fromarray(np.concatenate(shots, axis=1)), "site-phone")
        browser.close()


if __name__ == "__main__":
    main()
