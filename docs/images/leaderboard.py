"""Draw docs/images/leaderboard.svg: what the terminal shows of the demo's results.

After `iqbench demo`: python docs/images/leaderboard.py results/demo
"""

from __future__ import annotations

import re
import sys
from html import escape, unescape
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from iqbench.boards.board import read_board
from iqbench.boards.document import render_leaderboard
from iqbench.document.terminal import Window

PICTURE = Path(__file__).with_name("leaderboard.svg")
DATASETS = ("demo-denoise", "demo-sr-x4")
WIDTH = 68
THEME = TerminalTheme(
    (24, 27, 33),
    (214, 220, 228),
    [
        (58, 64, 75),
        (224, 108, 117),
        (126, 211, 142),
        (229, 192, 123),
        (97, 175, 239),
        (198, 120, 221),
        (86, 182, 194),
        (214, 220, 228),
    ],
    [
        (110, 118, 132),
        (240, 128, 136),
        (146, 231, 162),
        (245, 210, 145),
        (120, 192, 250),
        (214, 140, 236),
        (106, 202, 214),
        (255, 255, 255),
    ],
)
# rich's own template, less its web fonts: a picture in a repository loads nothing from elsewhere.
TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
    font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
    font-size: {char_height}px;
    line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw(results: Path) -> str:
    """Return the picture of a results folder's leaderboard."""
    found = read_board(results, {"dataset": DATASETS})
    window = Window(width=WIDTH, color=True)
    board = render_leaderboard(found.table, "table", hidden=found.hidden, window=window)
    with Path("/dev/null").open("w") as nowhere:
        console = Console(file=nowhere, record=True, width=WIDTH, force_terminal=True)
        console.print(Text("$ make demo\n", "dim"))
        console.print(Text.from_ansi(board))
    drawn = console.export_svg(
        title="iqbench", theme=THEME, code_format=TEMPLATE, unique_id="leaderboard"
    )
    placed = re.sub(
        r'<text ([^>]*?) x="([^"]*)" y="([^"]*)" textLength="([^"]*)"([^>]*)>([^<]*)</text>',
        _words,
        drawn,
    )
    return re.sub(r"[ \t]+$", "", placed, flags=re.MULTILINE)


def _words(run: re.Match[str]) -> str:
    """Place each word of a run of text by itself: viewers differ in how wide they draw spaces."""
    style, x, y, length, clip, text = run.groups()
    text = unescape(text)
    step = float(length) / len(text)
    return "".join(
        f'<text {style} x="{float(x) + word.start() * step:.1f}" y="{y}" '
        f'textLength="{len(word[0]) * step:.1f}"{clip}>{escape(word[0])}</text>'
        for word in re.finditer(r"[^\s\xa0]+", text)
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(Path(sys.argv[1])), encoding="utf-8")
