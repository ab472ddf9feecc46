"""Every reading command and format on one small results folder, as text that can be compared.

``python tests/tables/golden_run.py`` writes what the commands say now into ``expected/``: look at
the difference before you commit it.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Container, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from click.testing import CliRunner
from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.cli.main import cli
from iqbench.results.schema import ColumnInfo, ImageRow, Manifest, ScoreRow
from iqbench.results.signature import signature
from iqbench.results.store import Store

EXPECTED = Path(__file__).with_name("expected")

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2, summary="Peak signal-to-noise ratio, dB"),
        "ssim": ColumnInfo("higher", 4, summary="Structural similarity"),
        "lpips-alex": ColumnInfo("lower", 4, summary="Learned distance on AlexNet"),
        "tv-ratio": ColumnInfo("target:1", 3, summary="Total variation, output over reference"),
        "tv-output": ColumnInfo("none", 4, headline=False),
    }
)
_DATASETS = {"set5": ("rgb/1", 5), "set14": ("sr-y:scale=4/1", 6)}
_METHODS = {"bicubic": 0.0, "edsr": 1.5, "swinir": 1.7}


def _manifest(time: str) -> Manifest:
    return MANIFEST.model_copy(update={"time": time})


def _rows(
    dataset: str, method: str, image: int, protocol: str, value: dict[str, float | str]
) -> Iterator[ScoreRow]:
    pair = ImageRow(dataset, method, f"img{image}", f"ref{image}", f"{method}{image}").pair
    for metric, one in value.items():
        fields = {"metric": metric, "version": "1", "protocol": protocol}
        if metric == "lpips-alex":
            fields["precision"] = "exact"
        failed = isinstance(one, str)
        yield ScoreRow(
            *(dataset, method, f"img{image}", metric),
            *(None if failed else one, one if failed else None),
            *(signature(fields), protocol.partition("/")[0], pair),
        )


def make_results(root: Path, *, loss: float = 0.0) -> None:
    """Write two datasets, one of them also under a second protocol.

    Some values are infinite, undefined or missing. ``loss`` is what edsr loses on set5.
    """
    random = np.random.default_rng(1)
    tasks = dict.fromkeys(_DATASETS, "super-resolution")
    with Store(root).writer(_manifest("2026-01-01T00:00:00Z"), COLUMNS, tasks) as writer:
        for dataset, (protocol, count) in _DATASETS.items():
            for method, gain in _METHODS.items():
                for image in range(count):
                    if (dataset, method, image) == ("set14", "swinir", 5):
                        row = ImageRow(dataset, method, "img5", "ref5", error="no output for img5")
                        writer.add_image(row)
                        continue
                    opinion = 50 + 10 * gain + 3 * image
                    row = ImageRow(
                        *(dataset, method, f"img{image}", f"ref{image}", f"{method}{image}"),
                        *(48, 64, 3, 8, 1000 + image),
                        *((opinion, 5.0, "higher", None) if dataset == "set5" else ()),
                    )
                    writer.add_image(row)
                    noise = random.normal(size=4)
                    psnr = 26 + image + gain + noise[0] / 4
                    lost = loss if (dataset, method) == ("set5", "edsr") else 0.0
                    values: dict[str, float | str] = {
                        "psnr": psnr - lost,
                        "ssim": 1 - 10 ** (-(psnr - 16) / 12) + noise[1] / 100,
                        "lpips-alex": abs(0.4 - 0.1 * gain + noise[2] / 50) + lost / 10,
                        "tv-ratio": 0.8 + 0.1 * gain + noise[3] / 20,
                        "tv-output": 3.0 + image + noise[3],
                    }
                    if (dataset, image) == ("set14", 4):
                        values["tv-ratio"] = "undefined: the reference is flat"
                    if (dataset, method, image) == ("set14", "edsr", 0):
                        values["psnr"] = math.inf
                    writer.add_scores(_rows(dataset, method, image, protocol, values))
                    if dataset == "set14":
                        second: dict[str, float | str] = {"psnr": psnr - 2 - noise[1] / 3}
                        writer.add_scores(_rows(dataset, method, image, "rgb/1", second))


_BOARD = ("table", "markdown", "csv", "json", "latex", "html")
_FEW = ("table", "markdown", "csv", "json")
_SORT = ("--sort", "ssim")
_CORRELATED = (
    *("--dataset", "set5", "--metric", "psnr", "--metric", "tv-ratio"),
    *("--metric", "lpips-alex", "--resamples", "20"),
)

COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "leaderboard": (("leaderboard", "new", *_SORT), _BOARD),
    "leaderboard-all": (
        ("leaderboard", "new", *_SORT, "--columns", "all", "--intervals"),
        ("table", "latex"),
    ),
    "leaderboard-columns": (("leaderboard", "new", *_SORT, "--columns", "lpips-alex"), ("table",)),
    "leaderboard-task": (("leaderboard", "new", *_SORT, "--by", "task"), ("table", "json")),
    "leaderboard-overall": (
        ("leaderboard", "new", *_SORT, "--by", "overall"),
        ("markdown", "csv", "html"),
    ),
    "leaderboard-pairs": (
        ("leaderboard", "new", *_SORT, "--pairs"),
        ("table", "markdown", "csv", "latex", "html"),
    ),
    "leaderboard-images": (
        ("leaderboard", "new", *_SORT, "--by-image", "--top", "2"),
        ("table", "json", "latex", "html"),
    ),
    "leaderboard-apart": (
        (
            *("leaderboard", "new", *_SORT, "--by-image", "--top", "1", "--dataset", "set5"),
            *("--method", "bicubic", "--method", "edsr"),
        ),
        ("table",),
    ),
    "correlate": (("correlate", "new", *_CORRELATED), (*_FEW[:3], "latex", "html")),
    "correlate-json": (("correlate", "new", *_CORRELATED[:-4], "--resamples", "0"), ("json",)),
    "check": (("check", "new", "--baseline", "old"), (*_FEW[:3], "latex", "html")),
    "check-same": (("check", "old", "--baseline", "same", "--rows", "all"), ("table",)),
    "compare-runs": (("compare", "old", "new"), ("table", "markdown", "csv")),
    "compare-methods": (("compare", "bicubic", "edsr", "--results", "new"), (*_FEW, "latex")),
}
"""The arguments of each command, and the formats in which it is run."""

FILES: dict[str, tuple[str, ...]] = {
    "export.csv": ("export", "new", "-o"),
    "export-wide.csv": ("export", "new", "--wide", "-o"),
    "export-spreadsheet.csv": ("export", "new", "--wide", "--spreadsheet", "-o"),
    "export-wide.jsonl": ("export", "new", "--wide", "-o"),
    "export.parquet": ("export", "new", "--dataset", "set5", "-o"),
    "check.xml": ("check", "new", "--baseline", "old", "--junit"),
    "check-page.html": ("check", "new", "--baseline", "old", "--no-recorded-pictures", "--html"),
    "report.html": ("report", "new", "--no-pictures", *_SORT, "-o"),
    "correlation": ("correlate", "new", *_CORRELATED, "-o"),
}
"""Commands that write: the last argument is the file, which is called as the key."""


def run_everything(folder: Path, wanted: Container[str] | None = None) -> Iterator[tuple[str, str]]:
    """Make the results folders there, run the wanted commands, and give each name with its text."""
    back = Path.cwd()
    os.chdir(folder)
    try:
        with mock.patch.dict(os.environ, {"COLUMNS": "100"}), _quick_pages():
            yield from _told(_names() if wanted is None else wanted)
    finally:
        os.chdir(back)


def _names() -> set[str]:
    """Name everything there is to run."""
    printed = {
        f"{name}.{format}.txt" for name, (_, formats) in COMMANDS.items() for format in formats
    }
    return printed | {f"{name}.txt" for name in FILES}


def _told(wanted: Container[str]) -> Iterator[tuple[str, str]]:
    make_results(Path("old"))
    make_results(Path("same"))
    make_results(Path("new"), loss=0.9)
    for name, (arguments, formats) in COMMANDS.items():
        for format in formats:
            if f"{name}.{format}.txt" not in wanted:
                continue
            ran = _run(*arguments, "--format", format)
            yield f"{name}.{format}.txt", page_text(ran) if format == "html" else ran
    for name, arguments in FILES.items():
        if f"{name}.txt" not in wanted:
            continue
        told = _run(*arguments, name)
        yield f"{name}.txt", f"{told}{_written(Path(name))}"


def _run(*arguments: str) -> str:
    ran = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    # Sizes of pages follow the code of the page.
    said = re.sub(r": \d+\.\d MB,", ":", ran.stderr)
    return f"{ran.stdout}{said}exit {ran.exit_code}\n"


def _quick_pages() -> Any:
    """Leave plotly.js out of pages: it takes a second to pack, and says nothing."""
    stack = ExitStack()
    for module in ("iqbench.page.report", "iqbench.document.html"):
        stack.enter_context(mock.patch(f"{module}.packed_plotly", return_value="-"))
    return stack


def _written(path: Path) -> str:
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return "".join(f"== {one.as_posix()}\n{_written(one)}" for one in files)
    if path.suffix == ".parquet":
        return str(pd.read_parquet(path).to_csv(index=False, lineterminator="\n"))
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        return page_text(text)
    if path.suffix == ".svg":  # where things are is matplotlib's affair
        return "".join(f"{words}\n" for words in re.findall(r"<text[^>]*>([^<]*)</text>", text))
    return text


class _Reader(HTMLParser):
    """The texts of a page, the keys that tables are sorted by, and the data of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.silent = ""
        self.data = False
        self.defining = 0  # definitions are the metrics' own words, which change with them

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self.defining or given.get("class") == "definition":
            self.defining += tag == "div"
        self.data = tag == "script" and given.get("type") == "application/json"
        if tag in ("style", "script") and not self.data:
            self.silent = tag
        if given.get("data-value"):
            self.lines.append(f"[{given['data-value']}]")

    def handle_endtag(self, tag: str) -> None:
        self.defining -= bool(self.defining) and tag == "div"
        if tag == self.silent:
            self.silent = ""

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if self.data and text:
            text = json.dumps(json.loads(data), indent=1, ensure_ascii=False)
        if text and not self.silent and not self.defining:
            self.lines.append(text)


def page_text(html: str) -> str:
    """Give what a page says, without what changes from day to day."""
    reader = _Reader()
    reader.feed(html)
    lines = [one for one in reader.lines if not one.startswith("Made 20")]
    return "".join(f"{line}\n" for line in lines)


_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d{6,}(?:[eE][-+]?\d+)?(?!\w)")


def parted(text: str) -> tuple[str, list[float]]:
    """Tell a text from the numbers in full precision in it, whose last digits may differ."""
    return _NUMBER.sub("#", text), [float(one) for one in _NUMBER.findall(text)]


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for path in EXPECTED.iterdir():
        path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in run_everything(Path(folder)):
            (EXPECTED / name).write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name}\n")
