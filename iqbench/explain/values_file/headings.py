"""What a heading, a key or a word of a file of values means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from iqbench.explain.names import Names

__all__ = [
    "IMAGE_COLUMNS",
    "is_absent",
    "is_image_heading",
    "is_summary",
    "metric_of",
    "values_of_cell",
]

IMAGE_COLUMNS = (
    *("image", "name", "file", "filename", "img", "image_name", "file_name", "path", "id"),
    *("images", "image_id", "image_path", "img_name", "img_path", "key"),
)
VALUE_COLUMNS = ("value", "score")
SUMMARIES = frozenset(
    ("average", "avg", "ave", "mean", "total", "overall", "all", "std", "stdev", "median")
) | frozenset(("min", "max", "sum", "count", "std-dev", "25%", "50%", "75%"))
ABSENT = ("", "-", "--", "---", "\u2013", "\u2014", "n/a", "na", "none", "null")
ALIASES = {"msssim": "ms-ssim", "psnrb": "psnr-b", "psnr-db": "psnr"}


def metric_of(heading: str, metrics: Sequence[str]) -> str | None:
    """Return the metric that a heading or key means: ``PSNR (dB) ↑`` is ``psnr``.

    A single metric may be called ``value`` or ``score``.
    """
    if heading.strip() in metrics:
        return heading.strip()
    plain = re.split(r"[/.]", _plain(heading))[-1]
    plain = ALIASES.get(plain, plain)
    if plain in metrics:
        return plain
    return metrics[0] if len(metrics) == 1 and plain in VALUE_COLUMNS else None


def values_of_cell(heading: str, cell: str, metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield metric and number of a cell; ``28.42/0.81`` under ``PSNR/SSIM`` holds two."""
    names, parts = heading.split("/"), cell.split("/")
    if len(names) > 1 and len(names) == len(parts):
        pairs = list(zip(names, parts, strict=True))
    else:
        pairs = [(heading, cell)]
    for name, number in pairs:
        metric = metric_of(name, metrics)
        if metric is not None and not is_absent(number):
            yield metric, number.strip()


def is_image_heading(heading: str) -> bool:
    """Tell whether a heading says that images are named below it."""
    return _plain(heading).replace("-", "_") in IMAGE_COLUMNS


def is_summary(name: str, names: Names) -> bool:
    """Tell whether a row is a mean over the others, not an image of this name."""
    return _plain(name) in SUMMARIES and names.find(name) is None


def is_absent(cell: str) -> bool:
    """Tell whether a cell says that there is no value."""
    return cell.strip().lower() in ABSENT


def _plain(heading: str) -> str:
    """Spell a heading in lower case, without units, arrows and marks for bold type."""
    text = re.sub(r"\\[A-Za-z]+|[(\[].*?[)\]]", " ", heading)
    text = re.sub(r"[^\w/.%-]+", " ", text).strip().lower()
    return re.sub(r"[ _]", "-", text).strip(".-")
