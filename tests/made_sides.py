"""Small sides of comparisons, written as {(dataset, method, metric): values of images}."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from made_columns import as_stated

from iqbench.gate.matching import Scored
from iqbench.results.schema import ColumnInfo

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2),
        "ssim": ColumnInfo("higher", 4),
        "lpips-alex": ColumnInfo("lower", 4),
        "tv-output": ColumnInfo("none", 4),
        "tv-ratio": ColumnInfo("target:1", 3),
        "sharpness": ColumnInfo("higher", 3),
    }
)

Key = tuple[str, str, str]
Value = float | str | None


def side(
    values: Mapping[Key, Iterable[Value]],
    *,
    signature: str = "metric={metric}|version=1|view=rgb",
    reference: str = "digest",
    errors: Mapping[str, str] | None = None,
) -> Scored:
    """Make one side; text is a value's error, None leaves the row out.

    ``errors`` are of images, which are called image00 and so on.
    """
    rows: list[dict[str, Any]] = []
    images: dict[tuple[str, str, str], None] = {}
    for (dataset, method, metric), several in values.items():
        for number, value in enumerate(several):
            image = f"image{number:02}"
            images[dataset, method, image] = None
            if value is None:
                continue
            failed = isinstance(value, str)
            rows.append(
                {
                    "dataset": dataset,
                    "method": method,
                    "image": image,
                    "metric": metric,
                    "value": math.nan if failed else value,
                    "error": value if failed else None,
                    "signature": signature.format(metric=metric),
                    "protocol": "rgb",
                }
            )
    names = ["dataset", "method", "image", "metric", "signature"]
    scores = pd.DataFrame(rows, columns=[*names, "value", "error", "protocol"])
    scores = scores.astype(dict.fromkeys(names, "category"))
    pictures = pd.DataFrame(list(images), columns=names[:3]).astype(object)
    told = pictures["image"].map(dict(errors or {})).astype(object)
    return Scored(scores, pictures.assign(reference_digest=reference, error=told), COLUMNS)


def joined(*sides: Scored) -> Scored:
    """Put tables below each other; an image is described by the first that has it."""
    images = pd.concat([one.images for one in sides], ignore_index=True)
    return Scored(
        pd.concat([one.scores for one in sides], ignore_index=True),
        images.drop_duplicates(["dataset", "method", "image"], ignore_index=True),
        COLUMNS,
    )
