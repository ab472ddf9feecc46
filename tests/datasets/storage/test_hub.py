"""References in a repository of Hugging Face; the hub is a small local server."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec
import pytest
from made_archives import files_below, write_parquet
from made_folders import Made

from iqbench.datasets.dataset import reference_folder
from iqbench.errors import IqbenchError

pytest.importorskip("huggingface_hub")

REPOSITORY = "datasets/user/name"


class Hub(ThreadingHTTPServer):
    """Answers what `huggingface_hub` asks of one repository, whose files are in a folder.

    Attributes
    ----------
    requests
        How many there were of each kind.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests: Counter[str] = Counter()

    def entry(self, path: Path) -> dict[str, object]:
        """Describe a file or a folder, as the hub's interface does."""
        data = path.read_bytes() if path.is_file() else b""
        kind = "file" if path.is_file() else "directory"
        name = path.relative_to(self.folder).as_posix()
        return {"type": kind, "path": name, "oid": sha1(data).hexdigest(), "size": len(data)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/api").removeprefix("/")
        kind, _, name = path.removeprefix(f"{REPOSITORY}/").partition("/")
        place = self.server.folder / name.partition("/")[2]  # after the revision
        self.server.requests[kind] += 1
        if kind == "tree":
            inside = sorted(place.rglob("*"))
            self._send(json.dumps([self.server.entry(item) for item in inside]).encode())
        elif kind == "resolve":
            first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
            self._send(place.read_bytes()[first : last + 1], 206)
        else:
            self._send(json.dumps({"id": "user/name", "sha": "0" * 40}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests["paths-info"] += 1
        asked = parse_qs(body.decode())["paths"]
        found = [self.server.entry(self.server.folder / name) for name in asked]
        self._send(json.dumps(found).encode())

    def _send(self, data: bytes, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import HfFileSystem

    (tmp_path / "repository" / "hr").mkdir(parents=True)
    with Hub(tmp_path / "repository") as server:
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": address, "token": False})
        HfFileSystem.clear_instance_cache()
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
    HfFileSystem.clear_instance_cache()


@pytest.fixture
def made(tmp_path: Path, hub: Hub) -> Made:
    """References and outputs in folders and on the hub, and their values in `results`."""
    made = Made(tmp_path)
    made.references()
    made.method()
    made.evaluate(dataset_name="x")
    for name, data in files_below(made.root / "hr").items():
        (hub.folder / "hr" / name).write_bytes(data)
    return made


@pytest.mark.parametrize("layout", ["folder", "parquet"])
def test_values_are_those_of_folders(layout: str, made: Made, hub: Hub) -> None:
    expected = made.values()
    address = f"hf://{REPOSITORY}/hr"
    if layout == "parquet":
        write_parquet(hub.folder / "data.parquet", files_below(made.root / "hr"))
        address = f"hf://{REPOSITORY}/*.parquet"
    made.results = made.root / "from-hub"
    assert made.evaluate(reference=address, dataset_name="x").scored == 3
    assert made.values() == expected


def test_a_folder_is_listed_once_however_many_images_are_read(made: Made, hub: Hub) -> None:
    made.results = made.root / "from-hub"
    made.evaluate(reference=f"hf://{REPOSITORY}/hr", dataset_name="x")
    assert (hub.requests["tree"], hub.requests["resolve"]) == (1, 3)


def test_a_file_that_changed_is_noticed(made: Made, hub: Hub) -> None:
    samples = reference_folder(f"hf://{REPOSITORY}/hr").samples
    (hub.folder / "hr" / "b.png").write_bytes((made.root / "hr" / "c.png").read_bytes())
    assert samples[0].needed_reference.read().bytes
    with pytest.raises(IqbenchError, match=r"hr/b.png was changed after it was listed"):
        samples[1].needed_reference.read()
