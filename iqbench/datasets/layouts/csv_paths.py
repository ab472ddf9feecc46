"""A CSV of paths: one row per output, with its reference and optional facts such as opinions."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, get_args
from unicodedata import normalize

from iqbench.datasets.files import (
    check_text,
    is_below_root,
    spell_name,
    split_suffix,
    unusable_name,
)
from iqbench.datasets.layout import BelowRoot, Layout, find_below
from iqbench.datasets.opinions.tables import finite
from iqbench.datasets.sample import DISTORTED, Direction, Opinion, OutputImage, Sample
from iqbench.errors import IqbenchError, unknown_name
from iqbench.forks import cached_property
from iqbench.images.source import FileSource
from iqbench.user_files import open_regular

__all__ = ["COLUMNS", "CsvLayout"]

COLUMNS = (
    *("reference", "output", "method", "image"),
    *("mos", "mos_std", "mos_direction", "distortion"),
)
"""The columns that are read; the first two must be there."""

_BLANKS = " \t"
_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


class CsvLayout(Layout):
    """Pairs of paths, relative to the CSV's own folder. Columns that it does not know are left out.

    Commas, semicolons or tabs separate the cells; blanks around a cell are no part of it.

    ==================  ==========================================================================
    reference, output   paths of image files
    method              whose the output is; without this column all are ``distorted``
    image               id of the output; by default the reference's path without suffix, or,
                        without a column ``method``, the output's
    mos, mos_std        mean opinion and its standard deviation; both may be empty
    mos_direction       ``higher`` (MOS) or ``lower`` (DMOS) is better, or ``choice``; needed
                        wherever there is a mos, and the same in all rows
    distortion          kind of distortion; may be empty
    ==================  ==========================================================================

    Attributes
    ----------
    file
        The CSV, below the data root.
    outside
        Whether paths may lead out of the CSV's folder.
    """

    layout: Literal["csv"]
    file: BelowRoot
    outside: bool = False

    def samples(self, root: Path | None) -> list[Sample]:
        """List the references in the order of their first rows; no image is opened.

        Raises
        ------
        MissingDataError
            If no root is known or the CSV is not there.
        IqbenchError
            If the CSV is not as it should be, or files that it names are not there; the sentence
            names the line.
        """
        path = find_below(root, self.file, "file of pairs")
        pairs = _PairRows(path, self.outside)
        try:
            with open_regular(path) as content:
                file = TextIOWrapper(content, _encoding(content), newline="")
                for row in _rows(path, file):
                    pairs.add(row)
        except UnicodeError as error:
            raise IqbenchError(
                f"{path} is not UTF-8 text", hint="Save it as UTF-8 (CSV UTF-8 in Excel)"
            ) from error
        except OSError as error:
            raise IqbenchError(f"cannot read {path}: {error.strerror}") from error
        return pairs.samples()


def _encoding(file: BinaryIO) -> str:
    """Return UTF-8, with a byte order mark or without, or UTF-16 where its mark says so."""
    start = file.read(2)
    file.seek(0)
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


class _Row(NamedTuple):
    """The cells of a row by column, and its line in the file."""

    line: int
    cells: dict[str, str]


def _rows(path: Path, file: Iterator[str]) -> Iterator[_Row]:
    first = next(file, "")
    before = 0
    separator = _separator(first)
    if first.strip().lower() == f"sep={separator}":  # which Excel writes and reads
        first, before = next(file, ""), 1
    reader = csv.reader(
        chain([first], file), strict=True, delimiter=separator, skipinitialspace=True
    )
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header)
        for cells in reader:
            if not any(cell.strip(_BLANKS) for cell in cells):
                continue
            line = reader.line_num + before
            if len(cells) != len(header):
                raise IqbenchError(
                    f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}",
                    hint=f"Put cells that hold {_SEPARATORS[separator]} in quotes",
                )
            # Of paths, blanks are looked at later: a file may be named so.
            yield _Row(
                line,
                {
                    name: cell if name in COLUMNS[:2] else cell.strip(_BLANKS)
                    for name, cell in zip(header, cells, strict=True)
                },
            )
    except csv.Error as error:
        line = reader.line_num + before
        raise IqbenchError(f"{path}, line {line}: this is no CSV: {error}") from error


def _separator(line: str) -> str:
    """Return what separates the cells: that by which the first line names most columns."""
    if line.strip().lower() in {f"sep={sign}" for sign in _SEPARATORS}:
        return line.strip()[-1]

    def known(sign: str) -> int:
        names = (name.strip().strip('"').lower() for name in line.split(sign))
        return sum(name in COLUMNS for name in names)

    return max(_SEPARATORS, key=known)


def _check_header(path: Path, header: list[str]) -> None:
    for name in header:
        meant = name.lower().replace("-", "_").replace(" ", "_")
        if name not in COLUMNS and meant in COLUMNS:
            raise IqbenchError(f"{path}: the column {name!r} must be spelt {meant!r}")
        if name in COLUMNS and header.count(name) > 1:
            raise IqbenchError(f"{path}: there are two columns {name!r}")
    for name in COLUMNS[:2]:
        if name not in header:
            raise IqbenchError(
                f"{path}: column {name!r} is missing; there are {', '.join(header) or 'none'}",
                hint="The first line names the columns, separated by commas, semicolons or tabs",
            )
    if "mos" in header and "mos_direction" not in header:
        raise IqbenchError(
            f"{path}: column 'mos_direction' is missing",
            hint="It says how mos is to be read: higher (MOS) or lower (DMOS) is better, or choice",
        )


@dataclass
class _PairRows:
    """What the rows so far say, and in which lines."""

    path: Path
    outside: bool
    references: dict[str, list[OutputImage]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    direction: tuple[Direction, int] | None = None

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """The CSV's folder as an absolute path: as it was named, and with its links followed."""
        return Path.cwd() / self.path.parent, self.path.parent.resolve()

    def add(self, row: _Row) -> None:
        """Take a row in."""
        reference, output = self._file(row, "reference"), self._file(row, "output")
        if reference == output:
            raise self._error(row, f"reference and output are one file: {output}")
        if output in self.outputs:
            swapped = len(self.references) == len(self.outputs)
            raise self._error(
                row,
                f"output {output} is already in line {self.outputs[output]}",
                "Are the columns reference and output exchanged?" if swapped else "",
            )
        self.outputs[output] = row.line
        if reference not in self.references:
            self.lines[reference] = row.line
        method = self._text(row, "method") or DISTORTED
        image = self._text(row, "image") or self._id(row, reference, output)
        other = self.ids.setdefault((method, image), row.line)
        if other != row.line:
            hint = "" if "image" in row.cells else "Give each an id of its own in a column 'image'"
            raise self._error(
                row, f"image {image!r} of method {method!r} is already in line {other}", hint
            )
        self.references.setdefault(reference, []).append(
            OutputImage(
                method,
                image,
                FileSource(self.path.parent / output),
                self._opinion(row),
                row.cells.get("distortion") or None,
            )
        )

    def samples(self) -> list[Sample]:
        """Give what was taken in, if the files are there."""
        if not self.references:
            raise IqbenchError(f"{self.path} has no rows")
        self._check_files()
        ids: dict[str, str] = {}
        for reference in self.references:
            image = split_suffix(spell_name(reference))[0]
            if ids.setdefault(image, reference) != reference:
                raise IqbenchError(
                    f"{self.path}: two references have the id {image!r}: {ids[image]} in line "
                    f"{self.lines[ids[image]]}, {reference} in line {self.lines[reference]}",
                    hint="Rename one of them",
                )
        folder = self.path.parent
        return [
            Sample(image, FileSource(folder / reference), tuple(self.references[reference]))
            for image, reference in ids.items()
        ]

    def _check_files(self) -> None:
        named = {**self.outputs, **self.lines}
        missing = [name for name in named if not (self.path.parent / name).is_file()]
        if missing:
            missing.sort(key=named.__getitem__)
            shown = ", ".join(f"{name} (line {named[name]})" for name in missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise IqbenchError(
                f"files named in {self.path} do not exist: {shown}{more}",
                hint="Paths are relative to the CSV's own folder, or absolute",
            )

    def _file(self, row: _Row, column: str) -> str:
        text = row.cells[column]
        if not text.strip(_BLANKS):
            raise self._error(row, f"{column} is empty")
        found = self._as_it_lies(text)
        if "\0" in text or not (self.outside or is_below_root(found)):
            raise self._error(
                row,
                f"{column} {text!r} leads out of the folder of the CSV",
                "Give paths of files below the CSV's folder. For a file that you trust, a "
                "dataset's block may say `outside: true`",
            )
        return os.path.normpath(found)

    def _as_it_lies(self, text: str) -> str:
        """Return a path as the file is named, which may be spelt otherwise in the CSV.

        Blanks around it are no part of it, Windows separates folders by backslashes, and accents
        may stand apart from their letters. What is there as it is written comes first.
        """
        plain = text.strip(_BLANKS)
        spellings = [text, plain, plain.replace("\\", "/")]
        if not plain.isascii():
            spellings += [normalize(form, spellings[-1]) for form in ("NFC", "NFD")]
        if len(set(spellings)) > 1 and "\0" not in text:
            for path in map(self._below, spellings):
                if (self.path.parent / path).is_file():
                    return path
        return self._below(plain)

    def _below(self, path: str) -> str:
        """Make an absolute path below the CSV's folder relative to it."""
        if not is_below_root(path) and Path(path).is_absolute():
            for folder in self.folders:
                if Path(path).is_relative_to(folder):
                    return Path(path).relative_to(folder).as_posix()
        return path

    def _text(self, row: _Row, column: str) -> str:
        """Return a name, or nothing where there is no such column."""
        if column not in row.cells:
            return ""
        try:
            return check_text(column, row.cells[column])
        except IqbenchError as error:
            raise self._error(row, error.message, error.hint) from error

    def _id(self, row: _Row, reference: str, output: str) -> str:
        """Derive the output's id from a path."""
        column = "reference" if "method" in row.cells else "output"
        path = reference if column == "reference" else output
        if why := unusable_name(path):
            raise self._error(
                row,
                f"the path of {column}, {path!r}, cannot be used as an id: {why}",
                "Rename the file, or give an id in a column 'image'",
            )
        return split_suffix(path)[0]

    def _opinion(self, row: _Row) -> Opinion | None:
        if not row.cells.get("mos"):
            return None
        direction = row.cells["mos_direction"]
        for known in get_args(Direction):
            if direction == known:
                std = self._number(row, "mos_std") if row.cells.get("mos_std") else None
                if std is not None and std < 0:
                    raise self._error(row, f"mos_std is {std}, below 0")
                self._check_direction(row, known)
                return Opinion(self._number(row, "mos"), std, known)
        error = unknown_name("mos_direction", direction, get_args(Direction))
        raise self._error(row, error.message, error.hint)

    def _check_direction(self, row: _Row, direction: Direction) -> None:
        """Refuse opinions of two kinds: no metric could agree with both."""
        first, line = self.direction = self.direction or (direction, row.line)
        if direction != first:
            raise self._error(
                row,
                f"mos_direction is {direction!r}, but {first!r} in line {line}",
                "A MOS may have been taken for a DMOS; else write two files, a dataset each",
            )

    def _number(self, row: _Row, column: str) -> float:
        number = finite(row.cells[column])
        if number is None:
            raise self._error(
                row,
                f"{column} is {row.cells[column]!r}, not a finite number",
                "Write a decimal point, not a comma" if "," in row.cells[column] else "",
            )
        return number

    def _error(self, row: _Row, message: str, hint: str = "") -> IqbenchError:
        return IqbenchError(f"{self.path}, line {row.line}: {message}", hint=hint)
