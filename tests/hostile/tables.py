"""Hostile tables: parts that are damaged or made to do harm, and what becomes of them.

``run(seed, count)`` makes as many results folders, each with one hostile part, and reads it by all
readers and by commands. By hand: ``python tests/hostile/tables.py SEED COUNT``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from iqbench.cli.main import main
from iqbench.errors import IqbenchError
from iqbench.results.read import iter_datasets, load_columns, load_images, load_runs, load_scores
from iqbench.results.schema import FOOTER_KEY, SCHEMAS, ColumnInfo, ImageRow, Manifest, ScoreRow
from iqbench.results.signature import signature
from iqbench.results.store import Store

__all__ = ["WRONG", "run", "sound", "with_checksum"]

SECONDS = 20.0
"""No table of this size may take more processor time."""

WRONG = ("crash", "silent", "slow")
"""Outcomes that may not be. The others: ``refused``; ``same``, the values of the sound table; and
``foreign``, a table with other values that was read, where nothing could tell."""

_NAMES = (
    *(
        "",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "\x9b1A",
        "\u202egnp",
    ),
    *("=cmd|'/c calc'!A0", "<script>alert(1)</script>", "%s%n", "nan", "a|b=c", "é" * 300, "😀"),
    *("x" * 10_000, "x" * 100_000, "con", "~", "$(id)", "{{7*7}}", "\\", "'", '"', " "),
)
_TYPES: tuple[pa.DataType, ...] = (
    *(pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.bool_(), pa.binary(), pa.date32()),
    *(pa.large_string(), pa.timestamp("ns"), pa.timestamp("s", "Europe/Berlin"), pa.null()),
    *(pa.list_(pa.string()), pa.struct([("a", pa.int32())]), pa.decimal128(38, 9), pa.time64("us")),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.large_string())),
    *(pa.dictionary(pa.int32(), pa.int64()), pa.map_(pa.string(), pa.int32()), pa.duration("ms")),
)
_JSON: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        2**70,
        1e308,
        "",
        "x" * 100_000,
        [],
        {},
        [[]],
        {"a": None},
        "target:..",
        "\ud800",
    ),
    *("higher\n", "target:1e999", "target:nan", "\x1b[2J", -(10**9), 10**9, "2026-99-99T00:00:00Z"),
)
_COMMANDS = (
    ["leaderboard"],
    ["leaderboard", "--format", "csv"],
    ["leaderboard", "--by-image", "--format", "markdown"],
    ["check", "--baseline"],
    ["results", "verify"],
)


def sound(root: Path) -> None:
    """Write a results folder of two methods and six images."""
    run_ = Manifest(
        **{"iqbench": "0.1.0", "python": "3.11", "torch": "2.4", "platform": "Linux"},
        **{"device": "cpu", "precision": "exact", "command": "iqbench evaluate"},
        time="2026-01-01T00:00:00+00:00",
    )
    columns = {
        "psnr": ColumnInfo("higher", 2),
        "tv-ratio": ColumnInfo("target:1", 4, headline=True),
    }
    with Store(root).writer(run_, columns) as writer:
        for method in ("edsr", "swinir"):
            for number in range(6):
                image = f"image{number}"
                row = ImageRow("set5", method, image, "a" * 64, f"{method}{image}", 8, 8, 3, 8, 99)
                writer.add_image(row)
                for metric in columns:
                    text = signature({"metric": metric, "version": "1", "view": "rgb"})
                    value = 30.0 + number + (method == "edsr")
                    writer.add_scores(
                        [
                            ScoreRow(
                                "set5", method, image, metric, value, None, text, "rgb", row.pair
                            )
                        ]
                    )


def _damage(content: bytes, chance: random.Random) -> bytes:
    """Change, cut, insert or repeat bytes somewhere."""
    place, length = chance.randrange(len(content)), chance.choice((1, 1, 1, 4, 64, 1000))
    kind = chance.randrange(6)
    if kind == 0:
        flipped = content[place] ^ 1 << chance.randrange(8)
        return content[:place] + bytes([flipped]) + content[place + 1 :]
    if kind == 1:
        return content[:place] + chance.randbytes(length) + content[place + length :]
    if kind == 2:
        return content[:place] + bytes(length) + content[place + length :]
    if kind == 3:
        return content[:place]
    if kind == 4:
        return content[:place] + chance.randbytes(length) + content[place:]
    return content[:place] + content[place + length :]


def with_checksum(part: Path, content: bytes) -> None:
    """Put a part in another's place with a checksum that is right, as a stranger would."""
    digest = hashlib.sha256(content).hexdigest()
    part.unlink()
    part.with_name(f"{part.name[:29]}-{digest}.parquet").write_bytes(content)


