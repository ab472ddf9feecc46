"""README and CONTRIBUTING are true: snippets run; commands, options and files exist."""

import re
import shlex

import click
import numpy as np
import pytest
from documents import ROOT, blocks, command_lines

from iqbench.cli.main import cli
from iqbench.images.write import write_png

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md")


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """A folder with references and one method's outputs, as the README supposes."""
    generator = np.random.default_rng(0)
    for name in ("one", "two"):
        reference = generator.integers(0, 200, (48, 56, 3), dtype=np.uint8)
        write_png(tmp_path / "references" / f"{name}.png", reference)
        write_png(tmp_path / "outputs" / f"{name}.png", reference + 9)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("pretrained_networks")
def test_the_snippets_of_the_readme_run_one_after_the_other(working_folder, capsys):
    snippets = blocks("README.md", "python")
    names = {}
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), names)
    assert len(snippets) == 3
    printed = capsys.readouterr().out
    assert re.search(r"mine\s+psnr\s+29\.04", printed)
    assert list(names["wide"].columns[:2]) == ["psnr", "ssim"]
    assert names["output"].grad.isfinite().all()
    assert names["output"].grad.abs().sum() > 0


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_command_has_the_options_that_are_written(document):
    lines = [line for line in command_lines(document) if "iqbench " in line and "pip" not in line]
    assert lines
    for line in lines:
        parse(shlex.split(line)[1:])


def parse(arguments):
    """Parse a command line without running it; unknown options and commands raise."""
    command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        _, arguments, _ = command.make_parser(context).parse_args(list(arguments))
        name, command, arguments = command.resolve_command(context, arguments)
        context = click.Context(command, info_name=name, parent=context)
    command.parse_args(context, list(arguments))


def test_a_command_line_with_an_unknown_option_would_be_noticed():
    with pytest.raises(click.NoSuchOption):
        parse(["evaluate", "--methodd", "x"])


def test_every_make_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_linked_file_exists(document):
    path = ROOT / document
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


def test_every_path_in_the_documents_exists():
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS)
    examples = {
        *("iqbench/metrics/clipped.py", "iqbench/metrics/spectrum.py"),
        *("iqbench/metrics/mae.py", "iqbench/metrics/palette.py", "iqbench/metrics/worst.py"),
        *(
            "iqbench/datasets/layouts/scenes.py",
            "iqbench/boards/sections/no_good_output.py",
            "tests/datasets/layouts/test_scenes_layout.py",
        ),
    }
    paths = set(re.findall(r"`((?:iqbench|tests|docs|benchmarks)/[\w/.]+)`", text)) - examples
    assert len(paths) > 5
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_exit_codes_are_those_of_the_command_line():
    from iqbench.cli import evaluate, main
    from iqbench.errors import IqbenchError

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    told = {0, 1, IqbenchError.exit_code, evaluate.SOME_FAILED, main.INTERNAL_ERROR}
    assert codes == told | {main.INTERRUPTED}


def test_the_picture_loads_nothing_from_elsewhere():
    picture = (ROOT / "docs/images/leaderboard.svg").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\"' )]+", picture))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "demo-denoise" in picture


def test_the_citation_has_this_version():
    import yaml

    from iqbench import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"
