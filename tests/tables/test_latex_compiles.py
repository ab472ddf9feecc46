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