def _write(part: Path, table: pa.Table, footer: bytes | None, chance: random.Random) -> None:
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        table.schema.remove_metadata(),
        use_dictionary=table.num_rows > 100 or chance.random() < 0.7,
        store_schema=chance.random() < 0.7,
        dictionary_pagesize_limit=2**30,
        compression="zstd" if table.num_rows > 100 else chance.choice(("snappy", "none", "gzip")),
    ) as writer:
        # A row group for each of a million rows would keep this campaign busy, not its readers.
        rows = max(chance.choice((1, 5, 2**20)), table.num_rows // 100)
        writer.write_table(table.replace_schema_metadata(None), rows)
        if footer is not None:
            writer.add_key_value_metadata({FOOTER_KEY: footer})
    with_checksum(part, sink.getvalue())


def _footer_of(part: Path) -> bytes:
    found: bytes = pq.read_metadata(part).metadata[FOOTER_KEY]
    return found


def _other_type(part: Path, table: pa.Table, chance: random.Random) -> None:
    place = chance.randrange(table.num_columns)
    kind = chance.choice(_TYPES)
    name = table.column_names[place]
    try:
        column = table.column(place).cast(pa.string()).cast(kind)
    except (pa.ArrowException, ValueError):
        column = pa.nulls(table.num_rows, pa.null()).cast(kind)
    changed = table.set_column(place, pa.field(name, kind), column)
    _write(part, changed, _footer_of(part), chance)


def _other_columns(part: Path, table: pa.Table, chance: random.Random) -> None:
    place = chance.randrange(table.num_columns)
    column, name = table.column(place), table.column_names[place]
    kind = chance.randrange(5)
    if kind == 0:
        table = table.append_column(name, column)
    elif kind == 1:
        table = table.remove_column(place)
    elif kind == 2:
        table = table.append_column(chance.choice(_NAMES), column)
    elif kind == 3:
        table = table.select(chance.sample(table.column_names, table.num_columns))
    else:
        table = table.slice(0, chance.choice((0, 1)))
    _write(part, table, _footer_of(part), chance)


def _other_names(part: Path, table: pa.Table, chance: random.Random) -> None:
    texts = [name for name in table.column_names if name not in ("value", "height", "width")]
    name = chance.choice(texts[:8])
    place = table.column_names.index(name)
    if not pa.types.is_dictionary(table.schema.field(place).type):
        return _other_type(part, table, chance)
    values = table.column(place).to_pylist()
    for _ in range(chance.choice((1, len(values)))):
        values[chance.randrange(len(values))] = chance.choice(_NAMES)
    column = pa.array(values, pa.string())
    footer = _footer_of(part)
    if name in ("dataset", "method") and chance.random() < 0.7:
        said = json.loads(footer)
        said[name] = values[0]
        column, footer = pa.array([values[0]] * len(values)), json.dumps(said).encode()
    _write(
        part,
        table.set_column(place, table.schema.field(place), column.dictionary_encode()),
        footer,
        chance,
    )
    return None


def _null_names(part: Path, table: pa.Table, chance: random.Random) -> None:
    place = chance.randrange(4)
    column = pa.nulls(table.num_rows, pa.string()).dictionary_encode()
    changed = table.set_column(place, pa.field(table.column_names[place], column.type), column)
    _write(part, changed, _footer_of(part), chance)


def _no_utf8(part: Path, table: pa.Table, chance: random.Random) -> None:
    place = chance.choice([at for at, kind in enumerate(table.schema.types) if _is_text(kind)])
    raw = pa.array([chance.randbytes(5) + b"\xff\xfe"] * table.num_rows, pa.binary())
    wrong = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    if pa.types.is_dictionary(table.schema.types[place]):
        wrong = wrong.dictionary_encode()
    _write(
        part, table.set_column(place, table.schema.field(place), wrong), _footer_of(part), chance
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))


def _odd_values(part: Path, table: pa.Table, chance: random.Random) -> None:
    for place, field in enumerate(table.schema):
        odd: list[Any] = []
        if pa.types.is_floating(field.type):
            odd = [float("nan"), float("inf"), -float("inf"), 1e308, -0.0, 5e-324, None]
        elif pa.types.is_integer(field.type):
            odd = [-1, 0, 2**31 - 1, -(2**31), None]
        elif pa.types.is_string(field.type) and chance.random() < 0.5:
            odd = [None, "nan", *_NAMES]
        if odd:
            column = pa.array([chance.choice(odd) for _ in range(table.num_rows)], field.type)
            table = table.set_column(place, field, column)
    _write(part, table, _footer_of(part), chance)


