"""Other libraries download nothing if users forbid it."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from iqbench.errors import IqbenchError
from iqbench.metrics import _library
from iqbench.metrics._library import Library, Offer
from iqbench.metrics._no_downloads import no_downloads


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Something that could be fetched from."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IQBENCH_OFFLINE", "1")


def connect(server: socket.socket) -> None:
    socket.create_connection(server.getsockname(), timeout=5).close()


@pytest.mark.usefixtures("offline")
def test_connections_are_refused_and_afterwards_possible(server: socket.socket) -> None:
    port = server.getsockname()[1]
    with no_downloads():
        with pytest.raises(OSError, match="IQBENCH_OFFLINE is set"):
            connect(server)
        with pytest.raises(OSError, match="IQBENCH_OFFLINE is set"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/weights.pth", timeout=5)
        with no_downloads():
            pass
        with pytest.raises(OSError, match="IQBENCH_OFFLINE is set"):
            connect(server)
    connect(server)


@pytest.mark.usefixtures("offline")
def test_other_threads_keep_their_connections(server: socket.socket) -> None:
    with no_downloads():
        thread = threading.Thread(target=connect, args=(server,))
        thread.start()
        thread.join()
    server.settimeout(5)
    server.accept()[0].close()


def test_without_the_variable_nothing_is_refused(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IQBENCH_OFFLINE", raising=False)
    with no_downloads():
        connect(server)


class Fetching(Library):
    """A library whose metric fetches its weights when it is made."""

    name = "fetching"
    package = "json"
    distribution = "numpy"
    home = "https://example.org"

    def names(self):
        return ["net"]

    def offer(self, name):
        return Offer(name, "higher", "output")

    def load(self, name, options):
        urllib.request.urlopen("http://127.0.0.1:1/weights.pth", timeout=5)
        raise AssertionError


@pytest.mark.usefixtures("offline")
def test_a_metric_that_would_fetch_its_weights_is_an_error_that_says_so() -> None:
    metric = Fetching().metric("net")
    with pytest.raises(IqbenchError) as caught:
        _library._loaded(metric)
    assert "numpy cannot load the weights of fetching:net: " in caught.value.message
    assert "IQBENCH_OFFLINE is set, nothing is fetched" in caught.value.message
