"""Results as one text file, for version control: JSON lines, sorted, one line per image.

The first line identifies the format, the next lines describe the columns, and the other lines
contain values: of an image, with the digests of its files, or of a whole set. Equal tables give
equal bytes.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import pyarrow as pa
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from iqbench.columns import Margin
from iqbench.errors import IqbenchError
from iqbench.results.columns import Columns
from iqbench.results.names import combinations_of
from iqbench.results.parts import write
from iqbench.results.schema import (
    ANY_MEMBERS,
    FORMAT,
    IMAGES,
    SCHEMAS,
    ColumnInfo,
    Footer,
    ImageRow,
    Kind,
    output_mark,
)
from iqbench.results.selector import Keys
from iqbench.results.signature import headings, parse_signature
from iqbench.results.store import Store
from iqbench.user_files import open_regular

__all__ = [
    "SUFFIX",
    "Image",
    "Tables",
    "image_lines",
    "is_text_baseline",
    "results_folder",
    "text_of_tables",
]

SUFFIX = ".jsonl"

Image = tuple[str, str, str]
"""Dataset, method and image."""

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Values of images and of sets, as `iqbench.results.read.load_values` gives them, of which those
without a value are left out; and the images, as `iqbench.results.read.load_images` gives them."""

_KIND = "baseline"
_VERSION = 1
_DIGITS = 12
"""Significant digits of a value: more than two runs on different machines have in common."""

_TOLD = ("direction", "decimals", "headline", "summary", "role", "margin")
"""Fields of a `ColumnInfo` that a check needs, and that are kept."""


def _a_value(value: object) -> float:
    if isinstance(value, str) and value in {"inf", "-inf"}:
        return float(value)
    if type(value) in {int, float} and abs(number := float(str(value))) < math.inf:
        return number
    raise ValueError("a value is a finite number, or the text inf or -inf")


_Value = Annotated[float, PlainValidator(_a_value)]
"""A finite number, or the text ``inf`` or ``-inf``."""

_Name = Annotated[str, Field(min_length=1)]


class _Line(BaseModel):
    """One line. Later releases may add keys."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Head(_Line):
    """The first line: what the file is."""

    iqbench: Literal["baseline"]
    format: int


class _ColumnLine(_Line):
    """How one column is computed and read."""

    column: _Name
    metric: _Name
    signature: _Name
    protocol: str  # imported values may state none
    direction: str
    decimals: int = 4
    headline: bool = True
    summary: str = ""
    role: str = ""
    margin: Margin | None = None

    @model_validator(mode="after")
    def _is_read_so(self) -> _ColumnLine:
        _ = self.info  # refuses what no column can be
        parse_signature(self.signature)
        return self

    @property
    def info(self) -> ColumnInfo:
        """How tables read it."""
        return ColumnInfo(**{name: getattr(self, name) for name in _TOLD})


class _ImageLine(_Line):
    """The values of one output, by column, and the digests of its files."""

    dataset: _Name
    method: _Name
    image: _Name
    values: dict[str, _Value]
    reference: _Name | None
    output: _Name | None


class _SetLine(_Line):
    """One value of a whole set."""

    dataset: _Name
    method: _Name
    set_column: _Name = Field(alias="set")
    value: _Value
    standard_error: _Value | None
    n: int
    expected: int
    reference_set: str | None
    reference_n: int | None
    replicates: list[_Value] | None


@dataclass
class _Content:
    """The content of a file."""

    columns: dict[str, _ColumnLine] = field(default_factory=dict)
    images: dict[Image, _ImageLine] = field(default_factory=dict)
    sets: dict[tuple[str, str, str], _SetLine] = field(default_factory=dict)


def is_text_baseline(path: Path) -> bool:
    """Say whether a path names such a file: it is one, or is still to be written as one."""
    return path.is_file() or (path.suffix.lower() == SUFFIX and not path.exists())


def text_of_tables(parts: Callable[[], Iterable[Tables]], columns: Columns) -> str:
    """Write tables as the content of a file.

    Parameters
    ----------
    parts
        Gives the tables of each dataset, in the order of their names. It is called twice, as the
        columns stand before the values.
    columns
        How the metrics are read.
    """
    sets: list[pd.DataFrame] = []
    protocols: dict[Keys, str] = {}
    for scores, own, _ in parts():
        sets.append(_with_values(own))
        for table in (_with_values(scores), sets[-1]):
            for row in _columns_of(table):
                protocols[row[0], row[1]] = row[2]
        del scores, own  # while the next ones are read
    names = headings(sorted(protocols))

    def lines() -> Iterator[Mapping[str, Any]]:
        yield {"iqbench": _KIND, "format": _VERSION}
        yield from _column_lines(protocols, names, columns)
        for scores, _, images in parts():
            yield from _image_lines(_with_values(scores), images, names)
            del scores, images
        for own in sets:
            yield from _set_lines(own, names)

    return "".join(f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n" for line in lines())


def _with_values(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["value"].notna()] if len(table) else table


def _columns_of(table: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Give metric, signature and protocol of the columns of a table."""
    if len(table):
        found = combinations_of(table, ["metric", "signature", "protocol"])[1]
        yield from found.itertuples(index=False, name=None)