def _bomb(part: Path, table: pa.Table, chance: random.Random) -> None:
    """Write few bytes that want much memory: one text, or one row, many times."""
    rows = chance.choice((*[2_000] * 9, 1_100_000))
    place = chance.choice([at for at, kind in enumerate(table.schema.types) if _is_text(kind)])
    few = table.slice(0, 1)
    column = pa.array(["x" * chance.choice((1, 10_000, 400_000))]).dictionary_encode()
    few = few.set_column(place, pa.field(few.column_names[place], column.type), column)
    many = few.take(pa.repeat(0, rows))
    footer = _footer_of(part)
    if chance.random() < 0.5 and few.column_names[place] in ("dataset", "method"):
        said = {**json.loads(footer), few.column_names[place]: column[0].as_py()}
        footer = json.dumps(said).encode()
    _write(part, many, footer, chance)


def _other_footer(part: Path, table: pa.Table, chance: random.Random) -> None:
    text = _footer_of(part)
    kind = chance.randrange(5)
    if kind == 0:
        footer: bytes | None = _damage(text, chance)
    elif kind == 1:
        footer = b"[" * 100_000
    elif kind == 2:
        footer = None
    elif kind == 3:
        footer = b'{"format":1,"dataset":"set5","method":"edsr","runs":' + b'{"a":' * 50_000
    else:
        said = json.loads(text)
        where: Any = said
        while True:
            key = chance.choice(list(where) if isinstance(where, dict) else range(len(where)))
            if not isinstance(where[key], dict | list) or not where[key] or chance.random() < 0.2:
                break
            where = where[key]
        where[key] = chance.choice(_JSON)
        footer = json.dumps(said).encode("utf-8", "surrogatepass")
    _write(part, table, footer, chance)


def _special_file(part: Path, table: pa.Table, chance: random.Random) -> None:
    del table
    other = part.with_name(
        chance.choice(("x.parquet", "9" * 240 + ".parquet", "-.parquet", "é.parquet"))
    )
    kind = chance.randrange(6)
    if kind == 0:
        os.mkfifo(other)
    elif kind == 1:
        other.mkdir()
    elif kind == 2:
        other.symlink_to("nowhere")
    elif kind == 3:
        other.symlink_to("/dev/zero")
    elif kind == 4:
        other.symlink_to(other.name)
    else:
        other.write_bytes(chance.randbytes(chance.choice((0, 4, 5000))))


_HARMS: tuple[Callable[[Path, pa.Table, random.Random], None], ...] = (
    *(_other_type, _other_type, _other_columns, _other_names, _other_names, _null_names, _no_utf8),
    *(_odd_values, _bomb, _other_footer, _other_footer, _special_file),
)


def _values(root: Path) -> pd.DataFrame:
    """Read everything that readers give."""
    scores, images = load_scores(root), load_images(root)
    load_scores(root, wide=True)
    load_columns(root), load_runs(root), list(iter_datasets(root))
    return pd.concat([scores.astype(object), images.astype(object)], ignore_index=True)


def _command(root: Path, words: list[str]) -> int:
    arguments = [*words, str(root)]
    if words[0] == "check":
        arguments.append(str(root))
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            main(arguments)
        except SystemExit as leaving:
            return int(leaving.code or 0)
    return 0


def _outcome(
    root: Path, sound: pd.DataFrame, *, protected: bool, words: list[str]
) -> tuple[str, str]:
    """Read a folder, and say what came of it and why."""
    started = time.process_time()
    try:
        found = _values(root)
        outcome = "same" if found.equals(sound) else "silent" if protected else "foreign"
        why = ""
    except IqbenchError as error:
        outcome, why = "refused", str(error)
    except Exception as error:  # whatever it is, it is a finding
        outcome, why = "crash", f"{type(error).__name__}: {error}"[:300]
    code = _command(root, words)
    if code not in (0, 1, 2, 3):
        outcome, why = "crash", f"{' '.join(words)} exits with {code}"
    if time.process_time() - started > SECONDS:
        outcome, why = "slow", f"{time.process_time() - started:.0f} s"
    return outcome, why


def run(
    seed: int, count: int, *, tell: Callable[[str], object] = lambda line: None
) -> Counter[str]:
    """Try hostile tables; see `campaign.Run`."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        model, root = Path(folder) / "model", Path(folder) / "results"
        sound(model)
        expected = _values(model)
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            shutil.copytree(model, root)
            part = chance.choice(sorted(root.glob("*/*/*/*.parquet")))
            protected = number % 2 == 0
            if protected:
                what = "damage"
                part.write_bytes(_damage(part.read_bytes(), chance))
            else:
                harm = chance.choice(_HARMS)
                what = harm.__name__.strip("_")
                harm(part, pq.read_table(part).cast(SCHEMAS[part.parts[-4]]), chance)
            words = chance.choice(_COMMANDS)
            outcome, why = _outcome(root, expected, protected=protected, words=words)
            counts["tried"] += 1
            counts[outcome] += 1
            if outcome in WRONG:
                tell(f"{outcome}: seed {seed}, table {number}, {what}: {why}")
            shutil.rmtree(root)
    return counts


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    _print(str(dict(run(int(sys.argv[1]), int(sys.argv[2]), tell=_print))))
