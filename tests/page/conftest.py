"""Pages in a Chromium of this machine, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_pages import MAPS, made_results
from needed import missing

from iqbench.document import page as pages
from iqbench.page.report import Appearance, report_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start the browser, once."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        missing("there is no Chromium, such as Debian's package chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is not installed: pip install 'iqbench[test]'")
    with sync_playwright() as driver:
        # Pages are our own; in a container as root there is no sandbox to be had, and no GPU.
        arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        started = driver.chromium.launch(executable_path=found, args=arguments)
        yield started
        started.close()


class Viewed:
    """A page that is open, and what it complained of."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, message: Any) -> None:
        # How fast graphics are on a machine without a GPU is no matter of the page.
        if not any(hint in message.text for hint in ("GL Driver Message", "Canvas2D:")):
            self.complaints.append(message.text)

    def drawn(self, name: str) -> None:
        """Scroll to a plot and wait until it is drawn."""
        self.page.locator(f"#plot-{name}").scroll_into_view_if_needed()
        self.page.wait_for_selector(f"#plot-{name}[data-drawn]", timeout=30_000)

    def texts(self, selector: str) -> list[str]:
        """Give the texts of what can be seen."""
        return [text.strip() for text in self.page.locator(f"{selector}:visible").all_inner_texts()]

    def style(self, selector: str, name: str) -> str:
        """Give a computed style."""
        return str(
            self.page.locator(selector).first.evaluate(
                "(element, name) => getComputedStyle(element).getPropertyValue(name)", name
            )
        )


@pytest.fixture
def view(browser: Any) -> Iterator[Callable[..., Viewed]]:
    """Open a page from disk, without a network; in the end, nothing may have gone wrong."""
    opened: list[tuple[Any, Viewed, str]] = []

    def visit(
        path: Path, *, plots: bool = False, within: Path | None = None, **options: Any
    ) -> Viewed:
        """Open a page; of a site, ``within`` is the folder whose pages links may lead to."""
        context = browser.new_context(
            **{
                "viewport": {"width": 1280, "height": 900},
                "offline": True,
                "reduced_motion": "reduce",
                **options,
            }
        )
        if not plots:  # to unpack plotly.js takes longer than most tests
            context.add_init_script("IntersectionObserver = class { observe() {} }")
        viewed = Viewed(context.new_page())
        opened.append((context, viewed, path.as_uri() if within is None else f"{within.as_uri()}/"))
        viewed.page.goto(path.as_uri())
        return viewed

    yield visit
    for context, viewed, place in opened:
        context.close()
        assert viewed.complaints == []
        asked = [url for url in viewed.requests if not url.startswith(("data:", "blob:"))]
        if place.endswith("/"):
            assert {url.startswith(place) and ".html" in url for url in asked} == {True}
        else:
            assert asked == [place]


@pytest.fixture
def without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave plotly.js out: 2 MB that only a browser needs."""
    monkeypatch.setattr(pages, "packed_plotly", lambda: "")
    monkeypatch.setattr("iqbench.page.report.packed_plotly", lambda: "")


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets, four methods of which one is incomplete, pictures and maps."""
    root = tmp_path_factory.mktemp("report")
    methods = ("edsr", "swinir", "bicubic", "new")
    made = made_results(
        root,
        methods,
        datasets=("set5", "other"),
        lacking=("new",),
        protocols={"other": "derain-y"},
    )
    appearance = Appearance(images=3, maps=MAPS, device="cpu")
    report = report_page(made.folder, {}, made.places, appearance=appearance)
    assert report.left_out == []
    path = root / "report.html"
    path.write_text(report.html, encoding="utf-8")
    return path
