"""Images on a web server: its index pages are listed, its files read, with ranges or without."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from made_archives import files_below, write_parquet, write_tar, write_zip
from made_folders import Made

from iqbench.blobs import retries
from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.storage.paths import source_of
from iqbench.errors import IqbenchError
from iqbench.results.mirror import local_results

pytest.importorskip("aiohttp")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and gives no ranges."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """References in ``hr``, and packed beside."""
    folder = Made(tmp_path).references(["a", "scene/b"])
    write_zip(tmp_path / "hr.zip", files_below(folder))
    write_tar(tmp_path / "hr.tar", files_below(folder))
    write_parquet(tmp_path / "hr.parquet", files_below(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("place", ["hr", "hr/", "hr.zip", "hr.tar", "hr.parquet"])
def test_images_of_a_web_server_are_those_of_the_folder(
    place: str, address: str, tmp_path: Path
) -> None:
    samples = reference_folder(f"{address}/{place}").samples
    assert [one.image for one in samples] == ["a", "scene/b"]
    for one in samples:
        source = source_of(tmp_path / "hr" / f"{one.image}.png")
        assert one.needed_reference.read().digest == source.read().digest


def test_a_file_that_changed_on_a_web_server_is_refused(address: str, tmp_path: Path) -> None:
    (first, _) = reference_folder(f"{address}/hr").samples
    (tmp_path / "hr/a.png").write_bytes(b"another")
    with pytest.raises(IqbenchError, match=r"hr/a.png was changed after it was listed"):
        first.needed_reference.read()


def test_names_on_a_web_server_are_those_of_the_files(address: str, tmp_path: Path) -> None:
    names = ["a b", "50%", "\xe4", "x#y", "q?"]
    for name in names:
        (tmp_path / "hr/odd").mkdir(exist_ok=True)
        (tmp_path / f"hr/odd/{name}.png").write_bytes(name.encode())
    samples = reference_folder(f"{address}/hr/odd").samples
    assert {one.image: one.needed_reference.read().data.decode() for one in samples} == {
        name: name for name in names
    }


def test_a_page_that_is_not_there_is_a_missing_folder(address: str) -> None:
    with pytest.raises(IqbenchError, match=r"reference folder .*/none does not exist"):
        reference_folder(f"{address}/none")


@pytest.mark.parametrize("place", ["none", "none.zip"])
def test_a_server_that_does_not_answer_is_not_a_missing_file(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(IqbenchError, match=rf"127.0.0.1:{port}/{place} cannot be read"):
        reference_folder(f"http://127.0.0.1:{port}/{place}")


def test_results_at_a_server_that_does_not_answer_are_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(IqbenchError, match=rf"127.0.0.1:{port}/results/.* cannot be read"):
        local_results(f"http://127.0.0.1:{port}/results")
