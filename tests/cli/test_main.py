"""The ``iqbench`` command itself: help, exit codes, errors, pipes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from iqbench import __version__
from iqbench.cli import evaluate as evaluate_module
from iqbench.cli.main import COMMANDS, cli, main


def commands(group=cli, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(path):
    shown = CliRunner().invoke(cli, [*path, "--help"])
    assert shown.exit_code == 0
    command = dict(commands())[path]
    assert f"iqbench {' '.join(path)}" in shown.output.partition("Example")[2]
    # In a list of commands on 80 columns nothing is broken off.
    room = 61 if len(path) == 1 else 67
    assert not command.get_short_help_str(room).endswith("...")


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_every_option_is_explained(path):
    for parameter in dict(commands())[path].params:
        if isinstance(parameter, click.Option) and "--format" not in parameter.opts:
            assert parameter.help, parameter.opts


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_no_path_of_any_command_may_be_empty(path):
    command = dict(commands())[path]
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            with pytest.raises(click.BadParameter, match=r"the path is empty; write \."):
                parameter.type.convert("", parameter, click.Context(command))


def test_a_tilde_that_the_shell_leaves_is_the_home_folder(iqbench, folders, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    words = ("--method", "out/one", "--reference", "hr", "--metric", "psnr", "--results=~/scores")
    assert iqbench("evaluate", *words).code == 0
    assert (tmp_path / "home" / "scores" / "scores").is_dir()
    assert not (tmp_path / "~").exists()
    assert "one" in iqbench("leaderboard", "~/scores").out
    assert iqbench("leaderboard", "~/scores", "--output=~/board.md").code == 0
    assert (tmp_path / "home" / "board.md").is_file()


def test_the_commands_are_listed_in_the_order_of_a_user_s_way(iqbench):
    shown = iqbench("--help")
    assert shown.code == 0
    lines = shown.out.partition("Commands:")[2].split("\n")
    assert [line.split()[0] for line in lines if line.strip()] == list(COMMANDS)
    assert "Exit codes: 0 done; 1" in shown.out


def test_the_version(iqbench):
    assert iqbench("--version").out == f"iqbench, version {__version__}\n"


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "iqbench", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"iqbench, version {__version__}\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("explain", "error: interrupted\n"),
        (
            "evaluate",
            "error: interrupted; what was scored is kept, and evaluate goes on from there\n",
        ),
    ],
)
def test_only_evaluate_goes_on_from_an_interruption(command, said, monkeypatch, capsys):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        main([command, "a", "b"])
    assert (ended.value.code, capsys.readouterr().err) == (130, said)


def test_no_command_shows_the_help_and_is_wrong(iqbench):
    ran = iqbench()
    assert ran.code == 2
    assert "Usage: iqbench" in ran.err + ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evalute"], "unknown command 'evalute'. Did you mean 'evaluate'?"),
        (["xyz"], "unknown command 'xyz'. Known: "),
        (["\x1b[2J"], r"unknown command '\x1b[2J'"),
        (["--loud"], "No such option"),
        (["metrics", "lst"], "No such command 'lst'"),
        (["metrics", "show"], "Missing argument 'SPEC'"),
        (["leaderboard", "nowhere"], "there is no results folder nowhere"),
    ],
)
def test_wrong_input_exits_2_and_says_what_is_right(iqbench, made, arguments, message):
    ran = iqbench(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert "\x1b" not in ran.err


def test_quiet_and_verbose_go_before_the_command(iqbench, made):
    made.references("a")
    made.method("mine", "ab")  # one more than there are references
    arguments = ["evaluate", "--method", "out/mine", "--reference", "hr", "--metric", "psnr"]
    assert "warning" in iqbench(*arguments).err
    assert "warning" not in iqbench("--quiet", *arguments).err
    assert "warning" not in iqbench("-q", *arguments).err
    plain, verbose = iqbench("protocols", "list"), iqbench("-v", "protocols", "list")
    assert plain.err == ""
    assert verbose.out == plain.out
    assert f"iqbench {__version__}, Python 3." in verbose.err
    assert verbose.err.endswith(" s\n")


class TestDebug:
    def test_it_shows_the_traceback_of_a_user_s_error(self, made):
        with pytest.raises(Exception, match="there is no results folder nowhere"):
            main(["--debug", "leaderboard", "nowhere"])

    def test_it_shows_the_traceback_of_an_internal_error(self, monkeypatch):
        monkeypatch.setattr(evaluate_module, "memory_bytes", _fail)
        with pytest.raises(ZeroDivisionError):
            main(["--debug", "evaluate"])

    def test_without_it_an_internal_error_is_one_line(self, monkeypatch, iqbench):
        monkeypatch.setattr(evaluate_module, "memory_bytes", _fail)
        ran = iqbench("evaluate")
        assert ran.code == 70
        assert ran.err == (
            "error: internal error: ZeroDivisionError: oh. Run the command with "
            "`iqbench --debug ...` and report what it prints\n"
        )


def _fail(_):
    raise ZeroDivisionError("oh")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "out/mine"),
            *(2, "error: out/mine: Permission denied. Check the path and its permissions\n"),
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.csv"),
            *(2, "error: x.csv: No space left on device. Free some space, or write to another"),
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: No space left on device. "),
        (MemoryError(), 2, "error: not enough memory. "),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), 2, "not enough"),
        (ImportError("no module of that name"), 70, "internal error: ImportError"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 70, "internal error: FileNotFound"),
        (PermissionError(errno.EACCES, "Permission denied"), 70, "internal error: Permission"),
    ],
)
def test_a_system_error_with_a_path_is_an_error_for_the_user(
    monkeypatch, iqbench, error, code, message
):
    def refuse(_):
        raise error

    monkeypatch.setattr(evaluate_module, "memory_bytes", refuse)
    ran = iqbench("evaluate")
    assert ran.code == code
    assert message in ran.err


def test_a_name_that_is_too_long_for_the_system_is_wrong_input(iqbench, made):
    made.references("a")
    ran = iqbench("evaluate", "--method", "x" * 300, "--reference", "hr", "--metric", "psnr")
    assert ran.code == 2
    assert "too long" in ran.err or "does not exist" in ran.err  # pathlib's way depends on Python


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("leader", {"leaderboard"}),
        ("datasets ve", {"verify"}),
        ("leaderboard --interv", {"--intervals"}),
        ("measure --format ", {"table", "json"}),
    ],
)
def test_the_shell_completes_what_is_typed(monkeypatch, capsys, typed, offered):
    monkeypatch.setenv("_IQBENCH_COMPLETE", "bash_complete")
    words = f"iqbench {typed}"
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.partition(",")[2] for line in lines} >= offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(monkeypatch, capsys, shell):
    from click.shell_completion import BashComplete

    monkeypatch.setattr(BashComplete, "_check_version", lambda *_: None)  # there may be no bash
    monkeypatch.setenv("_IQBENCH_COMPLETE", f"{shell}_source")
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 0
    assert f"_IQBENCH_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_an_exit_from_deep_inside_keeps_its_code(monkeypatch, iqbench):
    monkeypatch.setattr(evaluate_module, "memory_bytes", lambda _: sys.exit(5))
    assert iqbench("evaluate").code == 5


@pytest.mark.parametrize("where", [(cli, "main"), (evaluate_module, "memory_bytes")])
def test_a_pipe_that_breaks_in_a_command_or_when_it_is_flushed_is_no_error(
    monkeypatch, iqbench, where
):
    def break_(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr(*where, break_)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    monkeypatch.setattr("sys.stdout.fileno", lambda: 1, raising=False)
    ran = iqbench("evaluate")
    assert (ran.code, ran.err) == (0, "")


def test_a_closed_stdout_is_no_error(monkeypatch, iqbench):
    monkeypatch.setattr("sys.stdout", None)
    ran = iqbench("protocols", "show", "sr-y")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_exits_130(monkeypatch, iqbench, error):
    def interrupt(_):
        raise error

    monkeypatch.setattr(evaluate_module, "memory_bytes", interrupt)
    ran = iqbench("evaluate")
    assert ran.code == 130
    assert "interrupted" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["protocols", "list"],
        ["datasets", "list"],
        ["datasets", "show", "Set5-x4"],
        ["weights", "list"],
        ["weights", "show", "vgg16"],
    ],
)
def test_a_reader_that_leaves_early_is_no_error(arguments):
    """As in `iqbench protocols list | head -1`, but gone before anything is written."""
    command = f"from iqbench.cli.main import main; main({arguments})"
    read, write = os.pipe()
    os.close(read)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", command],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(write)
    assert (ran.returncode, ran.stderr) == (0, "")
