"""Files for Arrow are no Python objects, because its threads outlive a call."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from results_bench import Bench

from iqbench.results import part_file
from iqbench.results.arrow_files import open_again, read_buffer
from iqbench.results.opinion import read_opinion
from iqbench.user_files import open_regular


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 1000], ids=len)
def test_a_file_is_read_into_memory_of_arrows(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    before = pa.total_allocated_bytes()
    with open_regular(path) as file:
        buffer = read_buffer(file)
    assert buffer.to_pybytes() == content
    assert pa.total_allocated_bytes() - before >= len(content)


def test_a_file_that_took_the_place_of_another_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"1")
    other.write_bytes(b"2")
    with open_regular(path) as file:
        assert open_again(path, file).read() == b"1"
        other.replace(path)
        with pytest.raises(OSError, match="another file took its place"):
            open_again(path, file)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """All that Arrow is given to read Parquet from."""
    given: list[object] = []
    parquet_file, read_table = pq.ParquetFile, pq.read_table

    def listen_to_file(source: object, **options: object) -> pq.ParquetFile:
        given.append(source)
        return parquet_file(source, **options)

    def listen_to_table(source: object, **options: object) -> pa.Table:
        given.append(source)
        return read_table(source, **options)

    monkeypatch.setattr(pq, "ParquetFile", listen_to_file)
    monkeypatch.setattr(pq, "read_table", listen_to_table)
    return given


@pytest.mark.parametrize("limit", [10, 1 << 20], ids=["large", "small"])
def test_parts_are_no_python_objects_for_arrow(
    bench: Bench, sources: list[object], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    bench.score("a", value=30.0)
    monkeypatch.setattr(part_file, "_IN_MEMORY", limit)
    (part,) = bench.parts()
    sources.clear()
    part_file.read_part(part, "scores")
    assert {type(source) for source in sources} == {pa.OSFile if limit == 10 else pa.BufferReader}


def test_a_file_of_opinions_is_no_python_object_for_arrow(
    tmp_path: Path, sources: list[object]
) -> None:
    path = tmp_path / "mos.parquet"
    pq.write_table(pa.table({"image": ["a"], "method": ["m"], "mos": [1.5]}), path)
    assert read_opinion(path, {}).rows["mos"].tolist() == [1.5]
    assert [type(source) for source in sources if not isinstance(source, Path)] == [pa.BufferReader]
