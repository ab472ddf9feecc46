"""Self-contained HTML pages: templates, styles, scripts and plotly.js in one file."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from iqbench.document.text import printable

__all__ = ["data_uri", "embedded_json", "packed_plotly", "render_page", "render_template"]

_STYLES = ("style.css", "viewer.css")


def render_page(template: str, scripts: tuple[str, ...], **context: Any) -> str:
    """Fill a template.

    Parameters
    ----------
    template
        File of the folder ``templates``.
    scripts
        Files of the folder ``assets``, in the order in which they run.
    **context
        The variables of the template. All text is escaped, and converted by `printable`.

    Returns
    -------
    str
        The page; it ends with a newline.
    """
    style, script = ("\n".join(map(_asset, names)) for names in (_STYLES, scripts))
    return render_template(template, style=style, script=script, **context)


def render_template(template: str, **context: Any) -> str:
    """Fill a template without styles and scripts; see `render_page`."""
    return _environment().get_template(template).render(**context).rstrip() + "\n"


def embedded_json(value: Any) -> Markup:
    """Write data for a script element, so that it cannot end the element or start another.

    Parameters
    ----------
    value
        Data of dicts, lists, texts and finite numbers.
    """
    return htmlsafe_json_dumps(value, dumps=_json)


def _json(value: Any) -> str:
    """Write JSON that is valid JavaScript, which needs escapes for two characters."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def packed_plotly() -> str:
    """Return plotly.js of the installed package, compressed, as base64.

    A browser decompresses it when the first plot is almost visible.
    """
    from plotly.offline import get_plotlyjs

    packed = gzip.compress(get_plotlyjs().encode(), 9, mtime=0)
    return base64.b64encode(packed).decode()


def data_uri(kind: str, data: bytes) -> str:
    """Return the bytes of a picture as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("iqbench.document", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["embedded"] = embedded_json
    return environment


def _shown(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _asset(name: str) -> str:
    return (files("iqbench.document") / "assets" / name).read_text(encoding="utf-8")
