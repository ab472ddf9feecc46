"""Values of single images from a file: a table, JSON, YAML, or the lines of a log."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from iqbench.errors import IqbenchError
from iqbench.explain.names import Names
from iqbench.explain.values_file.lines import rows_of_lines, rows_of_pattern
from iqbench.explain.values_file.table import rows_of_table
from iqbench.explain.values_file.tree import rows_of_json, rows_of_yaml
from iqbench.user_files import expand_user

__all__ = ["read_values"]

LARGEST = 64 * 2**20

Found = dict[str, dict[str, str]]

_COLOUR_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FORMS = {
    ".csv": rows_of_table,
    ".tsv": rows_of_table,
    ".json": rows_of_json,
    ".jsonl": rows_of_json,
    ".yaml": rows_of_yaml,
    ".yml": rows_of_yaml,
}


def read_values(path: Path, metrics: Sequence[str], names: Names, pattern: str | None) -> Found:
    """Read the values of some metrics by image, with the digits as they are printed.

    Parameters
    ----------
    path
        ``.csv`` or ``.tsv``: a column of image names and one for each metric (a single metric may
        be called ``value``), or the columns image, metric and value. ``.json``, ``.jsonl``,
        ``.yaml``: ``{image: value}``, ``{image: {metric: value}}``, ``{metric: {image: value}}``, a
        list of ``{"image": name, metric: value}``, or these inside other objects. Anything else:
        lines with the name of an image and numbers, also rows of Markdown and LaTeX; each number
        belongs to the metric that is named before it or at the head of its column, or the only
        number to the only metric. Lines without the name of an image are no values, and rows such
        as ``average`` are left out.
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
    rows: Iterable[tuple[str, str, str]]
    if pattern is not None:
        rows = rows_of_pattern(path, text, pattern, metrics, names)
    else:
        rows = _FORMS.get(path.suffix.lower(), rows_of_lines)(path, text, metrics, names)
    found: Found = {}
    for image, metric, number in rows:
        known = found.setdefault(metric, {})
        if known.setdefault(image, number) != number:
            raise IqbenchError(
                f"{path}: {image!r} has two values of {metric}, {known[image]} and {number}",
                hint="Leave one run of one data set in the file, or choose lines with --pattern",
            )
    if not found:
        raise IqbenchError(
            f"{path} holds no value of {' or '.join(metrics)} of the images {names.examples()}",
            hint="A CSV has columns image and value (or the metric's name); of a log give "
            "--pattern, e.g. '(?P<name>\\S+): (?P<value>[0-9.]+)'",
        )
    return found


def _read(path: Path) -> str:
    """Return the text of a file without codes for colours.

    Raises
    ------
    IqbenchError
        If it cannot be read, is too large, or is no text.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise IqbenchError(f"{path} is larger than {LARGEST >> 20} MB: it is no list of values")
        content = path.read_bytes()
    except OSError as error:
        raise IqbenchError(f"{path} cannot be read: {error.strerror or error}") from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise IqbenchError(f"{path} is not UTF-8 text", hint="Save it as UTF-8") from error
    return _COLOUR_CODES.sub("", text)
