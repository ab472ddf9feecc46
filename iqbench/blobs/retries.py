"""Ask a server again when it failed for now; say what it is when it failed for good."""

from __future__ import annotations

import errno
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from iqbench.errors import IqbenchError

__all__ = ["TRIES", "attempt", "no_answer", "request_error"]

_Result = TypeVar("_Result")

TRIES = 5
"""How often a request is made before its failure is final."""

FIRST_WAIT = 0.5
"""Seconds before the second try; each wait is twice the one before, and up to half longer."""

LONGEST_WAIT = 60.0
"""Most seconds of a wait that a server asks for (Retry-After)."""

# NotImplementedError is what fsspec raises for what a file system cannot do: it never will.
_PERMANENT = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError),
    *(TypeError, ValueError, AttributeError, KeyError, NotImplementedError),
)
_PERMANENT_CODES = {errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.ENAMETOOLONG, errno.ENOENT}
_BUSY_STATUSES = {408, 425, 429}
_CREDENTIALS = ("Credential", "ProfileNotFound", "Token", "Auth", "Forbidden", "Gated")
"""Words in the names of the libraries' errors about credentials."""


def attempt(request: Callable[[], _Result], name: str, verb: str = "read") -> _Result:
    """Make a request; make it again, after growing pauses, while the failure may pass.

    Parameters
    ----------
    request
        What to do.
    name
        The object, for messages.
    verb
        What cannot be done with it then.

    Raises
    ------
    IqbenchError
        Naming the object, if it failed for good.
    """
    for tried in range(1, TRIES + 1):
        try:
            return request()
        except IqbenchError:
            raise
        except Exception as raised:
            error = no_answer(raised) or raised
            if tried == TRIES or not _may_pass(error):
                raise request_error(name, error, tried, verb) from error
            wait = FIRST_WAIT * 2 ** (tried - 1) * (1 + secrets.randbelow(501) / 1000)
            wait = max(wait, min(_asked_wait(error), LONGEST_WAIT))
        time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def no_answer(error: Exception) -> Exception | None:
    """Return why a server did not answer; None where it said that there is no such object.

    For fsspec whatever fails at a web server is a missing file, and the reason is its cause.
    """
    cause = error.__cause__
    if not isinstance(error, FileNotFoundError) or not isinstance(cause, Exception):
        return None
    status = getattr(cause, "status", None)
    refused = isinstance(status, int) and status not in (404, 410)
    broken = isinstance(cause, (OSError, TimeoutError)) and not isinstance(cause, FileNotFoundError)
    return cause if refused or broken else None


def _asked_wait(error: Exception) -> float:
    """Return for how many seconds the server asks to be left alone; 0 where it does not say."""
    answer = error if hasattr(error, "headers") else getattr(error, "response", None)
    try:
        text = answer.headers.get("Retry-After") if answer is not None else None
        if text is None or text.isdigit():
            return float(text or 0)
        moment = parsedate_to_datetime(text)
        return (moment - datetime.now(moment.tzinfo and timezone.utc)).total_seconds()
    except (ValueError, TypeError, AttributeError):
        return 0.0


def _may_pass(error: Exception) -> bool:
    """Tell whether the same request may succeed later."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status >= 500 or status in _BUSY_STATUSES
    if _about_credentials(error) or isinstance(error, _PERMANENT):
        return False
    return getattr(error, "errno", None) not in _PERMANENT_CODES


def _about_credentials(error: Exception) -> bool:
    return any(word in type(error).__name__ for word in _CREDENTIALS)


def request_error(name: str, error: Exception, tries: int = 1, verb: str = "read") -> IqbenchError:
    """Say which object could not be had or written, why, and what to do."""
    if isinstance(error, FileNotFoundError):
        return IqbenchError(f"{name} does not exist", hint="Check the address")
    status = getattr(error, "status", None)
    if isinstance(error, PermissionError) or _about_credentials(error) or status in {401, 403}:
        return IqbenchError(
            f"{name}: access is denied ({_reason(error)})",
            hint="Give credentials in the way of the library that opens it: environment variables "
            "or its own files, e.g. AWS_PROFILE, ~/.aws, gcloud auth, hf auth login",
        )
    times = f" after {tries} tries" if tries > 1 else ""
    return IqbenchError(
        f"{name} cannot be {verb}{times}: {_reason(error)}",
        hint="Check the address and the network, and run again: finished scores are kept",
    )


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
