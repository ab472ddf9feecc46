"""The documentation: snippets and commands run, links work, and every page is listed."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

import click
import numpy as np
import pytest
from documents import ROOT, blocks, command_lines
from test_readme import parse

from iqbench.cli.main import cli, main
from iqbench.images.write import write_png

DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(ROOT).as_posix() for page in DOCS.glob("*.md"))
TOOLS = ("sphinx", "myst_nb", "furo", "sphinx_click")

# Whose snippets and commands suppose what is made below, one after the other.
GUIDES = ("docs/score-your-method.md", "docs/choose-a-protocol.md", "docs/terminal.md")
SNIPPETS = (
    "docs/score-your-method.md",
    "docs/api.md",
    "docs/losses.md",
    "docs/training.md",
)


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """References and methods' outputs, where the guides suppose them."""
    generator = np.random.default_rng(0)
    for name in ("one", "two"):
        reference = generator.integers(0, 200, (48, 56, 3), dtype=np.uint8)
        write_png(tmp_path / "references" / f"{name}.png", reference)
        for folder, brighter in (("outputs", 9), ("others", 12), ("inputs", 20)):
            write_png(tmp_path / folder / f"{name}.png", reference + brighter)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("pretrained_networks", "working_folder")
@pytest.mark.parametrize("page", GUIDES)
def test_the_commands_of_a_guide_run_one_after_the_other(page, capsys):
    evaluate = "iqbench evaluate --method mine=outputs/ --reference references/ --metric psnr"
    run_all([evaluate, *command_lines(page)], capsys)


def run_all(lines, capsys):
    """Run commands one after the other; what is redirected into a file must not be empty."""
    assert len(lines) > 2
    for line in lines:
        command, _, file = line.partition(" > ")
        with pytest.raises(SystemExit) as exit_:
            main(shlex.split(command)[1:])
        printed = capsys.readouterr()
        assert exit_.value.code == 0, (line, printed.err)
        if file:
            assert printed.out


@pytest.fixture
def field(working_folder):
    """Scores of three methods on six datasets."""
    import iqbench

    for name in ("Set5", "Set5-x4", "Set14", "Set14-x4", "B100", "Urban100"):
        iqbench.evaluate(
            methods=["edsr=outputs", "swinir=others", "bicubic=inputs"],
            reference="references",
            dataset_name=name,
            metrics=["psnr", "ssim", "lpips-alex"],
            protocol="sr-y:scale=4" if name.endswith("-x4") else "rgb",
        )
    (table,) = blocks("docs/leaderboard.md", "yaml")
    (working_folder / "table.yaml").write_text(table)


@pytest.mark.usefixtures("pretrained_networks", "field")
def test_the_commands_and_snippets_about_tables_run(capsys):
    run_all(command_lines("docs/leaderboard.md"), capsys)
    names = {}
    for page in ("docs/leaderboard.md", "docs/correlation.md"):
        for snippet in blocks(page, "python"):
            exec(compile(snippet, page, "exec"), names)
    assert set(names["frame"]["method"]) == {"edsr", "swinir", "bicubic"}
    assert len(names["found"].between) > 0


@pytest.mark.usefixtures("pretrained_networks", "working_folder")
@pytest.mark.parametrize("page", SNIPPETS)
def test_the_snippets_of_a_page_run_one_after_the_other(page):
    import iqbench

    iqbench.evaluate(methods=["mine=outputs"], reference="references", metrics=["psnr"])
    snippets = blocks(page, "python")
    assert snippets
    names = {}
    for snippet in snippets:
        exec(compile(snippet, page, "exec"), names)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_has_the_options_that_are_written(page):
    lines = (line.partition(" > ")[0].partition(" >> ")[0] for line in command_lines(page))
    for line in lines:
        words = shlex.split(line)
        if words[:1] and words[0].rpartition("/")[2] == "iqbench":
            parse(words[1:])


