"""Output works on every stream: any encoding, closed, full, or without a reader."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made_folders import Made
from made_manifest import MANIFEST
from rich.cells import cell_len

from iqbench.cli.main import main
from iqbench.document.text import encodable, spell_out
from iqbench.results.schema import ColumnInfo, ImageRow, ScoreRow
from iqbench.results.store import Store

MAIN = "from iqbench.cli.main import main; main()"
TABLES = (
    ("leaderboard", "results"),
    ("leaderboard", "results", "--pairs"),
    ("leaderboard", "results", "--format", "markdown"),
    ("check", "results", "--baseline", "results", "--rows", "all"),
    ("compare", "mine", "yours", "--results", "results"),
    ("protocols", "list"),
    ("metrics", "list"),
    ("leaderboard", "--help"),
)
ARROWS = "↑↓→±●─✓"
ENCODINGS = ("ascii", "cp1252")
NAMED = ("leaderboard", "named/results", "--format", "json")
END = "\x1e"  # the end of what a command prints


def in_shell(script: str) -> subprocess.CompletedProcess[bytes]:
    whole = script.replace("iqbench", f"'{sys.executable}' -c '{MAIN}'")
    return subprocess.run(["bash", "-c", whole], check=False, capture_output=True)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each command prints under each encoding; in one process, since starting takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("printed"))
        Made(Path()).score_two()
        named = Made(Path("named"))
        named.references()
        named.method("méthode 猫 😀 →")
        named.evaluate()
        code = (
            "import sys\nfrom iqbench.cli.main import main\n"
            f"for encoding in {ENCODINGS!r}:\n"
            "    sys.stdout.reconfigure(encoding=encoding)\n"
            f"    for arguments in {(*TABLES, NAMED)!r}:\n"
            "        try: main(list(arguments))\n"
            "        except SystemExit as leaving: assert leaving.code == 0, (arguments, leaving)\n"
            f"        sys.stdout.write({END!r})\n"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    outputs = ran.stdout.split(END.encode())[:-1]
    each = len(TABLES) + 1
    return {
        encoding: dict(zip((*TABLES, NAMED), outputs[each * number :], strict=False))
        for number, encoding in enumerate(ENCODINGS)
    }


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_table_comes_out_on_every_encoding(printed, encoding):
    text = "".join(printed[encoding][arguments].decode(encoding) for arguments in TABLES)
    assert "psnr" in text
    assert "?" not in text.partition("Usage:")[0]
    assert "\\u" not in text
    for sign in ARROWS:
        if encodable(sign, encoding) != sign:
            assert sign not in text


def test_columns_stay_aligned_in_ascii(printed):
    out = printed["ascii"]["leaderboard", "results"].decode("ascii")
    heading, rule, first = out.splitlines()[2:5]
    assert set(rule) == {"-"}
    # An asterisk hangs out to the right of the digits.
    ends = [heading.index(name) + len(name) for name in ("psnr ^", "ssim ^")]
    assert [first[end - 1] for end in ends] == ["*", "*"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_stays_json_with_the_names_it_had(printed, encoding):
    (row,) = json.loads(printed[encoding][NAMED].decode(encoding))
    assert row["method"] == "méthode 猫 😀 →"


@pytest.mark.parametrize(
    ("text", "ascii_text", "latin"),
    [
        ("psnr ↑", "psnr ^", "psnr ^"),
        ("→1", "->1", "->1"),
        ("29.1 ± 0.2", "29.1 +/- 0.2", "29.1 ± 0.2"),
        ("├─┼─┤", "+-+-+", "+-+-+"),
        ("café", "caf\\u00e9", "café"),
        ("猫", "\\u732b", "\\u732b"),
        ("😀", "\\U0001f600", "\\U0001f600"),
    ],
)
def test_characters_that_an_encoding_lacks_are_replaced_readably(text, ascii_text, latin):
    assert encodable(text, "ascii") == ascii_text
    assert encodable(text, "latin-1") == latin
    assert encodable(text, "utf-8") == text
    assert encodable(text, "no-such-encoding") == ascii_text


def test_bytes_that_are_no_text_are_spelt_on_utf_8_too():
    assert encodable("a\udcff", "utf-8") == "a\\udcff"


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        ("leaderboard results", ">&-"),
        ("datasets list", ">&- 2>&-"),
        ("protocols show sr-y", "2>&-"),
        ("protocols show sr-y", ">&- 2>&- <&-"),
    ],
)
def test_closed_streams_are_no_error(scored, command, closed):
    ran = in_shell(f"iqbench {command} {closed}")
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_no_table_is_written_into_a_file_that_took_a_closed_stream_s_place(scored):
    assert in_shell("iqbench export results -o scores.csv >&- 2>&-").returncode == 0
    assert Path("scores.csv").read_text().count("\n") == 13


@pytest.mark.parametrize(
    ("command", "pipe"),
    [
        ("leaderboard results", "| true"),
        ("--help", "2>&1 | true"),
        ("protocols show nowhere", "2>&1 >/dev/null | true"),
    ],
)
def test_a_reader_that_has_gone_is_no_error(scored, command, pipe):
    script = f"iqbench {command} {pipe}; echo ${{PIPESTATUS[0]}}"
    ran = in_shell(script)
    assert ran.stdout in (b"0\n", b"2\n" if "nowhere" in command else b"0\n")
    assert b"Traceback" not in ran.stderr
    assert b"internal" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="only Linux has /dev/full, which refuses all bytes"
)
def test_a_full_disk_behind_stdout_is_a_sentence():
    ran = in_shell("iqbench protocols list > /dev/full")
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"error: cannot write to the standard output: No space left")
    assert b"Exception ignored" not in ran.stderr


def test_messages_that_cannot_be_written_end_no_work(scored):
    assert in_shell("iqbench export results -o scores.csv 2> /dev/full").returncode == 0


class Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    screen = io.BytesIO()
    terminal = Terminal(screen, "utf-8", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit) as leaving:
            main(list(arguments))
    assert leaving.value.code in (0, 1, 2)
    terminal.detach()
    return screen.getvalue().decode()


HOSTILE = "m\x1b[2Jx\x9b1A\u202egnp\x07\x1b]0;title\x07"


RUN = MANIFEST.model_copy(update={"iqbench": HOSTILE, "command": HOSTILE})


@pytest.fixture
def hostile(made):
    """Tables whose names would move the cursor, turn the text round and change the title."""
    made.references()
    made.method("mine")
    made.evaluate()
    row = ImageRow(HOSTILE, HOSTILE, HOSTILE, "a" * 64, "b" * 64)
    text = f"metric={HOSTILE}|view=rgb"
    score = ScoreRow(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1.0, None, text, HOSTILE, row.pair)
    columns = {HOSTILE: ColumnInfo("higher", 2, True, HOSTILE)}
    with Store(made.results).writer(RUN, columns) as writer:
        writer.add_image(row)
        writer.add_scores([score])
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        ("leaderboard",),
        ("leaderboard", "--format", "csv"),
        ("leaderboard", "--format", "json"),
        ("leaderboard", "--format", "markdown"),
        ("leaderboard", "--dataset", HOSTILE, "--by-image"),
        ("leaderboard", "--dataset", f"{HOSTILE}2"),
        ("check", "--baseline", "results", "--rows", "all"),
        ("correlate", "--dataset", HOSTILE),
        (f"--{HOSTILE}",),
        ("leaderboard", f"--{HOSTILE}"),
        (HOSTILE,),
        ("datasets", HOSTILE),
    ],
)
def test_no_name_moves_the_cursor_of_a_terminal(hostile, monkeypatch, arguments):
    shown = on_a_terminal(monkeypatch, *arguments)
    assert shown
    for harm in ("\x1b[2J", "\x9b", "\u202e", "\x07", "\x1b]"):
        assert harm not in shown


def test_controls_are_spelt_as_json_spells_them():
    assert spell_out("a\x1b[31m\n") == "a\\u001b[31m\\u000a"
    assert json.loads(f'"{spell_out(HOSTILE)}"') == HOSTILE


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal takes a POSIX system")
def test_messages_in_a_terminal_fold_between_words(tmp_path):
    import fcntl
    import pty
    import struct
    import termios

    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    words = [f"word{number}" for number in range(40)] + ["名前" * 9, "x" * 60]
    code = (
        "import warnings\nfrom iqbench.cli.streams import say, standard_streams\n"
        f"with standard_streams(): say({' '.join(words)!r}, label='warning', color='yellow')"
    )
    environment = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        stdout=subprocess.PIPE,
        stderr=inner,
        env=environment,
    )
    os.close(inner)
    shown = os.read(outer, 1 << 16).decode().replace("\r\n", "\n")
    os.close(outer)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).rstrip("\n").split("\n")
    assert lines[0].startswith("warning: word0 ")
    assert max(map(cell_len, lines)) <= 40
    kept = [word for line in lines for word in line.split()]
    assert kept[1:42] == words[:41]  # only what is longer than a line is broken
    assert "".join(kept[42:]) == words[41]
