"""Images on a web server: its index pages are listed, and files are read with or without ranges."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from made_archives import files_below, write_parquet, write_tar, write_zip
from made_folders import Made

from iqbench.blobs import retries
from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.storage.paths import StoredPath, source_of
from iqbench.datasets.storage.places import find_place
from iqbench.errors import IqbenchError
from iqbench.results.mirror import local_results

pytest.importorskip("aiohttp")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and gives no ranges; some files it refuses, for so many requests."""

    refused: ClassVar[dict[str, tuple[int, int]]] = {}
    """Path to a status and how often."""

    def send_head(self) -> Any:
        path = self.path.partition("?")[0]
        status, left = self.refused.get(path, (0, 0))
        if not left:
            return super().send_head()
        self.refused[path] = status, left - 1
        self.send_error(status)
        return None

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


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(
    status: int, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(Quiet, "refused", {"/hr/a.png": (status, 2)})
    assert len(reference_folder(f"{address}/hr").samples) == 2


@pytest.mark.parametrize(
    ("status", "why"),
    [(404, "does not exist"), (403, "access is denied"), (500, "cannot be read after 5 tries")],
)
def test_a_file_that_is_listed_and_not_given_is_the_error_of_its_image(
    status: int, why: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path)
    made.method("mine", ["a", "scene/b"])
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(Quiet, "refused", {"/out/mine/a.png": (status, 10_000)})
    summary = made.evaluate(f"mine={address}/out/mine", dataset_name="x")
    (failure,) = summary.failures
    assert (failure.image, summary.scored) == ("a", 1)
    assert f"{address}/out/mine/a.png" in failure.error
    assert why in failure.error
    Quiet.refused["/out/mine/scene/b.png"] = status, 10_000
    with pytest.raises(IqbenchError, match=why):
        find_place(f"{address}/out/mine")


@pytest.mark.parametrize("kind", ["zip", "tar", "parquet"])
def test_what_follows_a_question_mark_is_no_part_of_a_name(kind: str, address: str) -> None:
    place = f"{address}/hr.{kind}?download=1"
    dataset = reference_folder(place)
    assert dataset.name == "hr"
    assert [one.image for one in dataset.samples] == ["a", "scene/b"]
    assert dataset.samples[0].needed_reference.read().data


@pytest.mark.parametrize("sign", ["?", "#"])
def test_a_page_with_a_query_is_no_folder(sign: str, address: str) -> None:
    with pytest.raises(IqbenchError, match=rf"nothing may follow a \{sign}"):
        reference_folder(f"{address}/hr{sign}x=1")


def test_links_of_a_page_to_itself_are_no_files(address: str, tmp_path: Path) -> None:
    page = '<a href="?C=N;O=D">Name</a> <a href="#top">top</a> <a href="a.png">a.png</a>'
    (tmp_path / "hr/index.html").write_text(page)
    place = find_place(f"{address}/hr")
    assert isinstance(place, StoredPath)
    assert list(place.walk()) == ["a.png"]


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