@pytest.mark.parametrize("page", PAGES)
def test_every_snippet_of_a_page_is_python(page):
    for snippet in blocks(page, "python"):
        compile(snippet, page, "exec")


@pytest.mark.parametrize("page", [*PAGES, "examples/README.md"])
def test_every_linked_file_of_a_page_exists(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


def test_the_protocols_and_variables_of_the_guides_are_those_there_are():
    from iqbench.protocols.presets import load_presets

    text = (DOCS / "choose-a-protocol.md").read_text(encoding="utf-8")
    missing = [name for name in load_presets() if f"`{name}" not in text]
    assert missing == ["y-full"]
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "iqbench").rglob("*.py"))
    read = set(re.findall(r'"(IQBENCH_[A-Z_]+)"', code))
    told = set(re.findall(r"IQBENCH_[A-Z_]+", (DOCS / "terminal.md").read_text(encoding="utf-8")))
    assert read == told - {"IQBENCH_COMPLETE"}


def test_the_exit_codes_are_those_of_the_readme():
    codes = [
        re.findall(
            r"^\| (\d+) \| (.*) \|$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
        )
        for file in ("README.md", "docs/terminal.md")
    ]
    assert codes[0] == codes[1] != []


def test_the_verification_names_every_metric_and_tests_that_exist():
    from iqbench.metrics._registry import metric_classes

    text = (DOCS / "verification.md").read_text(encoding="utf-8")
    assert [name for name in metric_classes() if f"`{name}" not in text] == ["bpp"]


class Page(HTMLParser):
    """What a page has to offer and where it leads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads, self.text = set(), [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if found.get("id"):
            self.anchors.add(found["id"])
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif found.get("src") or (tag == "link" and found.get("href")):
            self.loads.append(found.get("src") or found["href"])

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages by name."""
    missing = [tool for tool in TOOLS if find_spec(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'iqbench[docs]'")
    built = tmp_path_factory.mktemp("site")
    # tests/docs/test_notebook.py executes the notebook.
    options = ["--quiet", "--fail-on-warning", "--keep-going", "-D", "nb_execution_mode=off"]
    command = ["-m", "sphinx", *options, DOCS, built]
    result = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return {
        path.relative_to(built).as_posix(): Page(path)
        for path in built.rglob("*.html")
        if "_modules" not in path.parts
    }


def test_every_page_is_built(site):
    names = {f"{page.removeprefix('docs/').removesuffix('.md')}.html" for page in PAGES}
    assert names <= site.keys()
    # Each but the beginning is in the menu.
    assert names - {"index.html"} <= {urlsplit(link).path for link in site["index.html"].links}


def test_every_link_leads_to_a_page_and_an_anchor_that_exist(site):
    broken = []
    for name, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.path.startswith(("_downloads", "_modules")):
                continue
            target = site.get(parts.path or name)
            if target is None or (parts.fragment and unquote(parts.fragment) not in target.anchors):
                broken.append((name, link))
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = {load for page in site.values() for load in page.loads}
    assert loaded
    assert [load for load in loaded if urlsplit(load).scheme not in ("", "data")] == []


def test_every_command_and_option_is_documented(site):
    text = "".join(site["commands.html"].text)

    def walk(group, path):
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            yield (*path, name), command
            if isinstance(command, click.Group):
                yield from walk(command, (*path, name))

    for path, command in walk(cli, ("iqbench",)):
        assert " ".join(path) in text
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[-1] in text, (path, parameter)
    # Examples are as they are typed: options begin with two hyphens.
    assert "iqbench evaluate --method outputs/ --reference hr/" in text


@pytest.mark.parametrize(
    "module", ["iqbench", "iqbench.functional", "iqbench.losses", "iqbench.maps"]
)
def test_every_public_function_is_documented(site, module):
    told = site["api.html"]
    for name in import_module(module).__all__:
        thing = getattr(import_module(module), name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            ends = f".{name}"
            assert any(anchor.endswith(ends) for anchor in told.anchors), name
