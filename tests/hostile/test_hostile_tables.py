"""No hostile table ends in a crash, a hang or, despite a checksum, in other values."""

from __future__ import annotations

from tables import WRONG, run


def test_hostile_tables_are_read_or_refused_in_a_sentence() -> None:
    wrong: list[str] = []
    counts = run(20261129, 25, tell=wrong.append)
    assert wrong == []
    assert not any(counts[outcome] for outcome in WRONG)
    assert counts["tried"] == 25
    assert counts["refused"] > 10
    assert counts["foreign"] > 0  # some are read: not all is refused out of hand
