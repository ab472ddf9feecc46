"""An error and its hint as sentences."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from iqbench.errors import IqbenchError, exits_as_errors, unknown_name


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


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PSNR", "Did you mean 'psnr'?"),
        ("Lpips-Alx", "Did you mean 'lpips-alex'?"),
        ("set5", "Did you mean 'Set5'?"),
        ("psnr-", "Did you mean 'psnr'?"),
        ("xyz", "Known: Set5, lpips-alex, psnr"),
        ("", "Known: Set5, lpips-alex, psnr"),
    ],
)
def test_the_nearest_name_is_proposed_whatever_its_case(name, hint) -> None:
    assert unknown_name("metric", name, ["psnr", "lpips-alex", "Set5"]).hint == hint


def test_other_code_that_exits_has_failed() -> None:
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
