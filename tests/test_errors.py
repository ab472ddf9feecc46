"""An error and its hint as sentences."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from iqbench.errors import IqbenchError, exits_as_errors


@pytest.mark.parametrize(
    ("message", "hint", "text"),
    [
        ("there is no file a", "", "there is no file a"),
        ("there is no file a", "Check --mos", "there is no file a. Check --mos"),
        ("unknown key 'x'. Did you mean 'y'?", "See b", "unknown key 'x'. Did you mean 'y'? See b"),
    ],
)
def test_a_hint_follows_the_message_as_a_sentence_of_its_own(message, hint, text) -> None:
    assert str(IqbenchError(message, hint=hint)) == text


def test_code_of_others_that_exits_has_failed() -> None:
    with (
        pytest.raises(RuntimeError, match=r"it called sys.exit\('no weights'\)"),
        exits_as_errors(),
    ):
        sys.exit("no weights")


def test_a_handler_of_signals_may_exit_whatever_is_interrupted() -> None:
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
    try:
        with pytest.raises(SystemExit) as caught, exits_as_errors():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == 7