@contextmanager
def results_folder(path: Path) -> Iterator[Path]:
    """Give a results folder to read: the path itself or, of a text file, a temporary one.

    Raises
    ------
    IqbenchError
        Where a file is no such text, or damaged; it names the line.
    """
    if not path.is_file():
        yield path
        return
    content = _parse(path)
    if not content.images and not content.sets:
        raise IqbenchError(
            f"the baseline {path} holds no images", hint="Write it again: iqbench check --update"
        )
    with tempfile.TemporaryDirectory(prefix="iqbench-") as name:
        _unpack(content, Path(name))
        yield Path(name)


def image_lines(path: Path) -> dict[Image, int]:
    """Say in which line of a file each image stands, from 1."""
    return {
        (line.dataset, line.method, line.image): number
        for number, line in _lines(path)
        if isinstance(line, _ImageLine)
    }


def _column_lines(
    protocols: Mapping[Keys, str], names: Mapping[Keys, str], columns: Columns
) -> Iterator[Mapping[str, Any]]:
    for (metric, signature), name in sorted(names.items(), key=lambda item: item[1]):
        told = asdict(columns.info(metric))
        yield {
            "column": name,
            "metric": metric,
            "signature": signature,
            "protocol": protocols[metric, signature],
            **{key: told[key] for key in _TOLD},
        }


def _image_lines(
    scores: pd.DataFrame, images: pd.DataFrame, names: Mapping[Keys, str]
) -> Iterator[Mapping[str, Any]]:
    values: dict[Image, dict[str, float | str]] = {}
    kept = scores[["dataset", "method", "image", "metric", "signature", "value"]]
    for *place, metric, signature, value in kept.itertuples(index=False, name=None):
        dataset, method, image = map(str, place)
        name = names[str(metric), str(signature)]
        values.setdefault((dataset, method, image), {})[name] = _number(value)
    digests = {
        (str(row.dataset), str(row.method), str(row.image)): (
            _text(row.reference_digest),
            _text(row.output_digest),
        )
        for row in images.itertuples(index=False)
    }
    there = {key for key, (_, output) in digests.items() if output is not None}
    for key in sorted(there | set(values)):
        reference, output = digests.get(key, (None, None))
        yield {
            **dict(zip(("dataset", "method", "image"), key, strict=True)),
            "values": dict(sorted(values.get(key, {}).items())),
            "reference": reference,
            "output": output,
        }


def _set_lines(sets: pd.DataFrame, names: Mapping[Keys, str]) -> Iterator[Mapping[str, Any]]:
    lines = []
    for row in sets.to_dict("index").values():
        replicates = row.get("replicates")
        lines.append(
            {
                "dataset": str(row["dataset"]),
                "method": str(row["method"]),
                "set": names[str(row["metric"]), str(row["signature"])],
                "value": _number(row["value"]),
                "standard_error": _optional(row["standard_error"], _number),
                "n": int(row["n"]),
                "expected": int(row["expected"]),
                "reference_set": _text(row["reference_set"]),
                "reference_n": _optional(row["reference_n"], int),
                "replicates": None if replicates is None else [_number(one) for one in replicates],
            }
        )
    yield from sorted(lines, key=lambda line: (line["dataset"], line["method"], line["set"]))


def _number(value: float) -> float | str:
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(f"{value:.{_DIGITS}g}")


def _optional(value: Any, convert: Any) -> Any:
    return None if pd.isna(value) else convert(value)


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def _parse(path: Path) -> _Content:
    """Read a file whole, and refuse what contradicts itself."""
    content = _Content()
    for number, line in _lines(path):
        if isinstance(line, _ColumnLine):
            _add(content.columns, line.column, line, (path, number))
        elif isinstance(line, _ImageLine):
            _add(content.images, (line.dataset, line.method, line.image), line, (path, number))
            _refuse_unknown(line.values, content, (path, number))
        elif isinstance(line, _SetLine):
            _add(content.sets, (line.dataset, line.method, line.set_column), line, (path, number))
            _refuse_unknown([line.set_column], content, (path, number))
    return content


def _lines(path: Path) -> Iterator[tuple[int, _Line]]:
    """Read line by line, each with its number from 1."""
    try:
        with open_regular(path) as file:
            texts = file.read().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise IqbenchError(
            f"cannot read the baseline {path}: {error}", hint="Give a results folder or its text"
        ) from error
    for number, text in enumerate(texts, 1):
        if number == 1:
            yield number, _head(path, text)
        elif text.strip():
            yield number, _parse_line(text, (path, number))


