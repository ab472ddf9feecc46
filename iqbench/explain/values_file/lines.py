"""Values of single images from the lines that evaluation scripts print."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from iqbench.errors import IqbenchError
from iqbench.explain.names import Names
from iqbench.explain.printed import DEVIATION, NUMBER
from iqbench.explain.values_file.headings import (
    is_image_heading,
    is_summary,
    metric_of,
    values_of_cell,
)

__all__ = ["rows_of_lines", "rows_of_pattern"]

Row = tuple[str, str, str]

GAP = frozenset(
    ("db", "value", "score", "metric", "result", "of", "is", "was", "the", "image", "tensor")
) | frozenset(("array", "float", "np", "rgb", "y", "ycbcr", "luma", "on", "for", "cur", "mean"))
"""Words that may stand between the name of a metric and its number."""

_LABEL = r"[A-Za-z][\w-]*(?:\s*\([^()]*\))?"
_JOINED = re.compile(
    rf"({_LABEL}(?:\s*/\s*{_LABEL})+)\s*[:=]?\s*"
    rf"({NUMBER}(?:\s*dB)?(?:\s*[/|,;]\s*{NUMBER}(?:\s*dB)?)+)",
    re.IGNORECASE,
)
"""``PSNR/SSIM: 28.42 dB/0.81``."""

_AFTER = re.compile(r"\s?(?:dB|%)?(?![\w%]|\.\d)", re.IGNORECASE)
"""What may follow a number: a unit, then no letter and no digit."""


def rows_of_lines(path: Path, text: str, metrics: Sequence[str], names: Names) -> Iterator[Row]:
    """Yield image, metric and number from lines with the name of an image.

    A number belongs to the metric that is named before it, or in the heading of its column. Lines
    without a metric's name have a number of each metric, in their order. Where every image has
    lines of its own, its values may stand on the lines below its name. Other lines are no values.

    Raises
    ------
    IqbenchError
        If a line holds several numbers, and it is not clear which is a value; or several names.
    """
    heading: _Table | None = None
    blocks: dict[str, list[Row]] = {}
    current = ""
    inline = False
    # LaTeX and Markdown write a_b as a\_b.
    for place, line in enumerate(text.replace("\\_", "_").splitlines(), 1):
        found = names.find_in(line)
        if not found:
            heading = _heading(line, metrics) or heading
            if current and not _mentions_mean(line, names):
                blocks[current] += [(current, *item) for item in _labelled(line, metrics)]
            continue
        if len({pair for pair, *_ in found}) > 1:
            raise IqbenchError(
                f"{path}, line {place} names several images: "
                f"{', '.join(dict.fromkeys(line[start:end] for _, start, end in found))}",
                hint="Give --pattern, e.g. '(?P<name>\\S+) (?P<value>[0-9.]+)'",
            )
        pair, start, end = found[0]
        image = names.images[pair]
        values = list(heading.values(line, metrics)) if heading else []
        values = values or list(_labelled(line[:start] + " " + line[end:], metrics))
        values = values or _bare(path, place, line[:start], line[end:], metrics)
        inline |= bool(values)
        current = "" if values else image
        if current:
            blocks.setdefault(current, [])
        yield from ((image, *value) for value in values)
    if not inline and all(blocks.values()):
        for rows in blocks.values():
            yield from rows


def rows_of_pattern(
    path: Path, text: str, pattern: str, metrics: Sequence[str], names: Names
) -> Iterator[Row]:
    """Yield image, metric and number from lines that match a regular expression.

    Raises
    ------
    IqbenchError
        If it is none, lacks a group, or matches no line.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise IqbenchError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    groups = {metric: re.sub(r"\W", "_", metric) for metric in metrics}
    if len(metrics) == 1 and "value" in compiled.groupindex:
        groups = {metrics[0]: "value"}
    absent = [group for group in ("name", *groups.values()) if group not in compiled.groupindex]
    if absent:
        raise IqbenchError(
            f"the pattern {pattern!r} has no group {absent[0]!r}",
            hint=f"Write (?P<{absent[0]}>...) around it",
        )
    matched = False
    for line in text.splitlines():
        found = compiled.search(line)
        if found is None or found["name"] is None:
            continue
        matched = True
        if not is_summary(found["name"], names):
            for metric, group in groups.items():
                if found[group] is not None:
                    yield found["name"], metric, found[group]
    if not matched:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        raise IqbenchError(
            f"the pattern {pattern!r} matches no line of {path}",
            hint=f"Its first line is {first[:80]!r}",
        )


