"""The views of a leaderboard, in every format."""

from __future__ import annotations

from iqbench.boards.board import Board
from iqbench.boards.diagram import rank_figure
from iqbench.boards.document import board_document
from iqbench.boards.pair_tables import image_sections, pair_sections
from iqbench.boards.paper import paper_document
from iqbench.boards.sections import section_kind
from iqbench.boards.table_layout import TableLayout
from iqbench.document.model import Document
from iqbench.document.render import render
from iqbench.document.terminal import Window
from iqbench.errors import IqbenchError

__all__ = ["board_in_notebook", "render_view"]


def board_in_notebook(found: Board) -> Document:
    """Return the document that a notebook shows: the datasets and their averages."""
    return board_document(found.table, overall=found.overall, hidden=found.hidden)


def render_view(
    found: Board,
    view: str | None,
    format: str,
    *,
    intervals: bool | None = None,
    top: int = 3,
    layout: TableLayout | None = None,
    window: Window | None = None,
) -> str:
    """Render one view of a board.

    Parameters
    ----------
    found
        The board.
    view
        ``dataset``, ``task``, ``overall``, ``pairs``, ``images`` or ``paper``; or the name of a
        module of `iqbench.boards.sections`. None for the datasets, followed in the terminal's
        table, Markdown and HTML by the averages that do not only repeat a dataset.
    format, intervals, window
        As for `iqbench.document.render.render`.
    top
        How many images of each kind.
    layout
        The layout of the table of a paper.

    Returns
    -------
    str
        Ends with a newline.

    Raises
    ------
    IqbenchError
        If the view is empty, for example because there are no two methods, or only one dataset.
    """
    if view == "paper":
        document = paper_document(found, layout, intervals=bool(intervals))
        return render(document, format, intervals=intervals, window=window)
    if view is not None and view not in ("dataset", *_NOTHING):
        kind = section_kind(view)
        sections = list(kind.make(found))
        notes = [] if sections else ["There is none on any dataset."]
        document = Document(sections, title=kind.title, notes=notes)
        return render(document, format, intervals=intervals, window=window)
    if view in ("pairs", "images"):
        frame = found.pairs() if view == "pairs" else found.images(top)
        if frame.empty:
            raise _nothing(view)
        make = pair_sections if view == "pairs" else image_sections
        document = Document(list(make(frame, found.columns)), records=frame)
        return render(document, format, window=window)
    table = found.table
    if view in ("task", "overall"):
        averages = found.overall.frame
        table = found.overall.part(averages[averages["scope"] == view].reset_index(drop=True))
        if table.frame.empty:
            raise _nothing(view)
    below = view is None and format in ("table", "markdown", "html")
    document = board_document(
        table,
        overall=found.overall if below else None,
        hidden=found.hidden,
        intervals=intervals,
        ranks=rank_figure(found) if format == "html" else None,
    )
    return render(document, format, intervals=intervals, window=window)


def _nothing(view: str) -> IqbenchError:
    problem, hint = _NOTHING[view]
    return IqbenchError(problem, hint=hint)


_NOTHING = {
    "pairs": (
        "no dataset has two methods with a rank, so there is no pair",
        "Incomplete methods have no rank. If all shown columns have one value per set, such as "
        "fid, there are no images to compare: show a column with values of images too",
    ),
    "images": (
        "no dataset has a column to rank its images by",
        "Give --metric, one that has a direction",
    ),
    "task": (
        "no run has said what the task of a dataset is",
        "Give its block in datasets.yaml a `task:` and run iqbench evaluate --recompute",
    ),
    "overall": (
        "an average over datasets takes at least two that rank their methods",
        "See iqbench leaderboard",
    ),
}
