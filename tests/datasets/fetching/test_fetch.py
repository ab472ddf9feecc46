"""Fetching from a local server that answers correctly, wrongly, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from iqbench.datasets import digests as digests_module
from iqbench.datasets.dataset import DatasetSpec
from iqbench.datasets.fetching.fetch import Fetched, by_hand, fetch
from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.errors import IqbenchError

CONTENT = {f"img_00{n}": bytes([n]) * 5000 for n in (1, 2, 3)}


class Server:
    """Serves bytes by path; a path may have its way of failing, for as often as it says."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.failing: dict[str, list[str]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                ways = outer.failing.get(self.path, [])
                outer.answer(self, ways.pop(0) if ways else "good")

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, way: str) -> None:
        content = self.files.get(request.path)
        if content is None or way == "gone":
            request.send_error(404)
            return
        request.send_response(200)
        if way != "endless":
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if way in {"truncated", "dropped"}:
            content = content[: len(content) // 2]
        if way == "wrong":
            content = bytes(len(content))
        if way == "endless":
            content = content * 1000
        try:
            request.wfile.write(content)
        except ConnectionError:
            return  # whoever asked has heard enough
        if way == "dropped":
            request.wfile.flush()
            request.connection.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("IQBENCH_OFFLINE")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # pooch waits between attempts
    serving = Server()
    thread = threading.Thread(target=serving.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield serving
    serving.http.shutdown()
    thread.join()
    serving.http.server_close()


@pytest.fixture
def files(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> DatasetSpec:
    """A dataset of three files, each at an address of its own."""
    lists = tmp_path / "checksums"
    lists.mkdir()
    monkeypatch.setattr(digests_module, "FOLDER", lists)
    rows = []
    for name, content in CONTENT.items():
        server.files[f"/raw/{name}_HR.png"] = content
        rows.append(f"{hashlib.sha256(content).hexdigest()}  Mini/HR/{name}.png\n")
    (lists / "mini.txt").write_text("".join(rows))
    item = {"to": "Mini/HR/{id}.png", "url": f"{server.address}/raw/{{id}}_HR.png"}
    return block(tmp_path, [item], checksums="mini")


@pytest.fixture
def archive(tmp_path: Path, server: Server) -> Callable[..., DatasetSpec]:
    """A dataset in a zip archive."""

    def make(members: dict[str, bytes], **changes: object) -> DatasetSpec:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
            for name, content in members.items():
                opened.writestr(name, content)
        server.files["/mini.zip"] = packed.getvalue()
        item = {
            "url": f"{server.address}/mini.zip",
            "sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
            "bytes": len(packed.getvalue()),
            "folder": "HR",
            "to": "Mini/HR",
        }
        return block(tmp_path, [{**item, **changes}])

    return make


def block(folder: Path, items: list[dict[str, object]], **keys: object) -> DatasetSpec:
    content = {
        "images": 3,
        "home": "https://example.org/mini",
        "data": {"layout": "folder", "references": "Mini/HR"},
        "fetch": items,
        **keys,
    }
    text = json.dumps({"root": "data", "datasets": {"Mini": content}})  # JSON is YAML
    (folder / "datasets.yaml").write_text(text)
    return load_datasets(folder / "datasets.yaml")["Mini"]


def there(spec: DatasetSpec) -> dict[str, bytes]:
    """Every file below the root, hidden ones too."""
    assert spec.root is not None
    return {
        path.relative_to(spec.root).as_posix(): path.read_bytes()
        for path in spec.root.rglob("*")
        if path.is_file()
    }


# single files


def test_files_are_fetched_renamed_and_verified(files: DatasetSpec) -> None:
    assert fetch(files) == Fetched(fetched=3, kept=0)
    assert there(files) == {f"Mini/HR/{name}.png": content for name, content in CONTENT.items()}
    assert len(files.open().samples) == 3
    assert [path.name for path in files.root.iterdir()] == ["Mini"]


def test_what_is_there_is_kept_and_an_interrupted_download_goes_on(files, server) -> None:
    server.failing["/raw/img_002_HR.png"] = ["gone"] * 9
    with pytest.raises(IqbenchError, match="what has arrived whole is kept"):
        fetch(files)
    assert list(there(files)) == ["Mini/HR/img_001.png"]
    server.failing.clear()
    server.asked.clear()
    assert fetch(files) == Fetched(fetched=2, kept=1)
    assert server.asked == ["/raw/img_002_HR.png", "/raw/img_003_HR.png"]
    server.asked.clear()
    assert fetch(files) == Fetched(fetched=0, kept=3)
    assert server.asked == []


@pytest.mark.parametrize("way", ["truncated", "dropped", "wrong", "gone"])
def test_a_transfer_that_fails_is_tried_again(files, server, way: str) -> None:
    server.failing["/raw/img_002_HR.png"] = [way, way]
    assert fetch(files).fetched == 3
    assert there(files)["Mini/HR/img_002.png"] == CONTENT["img_002"]
    assert server.asked.count("/raw/img_002_HR.png") == 3


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("truncated", "img_002_HR.png cannot be fetched"),
        ("dropped", "img_002_HR.png cannot be fetched"),
        ("gone", "404"),
        ("wrong", "img_002_HR.png is not the published file"),
    ],
)
def test_a_file_that_does_not_come_as_it_should_leaves_nothing(
    files, server, way: str, sentence: str
) -> None:
    server.failing["/raw/img_002_HR.png"] = [way] * 9
    with pytest.raises(IqbenchError, match=sentence):
        fetch(files)
    assert list(there(files)) == ["Mini/HR/img_001.png"]


def test_a_server_that_is_not_there_is_named(files, server) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(IqbenchError, match=rf"{server.address}/raw/img_001_HR.png cannot be"):
        fetch(files)
    assert there(files) == {}


def test_another_file_in_the_place_is_never_overwritten(files, server) -> None:
    path = files.root / "Mini" / "HR" / "img_002.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(IqbenchError, match=r"img_002\.png is there and is not the file"):
        fetch(files)
    assert path.read_bytes() == b"mine"
    assert server.asked == []


def test_nothing_is_fetched_where_that_is_forbidden(files, server, monkeypatch) -> None:
    monkeypatch.setenv("IQBENCH_OFFLINE", "1")
    with pytest.raises(IqbenchError, match=r"IQBENCH_OFFLINE is set\. Get it from https"):
        fetch(files)
    assert server.asked == []
    assert not files.root.exists()


def test_without_a_root_it_says_what_to_set(files) -> None:
    with pytest.raises(IqbenchError, match="Set the environment variable IQBENCH_DATA"):
        fetch(files.model_copy(update={"root": None}))


def test_addresses_that_no_listed_file_has_are_an_error(files, tmp_path) -> None:
    item = {"to": "Other/{id}.png", "url": "https://example.org/{id}.png"}
    spec = block(tmp_path, [item], checksums="mini")
    with pytest.raises(IqbenchError, match="gives the address of no file in `checksums:`"):
        fetch(spec)


# archives


def test_an_archive_is_fetched_verified_and_unpacked(archive, server) -> None:
    spec = archive({f"HR/{name}.png": content for name, content in CONTENT.items()})
    assert fetch(spec) == Fetched(fetched=3, kept=0)
    assert there(spec) == {f"Mini/HR/{name}.png": content for name, content in CONTENT.items()}
    assert fetch(spec) == Fetched(fetched=0, kept=1)
    assert server.asked == ["/mini.zip"]


def test_a_half_of_a_dataset_is_not_taken_for_all_of_it(archive, server) -> None:
    spec = archive({f"HR/{name}.png": content for name, content in CONTENT.items()})
    (spec.root / "Mini" / "HR").mkdir(parents=True)
    (spec.root / "Mini" / "HR" / "img_001.png").write_bytes(b"1")
    with pytest.raises(IqbenchError, match=r"but 1 were found\. Move what is there away"):
        fetch(spec)
    assert server.asked == []


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"HR/a.png": b"a", "../evil.png": b"evil"}, "leads out of it"),
        ({"HR/bomb.bmp": bytes(2**25)}, "it holds more than"),
        ({"LR/a.png": b"a"}, "has no folder 'HR'"),
    ],
)
def test_a_hostile_archive_leaves_nothing(archive, members, sentence) -> None:
    spec = archive(members)
    with pytest.raises(IqbenchError, match=sentence):
        fetch(spec)
    assert there(spec) == {}
    assert not (spec.root / "evil.png").exists()


