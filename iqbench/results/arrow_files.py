"""Open files for Arrow without Python objects in its threads, and name files in its errors.

Arrow's threads may release a file after the call that read it has returned. If the file is a Python
object, they need the interpreter's lock, and a process that ends at that moment is aborted
("terminate called without an active exception", https://github.com/apache/arrow/issues/34314) or
hangs (https://github.com/apache/arrow/issues/50482). Bytes in Arrow's own memory and files that
Arrow opens itself need no lock.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

__all__ = ["UNREADABLE", "open_again", "read_buffer"]

# Besides Arrow's own errors, its Python code raises those of Python: NotImplementedError for types
# that it does not convert, RecursionError for types that are nested too deeply, MemoryError where
# a damaged file asks for more memory than there is.
UNREADABLE = (
    *(pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError),
    *(MemoryError, NotImplementedError, RecursionError),
)
"""What pyarrow raises for files that are not as they should be."""


def read_buffer(file: BinaryIO) -> pa.Buffer:
    """Read a file from its beginning into memory of Arrow's.

    Returns
    -------
    pyarrow.Buffer
        All of the file.

    Raises
    ------
    OSError
        Where the file cannot be read.
    """
    file.seek(0)
    content = file.read()
    buffer = pa.allocate_buffer(len(content))
    if content:
        memoryview(buffer).cast("B")[:] = content
    return buffer


def open_again(path: Path, file: BinaryIO) -> pa.OSFile:
    """Let Arrow open a file itself that is open and has been checked.

    Raises
    ------
    OSError
        If the path leads to another file by now.
    """
    opened = pa.OSFile(str(path), "rb")
    # Arrow 17 to 20 do not tell the descriptor of their file.
    if not os.path.samestat(path.stat(), os.fstat(file.fileno())):
        opened.close()
        raise OSError("another file took its place while it was read")
    return opened
