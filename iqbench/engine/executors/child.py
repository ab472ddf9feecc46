"""The main program of a worker process, which scores the units that come through its connection.

It ends when the connection ends, so no worker remains after the starting process has ended.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import NamedTuple

from iqbench.engine.batching import UnitKey
from iqbench.engine.executors.worker import Digests, Inbox, UnitWorker, unpacked
from iqbench.engine.unit_scorer import ScoredPart
from iqbench.errors import IqbenchError

__all__ = ["Loaded", "Result", "WorkerFailure", "main"]


class Loaded(NamedTuple):
    """Told once: the networks are loaded, and their weights have these digests."""

    digests: Digests


class Result(NamedTuple):
    """A unit is scored."""

    unit: UnitKey
    parts: list[ScoredPart]


class WorkerFailure(NamedTuple):
    """The worker ends, because of an error in the program or in what it was to load.

    Attributes
    ----------
    error
        None where it cannot be sent.
    text
        The traceback.
    """

    error: Exception | None
    text: str


def main() -> None:
    """Run a worker; its argument is the number of the file that is the connection."""
    os.dup2(2, 1)  # what libraries print is not a result
    connection = Connection(int(sys.argv[1]))
    sys.path[:] = connection.recv()
    with suppress(BrokenPipeError, ConnectionResetError):
        try:
            _work(connection)
        except Exception as error:
            connection.send(WorkerFailure(_sendable(error), traceback.format_exc()))


def _work(connection: Connection) -> None:
    inbox = Inbox()
    settings = unpacked(connection.recv_bytes())
    threading.Thread(target=_receive, args=(connection, inbox), daemon=True).start()
    worker = UnitWorker(settings)
    connection.send(Loaded(worker.digests))
    worker.run(inbox, lambda unit, parts: connection.send(Result(unit.key, parts)))


def _receive(connection: Connection, inbox: Inbox) -> None:
    """Take messages while others are worked on; leave at once when nobody sends any more."""
    try:
        while True:
            content = connection.recv_bytes()
            try:
                inbox.put(unpacked(content))
            except IqbenchError as error:
                inbox.put(error)
    except (EOFError, OSError):
        os._exit(1)


def _sendable(error: Exception) -> Exception | None:
    """Return an error if it can be sent."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # whatever an error of another package cannot do
        return None
    return error
