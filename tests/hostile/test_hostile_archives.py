"""A short, seeded run of hostile archives: refused by name, or plain files below the target."""

from __future__ import annotations

import archives


def test_hostile_archives_bring_plain_files_below_their_folder_or_nothing():
    wrong: list[str] = []
    counts = archives.run(seed=2, count=120, tell=wrong.append)
    assert wrong == []
    assert not any(counts[outcome] for outcome in archives.WRONG)
    assert counts["tried"] == counts["refused"] + counts["unpacked"] > 100
    assert counts["refused"] > 60
    assert counts["unpacked"] > 10
