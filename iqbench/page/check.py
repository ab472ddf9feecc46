"""A regression check as one page: what got worse, baseline and candidate side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from iqbench import __version__
from iqbench.document.model import direction_arrow
from iqbench.document.page import render_page
from iqbench.document.text import number, signed
from iqbench.gate.check import Check, worst_images
from iqbench.gate.check_document import FULL_BAR, check_blocks, headed_rows
from iqbench.gate.compared_scores import ComparedScores
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
    sides: ComparedScores,
    folders: tuple[Path, Path],
    places: Sequence[Folders] = (),
    *,
    worst: int = 3,
    size: int = 20_000_000,
    maps: Sequence[str] = (),
    recorded: RecordedPlaces | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Made:
    """Make a page about a check.

    Parameters
    ----------
    found
        The check.
    sides
        What was compared.
    folders
        The results folders, or texts, of baseline and candidate.
    places
        Where pictures of either may be: digests say which side a file belongs to.
    worst
        How many images to show of each comparison that is worse.
    size
        Of the file, in bytes.
    maps
        Which maps to draw.
    recorded
        Where tables say that files were, `iqbench.page.recorded.recorded_places`.
    progress
        Is told how far it is.

    Returns
    -------
    Made
        The page.
    """
    rows = headed_rows(found)
    context = _context(found, rows, sides, folders, worst=worst)
    bare = len(_page(context, [], []).encode())
    maker = partial(MapMaker, tuple(maps)) if maps else None
    scenes = list(_scenes(found, rows, sides, worst, places, recorded=recorded))
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
    sides: ComparedScores,
    folders: tuple[Path, Path],
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
        "folders": [str(folder) for folder in folders],
        "blocks": blocks,
        "notes": notes,
        "full_bar": FULL_BAR,
        "verdicts": found.counts(),
        "definitions": definitions_of(signatures, sides.columns),
        "runs": [
            (side, run)
            for side, folder in zip(("baseline", "now"), folders, strict=True)
            if folder.is_dir()  # a baseline in text says nothing of its runs
            for run in load_runs(folder)[::-1][:5]
        ],
    }


_Place = tuple[str, str, str, str]
"""Dataset, the baseline's method, the candidate's, and image."""


def _scenes(
    found: Check,
    rows: pd.DataFrame,
    sides: ComparedScores,
    worst: int,
    places: Sequence[Folders],
    *,
    recorded: RecordedPlaces | None,
) -> Iterator[Scene]:
    """Describe the images that lost most, the worst of each comparison first."""
    losses = _losses(found, rows, worst)
    names = {image for *_, image in losses}
    before, after = Digests(sides.baseline.images, names), Digests(sides.candidate.images, names)
    finder = Finder(places, sorted({str(name) for name in rows["dataset"]}), recorded, after.alone)
    for place, told in losses.items():
        dataset, old, new, image = place
        protocol, signatures = _seen(sides, dataset, new)
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
        heads, values = _values(found, sides, place)
        yield Scene(
            dataset=dataset,
            image=image,
            reasons=[("", new if old == new else f"{old} → {new}"), *told],
            reference=None
            if reference is None
            else partial(finder.reference, dataset, image, reference),
            outputs=outputs,
            heads=heads,
            rows=values,
            left="baseline",
        )


def _losses(found: Check, rows: pd.DataFrame, worst: int) -> dict[_Place, list[tuple[str, str]]]:
    """Say of the images that lost most what they lost; the comparisons take turns."""
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


def _seen(sides: ComparedScores, dataset: str, method: str) -> tuple[str, list[str]]:
    """Return the protocol by which a method was scored, and the signatures of its scores."""
    scores = sides.candidate.scores
    own = scores[(scores["dataset"] == dataset) & (scores["method"] == method)]
    if not len(own):
        return "rgb", [""]
    return str(own["protocol"].iloc[0]), [str(text) for text in own["signature"].unique()]


def _values(
    found: Check, sides: ComparedScores, place: _Place
) -> tuple[list[str], list[list[str]]]:
    """Give all that is known of an image on both sides, and by how much it is better."""
    pairs = found.pairs
    for name, value in zip(("dataset", "baseline_method", "method", "image"), place, strict=True):
        pairs = pairs[pairs[name] == value]
    pairs = pairs.astype({"metric": object, "signature": object})
    order = {metric: place for place, metric in enumerate(sides.columns)}
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
