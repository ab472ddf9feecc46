"""How Sphinx builds the documentation: `make docs`. Nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqbench import __version__
from iqbench.cli.main import COMMANDS, MODULES

if TYPE_CHECKING:
    import click
    from sphinx.application import Sphinx

project = "iqbench"
author = "The iqbench authors"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
]
exclude_patterns = ["_build"]
nb_execution_mode = "force"  # the notebook is stored without outputs
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
highlight_language = "none"  # of what names no language
smartquotes = False  # an option begins with two hyphens, not with a dash
default_role = "py:obj"  # `evaluate` in a docstring: a link where there is such an object
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"  # signatures are long enough; types stand in the docstrings
autodoc_member_order = "bysource"
python_display_short_literal_types = True

html_theme = "furo"
html_title = f"iqbench {version}"
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # a page that was opened from disk may not fetch others

# Pages that stand at the top of the repository, where GitHub shows them, and here.
TOP_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_BARS = re.compile(r"(?<![|\\])\|(?=\w)")


def rewrite_links(text: str, folder: Path) -> str:
    """Point links that are right in the repository to what is right on the site.

    Parameters
    ----------
    text
        Of a page in Markdown.
    folder
        In the repository, where the page lies.

    Returns
    -------
    str
        Links to pages lead to the pages, links to other files of the repository offer the file;
        those to documents that are no pages are left out.
    """
    root = Path(__file__).parents[1]

    def rewritten(link: re.Match[str]) -> str:
        text, target, anchor = link[1], (folder / link[2]).resolve(), link[3] or ""
        if not target.is_relative_to(root):
            return link[0]
        path = target.relative_to(root).as_posix()
        if path in TOP_PAGES:
            return f"[{text}]({TOP_PAGES[path]}{anchor})"
        if path.startswith("docs/"):
            return f"[{text}]({path.removeprefix('docs/')}{anchor})"
        return text if target.suffix == ".md" or target.is_dir() else f"[{text}](../{path})"

    return _LINK.sub(rewritten, text)


def _rewrite_page(app: Sphinx, name: str, content: list[str]) -> None:
    content[0] = rewrite_links(content[0], Path(__file__).parent)
    if name == "commands":
        content[0] += _command("main:cli", "iqbench", "none")
        for command in COMMANDS:
            module = MODULES.get(command, command)
            content[0] += _command(f"{module}:{module}", f"iqbench {command}", "full")


def _command(place: str, called: str, nested: str) -> str:
    """Return the directive that describes a command."""
    directive = f".. click:: iqbench.cli.{place}\n   :prog: {called}\n   :nested: {nested}\n"
    return f"\n```{{eval-rst}}\n{directive}```\n"


def _rewrite_included(app: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    content[0] = rewrite_links(content[0], Path(__file__).parents[1])


def _escape_bars(app: Sphinx, *described: Any) -> None:
    """Escape |x| in formulas, which reStructuredText takes for a substitution."""
    lines = described[-1]
    lines[:] = [_BARS.sub(r"\|", line) for line in lines]


def _keep_columns(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Show as it is what a help text does not want rewrapped: examples, and lists in columns."""
    described: list[str] = []
    for line in lines:
        if not line.startswith("| "):
            described.append(_BARS.sub(r"\|", line))
            continue
        if not (described and described[-1].startswith("   ")):
            described += ["", "::", ""]
        described.append(f"   {line[2:]}")
    lines[:] = described


def setup(app: Sphinx) -> None:
    """Have links rewritten and formulas escaped."""
    app.connect("source-read", _rewrite_page)
    app.connect("include-read", _rewrite_included)
    app.connect("autodoc-process-docstring", _escape_bars)
    app.connect("sphinx-click-process-description", _keep_columns)
