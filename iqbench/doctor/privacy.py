"""Remove names of users and home folders from what is pasted into a public issue."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

__all__ = ["redact"]


def redact(text: str) -> str:
    """Write ``~`` for the user's home folder, and ``<user>`` for their name in other paths.

    Parameters
    ----------
    text
        Anything that may hold paths.

    Returns
    -------
    str
        The same without them. A word that is not part of a path is left as it is.
    """
    for home in _homes():
        # Not the beginning of another folder's name: /home/ann is not part of /home/anna.
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    name = _user()
    if name:
        text = re.sub(rf"(?<=[/\\]){re.escape(name)}(?=[/\\]|$|[\s'\",:;)])", "<user>", text)
    return text


def _homes() -> list[str]:
    """Return the home folder as it may be spelt, longest first."""
    try:
        home = Path.home()
        spelt = {str(home), str(home.resolve()), home.as_posix(), home.resolve().as_posix()}
    except (RuntimeError, OSError):  # nobody knows where it is
        return []
    # Of a user without a home it is the root, which hides nothing.
    return sorted((path for path in spelt if len(path) > len(home.anchor)), key=len, reverse=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an id without a name, as in many containers
        return ""
