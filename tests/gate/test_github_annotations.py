"""A check as annotations of GitHub Actions, which no name can break."""

from __future__ import annotations

import re

import pytest
from made_sides import Key, side

from iqbench.gate.check import Check, check
from iqbench.gate.check_document import verdict_lines
from iqbench.gate.github import render_github

VALUES = [30.0, 31.0, 32.0, 33.0, 34.0]
COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def found(names: list[Key], loss: float = 3.0, **options: object) -> Check:
    before = dict.fromkeys(names, VALUES)
    after = {name: [value - loss for value in VALUES] for name in names}
    return check(side(before), side(after), **options)


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Read workflow commands as a runner does."""
    read = []
    for line in text.splitlines():
        match = COMMAND.fullmatch(line)
        assert match, line
        properties = dict(pair.split("=", 1) for pair in match[2].split(","))
        read.append((match[1], {name: undo(one) for name, one in properties.items()}, match[3]))
    return read


def undo(text: str) -> str:
    for plain, escaped in ((",", "%2C"), (":", "%3A"), ("\n", "%0A"), ("\r", "%0D"), ("%", "%25")):
        text = text.replace(escaped, plain)
    return text


def test_what_failed_is_an_error_at_the_line_of_its_worst_image() -> None:
    one = check(
        side({("set5", "edsr", "psnr"): VALUES}),
        side({("set5", "edsr", "psnr"): [30.0, 31.0, 25.0, 33.0, 33.5]}),
    )
    lines = {("set5", "edsr", "image02"): 7, ("set5", "edsr", "image04"): 9}
    text = render_github(one, worst=1, file="ci/baseline.jsonl", lines=lines)
    verdict, worse = commands(text)
    assert verdict == ("error", {"title": "iqbench check"}, "check failed: 1 worse")
    assert worse[:2] == (
        "error",
        {"file": "ci/baseline.jsonl", "line": "7", "title": "worse: psnr of edsr on set5"},
    )
    assert worse[2].startswith("worse; mean 32 to 30.5; gain -1.5, margin 0.05, n 5")
    assert worse[2].endswith("worst images: image02 (-7.000)")


def test_a_check_that_passes_is_a_notice() -> None:
    assert render_github(found([("set5", "edsr", "psnr")], 0.0)) == (
        "::notice title=iqbench check::check passed: 1 same\n"
    )


def test_what_is_allowed_to_be_missing_is_a_warning() -> None:
    before = {("set5", "edsr", "psnr"): VALUES, ("set5", "gone", "psnr"): VALUES}
    one = check(side(before), side({("set5", "edsr", "psnr"): VALUES}), allow=["missing"])
    kinds = [kind for kind, _, _ in commands(render_github(one, file="baseline.jsonl"))]
    assert kinds == ["notice", "warning"]


def test_a_missing_image_is_shown_at_its_own_line() -> None:
    one = check(
        side({("set5", "edsr", "psnr"): VALUES}),
        side({("set5", "edsr", "psnr"): [*VALUES[:4], None]}),
    )
    lines = {("set5", "edsr", f"image0{number}"): 3 + number for number in range(5)}
    (_, where, _) = commands(render_github(one, file="baseline.jsonl", lines=lines))[1]
    assert where["line"] == "7"


def test_errors_beyond_the_limit_of_github_are_counted() -> None:
    names: list[Key] = [("set5", f"method{number:02}", "psnr") for number in range(14)]
    read = commands(render_github(found(names)))
    assert [kind for kind, _, _ in read] == ["error"] * 10
    assert read[0][2] == "check failed: 14 worse; 5 more that failed are not shown here"


@pytest.mark.parametrize(
    "name", ["a::b", "a,b=c", "100%", "a\nb\r::error::x", "%0A", "::warning::"]
)
def test_names_stay_inside_of_their_command(name: str) -> None:
    read = commands(render_github(found([(name, name, "psnr")])))
    assert len(read) == 2
    assert read[1][1]["title"] == f"worse: psnr of {name} on {name}"


def test_a_line_of_the_log_holds_one_comparison_whatever_its_names() -> None:
    verdict, worse = verdict_lines(found([("d", "a\n::error::\x1b[2J", "psnr")]))
    assert verdict == "check failed: 1 worse"
    assert worse.startswith(r"  d a\n::error::\x1b[2J psnr: worse")
