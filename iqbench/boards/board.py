"""Compare the methods of a results folder on each dataset; leaderboards show the result."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike

import pandas as pd

from iqbench.boards.by_image import images_of
from iqbench.boards.composites import Composite
from iqbench.boards.dataset_board import BoardOptions, DatasetBoard, dataset_board
from iqbench.boards.disputes import disputed_images
from iqbench.boards.headings import SUFFIXES
from iqbench.boards.means_table import MeansTable
from iqbench.boards.overall import overall_of, rank_table
from iqbench.boards.pairwise import pairs_of
from iqbench.boards.published import PUBLISHED, with_published
from iqbench.document.in_notebook import ShownInNotebooks
from iqbench.errors import IqbenchError
from iqbench.forks import cached_property
from iqbench.results.columns import Columns
from iqbench.results.names import natural
from iqbench.results.read import DatasetTables, iter_datasets
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, pick

__all__ = ["Board", "read_board", "read_boards"]

_FRONT = (
    *("dataset", "task", "protocol", "ranked_by", "rank", "rank_low", "rank_high"),
    *("tie", "p_vs_best", "effect_vs_best", "front", "front_by", "method"),
    *("n", "expected", "complete"),
)
_BACK = ("missing", "undefined", "other_reference", PUBLISHED)


@dataclass(frozen=True)
class Board(ShownInNotebooks, arranged_by="iqbench.boards.views:board_in_notebook"):
    """Methods compared on datasets, by the metrics that are shown.

    A method is complete on a dataset if each shown column has a value, or records that the value
    is undefined, for each image of the dataset. The images are those of all methods, shown or not.
    Columns of costs are ignored, unless all shown columns are costs. Scores against another
    reference than the newest one are left out, because scores against different references cannot
    be compared, see `iqbench.results.references`.

    Attributes
    ----------
    datasets
        One board per dataset: its scores as an array, with means, ranks and ties.
    columns
        Descriptions of the metrics' columns, in the order in which they are shown.
    hidden
        How many metrics are left out.
    """

    datasets: list[DatasetBoard]
    columns: Columns = field(default_factory=Columns)
    hidden: int = 0

    @classmethod
    def of(
        cls,
        scores: pd.DataFrame,
        images: pd.DataFrame,
        columns: Columns,
        options: BoardOptions | None = None,
        *,
        tasks: Mapping[str, str] | None = None,
        sets: pd.DataFrame | None = None,
    ) -> Board:
        """Compare methods by scores in memory.

        Parameters
        ----------
        scores
            Current scores in the long form, as `iqbench.load_scores` gives them. Every metric in
            them is shown.
        images
            As `iqbench.results.read.load_images` gives them, of all methods.
        columns
            Descriptions of the metrics, as `iqbench.results.read.load_columns` gives them.
        options
            How to compare the methods.
        tasks
            The task of each dataset, such as ``denoising``, by the dataset's name.
        sets
            Values of whole sets, as `iqbench.load_scores` with ``scope="set"`` gives them: columns
            such as ``fid`` beside the means, with 95 % intervals from their standard errors.

        Raises
        ------
        IqbenchError
            If the options name a column that is missing or has no direction, or several columns to
            sort by.
        """
        options = options or BoardOptions()
        of_dataset = dict(_by_dataset(scores))
        wholes = {} if sets is None else dict(_by_dataset(sets))
        found = [
            dataset_board(
                DatasetTables(
                    name,
                    of_dataset.get(name, scores[:0]),
                    rows,
                    wholes.get(name, pd.DataFrame()),
                    columns,
                    (tasks or {}).get(name, ""),
                ),
                options,
            )
            for name, rows in _by_dataset(images)
        ]
        return cls(_checked(found, columns, options), columns)

    def info(self, heading: str) -> ColumnInfo:
        """Return the description of the column under a heading."""
        return self.columns.info(heading)

    @cached_property
    def headings(self) -> list[str]:
        """The headings of all columns that hold a metric, in their order."""
        keys: dict[str, Keys] = {}
        for one in self.datasets:
            keys |= one.signatures
        return self.columns.ordered(keys)

    @cached_property
    def table(self) -> MeansTable:
        """The leaderboard: the datasets below each other, in natural order.

        Returns
        -------
        MeansTable
            One row per dataset and method, the complete ones first and by rank, with

            - dataset, task, protocol, ranked_by (the column that ranks);
            - rank (in the column that ranks, see below; null for an incomplete method), and
              rank_low and rank_high, the 95 % bootstrap interval over the images;
            - tie (a letter shared by methods that are not significantly worse than the best of
              their group, see `iqbench.boards.ranking.ties`), and p_vs_best and effect_vs_best
              of the paired test against the best method, p corrected by Holm, effect -1 if
              every image is worse;
            - front (whether no other method is better in both of the columns front_by; null if
              those are missing or the method is incomplete);
            - method, n (images with any value), expected (images that the dataset has), complete;
            - for each metric, with its name in the place of ``psnr``:

              - ``psnr``, the mean of the finite values, infinite if all values are infinite;
                ``psnr_low`` and ``psnr_high``, the ends of its interval;
              - ``psnr_distance``, with its ends, for a metric with a target: the mean of the
                distances to it;
              - ``psnr_compared``, with its ends, and ``psnr_compared_n``, only if methods have
                finite values for different images: the mean (of the distances, for a target) over
                the ``psnr_compared_n`` images that are finite for all complete methods;
              - ``psnr_infinite``, how many values are infinite; ``psnr_minus_infinite``, how many
                are ``-inf``, only if there are any;
              - ``psnr_rank``, the rank of the complete methods in this column: by
                ``psnr_compared``, or else ``psnr_distance``, or else ``psnr``; ties are ordered
                by the infinite values, see `iqbench.boards.order.order_methods`. Equal methods
                share the best rank;
              - for a value of a whole set, such as ``fid``: ``fid_n``, its number of images;
                ``fid_reference_set``, the set that they are compared with; and
                ``fid_reference_n``, the number of images in that set;

            - missing and undefined, text that counts such values by column; other_reference, how
              many images were left out because they were scored against another reference; and
              published, the source of a row of published means, if there are any.
        """
        parts = [
            with_published(
                pd.concat([one.rows, one.mean_columns()], axis=1),
                one.published,
                one.signatures,
                self.columns,
                one.composites,
                by_infinite={name for name, mean in one.means.items() if mean.infinite_first},
            )
            for one in sorted(self.datasets, key=lambda one: natural(one.dataset))
        ]
        frame = pd.DataFrame(columns=[*_FRONT, *_BACK])
        if parts:
            frame = pd.concat(parts, ignore_index=True)
        if PUBLISHED in frame:  # datasets without published means lack the column
            frame[PUBLISHED] = frame[PUBLISHED].fillna("")
        names = [f"{heading}{suffix}" for heading in self.headings for suffix in SUFFIXES]
        wanted = [name for name in (*_FRONT, *names, *_BACK) if name in frame.columns]
        return MeansTable(frame[wanted], self.columns)

    @cached_property
    def overall(self) -> MeansTable:
        """The averages over datasets, see `iqbench.boards.overall.overall_of`."""
        return MeansTable(overall_of(self.datasets), self.columns)

    def pairs(self) -> pd.DataFrame:
        """Compare each pair of methods, see `iqbench.boards.pairwise.pairs_of`."""
        return pairs_of(self.datasets)

    def images(self, top: int) -> pd.DataFrame:
        """Return the best and worst images, see `iqbench.boards.by_image.images_of`."""
        return images_of(self.datasets, top)

    def disputes(self, top: int) -> pd.DataFrame:
        """Return the disputed images, see `iqbench.boards.disputes.disputed_images`."""
        return disputed_images(self.datasets, top)

    def ranks(self) -> pd.DataFrame:
        """Rank methods on each dataset, see `iqbench.boards.overall.rank_table`."""
        return rank_table(self.datasets)


def read_board(
    results: str | PathLike[str],
    filters: Mapping[str, tuple[str, ...]],
    *,
    sort: str | None = None,
    shown: str | Sequence[str] = "headline",
    front: tuple[str, str] | None = None,
    intervals: bool = True,
    composites: Sequence[Composite] = (),
) -> Board:
    """Read a results folder and compare its methods; one dataset's rows are in memory at a time.

    Parameters
    ----------
    results
        The folder.
    filters
        As `load_scores` takes them.
    sort
        Selector of the column to rank by. It is always shown.
    shown
        ``all`` columns; a list of selectors, in that order; or ``headline``: for each dataset, the
        columns that the filters name, else its headline columns, or all if none is a headline.
    front
        Two selectors of the columns that span the Pareto front. They are always shown.
    intervals
        Whether to compute bootstrap intervals of means and ranks.
    composites
        Composite scores of the means of other columns. Those columns are always shown.

    Returns
    -------
    Board
        With the datasets that have scores which pass the filters; without filters, with all.

    Raises
    ------
    IqbenchError
        As `load_scores` and `Board.of`; and if ``shown`` names an unknown metric.
    """
    (found,) = read_boards(
        results,
        filters,
        (shown,),
        sort=sort,
        front=front,
        intervals=intervals,
        composites=composites,
    )
    return found


def read_boards(
    results: str | PathLike[str],
    filters: Mapping[str, tuple[str, ...]],
    several: Sequence[str | Sequence[str]],
    *,
    sort: str | None = None,
    front: tuple[str, str] | None = None,
    intervals: bool = True,
    composites: Sequence[Composite] = (),
) -> list[Board]:
    """Read a results folder once, and make one board per choice of columns.

    Parameters and errors are those of `read_board`, except for

    several
        One ``shown`` per board; the first one decides the order of metrics in all.
    """
    columns = Columns()
    computed = {one.name for one in composites}
    needed = [text for one in composites for names in one.alternatives for text in names]
    extra = [*([sort] if sort else []), *(front or ()), *needed]
    options = BoardOptions(sort, filters.get("method"), front, intervals, tuple(composites))
    asked = _named(several[0]) or list(filters.get("metric", ()))
    several = [
        shown
        if isinstance(shown, str)
        else [name for name in shown if name not in computed] or "headline"
        for shown in several
    ]
    # With these filters, a dataset without any row is left out rather than shown as incomplete.
    narrowed = bool(filters.keys() & {"dataset", "protocol", "precision", "metric"})
    known: set[Keys] = set()
    used: list[set[Keys]] = [set() for _ in several]
    found: list[list[DatasetBoard]] = [[] for _ in several]
    for tables in iter_datasets(results, filters=filters, leading=asked):
        columns = tables.columns
        if tables.scores.empty and tables.sets.empty and narrowed:
            continue
        made: dict[frozenset[Keys], DatasetBoard] = {}
        for place, shown in enumerate(several):
            narrow = "all" if shown == "headline" and "metric" in filters else shown
            own, there, taken = tables.showing(narrow, extra)
            alike = frozenset(taken)
            if alike not in made:
                made[alike] = dataset_board(own, options)
            found[place].append(made[alike])
            known |= there
            used[place] |= taken
            del own
        del tables  # free the memory while the next dataset is read
    metrics = {metric for metric, _ in known}
    boards = []
    for shown, datasets, taken in zip(several, found, used, strict=True):
        pick(_named(shown), known)
        for names in (names for one in composites for names in one.alternatives):
            if not any(name in computed or _fits(name, known) for name in names):
                pick(names[:1], known, "metric of a composite score")
        hidden = len(metrics - {metric for metric, _ in taken})
        added = Columns({one.name: one.info for one in composites})
        united = columns.united(added)
        boards.append(Board(_checked(datasets, united, options), united, hidden))
    return boards


def _checked(
    found: Sequence[DatasetBoard], columns: Columns, options: BoardOptions
) -> list[DatasetBoard]:
    """Check that the named columns exist and have a direction; leave out empty datasets.

    Raises
    ------
    IqbenchError
        If a column is missing, with the most similar name; or if it has no direction.
    """
    known = {keys for one in found for keys in one.signatures.values()}
    asked = [(options.sort, "metric to sort by", "so it ranks nothing")] if options.sort else []
    asked += [
        (name, "metric of the front", "so no method is better in it")
        for name in options.front or ()
    ]
    for name, kind, why in asked:
        pick([name], known, kind)
        if not columns.ranks(name):
            raise IqbenchError(
                f"{name} has no direction, {why}", hint="Choose a metric whose heading has an arrow"
            )
    return [one for one in found if len(one.rows)]


def _fits(text: str, known: Collection[Keys]) -> bool:
    """Return whether a selector matches a column."""
    try:
        return bool(pick([text], known))
    except IqbenchError:
        return False


def _named(shown: str | Sequence[str]) -> list[str]:
    return [] if isinstance(shown, str) else list(shown)


def _by_dataset(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, rows in frame.groupby("dataset", observed=True):
        yield str(name), rows
