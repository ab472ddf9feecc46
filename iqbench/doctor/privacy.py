"""Remove names of users and home folders from text for a public issue."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

__all__ = ["redact"]


def redact(text: str) -> str:
    """Replace the user's home folder by ``~``, and their name in other paths by ``<user>``.

    Parameters
    ----------
    text
        A text that may contain paths.

    Returns
    -------
    str
        The text without them. Words outside of paths are not changed.
    """
    for home in _homes():
        # Do not match the beginning of another name: /home/ann is not part of /home/anna.
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    name = _user()
    if name:
        text = re.sub(rf"(?<=[/\\]){re.escape(name)}(?=[/\\]|$|[\s'\",:;)])", "<user>", text)
    return text


def _homes() -> list[str]:
    """Return the possible spellings of the home folder, longest first."""
    try:
        home = Path.home()
        spelt = {str(home), str(home.resolve()), home.as_posix(), home.resolve().as_posix()}
    except (RuntimeError, OSError):  # it is not known
        return []
    # The home of a user without one is the root folder, which must not be replaced.
    return sorted((path for path in spelt if len(path) > len(home.anchor)), key=len, reverse=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an id without a name, as in many containers
        return ""
