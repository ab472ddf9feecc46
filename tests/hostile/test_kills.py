"""A short, seeded run of kills: nothing is lost, nothing differs, nothing is there twice."""

from __future__ import annotations

import signal

import kills
import pandas as pd
import pytest
from children import Ended

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no such signals")

COUNT = 3


@pytest.mark.slow  # each run is a process that imports torch
def test_runs_killed_at_random_moments_lose_nothing():
    wrong: list[str] = []
    counts = kills.run(seed=3, count=COUNT, tell=wrong.append)
    assert wrong == []
    assert counts["wrong"] == 0
    assert counts["tried"] == counts["killed"] + counts["interrupted"] >= COUNT


SOUND = pd.DataFrame(
    [["set", "m", image, "psnr", "view=rgb", value, None, "rgb"] for image, value in ("a1", "b2")],
    columns=[*kills.KEY, "value", "error", "protocol"],
)


def test_a_part_of_the_sound_table_is_no_difference_unless_all_should_be_there():
    assert kills.differences(SOUND, SOUND, whole=True) == ""
    assert kills.differences(SOUND[:1], SOUND, whole=False) == ""
    assert kills.differences(SOUND[:1], SOUND, whole=True) == "1 rows, not 2"


def test_every_difference_is_seen():
    twice = pd.concat([SOUND, SOUND[:1]])
    assert kills.differences(twice, SOUND, whole=False) == "a value is there twice"
    other = SOUND.assign(image=["a", "c"])
    assert "no run computes" in kills.differences(other, SOUND, whole=False)
    for column in ("value", "error", "protocol"):
        other = SOUND.assign(**{column: "other"})
        assert f"column {column}" in kills.differences(other, SOUND, whole=True)


def test_flushed_rows_that_are_missing_count_as_lost(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        '[["set","m","a","psnr","view=rgb"]]\n"flushed"\n[["set","m","b","psnr","view=rgb"]]\n'
    )
    killed = Ended(-signal.SIGKILL, "", "")
    assert kills.loss(killed, tmp_path, log) == "1 of 1 values are lost"
    told = "error: interrupted; what was scored is kept\n"
    assert kills.loss(Ended(130, "", told), tmp_path, log) == "2 of 2 values are lost"
    assert "says nothing" in kills.loss(Ended(130, "", ""), tmp_path, log)
