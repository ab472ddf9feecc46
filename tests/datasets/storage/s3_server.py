"""A local S3 server, behind a proxy that spoils answers for tests."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Literal

Fault = Literal["", "500", "503", "403", "slow", "cut"]


class Proxy(ThreadingHTTPServer):
    """Forwards requests to the server, unless a fault is due.

    Attributes
    ----------
    fault
        Says of a method and a path what becomes of this request.
    sent
        Bytes of bodies of GET requests, by path.
    requests
        How many there were, by method and path.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = port
        self.reset()

    def reset(self) -> None:
        """Forget all, and be sound."""
        self.fault: Callable[[str, str], Fault] = lambda method, path: ""
        self.sent: Counter[str] = Counter()
        self.requests: Counter[tuple[str, str]] = Counter()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _forward(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests[self.command, path] += 1
        fault = self.server.fault(self.command, path)
        if fault == "slow":
            time.sleep(0.3)
        if fault in ("500", "503", "403"):
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = HTTPConnection("127.0.0.1", self.server.behind)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if fault == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        if self.command == "GET":
            self.server.sent[path] += len(data)
        self.wfile.write(data)


for command in ("GET", "PUT", "POST", "DELETE", "HEAD"):
    setattr(_Handler, f"do_{command}", _Handler._forward)


@contextmanager
def running_proxy() -> Iterator[Proxy]:
    """Run the server and the proxy."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = Proxy(server.get_host_and_port()[1])
    thread = Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
        server.stop()
