"""No hostile table ends in a crash, a hang or, despite a checksum, in other values."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import WRONG, run, sound, with_checksum

from iqbench.errors import IqbenchError
from iqbench.results.read import load_scores
from iqbench.results.schema import FOOTER_KEY


def test_hostile_tables_are_read_or_refused_in_a_sentence() -> None:
    wrong: list[str] = []
    counts = run(20261129, 25, tell=wrong.append)
    assert wrong == []
    assert not any(counts[outcome] for outcome in WRONG)
    assert counts["tried"] == 25
    assert counts["refused"] > 10
    assert counts["foreign"] > 0  # some are read: not all is refused out of hand


@pytest.mark.parametrize("groups", [1, 40])
def test_texts_that_take_gigabytes_are_refused_before_they_take_them(
    tmp_path: Path, groups: int
) -> None:
    """However many groups of rows hold them."""
    sound(tmp_path)
    part = sorted((tmp_path / "scores").rglob("*.parquet"))[0]
    table = pq.read_table(part)
    footer = pq.read_metadata(part).metadata[FOOTER_KEY]
    rows = 120_000
    texts = pa.array(["x" * 10_000]).dictionary_encode()
    few = table.slice(0, 1).replace_schema_metadata(None)
    place = few.column_names.index("image")
    few = few.set_column(place, pa.field("image", texts.type), texts)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, few.schema, store_schema=False, use_dictionary=True) as writer:
        writer.write_table(few.take(pa.repeat(0, rows)), rows // groups)
        writer.add_key_value_metadata({FOOTER_KEY: footer})
    with_checksum(part, sink.getvalue().to_pybytes())
    del few, sink
    pool = pa.default_memory_pool()
    before = pool.max_memory()
    with pytest.raises(IqbenchError, match=r"the texts of column 'image' take 1,200,000,000 bytes"):
        load_scores(tmp_path)
    assert pool.max_memory() - before < 200 * 2**20
