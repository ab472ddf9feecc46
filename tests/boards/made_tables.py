"""Results folders for tables of papers: scored, published and imported values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from made_columns import as_stated
from made_manifest import MANIFEST

from iqbench.results.importing import import_values
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.signature import signature
from iqbench.results.store import Store

__all__ = ["COLUMNS", "Scores", "publish", "write_results"]

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2, summary="Peak signal-to-noise ratio, dB"),
        "ssim": ColumnInfo("higher", 4, summary="Structural similarity"),
        "lpips-alex": ColumnInfo("lower", 4),
        "tv-output": ColumnInfo("none", 4, headline=False),
    }
)

Scores = Mapping[tuple[str, str, str], Sequence[float]]
"""By dataset, method and metric: one value per image."""


def write_results(
    root: Path, scores: Scores, protocols: Mapping[str, str] | None = None, images: int = 2
) -> Path:
    """Write scores; a dataset's protocol is ``rgb`` unless said otherwise."""
    methods = dict.fromkeys((dataset, method) for dataset, method, _ in scores)
    with Store(root).writer(MANIFEST, COLUMNS, {}) as writer:
        for dataset, method in methods:
            protocol = (protocols or {}).get(dataset, "rgb")
            rows = [
                ImageRow(dataset, method, f"image{at}", f"ref{at}", f"{method}{at}")
                for at in range(images)
            ]
            for row in rows:
                writer.add_image(row)
            for (one, other, metric), values in scores.items():
                if (one, other) == (dataset, method):
                    text = signature(
                        {"metric": metric, "version": "1", "protocol": f"{protocol}/1"}
                    )
                    writer.add_scores(
                        ScoreRow(
                            *(dataset, method, row.image, metric, value, None),
                            *(text, protocol, row.pair),
                        )
                        for row, value in zip(rows, values, strict=False)
                    )
    return root


def publish(root: Path, *rows: Sequence[object]) -> None:
    """Keep published means: method, dataset, metric, value, protocol, source."""
    file = root.parent / "published.csv"
    lines = [",".join(map(str, row)) for row in rows]
    file.write_text("\n".join(["method,dataset,metric,value,protocol,source", *lines]) + "\n")
    import_values(file, root)