def _head(path: Path, text: str) -> _Head:
    try:
        head = _Head.model_validate_json(text)
    except ValidationError:
        raise IqbenchError(
            f"{path} is not a baseline in text: its first line does not say so",
            hint="Give a results folder, or a file that iqbench check --update wrote",
        ) from None
    if head.format != _VERSION:
        raise IqbenchError(
            f"{path} is of format {head.format}, and this release reads format {_VERSION}",
            hint="Update iqbench",
        )
    return head


def _parse_line(text: str, place: tuple[Path, int]) -> _Line:
    try:
        keys = json.loads(text, object_pairs_hook=_distinct)
        if not isinstance(keys, dict):
            raise ValueError("it is not a JSON object")
        kinds = (("column", _ColumnLine), ("image", _ImageLine), ("set", _SetLine))
        kind = next((kind for key, kind in kinds if key in keys), None)
        if kind is None:
            raise ValueError("it describes no column, image or set")
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(place, f"{where}: {first['msg']}" if where else first["msg"]) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(place, error) from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values, and refuse a key that occurs twice."""
    keys = [key for key, _ in pairs]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise ValueError(f"{twice!r} occurs twice")
    return dict(pairs)


def _add(known: dict[Any, Any], key: Any, line: _Line, place: tuple[Path, int]) -> None:
    if key in known:
        raise _damaged(place, "an earlier line describes the same")
    known[key] = line


def _refuse_unknown(names: Iterable[str], content: _Content, place: tuple[Path, int]) -> None:
    for name in names:
        if name not in content.columns:
            raise _damaged(place, f"no line before it describes the column {name!r}")


def _damaged(place: tuple[Path, int], why: object) -> IqbenchError:
    path, number = place
    return IqbenchError(
        f"{path}, line {number}, cannot be read: {why}",
        hint="Restore the file as it was committed, then update it: iqbench check --update",
    )


def _unpack(content: _Content, folder: Path) -> None:
    """Write the tables of a file as a results folder."""
    infos = {line.metric: line.info for line in content.columns.values()}
    images: dict[tuple[str, str], list[_ImageLine]] = {}
    for line in content.images.values():
        images.setdefault((line.dataset, line.method), []).append(line)
    sets: dict[tuple[str, str], list[_SetLine]] = {}
    for value in content.sets.values():
        sets.setdefault((value.dataset, value.method), []).append(value)
    store = Store(folder)
    for dataset, method in sorted({*images, *sets}):
        of_images, of_sets = images.get((dataset, method), []), sets.get((dataset, method), [])
        footer = Footer(FORMAT, dataset, method, columns=infos)
        rows: dict[Kind, list[dict[str, Any]]] = {
            "images": [_image_row(line) for line in of_images],
            "scores": [row for line in of_images for row in _score_rows(line, content)],
            "sets": [_set_row(line, content) for line in of_sets],
        }
        for kind, some in rows.items():
            write(store.folder(kind, dataset, method), _table(kind, some), footer)


def _image(line: _ImageLine) -> ImageRow:
    return ImageRow(line.dataset, line.method, line.image, line.reference, line.output)


def _image_row(line: _ImageLine) -> dict[str, Any]:
    row = _image(line)
    return {name: getattr(row, name) for name in IMAGES.names}


def _score_rows(line: _ImageLine, content: _Content) -> Iterator[dict[str, Any]]:
    # A value is of the files in its line, whichever of them it was computed from.
    pair = _image(line).pair or output_mark(line.output)
    for name, value in line.values.items():
        yield {
            "dataset": line.dataset,
            "method": line.method,
            "image": line.image,
            **_column(content.columns[name]),
            "value": value,
            "pair": pair,
            "scope": "image",
        }


def _set_row(line: _SetLine, content: _Content) -> dict[str, Any]:
    """Give the row of a value of a set; it was current when the file was written."""
    kept = line.model_dump(exclude={"set_column"})
    return {**kept, **_column(content.columns[line.set_column]), "members": ANY_MEMBERS}


def _column(line: _ColumnLine) -> dict[str, str]:
    return {name: getattr(line, name) for name in ("metric", "signature", "protocol")}


def _table(kind: Kind, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    columns = []
    for column in SCHEMAS[kind]:
        values = [row.get(column.name) for row in rows]
        if pa.types.is_dictionary(column.type):
            columns.append(pa.array(values, pa.string()).dictionary_encode().cast(column.type))
        else:
            columns.append(pa.array(values, column.type))
    return pa.table(columns, schema=SCHEMAS[kind])
