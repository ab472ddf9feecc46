"""The store of digests: it returns what was stored or nothing; small, shared, never wrong."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from email.utils import formatdate
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_archives import files_below, write_parquet, write_tar, write_zip
from made_folders import Made

from iqbench.blobs.blob import LocalFile
from iqbench.blobs.remote import RemoteObject, _object_of
from iqbench.datasets.storage import digest_store as module
from iqbench.datasets.storage.digest_store import (
    DigestStore,
    KnownFile,
    digest_store,
    identity_of,
)
from iqbench.datasets.storage.parquet_images import list_cells
from iqbench.datasets.storage.places import find_place
from iqbench.datasets.storage.tar_members import list_tar
from iqbench.datasets.storage.zip_members import list_zip
from iqbench.errors import IqbenchError
from iqbench.images.probe import ImageHeader
from iqbench.images.source import FileSource

MANY = 2**30

HEADERS = st.builds(
    ImageHeader,
    st.sampled_from(["png", "jpeg", "tiff"]),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.sampled_from([1, 3]),
    st.sampled_from([8, 16]),
    st.booleans(),
    st.integers(1, 8),
    st.sampled_from([0, 1023, 65535]),
    st.sampled_from([None, 10, 12]),
)
KNOWN = st.builds(
    KnownFile,
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.integers(1, 10**12),
    st.none() | HEADERS,
)


def known(number: int) -> KnownFile:
    return KnownFile(f"{number:064x}", number, ImageHeader("png", 1 + number, 7, 3))


@pytest.fixture
def store(tmp_path: Path) -> DigestStore:
    return DigestStore(tmp_path / "kept/files.sqlite", MANY)


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.text(max_size=20), KNOWN, max_size=5), st.text(max_size=20))
def test_stored_facts_are_returned_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, KnownFile], other: str
) -> None:
    store = DigestStore(tmp_path_factory.mktemp("store") / "files.sqlite", MANY)
    store.put(files)
    assert store.get([*files, other]) == files


def test_the_latest_facts_count(store: DigestStore) -> None:
    store.put({"a": known(1), "b": known(2)})
    store.put({"a": known(3)})
    assert store.get(["a", "b"]) == {"a": known(3), "b": known(2)}


def test_asking_makes_no_file(store: DigestStore, tmp_path: Path) -> None:
    assert store.get(["a"]) == {}
    assert not (tmp_path / "kept").exists()


def test_another_release_finds_nothing(store: DigestStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put({"a": known(1)})
    monkeypatch.setattr(module, "__version__", "99")
    assert store.get(["a"]) == {}


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_never_gives_another_digest(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    path = tmp_path / "files.sqlite"
    store = DigestStore(path, MANY)
    files = {str(number): known(number) for number in range(40)}
    store.put(files)
    data = bytearray(path.read_bytes())
    for _ in range(random.choice([1, 20, 400])):
        data[random.randrange(len(data))] = random.randrange(256)
    path.write_bytes(data[: random.choice([len(data), len(data) // 2, 100])])
    found: dict[str, KnownFile] = {}
    with suppress(IqbenchError):
        found = store.get(files)
    assert found.items() <= files.items()
    with suppress(IqbenchError):  # damage where nothing was read is noticed at the latest now
        store.put(files)
    with suppress(IqbenchError):
        assert store.get(files).items() <= files.items()


def test_a_damaged_file_is_named_deleted_and_made_again(store: DigestStore) -> None:
    store.put({"a": known(1)})
    store._path.write_bytes(b"something else" * 1000)
    with pytest.raises(IqbenchError, match=r"files\.sqlite were damaged, and are deleted"):
        store.get(["a"])
    assert not store._path.exists()
    store.put({"a": known(1)})
    assert store.get(["a"]) == {"a": known(1)}


def test_a_row_that_was_moved_to_another_key_is_damage(store: DigestStore) -> None:
    store.put({"a": known(1), "b": known(2)})
    with closing(sqlite3.connect(store._path)) as connection, connection:
        (other,) = connection.execute("SELECT facts FROM files ORDER BY rowid LIMIT 1").fetchone()
        connection.execute("UPDATE files SET facts = ?", (other,))
    with pytest.raises(IqbenchError, match="were damaged"):
        store.get(["a", "b"])


def test_a_store_that_is_locked_is_named_and_stays(
    store: DigestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put({"a": known(1)})
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.01)
    with closing(sqlite3.connect(store._path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for use in (lambda: store.get(["a"]), lambda: store.put({"b": known(2)})):
            with pytest.raises(IqbenchError, match="cannot be used: database is locked"):
                use()
    assert store.get(["a"]) == {"a": known(1)}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")
    with pytest.raises(IqbenchError, match=r"kept/files\.sqlite cannot be used"):
        DigestStore(tmp_path / "kept/files.sqlite", MANY).put({"a": known(1)})


def test_it_stays_small_and_keeps_what_was_used_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 60_000
    store = DigestStore(tmp_path / "files.sqlite", most)
    now = time.time()
    for batch in range(12):
        monkeypatch.setattr(module, "time", lambda batch=batch: now + batch * 10 * 86_400)
        store.put({f"{batch}/{number}": known(number) for number in range(100)})
        assert store.get(["0/7"]) == {"0/7": known(7)}  # used all the time
        assert store._path.stat().st_size <= most
    assert store.get(["11/99", "0/8", "0/99"]) == {"11/99": known(99)}


def test_entries_in_daily_use_are_not_written_daily(store: DigestStore) -> None:
    store.put({"a": known(1)})
    before = store._path.stat().st_mtime_ns
    store.get(["a"])
    assert store._path.stat().st_mtime_ns == before


WRITER = """
import sys
from pathlib import Path
from iqbench.datasets.storage.digest_store import DigestStore, KnownFile
store = DigestStore(Path(sys.argv[1]), 2**30)
for n in range(8):
    files = {f"{sys.argv[2]}/{n}/{i}": KnownFile(f"{n * 50 + i:064x}", 1, None) for i in range(50)}
    store.put(files)
    assert store.get(files) == files
