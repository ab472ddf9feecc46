"""Values of single images from a file: CSV, JSON, or the lines that evaluation scripts print."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iqbench.errors import IqbenchError
from iqbench.explain.names import Names
from iqbench.user_files import expand_user

__all__ = ["read_values"]

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
TOKEN = re.compile(r"[^\s,;|\"'()\[\]{}=<>]+")
IMAGE_COLUMNS = ("image", "name", "file", "filename", "img", "image_name", "path", "id")
LARGEST = 64 * 2**20

Found = dict[str, dict[str, str]]


def read_values(path: Path, metrics: Sequence[str], names: Names, pattern: str | None) -> Found:
    """Read the values of some metrics by image, with the digits as they are printed.

    Parameters
    ----------
    path
        ``.csv`` or ``.tsv``: a column of image names (`IMAGE_COLUMNS`, else the first) and one a
        metric; a single metric may be called ``value``. ``.json``: ``{image: value}``,
        ``{image: {metric: value}}``, ``{metric: {image: value}}`` or a list of
        ``{"image": name, metric: value}``. Anything else: lines with the name of an image and
        numbers; each number belongs to the metric that is named before it, or the only number to
        the only metric. Lines without the name of an image are no values.
    metrics
        Whose values are wanted.
    names
        Of the images, by which they are found in lines.
    pattern
        Regular expression for the lines of any text file, with the group ``name`` and a group for
        each metric (``-`` is written ``_``), or ``value`` for a single one.

    Returns
    -------
    dict
        Metric to image (as it is spelt there) to number.

    Raises
    ------
    IqbenchError
        If the file cannot be read or holds no value of any of the metrics.
    """
    path = expand_user(path)
    text = _read(path)
    suffix = path.suffix.lower()
    if pattern is not None:
        rows = _by_pattern(text, pattern, metrics)
    elif suffix == ".json":
        rows = _of_json(path, text, metrics)
    elif suffix in (".csv", ".tsv"):
        rows = _of_table(path, text, metrics)
    else:
        rows = _of_lines(path, text, metrics, names)
    found: Found = {}
    for image, metric, number in rows:
        known = found.setdefault(metric, {})
        if known.setdefault(image, number) != number:
            raise IqbenchError(
                f"{path}: {image!r} has two values of {metric}, {known[image]} and {number}",
                hint="Leave one run in the file",
            )
    if not found:
        raise IqbenchError(
            f"{path} holds no value of {' or '.join(metrics)}",
            hint="A CSV has columns image and value (or the metric's name); of a log give "
            "--pattern, e.g. '(?P<name>\\S+): (?P<value>[0-9.]+)'",
        )
    return found


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise IqbenchError(f"{path} is larger than {LARGEST >> 20} MB: it is no list of values")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise IqbenchError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise IqbenchError(f"{path} cannot be read: {error.strerror or error}") from error


def _plain(name: str) -> str:
    """Spell a metric's name as iqbench does: ``PSNR (dB)`` is ``psnr``."""
    name = re.sub(r"[(\[].*?[)\]]", "", name).strip().lower().replace("_", "-").replace(" ", "-")
    return {"msssim": "ms-ssim", "psnrb": "psnr-b"}.get(name, name)


def _metric(name: str, metrics: Sequence[str]) -> str | None:
    """Return the metric that a column or key means."""
    plain = _plain(name)
    for metric in metrics:
        if plain == metric or name.strip() == metric:
            return metric
    alone = len(metrics) == 1 and plain in ("value", "score")
    return metrics[0] if alone else None


Row = tuple[str, str, str]


def _of_table(path: Path, text: str, metrics: Sequence[str]) -> Iterator[Row]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    columns = list(reader.fieldnames or ())
    image = next((name for name in columns if _is_image(name)), columns[0] if columns else "")
    wanted = {name: _metric(name, metrics) for name in columns if name != image}
    missing = [metric for metric in metrics if metric not in wanted.values()]
    if missing and len(missing) == len(metrics):
        raise IqbenchError(
            f"{path} has no column {' or '.join(metrics)}, but {', '.join(columns)}",
            hint="Call the columns image and value, or by the metric's name",
        )
    for row in reader:
        for name, metric in wanted.items():
            number = (row.get(name) or "").strip()
            if metric is not None and number:
                yield (row[image] or "").strip(), metric, number


