"""The output of `iqbench doctor`: readable, complete, and ready to be pasted."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from iqbench.doctor import privacy
from iqbench.doctor.document import render_checkup
from iqbench.doctor.finding import Finding, compared
from iqbench.doctor.privacy import redact
from iqbench.document.terminal import Window
from iqbench.errors import IqbenchError


def score(column, deviation, group="tv"):
    return compared(
        "scores",
        f"{column} of coffee under rgb",
        deviation=deviation,
        tolerance=1e-6,
        unit="relative",
        note="1.5; by numpy 1.5",
        wrong="1.6; by numpy 1.5. Values of tv cannot be trusted here",
        group=group,
    )


FACTS = [
    Finding("versions", "iqbench", "info", note="0.1.0"),
    Finding("versions", "platform", "info", note="Linux"),
    Finding("versions", "torch", "ok", note="2.4.0"),
]
FINE = [score("tv-ratio", 1e-8), score("tv-residual", 5e-7), score("tv-iso-output", 2e-8)]
WRONG = score("tv-sq-output", 0.07)
LACKING = [
    Finding("scores", f"lpips-alex of {name}", "not checked", note="weights", group="lpips-alex")
    for name in ("coffee", "chelsea")
]


def frame(*findings):
    return pd.DataFrame([vars(finding) for finding in findings]).astype(
        {"deviation": "float64", "tolerance": "float64"}
    )


def test_checks_of_one_kind_share_a_line_which_shows_the_worst():
    text = render_checkup(frame(*FACTS, *FINE), "table")
    (line,) = (line for line in text.splitlines() if line.startswith("scores"))
    assert line.split() == ["scores", "tv", "(3)", "ok", "5e-07", "1e-06", "relative"]
    assert "iqbench doctor: all of 4 checks are right" in text


def test_verbose_shows_every_check():
    text = render_checkup(frame(*FACTS, *FINE), "table", verbose=True)
    assert text.count("of coffee under rgb") == 3
    assert "1.5; by numpy 1.5" in text


def test_faults_have_their_own_line_and_are_in_the_text_for_an_issue():
    text = render_checkup(frame(*FACTS, *FINE, WRONG, *LACKING), "table")
    table, issue = text.split("To paste into an issue:\n\n")
    (line,) = (line for line in table.splitlines() if "tv-sq-output" in line)
    assert "OFF" in line
    assert "tv (3)" in table
    assert issue.splitlines() == [
        "iqbench doctor: 1 of 5 checks is off",
        "iqbench 0.1.0, torch 2.4.0",
        "Linux",
        "largest deviations: tv 5e-07 relative",
        "OFF: scores, tv-sq-output of coffee under rgb (deviation 0.07, allowed 1e-06 relative): "
        "1.6; by numpy 1.5. Values of tv cannot be trusted here",
        "not checked: scores, lpips-alex (2): weights",
    ]


def test_unchecked_parts_are_not_reported_as_proven():
    text = render_checkup(frame(*FACTS, *FINE, *LACKING), "markdown")
    assert "all of 4 checks are right, but 2 could not be made" in text


def test_json_holds_every_check():
    rows = json.loads(render_checkup(frame(*FACTS, *FINE, WRONG), "json"))
    assert len(rows) == 7
    assert rows[-1]["status"] == "off"
    assert rows[-1]["deviation"] == 0.07
    assert rows[0]["deviation"] is None
    assert list(rows[0]) == [*("part", "check", "status", "deviation", "tolerance", "unit", "note")]


def test_markdown_is_a_heading_and_a_table_whatever_a_note_holds():
    odd = Finding("decoder", "JPEG", "off", note="a|b <script> [x](y)")
    text = render_checkup(frame(odd), "markdown")
    heading, empty, columns, _, row = text.splitlines()
    assert (heading, empty) == ("### iqbench doctor: 1 of 1 checks is off", "")
    assert columns == "| part | check | result | deviation | allowed | note |"
    assert r"a\|b &lt;script&gt; \[x\](y)" in row


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_window_and_loses_nothing(width):
    long = Finding("weights", "vgg16", "off", note="~/cache/" + "x" * 90 + "/end [bold]not markup")
    text = render_checkup(frame(*FACTS, long), "table", window=Window(width))
    table, _ = text.split("To paste")
    assert max(len(line) for line in table.splitlines()) <= width
    assert "not markup" in " ".join(table.split())
    assert table.count("x") >= 90


def test_colours_only_on_a_terminal():
    given = frame(*FACTS, WRONG)
    assert "\x1b" not in render_checkup(given, "table")
    assert "\x1b[1;31mOFF" in render_checkup(given, "table", window=Window(100, color=True))


def test_an_unknown_format_is_refused():
    with pytest.raises(IqbenchError, match="unknown format 'yaml'"):
        render_checkup(frame(*FACTS), "yaml")


@pytest.fixture
def ann(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
    monkeypatch.setattr(privacy.getpass, "getuser", lambda: "ann")


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ann/.cache/vgg16.safetensors is damaged", "~/.cache/vgg16.safetensors is damaged"),
        ("cannot write to /home/ann", "cannot write to ~"),
        ("/home/anna/x", "/home/anna/x"),
        ("/scratch/ann/weights: damaged", "/scratch/<user>/weights: damaged"),
        ("--weights /data/ann", "--weights /data/<user>"),
        ("annual planning", "annual planning"),
        (r"C:\Users\ann\weights", r"C:\Users\<user>\weights"),
    ],
)
def test_home_and_user_are_hidden(text, shown):
    assert redact(text) == shown


def test_without_a_home_or_a_name_nothing_is_hidden_and_nothing_breaks(monkeypatch):
    def unknown():
        raise RuntimeError

    def nobody():
        raise KeyError

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr(privacy.getpass, "getuser", nobody)
    assert redact("/home/ann/x") == "/home/ann/x"
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert redact("/opt/x") == "/opt/x"
