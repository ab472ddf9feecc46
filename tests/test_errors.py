"""How an error and its hint become sentences."""

from __future__ import annotations

import pytest

from iqbench.errors import IqbenchError


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
