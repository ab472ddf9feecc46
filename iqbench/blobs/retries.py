"""Repeat requests after temporary failures, and explain permanent ones."""

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
"""The largest number of attempts of a request."""

FIRST_WAIT = 0.5
"""Seconds before the second attempt. Each wait is doubled, plus a random part of up to half."""

LONGEST_WAIT = 60.0
"""The largest number of seconds to wait if a server requests it (Retry-After)."""

# fsspec raises NotImplementedError for operations that a file system does not support.
_PERMANENT = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError),
    *(TypeError, ValueError, AttributeError, KeyError, NotImplementedError),
)
_PERMANENT_CODES = {errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.ENAMETOOLONG, errno.ENOENT}
_BUSY_STATUSES = {408, 425, 429}
_CREDENTIALS = ("Credential", "ProfileNotFound", "Token", "Auth", "Forbidden", "Gated")
"""Words in the names of the libraries' errors about credentials."""


def attempt(request: Callable[[], _Result], name: str, verb: str = "read") -> _Result:
    """Make a request, and repeat it after increasing waits if its failure may be temporary.

    Parameters
    ----------
    request
        The request.
    name
        The object, for messages.
    verb
        The operation in messages, a past participle such as ``read``.

    Raises
    ------
    IqbenchError
        If it failed permanently. The error names the object.
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
    raise AssertionError("the last attempt returns or raises")


def no_answer(error: Exception) -> Exception | None:
    """Return why a server did not answer; None if it answered that there is no such object.

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
    """Return the seconds to wait that the server requests (Retry-After); 0 if it does not."""
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
    """Return whether the same request may succeed later."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status >= 500 or status in _BUSY_STATUSES
    if _about_credentials(error) or isinstance(error, _PERMANENT):
        return False
    return getattr(error, "errno", None) not in _PERMANENT_CODES


def _about_credentials(error: Exception) -> bool:
    return any(word in type(error).__name__ for word in _CREDENTIALS)


def request_error(name: str, error: Exception, tries: int = 1, verb: str = "read") -> IqbenchError:
    """Return the error for an object: which one, why, and what to do."""
    if isinstance(error, FileNotFoundError):
        return IqbenchError(f"{name} does not exist", hint="Check the address")
    status = getattr(error, "status", None)
    if isinstance(error, PermissionError) or _about_credentials(error) or status in {401, 403}:
        return IqbenchError(
            f"{name}: access is denied ({_reason(error)})",
            hint="Give credentials as the library of this protocol expects them: environment "
            "variables or its own files, e.g. AWS_PROFILE, ~/.aws, gcloud auth, hf auth login",
        )
    times = f" after {tries} tries" if tries > 1 else ""
    return IqbenchError(
        f"{name} cannot be {verb}{times}: {_reason(error)}",
        hint="Check the address and the network, and run again: finished scores are kept",
    )


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
