"""The options of figures: their kinds, files, size and font."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iqbench.cli.streams import say

if TYPE_CHECKING:
    from iqbench.document.drawing import FigureStyle
    from iqbench.document.figure import Figure

__all__ = [
    "draw_figures",
    "figure_options",
    "figure_style",
    "figures_asked",
    "write_figures",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)(in|cm|mm|pt)?")


def figure_options(kinds: Sequence[str]) -> Callable[[_Command], _Command]:
    """Add --figure, --figure-size, --figure-font and --figure-title.

    Parameters
    ----------
    kinds
        What can be drawn; the first is the default.
    """

    def add(command: _Command) -> _Command:
        for option in (
            click.option(
                "--figure-title/--no-figure-title",
                default=True,
                help="Whether figures have titles; in a paper, the caption replaces the title.",
            ),
            click.option(
                "--figure-font",
                metavar="FAMILY[:POINTS]",
                help="Font of figures and its size: 'Times New Roman:8'. The font must be "
                "installed.",
            ),
            click.option(
                "--figure-size",
                metavar="WxH[in|cm|mm|pt]",
                help="Width and height of figures, e.g. 8.5x6cm; by default as large as they need.",
            ),
            click.option(
                "--figure",
                multiple=True,
                metavar="[KIND=]FILE.svg|pdf|png",
                help=f"Draw a figure: {', '.join(kinds)}; without KIND, the one that FILE is "
                f"called after, or {kinds[0]}. May be repeated."
                if len(kinds) > 1
                else f"Draw a figure of the {kinds[0]}. May be repeated.",
            ),
        ):
            command = option(command)
        return command

    return add


def figures_asked(texts: Sequence[str], kinds: Sequence[str]) -> list[tuple[str, Path]]:
    """Read --figure: kinds and files, each file once.

    Raises
    ------
    click.BadParameter
        For an unknown kind, a file of another suffix, or one that is named twice.
    """
    from iqbench.document.drawing import FIGURE_FORMATS

    found: list[tuple[str, Path]] = []
    for text in texts:
        kind, equals, name = text.partition("=")
        if not equals:
            kind, name = "", text
        path = Path(name).expanduser()
        if not kind:
            stem = path.stem.casefold()
            kind = next((one for one in kinds if stem.startswith(one)), kinds[0])
        if kind not in kinds:
            raise click.BadParameter(
                f"{kind!r} is not one of {', '.join(kinds)}.", param_hint="--figure"
            )
        if path.suffix.lower()[1:] not in FIGURE_FORMATS:
            known = ", ".join(f".{one}" for one in FIGURE_FORMATS)
            raise click.BadParameter(f"{name!r} does not end in {known}.", param_hint="--figure")
        if any(path == other for _, other in found):
            raise click.BadParameter(f"{name!r} is named twice.", param_hint="--figure")
        found.append((kind, path))
    return found


def figure_style(options: Mapping[str, Any]) -> FigureStyle:
    """Read --figure-size, --figure-font and --figure-title.

    Raises
    ------
    click.BadParameter
        For a size that is none.
    """
    from iqbench.document.drawing import FigureStyle

    size = None
    if options["figure_size"] is not None:
        read = _SIZE.fullmatch(options["figure_size"].replace(" ", "").lower())
        if read is None:
            raise click.BadParameter(
                f"{options['figure_size']!r} is not a size: write 8.5x6cm, or 3.5x2.5 for inches.",
                param_hint="--figure-size",
            )
        inch = _INCHES[read[3] or "in"]
        size = (float(read[1]) * inch, float(read[2]) * inch)
    font, points = options["figure_font"], {}
    if font is not None:
        name, colon, end = font.rpartition(":")
        if colon and re.fullmatch(r"\d+(\.\d+)?", end.strip()):
            font, points = name.strip() or None, {"font_size": float(end)}
    return FigureStyle(size, font, title=options["figure_title"], **points)


def draw_figures(
    figures: Iterable[tuple[Figure, Path]], style: FigureStyle
) -> list[tuple[Path, bytes]]:
    """Draw figures, in the formats that the names of their files say."""
    from iqbench.document.drawing import draw

    return [(path, draw(figure, path.suffix.lower()[1:], style)) for figure, path in figures]


def write_figures(drawn: Iterable[tuple[Path, bytes]]) -> None:
    """Write figures that were drawn, and say on stderr where they are."""
    from iqbench.document.files import write_bytes

    for path, content in drawn:
        write_bytes(path, content)
        say(f"wrote {path}")
