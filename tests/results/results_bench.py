"""A results folder for tests, with one call to score an image."""

from __future__ import annotations

from pathlib import Path

from made_columns import as_stated

from iqbench.results.schema import NOT_SCORED_YET, ColumnInfo, ImageRow, Manifest, ScoreRow
from iqbench.results.signature import signature
from iqbench.results.store import Store

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2, True, "Peak signal-to-noise ratio, dB"),
        "lpips-alex": ColumnInfo("lower", 4, True, "LPIPS, AlexNet"),
    }
)


def manifest(time: str = "2026-01-01T00:00:00Z", **changes: str) -> Manifest:
    facts = {
        "iqbench": "0.1.0",
        "python": "3.11",
        "torch": "2.4",
        "platform": "Linux",
        "device": "cpu",
        "precision": "exact",
        "command": "iqbench evaluate",
    }
    return Manifest(**{**facts, **changes, "time": time})


def placeholder(dataset: str, method: str, image: str) -> ImageRow:
    """Announce an image, as `Writer.announce` does."""
    return ImageRow(dataset, method, image, error=NOT_SCORED_YET)


class Bench:
    """A store, and one line to score an image in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root)

    def score(
        self,
        image: str = "a",
        output: str | None = "v1",
        value: float | None = 30.0,
        error: str | None = None,
        *,
        dataset: str = "set5",
        method: str = "edsr",
        metric: str = "psnr",
        protocol: str = "rgb",
        **fields: str,
    ) -> None:
        """Write one image and one score, in a run of its own."""
        row = ImageRow(
            dataset, method, image, "ref", output, error=None if output else "output is missing"
        )
        text = signature({"metric": metric, "view": "rgb", **fields})
        score = ScoreRow(dataset, method, image, metric, value, error, text, protocol, row.pair)
        with self.store.writer(manifest(), COLUMNS) as writer:
            writer.add_image(row)
            writer.add_scores([score])

    def parts(self, kind: str = "scores") -> list[Path]:
        return sorted((self.root / kind).glob("*/*/*.parquet"))