class _Table(NamedTuple):
    """The headings of a table in text, and how its cells are separated."""

    mark: str
    headings: list[str]

    def values(self, line: str, metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield metric and number of a row; nothing if the row has other columns."""
        mark, cells = _cells(line)
        # Columns of spaces may start with one that has no heading.
        unnamed = len(cells) - len(self.headings)
        if mark == self.mark and (unnamed == 0 or (mark == " " and unnamed > 0)):
            for name, cell in zip(self.headings, cells[unnamed:], strict=True):
                if not is_image_heading(name):
                    yield from values_of_cell(name, cell, metrics)


def _heading(line: str, metrics: Sequence[str]) -> _Table | None:
    """Read a line as the headings of a table; None if it is none."""
    mark, cells = _cells(line)
    known = [metric_of(part, metrics) for cell in cells for part in (cell, *cell.split("/"))]
    if len(cells) < 2 or not any(known) or _numbers(line):
        return None
    if mark == " " and not any(is_image_heading(cell) for cell in cells):
        return None  # a sentence that names the metric
    return _Table(mark, cells)


def _cells(line: str) -> tuple[str, list[str]]:
    """Split a row of Markdown, LaTeX or columns of spaces; return the mark that separates it."""
    text = line.strip()
    if "&" in text:
        return "&", [cell.strip() for cell in re.sub(r"\\\\.*$", "", text).split("&")]
    if "|" in text:
        return "|", [cell.strip() for cell in text.removeprefix("|").removesuffix("|").split("|")]
    return " ", re.split(r"\s{2,}|\t", text) if re.search(r"\s{2,}|\t", text) else text.split()


def _mentions_mean(line: str, names: Names) -> bool:
    return any(is_summary(word, names) for word in re.findall(r"[A-Za-z]+", line))


def _labelled(text: str, metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the numbers that follow the name of a metric, as in ``PSNR: 28.42 dB``."""
    for joined in _JOINED.finditer(text):
        labels = joined[1].split("/")
        numbers = [found for _, found in _numbers(joined[2])]
        if len(labels) == len(numbers):
            for name, number in zip(labels, numbers, strict=True):
                metric = metric_of(name, metrics)
                if metric is not None:
                    yield metric, number
            text = text.replace(joined[0], " " * len(joined[0]), 1)
    for metric in metrics:
        spelt = re.escape(metric).replace("\\-", "[-_ ]?")
        label = rf"(?<![\w-]){spelt}(?![\w-])([^\d]{{0,40}}?)({NUMBER})"
        for found in re.finditer(label, text, re.IGNORECASE):
            words = re.findall(r"[^\W\d_]+", found[1].lower())
            apart = not found[1][-1:].isalnum() and found[1] != ""
            if apart and set(words) <= GAP and _AFTER.match(text, found.end()):
                yield metric, _with_unit(text, found.end(), found[2])


def _bare(
    path: Path, place: int, before: str, after: str, metrics: Sequence[str]
) -> list[tuple[str, str]]:
    """Return the numbers of a line that names no metric: those after the name, else before it."""
    numbers = [number for _, number in _numbers(after)] or [item for _, item in _numbers(before)]
    if len(numbers) == len(metrics):
        return list(zip(metrics, numbers, strict=True))
    if numbers and _numbers(after):
        raise IqbenchError(
            f"{path}, line {place}: it is not clear which of {', '.join(numbers)} is "
            f"{' or '.join(metrics)}",
            hint="Give --pattern, e.g. '(?P<name>\\S+) (?P<value>[0-9.]+)'",
        )
    return []


def _numbers(text: str) -> list[tuple[int, str]]:
    """Return the numbers of a text, without their deviations, and where they end."""
    plain = re.sub(rf"{DEVIATION}\s*{NUMBER}", lambda found: " " * len(found[0]), text)
    found = []
    for match in re.finditer(NUMBER, plain):
        before = plain[: match.start()][-1:]
        if not (before.isalnum() or before in ("_", ".")) and _AFTER.match(plain, match.end()):
            found.append((match.end(), _with_unit(plain, match.end(), match[0])))
    return found


def _with_unit(text: str, end: int, number: str) -> str:
    """Append the per cent sign that follows a number."""
    return number + "%" if text[end:].lstrip(" \\").startswith("%") else number
