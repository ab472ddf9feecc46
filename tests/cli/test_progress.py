"""Progress of long work is shown only on a terminal, and not with --quiet."""

from __future__ import annotations

import io
import sys
import time

import click
import pytest

from iqbench.cli import progress
from iqbench.cli.progress import _rate, progress_bar, waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Put a terminal in stderr's place; not before the test, when pytest puts its own there."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def put():
        shown = Terminal()
        monkeypatch.setattr(sys, "stderr", shown)
        return shown

    return put


@pytest.mark.parametrize(
    ("speed", "spelt"), [(None, ""), (12.34, "12.3 images/s"), (0.25, "4.0 s/image")]
)
def test_a_rate_is_spelt_so_that_it_says_something(speed, spelt):
    assert _rate(speed, "images") == spelt


def test_a_bar_shows_the_stage_the_count_the_rate_and_the_time(terminal):
    shown = terminal()
    with progress_bar(unit="images") as bar:
        bar.begin("Set5", 4)
        bar.advance(2)
        time.sleep(0.01)
        bar.advance(2)
    text = shown.getvalue()
    assert "Set5" in text
    assert "4/4" in text
    assert "images/s" in text
    assert "0:00:00" in text


def test_waiting_shows_itself_after_a_while_and_leaves_nothing(terminal, monkeypatch):
    shown = terminal()
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    with waiting("Comparing [methods]"):
        time.sleep(0.4)
    assert "Comparing [methods]" in shown.getvalue()
    # The line is erased again.
    assert shown.getvalue().rstrip().endswith("\x1b[2K")


def test_waiting_for_a_moment_shows_nothing(terminal):
    shown = terminal()
    with waiting("Comparing"):
        pass
    assert "Comparing" not in shown.getvalue()


def test_an_error_ends_the_waiting(terminal, monkeypatch):
    shown = terminal()
    monkeypatch.setattr(progress, "PATIENCE", 0)

    def fail():
        with waiting("Comparing"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    end = len(shown.getvalue())
    time.sleep(0.2)
    assert len(shown.getvalue()) == end


def in_command(quiet):
    """Run long work below ``iqbench``, as a sub-command does."""
    root = click.Context(click.Command("iqbench"))
    root.params["quiet"] = quiet
    with click.Context(click.Command("work"), parent=root).scope(), progress_bar() as bar:
        bar.begin("Set5", 1)
        bar.advance(1)
        with waiting("Comparing"):
            time.sleep(0.2)


def test_nothing_is_shown_after_quiet(terminal, monkeypatch):
    shown = terminal()
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    in_command(quiet=True)
    assert shown.getvalue() == ""
    in_command(quiet=False)
    assert "Set5" in shown.getvalue()


def test_nothing_is_shown_where_stderr_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    in_command(quiet=False)
    assert capsys.readouterr().err == ""


class TestWithoutATerminal:
    """A log gets a line per minute, and nothing before the first is over."""

    def test_a_line_a_minute(self, capsys, monkeypatch):
        clock = [100.0]
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        with progress_bar() as bar:
            bar.begin("DIV2K", 8000)
            for _ in range(10):
                clock[0] += 20
                bar.advance(400)
        lines = capsys.readouterr().err.splitlines()
        assert [line.partition(" ")[2] for line in lines] == [
            "DIV2K: 1,200 of 8,000 outputs, 20.0 outputs/s, 5 min 40 s left",
            "DIV2K: 2,400 of 8,000 outputs, 20.0 outputs/s, 4 min 40 s left",
            "DIV2K: 3,600 of 8,000 outputs, 20.0 outputs/s, 3 min 40 s left",
        ]

    def test_nothing_if_it_is_quiet(self, capsys, monkeypatch):
        monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
        with progress_bar(quiet=True) as bar:
            bar.begin("DIV2K", 8000)
            bar.advance(400)
        assert capsys.readouterr().err == ""
