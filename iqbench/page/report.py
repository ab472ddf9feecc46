"""Make one page of a results folder: leaderboards, plots, pictures, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from os import PathLike
from typing import Any

from iqbench import __version__
from iqbench.boards.composites import Composite
from iqbench.boards.score_array import SEVERAL
from iqbench.document.model import direction_arrow
from iqbench.document.page import embedded_json, packed_plotly, render_page
from iqbench.document.text import number
from iqbench.errors import IqbenchError
from iqbench.maps.model import DEFAULT_MAPS
from iqbench.page.contents import Contents, read_contents
from iqbench.page.difference import MapMaker
from iqbench.page.find_pictures import Digests, Finder, Folders
from iqbench.page.image_choice import Pick, picks_of
from iqbench.page.image_rows import Budget, Progress, Scene, SceneOutput, Shown, show
from iqbench.page.plot_data import add_values, column_payload, dataset_payload
from iqbench.page.recorded import RecordedPlaces
from iqbench.results.read import load_images
from iqbench.results.signature import gray_output_of, peak_of

__all__ = ["Appearance", "Made", "report_page"]

_SCRIPTS = (
    "core.js",
    "tables.js",
    "plotly.js",
    "labels.js",
    "figures.js",
    "plots.js",
    "points.js",
    "viewer.js",
    "gestures.js",
)
_MANY = 3000
"""Number of points above which plots use WebGL."""
_SENTENCES = 2000
"""Bytes reserved for the sentences about parts that were left out."""
_NUMBERS_SHARE = 0.6
"""Share of the remaining bytes, after the page itself, that the values of images may take."""


@dataclass(frozen=True)
class Appearance:
    """What a report shows.

    Attributes
    ----------
    title
        The title; empty for the name of the results folder.
    sort, front, composites
        As for `iqbench.boards.board.read_board`.
    columns
        The columns that are shown at first and decide which methods are complete: ``shown`` of
        `iqbench.boards.board.read_board`.
    images
        How many images of each dataset to show, if they are found; None for as many as fit.
    maps
        Names of the difference maps to draw.
    size
        The largest size of the file, in bytes.
    device
        The device that computes maps.
    """

    title: str = ""
    sort: str | None = None
    columns: str | Sequence[str] = "headline"
    front: tuple[str, str] | None = None
    images: int | None = None
    maps: Sequence[str] = DEFAULT_MAPS
    size: int = 20_000_000
    device: str = "auto"
    composites: Sequence[Composite] = ()

    @property
    def maker(self) -> partial[MapMaker] | None:
        """A function that creates the map maker; None without maps."""
        return partial(MapMaker, tuple(self.maps), self.device) if self.maps else None


@dataclass(frozen=True)
class Made:
    """A page, and what was left out of it.

    Attributes
    ----------
    html
        The page.
    pictures
        How many images are shown.
    left_out
        One sentence for each thing that was left out.
    """

    html: str
    pictures: int
    left_out: list[str] = field(default_factory=list)


def report_page(
    results: str | PathLike[str],
    filters: Mapping[str, tuple[str, ...]],
    places: Sequence[Folders] = (),
    *,
    recorded: RecordedPlaces | None = None,
    appearance: Appearance | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Made:
    """Make a report.

    Parameters
    ----------
    results
        The results folder; `iqbench.results.opened.open_results` of it where others read it too.
    filters
        As `load_scores` takes them.
    places
        Folders that may hold the images; datasets that iqbench knows are found without them.
    recorded
        The places of files that the tables record, from
        `iqbench.page.recorded.recorded_places`.
    appearance
        What to show.
    progress
        Called with the name of a step, how many parts of it are done, and how many there are.

    Returns
    -------
    Made
        The page.

    Raises
    ------
    IqbenchError
        As `iqbench.boards.board.read_board`, and if the tables alone exceed the size.
    """
    chosen = appearance or Appearance()
    progress("Comparing methods", 0, 1)
    contents = read_contents(
        results,
        filters,
        sort=chosen.sort,
        front=chosen.front,
        shown=chosen.columns,
        composites=chosen.composites,
    )
    context = contents.context()
    if chosen.title:
        context["title"] = chosen.title
    progress("Comparing methods", 1, 1)
    datasets = [
        {"dataset": dataset, **dataset_payload(contents.dataset(dataset), table)}
        for dataset, table in contents.table.parts()
    ]
    bare = len(_page(context, [], datasets, contents, []).encode())
    if bare > chosen.size:
        raise IqbenchError(
            f"the tables and plotly.js alone take {bare / 1e6:.1f} MB, more than the limit",
            hint="Allow more by --max-size, or choose with --dataset, --method or --metric",
        )
    room = chosen.size - bare - _SENTENCES
    numbers = Budget(int(room * _NUMBERS_SHARE))
    pictures = Budget(room - numbers.left)
    left_out = _add_numbers(contents, datasets, numbers)
    pictures.left += numbers.left  # bytes that numbers do not use
    scenes = _scenes(contents, places, recorded, chosen.images)
    shown, unseen = show(scenes, pictures, chosen.maker, progress)
    left_out += unseen + (recorded.sentences if recorded else []) + contents.left_out
    order = [item["dataset"] for item in datasets]
    shown.sort(key=lambda one: order.index(one.scene.dataset))
    for one in shown:
        images = contents.dataset(one.scene.dataset).scores.images
        (own,) = (item for item in datasets if item["dataset"] == one.scene.dataset)
        own["scenes"][str(images.index(one.scene.image))] = _found(one, own["methods"])
    return Made(_page(context, shown, datasets, contents, left_out), len(shown), left_out)


def _found(one: Shown, methods: Sequence[str]) -> dict[str, Any]:
    """Return the scene that shows an image, and the methods whose outputs it shows."""
    names = {picture["name"] for picture in one.pictures[0 if one.scene.alone else 1 :]}
    own = [place for place, name in enumerate(methods) if name in names]
    return {"scene": one.number, "methods": own}


def _page(
    context: Mapping[str, Any],
    shown: Sequence[Shown],
    datasets: Sequence[Mapping[str, Any]],
    contents: Contents,
    left_out: Sequence[str],
) -> str:
    points = [len(one["methods"]) * len(one["images"]) for one in datasets]
    data = {
        "many": _MANY,
        "columns": column_payload(contents.headings, contents.found.columns),
        "datasets": [{key: one[key] for key in one if key != "dataset"} for one in datasets],
    }
    return render_page(
        "report.html",
        _SCRIPTS,
        **context,
        scenes=shown,
        left_out=left_out,
        data=embedded_json(data),
        plotly=packed_plotly(),
        webgl=max(points, default=0) > _MANY,
        version=__version__,
        now=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _add_numbers(
    contents: Contents, datasets: Sequence[dict[str, Any]], budget: Budget
) -> list[str]:
    """Add the values of each dataset to the page's data; return sentences on those left out."""
    left_out = []
    for payload in datasets:
        lacking = add_values(payload, contents.dataset(payload["dataset"]), budget)
        if lacking:
            names = ", ".join(lacking)
            left_out.append(
                f"values by image of {payload['dataset']} for want of room, so that plots lack "
                f"them: {names}"
            )
    return left_out


