"""Read values of other tools (untrusted): CSV, JSON lines or Parquet, long or wide."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from iqbench.errors import IqbenchError, unknown_name
from iqbench.user_files import expand_user, open_regular

__all__ = ["ROLES", "ForeignFile", "ForeignValue", "read_foreign"]

ROLES = {
    "dataset": "of the image",
    "method": "whose output it is",
    "image": "id of the image; none in a file of values of whole methods",
    "metric": "what the value is of; none in a wide file, where every other column is a metric",
    "value": "a number",
    "direction": "what is better: higher, lower, target:<number> or none",
    "protocol": "under which it was computed",
    "source": "the paper that a published mean stands in",
}
_NO_NUMBER = ("", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "<na>")
_FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "lines", ".ndjson": "lines"}


@dataclass(frozen=True)
class ForeignValue:
    """One value as a file has it.

    Attributes
    ----------
    place
        Where it stands: ``line 7`` or ``row 7``.
    dataset, method, image, metric, direction, protocol, source
        As written, empty where the file does not say it.
    value
        None where the file says that there is none.
    """

    place: str
    metric: str
    value: float | None
    dataset: str = ""
    method: str = ""
    image: str = ""
    direction: str = ""
    protocol: str = ""
    source: str = ""


@dataclass(frozen=True)
class ForeignFile:
    """The values of a file.

    Attributes
    ----------
    path
        The file.
    digest
        SHA-256 of its bytes, in hex.
    values
        All of them.
    roles
        Which of `ROLES` the file has a column for.
    """

    path: Path
    digest: str
    values: tuple[ForeignValue, ...]
    roles: frozenset[str]


def read_foreign(
    path: Path, *, columns: Mapping[str, str] | None = None, metrics: Sequence[str] = ()
) -> ForeignFile:
    """Read a file of values.

    Parameters
    ----------
    path
        Ends in .csv, .tsv, .jsonl, .ndjson or .parquet.
    columns
        Role to the name of its column, where that is not called like the role.
    metrics
        In a wide file, which columns are metrics; by default all that have no role. In a long
        one, which metrics to take; where it has no column of metrics, the one that it is of.

    Returns
    -------
    ForeignFile
        With at least one value.

    Raises
    ------
    IqbenchError
        If the file cannot be read, or a cell is not what it should be; it names file and line.
    """
    path = expand_user(path)
    kind = "parquet" if path.suffix.lower() == ".parquet" else _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise IqbenchError(
            f"cannot tell the format of {path} from its name",
            hint="Use a name that ends in .csv, .tsv, .jsonl or .parquet",
        )
    try:
        with open_regular(path) as file:
            content = file.read()
    except FileNotFoundError as error:
        raise IqbenchError(f"there is no file {path}") from error
    read = {"csv": _csv_rows, "lines": _json_rows, "parquet": _parquet_rows}[kind]
    rows = list(read(path, content))
    if not rows:
        raise IqbenchError(f"{path} has no rows")
    names = dict.fromkeys(name for _, row in rows for name in row)
    roles = _roles(path, list(names), columns or {})
    values = tuple(_values(path, rows, list(names), roles, metrics))
    if not values:
        raise IqbenchError(f"{path} has no value of {', '.join(metrics) or 'any metric'}")
    return ForeignFile(path, sha256(content).hexdigest(), values, frozenset(roles))


def _text(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"{path}, line {line}: not UTF-8 text"
        raise IqbenchError(problem, hint="Save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise IqbenchError(f"{path}, line {line}: a zero byte, so this is not text")
    return text


def _csv_rows(path: Path, content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a table with a head, separated by commas, semicolons or tabs."""
    text = _text(path, content)
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    names: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise IqbenchError(f"{path}, line {reader.line_num}: {error}") from None
        place = f"line {reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if names is None:
            names = [cell.strip() for cell in cells]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise IqbenchError(f"{path}, {place}: two columns are called {twice!r}")
            continue
        if len(cells) != len(names):
            raise IqbenchError(
                f"{path}, {place}: {len(cells)} cells, but the header has {len(names)}",
                hint="Put cells that hold a separator in double quotes",
            )
        yield place, dict(zip(names, (cell.strip() for cell in cells), strict=True))


def _json_rows(path: Path, content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read one object a line."""
    for number, line in enumerate(_text(path, content).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            found = json.loads(line, object_pairs_hook=_distinct, parse_float=_in_range)
        except (ValueError, RecursionError) as error:
            reason = str(error).partition(":")[0]
            raise IqbenchError(f"{path}, {place}: not valid JSON: {reason}") from None
        if not isinstance(found, dict):
            raise IqbenchError(f"{path}, {place}: not an object", hint='Write {"image": "a", ...}')
        yield place, {name.strip(): value for name, value in found.items()}


def _in_range(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values; refuse a key that occurs twice."""
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} occurs twice")
    return dict(pairs)


