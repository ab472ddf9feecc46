"""A regression check as workflow commands of GitHub Actions, shown as annotations of the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from iqbench.gate.check import Check, worst_images
from iqbench.gate.check_document import headed_rows, method_names, row_text, worst_text
from iqbench.gate.matching import MISSING, NOT_COMPARABLE
from iqbench.results.text_baseline import Image

__all__ = ["render_github"]

_MOST = 10
"""The largest number of errors, and of warnings, that GitHub shows for one step."""

_ESCAPED = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_ESCAPED_PROPERTY = (*_ESCAPED, (":", "%3A"), (",", "%2C"))


def render_github(
    found: Check, *, worst: int = 3, file: str = "", lines: Mapping[Image, int] | None = None
) -> str:
    """Render a check as annotations.

    Parameters
    ----------
    found
        The check.
    worst
        The largest number of images that an annotation names.
    file
        The text baseline, relative to the repository. Annotations refer to its lines.
    lines
        The line of each image in the baseline.

    Returns
    -------
    str
        One error per failed row, the most severe first; one warning per row with missing values
        that are allowed; and a notice, or an error, with the overall verdict.
    """
    rows = headed_rows(found)
    fails = rows["failed"].astype(bool)
    failed = rows[fails]
    lacking = rows[~fails & rows["verdict"].isin([MISSING, NOT_COMPARABLE])]
    annotations = [*_annotations(found, failed, worst, file, lines or {})][: _MOST - 1]
    hidden = len(failed) - len(annotations)
    more = f"; {hidden} more that failed are not shown here" if hidden else ""
    passed = "passed" if found.passed else "failed"
    verdict = _command(
        "notice" if found.passed else "error",
        f"check {passed}: {found.why()}{more}",
        title="iqbench check",
    )
    warned = [
        _command("warning", row_text(row), title=_title(row), file=file)
        for row in lacking.to_dict("index").values()
    ][:_MOST]
    return "".join(f"{line}\n" for line in [verdict, *annotations, *warned])


def _annotations(
    found: Check, rows: pd.DataFrame, worst: int, file: str, lines: Mapping[Image, int]
) -> Iterator[str]:
    for row in rows.to_dict("index").values():
        images = worst_text(found, row, worst) if row["verdict"] == "worse" else ""
        message = row_text(row) + (f"; worst images: {images}" if images else "")
        line = _line(found, row, lines)
        yield _command("error", message, title=_title(row), file=file, line=line)


def _line(found: Check, row: Mapping[Any, Any], lines: Mapping[Image, int]) -> str:
    """Return the line of the image with the largest loss or without a value; may be empty."""
    lost = worst_images(found, row, 1)["image"]
    if not len(lost):
        pairs = found.by_row.of(row)
        lost = pairs.loc[pairs["state"].isin([MISSING, NOT_COMPARABLE]), "image"]
    if not len(lost):
        return ""
    image = (str(row["dataset"]), str(row["baseline_method"]), str(lost.iloc[0]))
    return str(lines.get(image, ""))


def _title(row: Mapping[Any, Any]) -> str:
    return f"{row['verdict']}: {row['heading']} of {method_names(row)} on {row['dataset']}"


def _command(kind: str, message: str, **properties: str) -> str:
    given = ",".join(
        f"{name}={_escape(value, _ESCAPED_PROPERTY)}"
        for name, value in sorted(properties.items())
        if value
    )
    return f"::{kind} {given}::{_escape(message, _ESCAPED)}"


def _escape(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    """Escape characters that would end the property or the line."""
    for plain, escaped in escapes:
        text = text.replace(plain, escaped)
    return text
