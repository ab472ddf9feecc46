"""How Sphinx builds the documentation: `make docs`. Nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqbench import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "iqbench"
author = "The iqbench authors"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"  # signatures are long enough; types stand in the docstrings
autodoc_member_order = "bysource"
python_display_short_literal_types = True

html_theme = "furo"
html_title = f"iqbench {version}"
html_copy_source = False
html_show_sphinx = False

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


def _rewrite_included(app: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    content[0] = rewrite_links(content[0], Path(__file__).parents[1])


def _escape_bars(app: Sphinx, *described: Any) -> None:
    """Escape |x| in formulas, which reStructuredText takes for a substitution."""
    lines = described[-1]
    lines[:] = [_BARS.sub(r"\|", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Have links rewritten and formulas escaped."""
    app.connect("source-read", _rewrite_page)
    app.connect("include-read", _rewrite_included)
    app.connect("autodoc-process-docstring", _escape_bars)
    app.connect("sphinx-click-process-description", _escape_bars)
