"""Objects on a server that fails: retried, checked against the listing, and cached."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from made_archives import files_below, put_objects, write_parquet, write_tar
from made_folders import Made

from iqbench.blobs import remote, retries
from iqbench.blobs.cache import BlockCache, block_cache, block_key
from iqbench.blobs.remote import find_objects
from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.storage.places import find_place
from iqbench.errors import IqbenchError


@dataclass
class Server:
    """What the objects in memory were asked for, and what spoils the answers."""

    asked: list[tuple[str, int, int]] = field(default_factory=list)
    answers: Iterator[Callable[[bytes], bytes]] = field(default_factory=lambda: iter(()))

    def answer(self, path: str, start: int, end: int, data: bytes) -> bytes:
        self.asked.append((path, start, end))
        return next(self.answers, lambda whole: whole)(data)

    @property
    def sent(self) -> int:
        return sum(end - start for _, start, end in self.asked)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found, cat_file = Server(), MemoryFileSystem.cat_file

    def cat(self: Any, path: str, start: int, end: int) -> bytes:
        return found.answer(path, start, end, cat_file(self, path, start, end))

    monkeypatch.setattr(MemoryFileSystem, "cat_file", cat)
    return found


def raising(error: Exception) -> Callable[[bytes], bytes]:
    def spoil(data: bytes) -> bytes:
        raise error

    return spoil


class StatusError(Exception):
    """As aiohttp raises it."""

    def __init__(self, status: int, wait: str | None = None) -> None:
        super().__init__(f"{status}")
        self.status = status
        if wait is not None:
            self.headers = {"Retry-After": wait}


def missing_by(cause: Exception) -> FileNotFoundError:
    """As fsspec raises what fails at a web server."""
    error = FileNotFoundError("http://server/a.png")
    error.__cause__ = cause
    return error


def overwrite(address: str, data: bytes) -> None:
    filesystem, path = fsspec.core.url_to_fs(address)
    filesystem.pipe(path, data)


def source_of_one(data: bytes = b"0123456789") -> Any:
    put_objects("memory://bucket/hr", {"a.png": data})
    return reference_folder("memory://bucket/hr").samples[0].needed_reference


@pytest.mark.parametrize(
    "spoil",
    [
        raising(OSError("server error")),
        raising(TimeoutError()),
        raising(StatusError(500)),
        raising(StatusError(429)),
        raising(missing_by(StatusError(429))),
        raising(missing_by(StatusError(503))),
        raising(missing_by(ConnectionResetError())),
        lambda data: data[:4],
        lambda data: b"",
    ],
)
def test_temporary_failures_are_tried_again(spoil: Any, server: Server) -> None:
    source = source_of_one()
    server.answers = iter([spoil] * (retries.TRIES - 1))
    assert source.read().data == b"0123456789"
    assert len(server.asked) == retries.TRIES


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(), "a.png does not exist"),
        (missing_by(StatusError(404)), "a.png does not exist"),
        (missing_by(StatusError(410)), "a.png does not exist"),
        (missing_by(StatusError(403)), "access is denied"),
        (PermissionError("no"), r"a.png: access is denied \(PermissionError: no\)"),
        (StatusError(403), "access is denied"),
        (StatusError(400), "cannot be read: StatusError: 400"),
        (ValueError("bad"), "cannot be read: ValueError: bad"),
    ],
)
def test_permanent_failures_are_not_tried_again(
    error: Exception, message: str, server: Server
) -> None:
    source = source_of_one()
    server.answers = iter([raising(error)])
    with pytest.raises(IqbenchError, match=message):
        source.read()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 1),
        (format_datetime(datetime(2100, 1, 1, tzinfo=timezone.utc), usegmt=True), 60, 60),
        (format_datetime(datetime(2000, 1, 1, tzinfo=timezone.utc), usegmt=True), 0, 1),
        ("soon", 0, 1),
        ("-1", 0, 1),
        ("999999", 60, 60),
    ],
)
def test_a_server_that_asks_to_wait_is_waited_for(
    asked: str, least: float, most: float, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", waits.append)
    source = source_of_one()
    server.answers = iter([raising(StatusError(429, asked))])
    assert source.read().data == b"0123456789"
    (wait,) = waits
    assert least <= wait <= most


def test_a_server_that_stays_broken_is_named_and_the_rest_is_scored(
    tmp_path: Path, server: Server
) -> None:
    made = Made(tmp_path)
    made.references()
    place = put_objects("memory://bucket/out", files_below(made.method()))
    calls = MemoryFileSystem.cat_file

    def broken(self: Any, path: str, start: int, end: int) -> bytes:
        if path.endswith("b.png"):
            raise OSError("server error")
        return calls(self, path, start, end)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryFileSystem, "cat_file", broken)
        summary = made.evaluate(f"mine={place}", dataset_name="x")
    (failure,) = summary.failures
    assert (failure.image, summary.scored) == ("b", 2)
    assert "out/b.png cannot be read after 5 tries: OSError: server error" in failure.error
    assert made.evaluate(f"mine={place}", dataset_name="x").scored == 1


@pytest.mark.parametrize("data", [b"9876543210", b"longer than before", b""])
def test_an_object_that_changed_since_it_was_listed_is_refused(data: bytes) -> None:
    source = source_of_one()
    overwrite("memory://bucket/hr/a.png", data)
    with pytest.raises(IqbenchError, match=r"a.png was changed after it was listed"):
        source.read()


def test_a_shard_that_changes_between_two_images_is_refused(tmp_path: Path, server: Server) -> None:
    files = {f"{n}.png": bytes([n]) * 2**20 for n in range(4)}
    tar = write_tar(tmp_path / "x.tar", files).read_bytes()
    put_objects("memory://bucket", {"x.tar": tar})
    samples = reference_folder("memory://bucket/x.tar").samples
    assert samples[0].needed_reference.load() == files["0.png"]
    overwrite("memory://bucket/x.tar", bytes(reversed(tar)))
    with pytest.raises(IqbenchError, match=r"x.tar was changed after it was listed"):
        samples[3].needed_reference.load()


@pytest.mark.parametrize("write", [write_tar, write_parquet])
def test_a_shard_is_listed_and_one_image_of_it_read_by_ranges(
    write: Any, tmp_path: Path, server: Server
) -> None:
    files = {f"{n}.png": Random(n).randbytes(2**20) for n in range(8)}
    path = tmp_path / f"x.{write.__name__[6:]}"
    write(path, files, **({"rows": 1} if write is write_parquet else {}))
    place = put_objects("memory://bucket", {path.name: path.read_bytes()})
    samples = reference_folder(f"{place}/{path.name}").samples
    assert server.sent < path.stat().st_size / 3
    server.asked.clear()
    assert samples[5].needed_reference.load() == files["5.png"]
    assert 2**19 < server.sent < 1.5 * 2**20


def test_a_server_that_gives_only_whole_objects_serves_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "BLOCK", 2**12)
    cat_file = MemoryFileSystem.cat_file
    monkeypatch.setattr(
        MemoryFileSystem, "cat_file", lambda self, path, start, end: cat_file(self, path)
    )
    files = {f"{n}.png": bytes([n]) * 2**15 for n in range(4)}
    put_objects("memory://b", {"x.tar": write_tar(tmp_path / "x.tar", files).read_bytes()})
    samples = reference_folder("memory://b/x.tar").samples
    assert [one.needed_reference.load() for one in samples] == list(files.values())


def test_read_blocks_are_cached_until_the_object_changes(server: Server) -> None:
    assert source_of_one().read().data == b"0123456789"
    assert len(server.asked) == 1
    block_cache()._held.clear()  # only the files are left
    assert reference_folder("memory://bucket/hr").samples[0].needed_reference.read().bytes == 10
    assert len(server.asked) == 1
    assert source_of_one(b"another").read().data == b"another"
    assert len(server.asked) == 2


def test_the_cache_holds_no_more_than_it_may(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 10_000, in_memory=0)
    for number in range(50):
        cache.put(block_key("x", 1, "1", number), bytes(1000))
        total = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert total <= 10_000
    assert cache.get(block_key("x", 1, "1", 49)) == bytes(1000)
    assert cache.get(block_key("x", 1, "1", 0)) is None
    cache.put("ab" * 32, bytes(20_000))
    assert cache.get("ab" * 32) is None


def test_damaged_files_of_the_cache_count_as_none(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 10_000, in_memory=0)
    cache.put("ab" * 32, b"block")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(b"blick" + path.read_bytes()[5:])
    assert cache.get("ab" * 32) is None
    assert not path.exists()


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = BlockCache(tmp_path / "file", 10_000)
    cache.put("ab" * 32, b"block")
    assert cache.get("ab" * 32) == b"block"  # in memory


def test_the_size_of_the_cache_is_a_setting(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IQBENCH_STORAGE_CACHE", "0")
    source_of_one().read()
    assert not (tmp_path / "cache").exists()
    for text, most in (("20G", 20 * 2**30), ("1.5 MiB", 3 * 2**19), ("", 10 * 2**30)):
        monkeypatch.setenv("IQBENCH_STORAGE_CACHE", text)
        assert block_cache()._most == most
    monkeypatch.setenv("IQBENCH_STORAGE_CACHE", "much")
    with pytest.raises(IqbenchError, match="IQBENCH_STORAGE_CACHE is 'much'"):
        source_of_one(b"other").read()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=6))
def test_any_ranges_are_those_of_the_object(ranges: list[tuple[int, int]]) -> None:
    data = bytes(number % 251 for number in range(5000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "BLOCK", 512)
        patch.setenv("IQBENCH_STORAGE_CACHE", "0")
        put_objects("memory://ranges", {"x": data})
        (found,) = find_objects("memory://ranges/x")
        for start, stop in ranges:
            assert found.read(start, stop) == data[start:stop]
        with found.open() as file:
            for start, stop in ranges:
                file.seek(start)
                assert file.read(max(stop - start, 0)) == data[start:stop]


@pytest.mark.parametrize("name", ["access_token", "X-Amz-Signature", "sig", "Key", "a=1&secret"])
def test_secrets_in_queries_are_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(IqbenchError, match="has a secret in it") as caught:
        find_place(f"https://server/x.zip?{name}=hidden&more=1")
    assert "hidden" not in str(caught.value)


def test_protocols_are_written_in_any_case() -> None:
    put_objects("memory://bucket/hr", {"a.png": b"x"})
    assert str(find_place("MEMORY://bucket/hr")) == "memory://bucket/hr"
    assert str(find_place("FILE:///bucket/hr")) == "/bucket/hr"


def test_brackets_are_no_pattern() -> None:
    filesystem, path = fsspec.core.url_to_fs("memory://bucket/run[1]/x.tar")
    with filesystem.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("a.png")
        info.size = 1
        archive.addfile(info, BytesIO(b"x"))
    for name in ("x.tar", "*.tar"):
        (sample,) = reference_folder(f"memory://bucket/run[1]/{name}", "x").samples
        assert sample.needed_reference.read().data == b"x"


def test_passwords_in_addresses_are_refused_and_not_repeated() -> None:
    with pytest.raises(IqbenchError, match="has a password in it") as caught:
        find_place("https://user:secret@example.org/hr")
    assert "secret" not in str(caught.value)


def test_a_library_that_is_missing_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(IqbenchError, match="pip install 'iqbench") as caught:
        find_place("s3://bucket/hr")
    assert "pip install 'iqbench[s3]'" in str(caught.value)


def test_unknown_protocols_are_named() -> None:
    with pytest.raises(IqbenchError, match="s4:// is not known"):
        find_place("s4://bucket/hr")


def test_a_missing_prefix_is_a_missing_folder() -> None:
    with pytest.raises(IqbenchError, match="reference folder memory://b/none does not exist"):
        reference_folder("memory://b/none")
    put_objects("memory://b", {"a.png": b"x"})
    with pytest.raises(IqbenchError, match=r"reference folder memory://b/a.png is a file"):
        reference_folder("memory://b/a.png")
    with pytest.raises(IqbenchError, match=r"memory://b/x.tar does not exist"):
        reference_folder("memory://b/x.tar")
    put_objects("memory://b", {"0.tar": b""})
    with pytest.raises(IqbenchError, match=r"memory://b/1.tar does not exist"):
        reference_folder("memory://b/{0..1}.tar")