def _scenes(
    contents: Contents,
    places: Sequence[Folders],
    recorded: RecordedPlaces | None,
    count: int | None,
) -> list[Scene]:
    """Describe the images to show, whether or not their files are found."""
    found = contents.found
    picks = picks_of(found, count) if count != 0 else []
    if not picks:
        return []
    digests = Digests().adding(load_images(contents.results), {pick.image for pick in picks})
    names = [one.dataset for one in found.datasets]
    finder = Finder(places, names, recorded, digests.alone)
    return [_scene(contents, pick, finder, digests) for pick in picks]


def _scene(contents: Contents, pick: Pick, finder: Finder, digests: Digests) -> Scene:
    (one,) = (one for one in contents.found.datasets if one.dataset == pick.dataset)
    scores = one.scores
    infos = {name: one.info(name) for name in scores.headings}
    at = scores.images.index(pick.image)
    texts = {
        method: [
            number(float(scores.values[at, scores.methods.index(method), place]), info.decimals)
            for place, info in enumerate(infos.values())
        ]
        for method in pick.methods
    }
    ranked = scores.headings.index(str(one.ranked_by_images))
    peak = peak_of(scores.signatures[str(one.ranked_by_images)][1])
    gray_output = gray_output_of(text for _, text in scores.signatures.values())
    of = [digests.of(pick.dataset, method, pick.image) for method in pick.methods]
    reference = next((digest for digest, _ in of if digest is not None), None)
    return Scene(
        dataset=pick.dataset,
        image=pick.image,
        reasons=pick.reasons,
        reference=None
        if pick.image in digests.alone.get(pick.dataset, ())
        else partial(finder.reference, pick.dataset, pick.image, reference),
        outputs=[
            SceneOutput(
                name=method,
                note=f"{one.ranked_by_images} {texts[method][ranked]}",
                find=partial(
                    finder.output,
                    *(pick.dataset, method, pick.image, digest),
                    digests.size(pick.dataset, method, pick.image),
                ),
                protocol=scores.protocols.get(method, "rgb").partition(SEVERAL)[0],
                peak=peak,
                gray_output=gray_output,
            )
            for method, (_, digest) in zip(pick.methods, of, strict=True)
        ],
        heads=[f"{name} {direction_arrow(info)}".rstrip() for name, info in infos.items()],
        rows=[[method, *texts[method]] for method in pick.methods],
    )