def test_another_archive_than_the_published_is_not_unpacked(archive) -> None:
    spec = archive({"HR/a.png": b"a"}, sha256="0" * 64)
    with pytest.raises(IqbenchError, match="is not the published file: its sha256 is not 0000"):
        fetch(spec)
    assert there(spec) == {}


def test_more_bytes_than_published_are_not_taken(archive, server) -> None:
    spec = archive({"HR/a.png": os.urandom(1000)})
    server.failing["/mini.zip"] = ["endless"]
    with pytest.raises(IqbenchError, match="sends more bytes than the published file has"):
        fetch(spec)
    assert there(spec) == {}


# blocks


def test_a_dataset_without_an_address_says_where_to_get_it_and_where_to_put_it(monkeypatch) -> None:
    monkeypatch.setenv("IQBENCH_DATA", "here")
    spec = load_datasets(PACKAGED_FILE)["LOL"]
    with pytest.raises(IqbenchError) as caught:
        fetch(spec)
    assert str(caught.value) == (
        "dataset 'LOL' cannot be fetched. Get it from https://daooshee.github.io/BMVC2018website/ "
        "and put it so that LOLdataset/eval15/high lies in here"
    )
    assert by_hand(spec) == caught.value.hint


@pytest.mark.parametrize(
    "item",
    [
        {"to": "a", "url": "https://example.org/a.zip"},
        {"to": "a", "url": "https://example.org/a.zip", "sha256": "0" * 64},
        {"to": "a/{id}", "url": "https://example.org/a.zip", "sha256": "0" * 64, "bytes": 1},
        {"to": "a/{id}", "url": "https://example.org/a"},
        {"to": "a/{id}", "url": "https://example.org/{id}", "folder": "x"},
        {"to": "../a/{id}", "url": "https://example.org/{id}"},
        {"to": "a/{id}", "url": "file:///etc/{id}"},
        {"to": "a/{id}", "url": "https://example.org/{id}", "sha256": "abc"},
        {"to": "a/{id}", "url": "https://example.org/{id}", "extra": 1},
    ],
)
def test_a_wrong_address_is_refused_when_the_file_is_read(tmp_path, item) -> None:
    with pytest.raises(IqbenchError, match=r"dataset 'Mini': (unknown )?key 'fetch\.0"):
        block(tmp_path, [item])


def test_every_packaged_address_is_of_files_with_known_digests() -> None:
    fetched = {name: spec for name, spec in load_datasets(PACKAGED_FILE).items() if spec.fetch}
    assert {"Set5-x4", "Set14-x2", "DIV2K-val-x4"} <= set(fetched)
    for name, spec in fetched.items():
        for item in spec.fetch:
            assert item.url.startswith("https://"), name
            assert item.is_archive or spec.checksums, name
