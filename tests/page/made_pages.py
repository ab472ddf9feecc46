"""Results with pictures, and pages of these results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from made_columns import as_stated
from made_folders import noisy, picture
from made_manifest import MANIFEST

from iqbench.images.source import FileSource
from iqbench.images.write import write_png
from iqbench.page.find_pictures import Folders
from iqbench.results.schema import ColumnInfo, ImageRow, Manifest, ScoreRow, output_mark
from iqbench.results.store import Store

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2, summary="Peak signal-to-noise ratio, dB, of each image"),
        "ssim": ColumnInfo("higher", 4),
        "tv-ratio": ColumnInfo("target:1", 3),
        "lpips-alex": ColumnInfo("lower", 4),
        "tv-residual": ColumnInfo("lower", 4, headline=False),
    }
)
HOSTILE = (
    '<img src=x onerror="window.harmed=1">',
    "</script><script>undefined.harm()</script>",
    "\"quoted\" & 'π' 名前 {{ 7*7 }} ${harmed}",
)
"""Names of methods that would do harm on a page that takes them for HTML."""


def manifest(command: str = "iqbench evaluate") -> Manifest:
    return MANIFEST.model_copy(update={"command": command, "time": "2026-01-02T03:04:05+00:00"})


def values_of(quality: float, image: int) -> dict[str, float]:
    """Make values that get better with quality; each metric has ideas of its own."""
    own = 0.3 * np.sin(np.arange(5) * 2.1 + image * 1.7 + 3 * quality)
    return {
        "psnr": 30 + 2 * quality + 3 * own[0],
        "ssim": 0.8 + 0.03 * quality + 0.05 * own[1],
        "tv-ratio": 1 - 0.1 * (3 - quality) + 0.1 * own[2],
        "lpips-alex": 0.3 - 0.04 * quality + 0.05 * own[3],
        "tv-residual": 0.2 - 0.02 * quality + 0.01 * own[4],
    }


@dataclass(frozen=True)
class Results:
    """A results folder, and where the pictures behind it lie."""

    root: Path
    folder: Path
    places: list[Folders]

    def output(self, method: int, image: str) -> Path:
        """Name an output's file."""
        return self.root / "out" / str(method) / f"{image}.png"


def made_results(
    root: Path,
    methods: Sequence[str] = ("edsr", "swinir", "bicubic"),
    images: Iterable[str] = ("a", "b", "c", "d"),
    *,
    datasets: Mapping[str, str] | Sequence[str] = ("set5",),
    size: tuple[int, int] = (40, 56),
    loss: float = 0.0,
    lacking: Sequence[str] = (),
    protocols: Mapping[str, str] | None = None,
) -> Results:
    """Write references, outputs and tables with values of our own.

    ``loss`` is taken from the quality of the first method, whose pictures get noisier;
    methods that are ``lacking`` have no value of the last image; ``protocols`` are ``rgb`` where
    a dataset is not named.
    """
    names = list(images)
    outputs, references = [], []
    for number, image in enumerate(names):
        write_png(root / "hr" / f"{image}.png", picture(number, *size))
        for place in range(len(methods)):
            amount = 4 + 6 * place + int(30 * loss * (place == 0))
            pixels = noisy(picture(number, *size), number + 10 * place, amount)
            write_png(root / "out" / str(place) / f"{image}.png", pixels)
    for dataset in datasets:
        references.append(f"{dataset}={root / 'hr'}")
        for place, method in enumerate(methods):
            if "=" in method:  # would be taken for NAME=DIR
                (root / "named").mkdir(exist_ok=True)
                (root / "named" / method).symlink_to(root / "out" / str(place))
            else:
                outputs.append(f"{method}={root / 'out' / str(place)}")
            protocol = (protocols or {}).get(dataset, "rgb")
            tasks = {dataset: "super-resolution"} if dataset == "set5" else {}
            with Store(root / "results").writer(manifest(), COLUMNS, tasks) as writer:
                quality = len(methods) - place - loss * (place == 0)
                for number, image in enumerate(names):
                    digests = [
                        FileSource(path).read().digest
                        for path in (
                            root / "hr" / f"{image}.png",
                            root / "out" / str(place) / f"{image}.png",
                        )
                    ]
                    row = ImageRow(dataset, method, image, *digests)
                    writer.add_image(row)
                    if method in lacking and image == names[-1]:
                        continue
                    writer.add_scores(
                        ScoreRow(
                            *(dataset, method, image, metric, value, None),
                            f"metric={metric}|version=1|protocol={protocol}/1|view=rgb",
                            protocol,
                            row.pair,
                        )
                        for metric, value in values_of(quality, number).items()
                    )
    named = root / "named"
    folders = Folders(
        outputs=tuple(dict.fromkeys(outputs)),
        outputs_in=named if named.is_dir() else None,
        references=tuple(references),
    )
    return Results(root, root / "results", [folders])


