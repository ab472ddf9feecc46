"""A regression check as one page: what got worse, baseline and candidate side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

import pandas as pd

from iqbench import __version__
from iqbench.document.model import direction_arrow
from iqbench.document.page import render_page
from iqbench.document.text import number, signed
from iqbench.gate.check import Check, worst_images
from iqbench.gate.check_document import FULL_BAR, check_blocks, headed_rows
from iqbench.gate.compared_scores import ComparedFolders
from iqbench.page.definitions import definitions_of
from iqbench.page.difference import MapMaker
from iqbench.page.find_pictures import Digests, Finder, Folders
from iqbench.page.image_rows import Budget, Progress, Scene, SceneOutput, Shown, show
from iqbench.page.recorded import RecordedPlaces
from iqbench.page.report import Made
from iqbench.results.read import load_runs, with_headings
from iqbench.results.signature import gray_output_of, peak_of

__all__ = ["check_page"]

_SCRIPTS = ("core.js", "tables.js", "viewer.js", "gestures.js")


def check_page(
    found: Check,
    compared: ComparedFolders,
    names: tuple[str, str],
    places: Sequence[Folders] = (),
    *,
    worst: int = 3,
    size: int = 20_000_000,
    maps: Sequence[str] = (),
    recorded: RecordedPlaces | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Made:
    """Make the page of a check.

    Parameters
    ----------
    found
        The check.
    compared
        What was compared. The datasets with images to show are read again, one at a time.
    names
        What the page calls baseline and candidate.
    places
        Folders that may hold images of either one; digests show to which one a file belongs.
    worst
        How many images to show of each comparison that is worse.
    size
        The largest size of the file, in bytes.
    maps
        Names of the difference maps to draw.
    recorded
        The places of files that the tables record, from
        `iqbench.page.recorded.recorded_places`.
    progress
        Called with the name of a step, how many parts of it are done, and how many there are.

    Returns
    -------
    Made
        The page.
    """
    rows = headed_rows(found)
    context = _context(found, rows, compared, names, worst=worst)
    bare = len(_page(context, [], []).encode())
    maker = partial(MapMaker, tuple(maps)) if maps else None
    scenes = list(_scenes(found, rows, compared, worst, places, recorded=recorded))
    shown, left_out = show(scenes, Budget(size - bare), maker, progress)
    left_out += recorded.sentences if recorded else []
    return Made(_page(context, shown, left_out), len(shown), left_out)


def _page(context: Mapping[str, Any], shown: Sequence[Shown], left_out: Sequence[str]) -> str:
    return render_page(
        "check.html",
        _SCRIPTS,
        **context,
        scenes=shown,
        left_out=left_out,
        webgl=False,
        version=__version__,
        now=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _context(
    found: Check,
    rows: pd.DataFrame,
    compared: ComparedFolders,
    names: tuple[str, str],
    *,
    worst: int,
) -> dict[str, Any]:
    blocks, notes = check_blocks(found, worst=worst)
    signatures = {
        str(heading): [str(text) for text in part["signature"].unique()]
        for heading, part in rows.groupby("heading", sort=False)
    }
    return {
        "found": found,
        "folders": names,
        "blocks": blocks,
        "notes": notes,
        "full_bar": FULL_BAR,
        "verdicts": found.counts(),
        "definitions": definitions_of(signatures, compared.columns),
        "runs": [
            (side, run)
            for side, folder in zip(("baseline", "now"), compared.folders, strict=True)
            for run in load_runs(folder)[::-1][:5]
        ],
    }


_Place = tuple[str, str, str, str]
"""Dataset, method of the baseline, method of the candidate, image."""


@dataclass(frozen=True)
class _ImageTables:
    """What the tables say of the images that are shown.

    Attributes
    ----------
    before, after
        Their files, of the baseline and of the candidate.
    seen
        By dataset and method of the candidate, the protocol and the signatures of its scores.
    """

    before: Digests
    after: Digests
    seen: Mapping[tuple[str, str], tuple[str, list[str]]]

    @classmethod
    def of(cls, compared: ComparedFolders, places: Iterable[_Place]) -> _ImageTables:
        """Read the datasets of some places, one in memory at a time."""
        wanted: dict[str, list[_Place]] = {}
        for place in places:
            wanted.setdefault(place[0], []).append(place)
        before, after = Digests(), Digests()
        seen: dict[tuple[str, str], tuple[str, list[str]]] = {}
        for dataset, some in wanted.items():
            baseline, candidate = compared.read(dataset)
            names = {image for *_, image in some}
            before, after = (
                before.adding(baseline.images, names),
                after.adding(candidate.images, names),
            )
            for method in {new for _, _, new, _ in some}:
                seen[dataset, method] = _seen(candidate.scores, method)
            del baseline, candidate  # free the memory while the next dataset is read
        return cls(before, after, seen)


def _scenes(
    found: Check,
    rows: pd.DataFrame,
    compared: ComparedFolders,
    worst: int,
    places: Sequence[Folders],
    *,
    recorded: RecordedPlaces | None,
) -> Iterator[Scene]:
    """Describe the images with the largest losses, the worst of each comparison first."""
    losses = _losses(found, rows, worst)
    tables = _ImageTables.of(compared, losses)
    before, after = tables.before, tables.after
    finder = Finder(places, sorted({str(name) for name in rows["dataset"]}), recorded, after.alone)
    for place, reasons in losses.items():
        dataset, old, new, image = place
        protocol, signatures = tables.seen[dataset, new]
        reference, now = after.of(dataset, new, image)
        outputs = [
            SceneOutput(
                label,
                method,
                partial(finder.output, dataset, method, image, digest, size),
                protocol,
                peak_of(signatures[0]),
                gray_output_of(signatures),
            )
            for label, method, digest, size in (
                (
                    *("baseline", old, before.of(dataset, old, image)[1]),
                    before.size(dataset, old, image),
                ),
                ("now", new, now, after.size(dataset, new, image)),
            )
        ]
        heads, values = _values(found, place)
        yield Scene(
            dataset=dataset,
            image=image,
            reasons=[("", new if old == new else f"{old} → {new}"), *reasons],
            reference=None
            if reference is None
            else partial(finder.reference, dataset, image, reference),
            outputs=outputs,
            heads=heads,
            rows=values,
            left="baseline",
        )


def _losses(found: Check, rows: pd.DataFrame, worst: int) -> dict[_Place, list[tuple[str, str]]]:
    """Describe the losses of the worst images; images of all comparisons alternate."""
    lost = [
        (row, worst_images(found, row, worst).to_dict("records"))
        for row in rows[rows["verdict"] == "worse"].to_dict("index").values()
    ]
    losses: dict[_Place, list[tuple[str, str]]] = {}
    for turn in range(worst):
        for row, images in lost:
            for one in images[turn : turn + 1]:
                place = (
                    *(str(row["dataset"]), str(row["baseline_method"]), str(row["method"])),
                    str(one["image"]),
                )
                losses.setdefault(place, []).append(("worst", _loss(found, row, one)))
    return losses


def _loss(found: Check, row: Mapping[Any, Any], image: Mapping[Any, Any]) -> str:
    decimals = found.info(row["metric"]).decimals
    old, now = (number(image[side], decimals) for side in ("baseline", "candidate"))
    return f"{row['heading']} {old} → {now} ({signed(image['gain'], decimals + 1)})"


def _seen(scores: pd.DataFrame, method: str) -> tuple[str, list[str]]:
    """Return the protocol by which a method was scored, and the signatures of its scores."""
    own = scores[scores["method"] == method]
    if not len(own):
        return "rgb", [""]
    return str(own["protocol"].iloc[0]), [str(text) for text in own["signature"].unique()]


def _values(found: Check, place: _Place) -> tuple[list[str], list[list[str]]]:
    """Return the heads and rows of all values of an image: baseline, candidate and gain."""
    pairs = found.pairs
    for name, value in zip(("dataset", "baseline_method", "method", "image"), place, strict=True):
        pairs = pairs[pairs[name] == value]
    pairs = pairs.astype({"metric": object, "signature": object})
    order = {metric: place for place, metric in enumerate(found.columns)}
    pairs = pairs.assign(heading=with_headings(pairs).astype(str)).sort_values(
        "metric", key=lambda names: names.map(lambda name: order.get(name, len(order)))
    )
    infos = [found.info(metric) for metric in pairs["metric"]]
    heads = [
        f"{heading} {direction_arrow(info)}".rstrip()
        for heading, info in zip(pairs["heading"], infos, strict=True)
    ]
    sidewise = [
        [number(value, info.decimals) for value, info in zip(pairs[side], infos, strict=True)]
        for side in ("baseline", "candidate")
    ]
    gains = [
        signed(value, info.decimals + 1) for value, info in zip(pairs["gain"], infos, strict=True)
    ]
    return heads, [["baseline", *sidewise[0]], ["now", *sidewise[1]], ["gain", *gains]]
