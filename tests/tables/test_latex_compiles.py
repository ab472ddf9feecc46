"""Tables with names of any kind compile in LaTeX."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from golden_run import COMMANDS, make_results

from iqbench.cli.main import cli
from iqbench.document.model import Document, Section, texts
from iqbench.document.render import render

PACKAGES = "texlive-latex-base texlive-latex-recommended poppler-utils"
missing = [name for name in ("pdflatex", "pdftotext") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(missing) and os.environ.get("CI") != "true",  # there it fails
    reason=f"there is no {' and no '.join(missing)}: apt-get install {PACKAGES}",
)

DOCUMENT = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
%s
\begin{thebibliography}{1}\bibitem{lim2017:edsr_x} Lim\end{thebibliography}
\end{document}
"""
HOSTILE = "[a]&b_c%d$e#f{g}h~i^j\\input{/etc/passwd}<s>\x1b†^^5cend \u00d7 ±|"
HOSTILE += "e\u0301\u03c3=25 ≤ΔE\u2032"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compiled")
    make_results(root / "new", loss=0.9)
    make_results(root / "old")
    return root


def compiled(text: str, folder: Path) -> str:
    """Compile and return the log."""
    (folder / "paper.tex").write_text(DOCUMENT % text, encoding="utf-8")
    ran = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,  # the first time, fonts are made
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert (folder / "paper.pdf").stat().st_size
    return ran.stdout


def latex(results: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.chdir(results)
    told = CliRunner().invoke(cli, [*arguments, "--format", "latex"], catch_exceptions=False)
    assert told.exit_code in (0, 1), told.output
    return told.stdout


@pytest.mark.parametrize(
    "name", [name for name, (_, formats) in COMMANDS.items() if "latex" in formats]
)
def test_the_tables_of_every_command(
    name: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled(latex(results, monkeypatch, *COMMANDS[name][0]), tmp_path)


def test_the_table_of_a_paper(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.yaml"
    file.write_text("cite: {edsr: 'lim2017:edsr_x'}\nwide: true\n")
    text = latex(
        *(results, monkeypatch, "leaderboard", "new", "--columns", "all", "--table", str(file)),
        *("--intervals", "--label", "tab:sr"),
    )
    assert "cite" in text
    told = compiled(text + r"See Table~\ref{tab:sr}.", tmp_path)
    assert "LaTeX Error" not in told


def test_names_that_are_hostile_are_printed_as_they_are(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = latex(
        *(results, monkeypatch, "leaderboard", "new", "--layout", "paper", "--caption", HOSTILE),
        *("--name", f"edsr={HOSTILE}", "--name", f"psnr={HOSTILE}", "--name", f"set5={HOSTILE}"),
    )
    compiled(text, tmp_path)
    read = subprocess.run(
        ["pdftotext", "paper.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "input{/etc/passwd}" in read.stdout.replace("\n", "")
    assert "root:" not in read.stdout


def read_back(folder: Path) -> list[str]:
    """Return the words of the compiled document."""
    command = ["pdftotext", "paper.pdf", "-"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True
    ).stdout.split()


def test_however_many_tables_there_are(tmp_path: Path) -> None:
    sections = [Section(f"set{at}", columns=[texts("word", [f"word{at}"])]) for at in range(70)]
    compiled(render(Document(sections), "latex"), tmp_path)
    words = read_back(tmp_path)
    assert all(f"word{at}" in words for at in range(70))


def test_a_table_that_is_longer_than_a_page_is_split(tmp_path: Path) -> None:
    names = [f"method{at}" for at in range(100)]
    complete = [at < 95 for at in range(100)]
    table = [texts("name", names)]
    section = Section("set5", columns=table, complete=complete, remarks=["end"], label="tab:long")
    text = render(Document([section]), "latex")
    compiled(text, tmp_path)
    words = read_back(tmp_path)
    assert all(name in words for name in names)
    assert (text.count("(continued)"), text.count("end\\par"), text.count("addlinespace")) == (
        2,
        1,
        1,
    )
    for label in ("tab:long", "tab:long-2", "tab:long-3"):
        assert f"\\label{{{label}}}" in text