def made_outputs(
    root: Path,
    methods: Sequence[str] = ("edsr", "swinir"),
    images: Sequence[str] = ("a", "b", "c"),
    size: tuple[int, int] = (40, 56),
) -> Results:
    """Write outputs without references, and tables with values of a metric that needs none."""
    columns = as_stated({"niqe": ColumnInfo("lower", 3)})
    for place, method in enumerate(methods):
        with Store(root / "results").writer(manifest(), columns) as writer:
            for number, image in enumerate(images):
                path = root / "out" / method / f"{image}.png"
                write_png(path, noisy(picture(number, *size), number + 10 * place, 9))
                digest = FileSource(path).read().digest
                writer.add_image(ImageRow("outputs", method, image, None, digest))
                value = 4 + place + 0.1 * number
                text = "metric=niqe|version=2|protocol=rgb/1|view=rgb"
                mark = output_mark(digest)
                writer.add_scores(
                    [ScoreRow("outputs", method, image, "niqe", value, None, text, "rgb", mark)]
                )
    return Results(root, root / "results", [Folders(outputs_in=root / "out")])


def many_results(root: Path, methods: int, images: int) -> Path:
    """Write tables of many methods and images, without pictures."""
    for place in range(methods):
        method = f"method-{place:02}"
        with Store(root).writer(manifest(), COLUMNS) as writer:
            for number in range(images):
                row = ImageRow(
                    "large", method, f"image{number:04}", f"r{number}", f"{place}.{number}"
                )
                writer.add_image(row)
                values = values_of(place / methods * 3, number)
                writer.add_scores(
                    ScoreRow(
                        *("large", method, row.image, metric, values[metric], None),
                        f"metric={metric}|version=1|protocol=rgb/1|view=rgb",
                        "rgb",
                        row.pair,
                    )
                    for metric in ("psnr", "ssim", "lpips-alex")
                )
    return root


def rated_results(root: Path) -> Path:
    """Write tables of two distortions of twelve images that people have rated, by two metrics."""
    generator = np.random.default_rng(0)
    for method in ("blur", "noise"):
        with Store(root).writer(manifest(), COLUMNS) as writer:
            for number in range(12):
                values = {"psnr": 20.0 + number, "ssim": 0.8 + generator.normal(0, 0.02)}
                row = ImageRow(
                    *("tid", method, f"i{number}", f"r{number}", f"{method}{number}"),
                    mos=values["psnr"] + generator.normal(0, 2),
                    mos_direction="higher",
                    distortion=method,
                )
                writer.add_image(row)
                writer.add_scores(
                    ScoreRow(
                        *("tid", method, row.image, metric, value, None),
                        f"metric={metric}|version=1|protocol=rgb/1|view=rgb",
                        "rgb",
                        row.pair,
                    )
                    for metric, value in values.items()
                )
    return root


def score_method(root: Path, dataset: str, method: str, quality: float, images: int = 3) -> None:
    """Write tables of one method on one dataset, without pictures; again, with other values."""
    with Store(root).writer(manifest(), COLUMNS) as writer:
        for number in range(images):
            row = ImageRow(dataset, method, f"image{number}", f"r{number}", f"{method}.{quality}")
            writer.add_image(row)
            values = values_of(quality, number)
            writer.add_scores(
                ScoreRow(
                    *(dataset, method, row.image, metric, values[metric], None),
                    f"metric={metric}|version=1|protocol=rgb/1|view=rgb",
                    "rgb",
                    row.pair,
                )
                for metric in ("psnr", "ssim", "lpips-alex")
            )


MAPS = ("absolute-error",)


def place_of(viewed, trace, point) -> list:
    """Say where on the screen a point of the scatter plot is, whose it is, and what image."""
    return viewed.page.evaluate(
        """([trace, point]) => {
          const figure = document.getElementById("plot-scatter");
          const {xaxis, yaxis} = figure._fullLayout;
          const box = figure.getBoundingClientRect();
          const {x, y, meta, text} = figure.data[trace];
          return [box.left + xaxis._offset + xaxis.c2p(x[point]),
                  box.top + yaxis._offset + yaxis.c2p(y[point]), meta[0], text[point]];
        }""",
        [trace, point],
    )