"""


def test_several_processes_write_at_a_time(store: DigestStore) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(store._path), str(number)])
        for number in range(3)
    ]
    store._path.parent.mkdir()
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    names = [f"{w}/{n}/{i}" for w in range(3) for n in range(8) for i in range(50)]
    assert len(store.get(names)) == len(names) == 1200


def test_its_size_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, most in (("500M", 500 * 2**20), ("", 2 * 2**30)):
        monkeypatch.setenv("IQBENCH_STORAGE_DIGESTS", text)
        found = digest_store()
        assert found is not None
        assert found._most == most
        assert found._path.parent == tmp_path / "cache/digests"
    monkeypatch.setenv("IQBENCH_STORAGE_DIGESTS", "0")
    assert digest_store() is None
    monkeypatch.setenv("IQBENCH_STORAGE_DIGESTS", "some")
    with pytest.raises(IqbenchError, match="IQBENCH_STORAGE_DIGESTS is 'some'"):
        digest_store()


def test_nothing_is_kept_where_nothing_may_be_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQBENCH_STORAGE_CACHE", "0")
    assert digest_store() is None


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("name", "facts", "there"),
    [
        ("s3://b/x", {"ETag": '"0123"', "LastModified": "now"}, True),
        ("gs://b/x", {"etag": "CJ=", "generation": "17", "mtime": NOW}, True),
        ("gs://b/x", {"generation": "17"}, True),
        ("hf://datasets/u/n/x", {"blob_id": "0123", "last_commit": None}, True),
        ("https://h/x", {"ETag": '"0123"'}, True),
        ("https://h/x", {"Content-MD5": "0123=="}, True),
        ("https://h/x", {"ETag": '"0123"', "Last-Modified": formatdate(NOW - 60)}, True),
        # Web servers make ETags of the second and the size: a change in that second has the same.
        ("https://h/x", {"ETag": '"0123"', "Last-Modified": formatdate(NOW - 59)}, False),
        ("https://h/x", {"ETag": '"0123"', "Last-Modified": formatdate(NOW + 999)}, False),
        ("https://h/x", {"ETag": '"0123"', "Last-Modified": "yesterday"}, False),
        ("https://h/x", {"ETag": 'W/"0123"', "Last-Modified": formatdate(NOW - 999)}, False),
        ("https://h/x", {"Last-Modified": formatdate(NOW - 10**7)}, False),
        ("sftp://h/x", {"mtime": NOW - 10**7}, False),
        ("memory://x", {"created": NOW - 10**7}, False),
        ("s3://b/x", {"ETag": ""}, False),
        ("ftp://h/x", {}, False),
    ],
)
def test_only_a_tag_of_the_server_identifies_an_object(
    name: str, facts: dict[str, Any], there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    found = _object_of(name, {"size": 7, **facts})
    assert (found.identity is not None) == there


def test_objects_that_differ_have_other_identities() -> None:
    objects = [
        RemoteObject(name, size, tag, has_tag=True)
        for name in ("s3://b/x", "s3://b/y")
        for size in (1, 12)
        for tag in ("2", "22", "")
    ]
    assert len({one.identity for one in objects}) == len(objects)


@pytest.mark.parametrize("pack", [write_zip, write_tar, write_parquet])
def test_members_are_identified_by_their_archive(pack: Any, tmp_path: Path) -> None:
    files = files_below(Made(tmp_path).references())
    path = tmp_path / "packed"
    pack(path, files)

    def identities(blob: Any) -> list[str | None]:
        if pack is write_parquet:
            return [cell.identity for _, cell in list_cells(blob, None, None)[1]]
        listed = list_zip(blob) if pack is write_zip else list_tar(blob)
        return [extent.identity for extent in listed.values()]

    class Served(LocalFile):
        """As if a server had it."""

        tag = "first"

        @property
        def identity(self) -> str:
            return f"s3://b/packed\0{self.size}\0{self.tag}"

    first = identities(Served.of(path))
    assert len(set(first)) == len(files)
    assert identities(Served.of(path)) == first
    Served.tag = "second"
    assert not set(identities(Served.of(path))) & set(first)
    assert set(identities(LocalFile.of(path))) == {None}


def test_local_files_have_no_identity(tmp_path: Path) -> None:
    made = Made(tmp_path)
    archive = write_zip(tmp_path / "hr.zip", files_below(made.references()))
    assert identity_of(FileSource(tmp_path / "hr/a.png")) is None
    assert identity_of((find_place(archive) / "a.png").source()) is None
    assert identity_of(None) is None