def _is_image(name: str) -> bool:
    return name.strip().lower().replace(" ", "_") in IMAGE_COLUMNS


def _of_json(path: Path, text: str, metrics: Sequence[str]) -> Iterator[Row]:
    try:
        # Numbers stay text: their digits say how precise they are.
        content = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except ValueError as error:
        raise IqbenchError(f"{path} is no JSON: {error}") from error
    if isinstance(content, list):
        for row in content:
            if not isinstance(row, Mapping):
                raise IqbenchError(f"{path}: a list holds objects with an image and its values")
            image = next((str(row[key]) for key in row if _is_image(key)), None)
            if image is None:
                raise IqbenchError(
                    f"{path}: an object names no image",
                    hint=f"Call it {' or '.join(IMAGE_COLUMNS[:3])}",
                )
            yield from _of_object(image, row, metrics)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            metric = _metric(key, metrics)
            if isinstance(value, Mapping) and metric is not None:
                yield from ((image, metric, str(number)) for image, number in value.items())
            elif isinstance(value, Mapping):
                yield from _of_object(key, value, metrics)
            elif len(metrics) == 1:
                yield key, metrics[0], str(value)
    else:
        raise IqbenchError(f"{path} is neither an object nor a list")


def _of_object(image: str, row: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[Row]:
    for key, number in row.items():
        metric = _metric(key, metrics)
        if metric is not None and not _is_image(key):
            yield image, metric, str(number)


def _of_lines(path: Path, text: str, metrics: Sequence[str], names: Names) -> Iterator[Row]:
    for place, line in enumerate(text.splitlines(), 1):
        named = _name_in(line, names)
        if named is None:
            continue
        image, rest = named
        labelled = list(_labelled(rest, metrics))
        if labelled:
            yield from ((image, metric, number) for metric, number in labelled)
            continue
        numbers = re.findall(rf"(?<![\w.]){NUMBER}(?![\w])", rest)
        if len(numbers) == len(metrics):
            yield from ((image, *row) for row in zip(metrics, numbers, strict=True))
        elif numbers:
            raise IqbenchError(
                f"{path}, line {place}: it is not clear which of {', '.join(numbers)} is "
                f"{' or '.join(metrics)}",
                hint="Give --pattern, e.g. '(?P<name>\\S+) (?P<value>[0-9.]+)'",
            )


def _name_in(line: str, names: Names) -> tuple[str, str] | None:
    """Return the image that a line names, and the line without it."""
    for token in TOKEN.finditer(line):
        word = token.group().strip(":.")
        if names.find(word) is not None and not _is_label(line, token.end()):
            return word, line[: token.start()] + " " + line[token.end() :]
    return None


def _is_label(line: str, end: int) -> bool:
    """Tell whether a word is followed by ``=``: then it is a key, not the name of an image."""
    return line[end:].lstrip().startswith("=")


def _labelled(text: str, metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the numbers that follow the name of a metric, as in ``PSNR: 28.42 dB``."""
    for metric in metrics:
        spelt = re.escape(metric).replace("\\-", "[-_ ]?")
        label = rf"(?<![\w-]){spelt}(?![\w-])[^\d.+-]{{0,12}}?[:= ]\s*({NUMBER})"
        for number in re.findall(label, text, re.IGNORECASE):
            yield metric, number


def _by_pattern(text: str, pattern: str, metrics: Sequence[str]) -> Iterator[Row]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise IqbenchError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    groups = {metric: metric.replace("-", "_") for metric in metrics}
    if len(metrics) == 1 and "value" in compiled.groupindex:
        groups = {metrics[0]: "value"}
    absent = [group for group in ("name", *groups.values()) if group not in compiled.groupindex]
    if absent:
        raise IqbenchError(
            f"the pattern {pattern!r} has no group {absent[0]!r}",
            hint=f"Write (?P<{absent[0]}>...) around it",
        )
    for line in text.splitlines():
        found = compiled.search(line)
        if found:
            for metric, group in groups.items():
                if found[group] is not None:
                    yield found["name"], metric, found[group]
