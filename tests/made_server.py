"""A local web server that gives its files ETags, and records downloads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


def content_tag(path: Path) -> str:
    """An ETag as an object store makes it: another one for other bytes."""
    return f'"{hashlib.sha1(path.read_bytes()).hexdigest()}"'


class TagServer(ThreadingHTTPServer):
    """Serves the files below a folder.

    Attributes
    ----------
    tag
        Makes the ETag of a file; empty for none.
    downloaded
        The files that were asked for, by their paths below the folder.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.tag: Callable[[Path], str] = content_tag
        self.downloaded: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(SimpleHTTPRequestHandler):
    server: TagServer

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def end_headers(self) -> None:
        """Add the ETag."""
        path = Path(self.translate_path(self.path))
        if path.is_file() and (tag := self.server.tag(path)):
            self.send_header("ETag", tag)
            if self.command == "GET":
                self.server.downloaded.append(self.path.lstrip("/"))
        super().end_headers()

    def send_header(self, keyword: str, value: str) -> None:
        """Leave out the time, so that a file's age does not matter."""
        if keyword != "Last-Modified":
            super().send_header(keyword, value)


@contextmanager
def running_server(folder: Path) -> Iterator[TagServer]:
    """Run the server."""
    server = TagServer(folder)
    thread = Thread(target=partial(server.serve_forever, 0.01), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