def _parquet_rows(path: Path, content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from iqbench.results.arrow_files import UNREADABLE, read_buffer

    try:
        table = pq.ParquetFile(pa.BufferReader(read_buffer(io.BytesIO(content)))).read()
        rows = table.to_pylist()
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise IqbenchError(f"cannot read {path}: {reason}") from None
    if len(set(table.column_names)) < table.num_columns:
        raise IqbenchError(f"{path} has several columns of one name")
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", row


def _roles(path: Path, names: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Find the column of each role."""
    folded = {name.casefold(): name for name in names}
    roles = {role: folded[role] for role in ROLES if role in folded}
    for role, name in columns.items():
        if role not in ROLES:
            raise unknown_name("role of a column", role, ROLES)
        if name not in names:
            raise unknown_name(f"column of {path}", name, names)
        roles[role] = name
    return roles


def _values(
    path: Path,
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    names: Sequence[str],
    roles: Mapping[str, str],
    metrics: Sequence[str],
) -> Iterator[ForeignValue]:
    """Read the cells."""
    wide = [name for name in names if name not in roles.values()]
    if "metric" in roles and "value" not in roles:
        raise IqbenchError(
            f"{path} has a column that names the metric, but no column of values",
            hint=f"Say which one it is: --column value={wide[0] if wide else 'NAME'}",
        )
    if "value" not in roles:
        for name in metrics:
            if name not in wide:
                raise unknown_name(f"column of {path}", name, wide)
        wide = [name for name in wide if not metrics or name in metrics]
        for name in wide:
            _refuse_brackets(str(path), name)
    elif "metric" not in roles and len(metrics) != 1:
        raise IqbenchError(
            f"{path} has a column of values, but no column that names the metric",
            hint="Name it by --metric NAME, or add a column metric",
        )
    for place, row in rows:
        texts = {
            role: _name(path, place, role, row.get(column))
            for role, column in roles.items()
            if role not in ("metric", "value")
        }
        where = f"{path}, {place}"
        if "value" not in roles:
            for name in wide:
                yield ForeignValue(place, name, _value(where, name, row.get(name)), **texts)
            continue
        metric = metrics[0] if "metric" not in roles else ""
        metric = metric or _name(path, place, "metric", row.get(roles["metric"]))
        if not metric:
            raise IqbenchError(f"{where}: no metric is named")
        _refuse_brackets(where, metric)
        if "metric" not in roles or not metrics or metric in metrics:
            number = _value(where, metric, row.get(roles["value"]))
            yield ForeignValue(place, metric, number, **texts)


def _refuse_brackets(where: str, metric: str) -> None:
    """Refuse names such as ``runtime [s]``: in headings, brackets hold fields of a signature."""
    if "[" in metric or "]" in metric:
        raise IqbenchError(
            f"{where}: the metric {metric!r} has a bracket, and brackets say how a metric is "
            "computed: psnr[view=luma]",
            hint=f"Rename it, for example to {metric.replace('[', '(').replace(']', ')')!r}",
        )


def _name(path: Path, place: str, role: str, cell: Any) -> str:
    """Read a name: text, or a whole number."""
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, str | int):
        raise IqbenchError(f"{path}, {place}: the {role} is not text: {str(cell)[:40]!r}")
    text = str(cell).strip()
    if any(ord(sign) < 32 for sign in text):
        raise IqbenchError(f"{path}, {place}: the {role} has a control character: {text[:40]!r}")
    return text


def _too_large(where: str, metric: str) -> IqbenchError:
    return IqbenchError(
        f"{where}: {metric} is too large for a number", hint="Write inf if it is infinite"
    )


def _value(where: str, metric: str, cell: Any) -> float | None:
    """Read a number; None where the cell says that there is none."""
    if cell is None:
        return None
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        try:
            number = float(cell)
        except OverflowError:
            raise _too_large(where, metric) from None
        return None if math.isnan(number) else number
    text = cell.strip() if isinstance(cell, str) else str(cell)
    if isinstance(cell, str) and text.casefold() in _NO_NUMBER:
        return None
    # float() would also take 1_000 and digits of other scripts.
    if isinstance(cell, str) and text.isascii() and "_" not in text:
        try:
            number = float(text)
        except ValueError:
            pass
        else:
            if math.isinf(number) and any(map(str.isdigit, text)):
                raise _too_large(where, metric)
            return number
    raise IqbenchError(
        f"{where}: {metric} is not a number: {text[:40]!r}",
        hint="In a wide file every column without a role is a metric: choose by --metric NAME",
    )
