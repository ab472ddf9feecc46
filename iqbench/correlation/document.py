"""The correlation report as a document: sentences, matrices, tables and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from iqbench.correlation.agreement import ranking_agreement
from iqbench.correlation.between import POOLED, matrix
from iqbench.correlation.correlations import Correlations
from iqbench.correlation.metric_table import MetricTable
from iqbench.correlation.tables import (
    MATRICES,
    Matrix,
    lower_half,
    square,
    tables,
    used_metrics,
)
from iqbench.correlation.variation_gaps import ALL_PERCEPTUAL, variation_names
from iqbench.correlation.words import sentences
from iqbench.document.figure import Axis, Dumbbells, Figure, Heatmap, Panel, Scatter
from iqbench.document.frames import columns_of
from iqbench.document.model import Document, Section
from iqbench.document.render import render
from iqbench.document.terminal import Window
from iqbench.errors import IqbenchError, unknown_name
from iqbench.stats.coefficients import associate
from iqbench.stats.logistic import fit_logistic

__all__ = [
    "FIGURES",
    "agreement_sections",
    "correlation_document",
    "correlation_figures",
    "facts",
    "matrix_sections",
    "render_correlations",
]

FIGURES = ("scatter", "spearman", "kendall", "gaps")
"""Names of the figures: opinion over metrics, two matrices, and variation-perception gaps."""

_MORE_MATRICES: tuple[Matrix, ...] = (
    ("within dataset", "pearson", "Pearson within datasets"),
    ("within method", "spearman", "Spearman within methods"),
)
_LACKING = {
    "scatter": "there are no mean opinions of the images",
    "spearman": "it needs two metrics and three outputs of a dataset",
    "kendall": "it needs two metrics and two methods",
    "gaps": "it needs total variation and a perceptual distance",
}
_GAPS = "Total variation against perceptual distance"
_MOST_POINTS = 3000  # a figure with more takes seconds to open
_CURVE_POINTS = 300


def render_correlations(found: Correlations, format: str, window: Window | None = None) -> str:
    """Render correlations, see `iqbench.document.render.render`."""
    document = correlation_document(found)
    if format == "table":
        notes = [
            "Intervals and definitions: iqbench correlate --help; all numbers: --format csv, "
            "all scopes and figures: -o DIR"
        ]
        if found.hidden:
            notes.append(f"{found.hidden} more metric{'s' * (found.hidden != 1)}: --columns all")
        document = replace(document, title="", notes=notes)
    return render(document, format, window=window)


def correlation_document(found: Correlations) -> Document:
    """Arrange correlations as a document. A terminal omits details that are for reports."""
    return Document(
        list(_sections(found)),
        title="Correlation of metrics",
        facts=facts(found),
        points=sentences(found),
        notes=["Every number is defined in docs/correlation.md of iqbench."],
        records=found.rows(),
        level=1,
    )


def correlation_figures(found: Correlations, kind: str) -> list[tuple[str, Figure]]:
    """Describe the figures of one kind.

    Parameters
    ----------
    found
        The correlations.
    kind
        One of `FIGURES`.

    Returns
    -------
    list
        Each figure with the name of its dataset, which is empty unless there are several figures.

    Raises
    ------
    IqbenchError
        If the kind is unknown, or there is nothing to draw.
    """
    if kind not in FIGURES:
        raise unknown_name("figure", kind, FIGURES)
    sections = _sections(found)
    made = [one.figure for one in sections if one.figure and one.figure.name.startswith(kind)]
    if not made:
        raise IqbenchError(f"there is no figure {kind}: {_LACKING[kind]}")
    if kind != "scatter" or len(made) == 1:
        return [("", one) for one in made]
    datasets = sorted(set(found.opinions["dataset"].astype(str)))
    return list(zip(datasets, made, strict=True))


def agreement_sections(found: Correlations) -> Iterator[tuple[str, list[Section]]]:
    """Show, for each dataset, how metrics agree with people: coefficients and scatter plots.

    Parameters
    ----------
    found
        The result of `iqbench.correlation.correlations.read_agreement`.
    """
    for number, dataset in enumerate(dict.fromkeys(found.opinion["dataset"])):
        own = replace(
            found,
            opinion=found.opinion[found.opinion["dataset"] == dataset],
            opinions=found.opinions[found.opinions["dataset"] == dataset],
            differences=found.differences.iloc[:0],
        )
        sections = list(_sections(own))
        for place, section in enumerate(sections):
            if section.figure is not None:
                figure = replace(section.figure, name=f"people-{number}-{place}")
                sections[place] = replace(section, figure=figure)
        yield str(dataset), sections


def matrix_sections(table: MetricTable, suffix: str = "") -> Iterator[Section]:
    """Show correlations between the metrics of one dataset, as heat maps and tables.

    Parameters
    ----------
    table
        The scores of one dataset. For one dataset, these are the coefficients of `MATRICES`.
    suffix
        Suffix of the figures' names, so that those of several datasets differ.
    """
    values = table.values.to_numpy(np.float64)
    together = np.zeros(len(values), dtype=np.intp)
    names = np.array(table.names, dtype=object)
    for coefficient, title, found in (
        (
            *("spearman", "Spearman over images and methods"),
            associate(values, together, 1, "spearman", influences=False),
        ),
        ("kendall", "Kendall within images", ranking_agreement(table.values, table.contents)),
    ):
        pairs = {"first": names[found.first], "second": names[found.second], "value": found.value}
        rows = pd.DataFrame({**pairs, "coefficient": coefficient})
        whole = used_metrics(matrix(rows, table.names, coefficient))
        if len(whole):
            figure = _heatmap(whole, f"{coefficient}{suffix}", title, table.sources)
            yield Section(title, columns=lower_half(whole, table.sources), figure=figure)


def facts(found: Correlations) -> str:
    """Describe in one line the rows, images and intervals of the correlations."""
    index = found.table.values.index
    if found.table.values.empty:
        return f"{found.opinion['n'].max():.0f} choices"
    datasets, methods = (sorted(set(index.get_level_values(k))) for k in ("dataset", "method"))
    images = len(index.to_frame(index=False)[["dataset", "image"]].drop_duplicates())
    facts = [
        ", ".join(datasets),
        f"{len(methods)} methods" if len(methods) > 1 else "",
        *(
            f"{count} {what}{'s' * (count != 1)}"
            for count, what in (
                (images, "image"),
                (len(index), "row"),
                (len(found.table.names), "metric"),
            )
        ),
    ]
    if found.bootstrap.resamples:
        facts.append(
            f"{found.bootstrap.confidence:.0%} intervals of {found.bootstrap.resamples} resamples"
        )
    return "; ".join(fact for fact in facts if fact)


def _sections(found: Correlations) -> Iterator[Section]:
    figures: dict[str, Heatmap | Scatter] = {
        title: _heatmap(values, f"{coefficient}-{scope.replace(' ', '-')}", title)
        for scope, coefficient, title in MATRICES
        if len(values := square(found, scope, coefficient))
    }
    figures |= {scatter.title: scatter for scatter in _scatters(found)}
    brief = {title for title, _ in tables(found, MATRICES)}
    for title, columns in tables(found, (*MATRICES, *_MORE_MATRICES)):
        figure = figures.pop(title, None)
        yield Section(title, columns=columns, level=2, figure=figure, more=title not in brief)
    for place, rows in found.between[found.between["scope"] == POOLED].groupby("dataset"):
        values = square(replace(found, between=rows), POOLED, "spearman")
        title = f"Spearman, pooled over {place}"
        yield Section(title, columns=lower_half(values), level=2, more=True)
    if len(found.parting):
        gaps = found.parting[found.parting["perceptual"] == ALL_PERCEPTUAL]
        frame = gaps.drop(columns=["perceptual", "perceptual_mean"])
        table = columns_of(frame, 3)
        yield Section(_GAPS, columns=table, level=2, figure=_dumbbells(found, gaps), more=True)
    if len(found.differences):
        title = "Differences between metrics in their agreement with people"
        yield Section(title, columns=columns_of(found.differences), level=2, more=True)
    for title, figure in figures.items():
        yield Section(title, level=2, figure=figure, more=True)


def _heatmap(
    values: pd.DataFrame, name: str, title: str, sources: Mapping[str, str] | None = None
) -> Heatmap:
    names = [str(name) for name in values.columns]
    lower = values.to_numpy(np.float64)[1:, :-1]
    return Heatmap(name, title, names[1:], names[:-1], lower, sources or {})


def _dumbbells(found: Correlations, gaps: pd.DataFrame) -> Dumbbells | None:
    """Show the mean places of methods or distortions by total variation and perception."""
    variation = variation_names(found.table.names)[0]
    rows = gaps[gaps["variation"] == variation]
    if rows.empty:
        return None
    rows = rows.sort_values("value", kind="stable").reset_index(drop=True)
    several = rows["dataset"].nunique() > 1
    names = [
        f"{row['group']} ({row['dataset']})" if several else str(row["group"])
        for _, row in rows.iterrows()
    ]
    ends = {
        f"total variation ({variation})": rows["variation_place"].to_numpy(np.float64),
        "perceptual distance": rows["perceptual_place"].to_numpy(np.float64),
    }
    label = "place on average: 0 nearest to the reference, 1 farthest"
    return Dumbbells("gaps", _GAPS, names, ends, label)


def _scatters(found: Correlations) -> Iterator[Scatter]:
    """Plot opinion over every metric with the fitted logistic, coloured by distortion."""
    if "mos" in found.opinions:
        for number, (dataset, part) in enumerate(found.opinions.groupby("dataset", sort=True)):
            metrics = [name for name in found.table.names if part[name].notna().any()]
            title = f"Agreement with people on {dataset}"
            panels = [_panel(found, str(dataset), part, metric) for metric in metrics]
            groups = sorted({name for panel in panels for name in panel.groups})
            yield Scatter(f"scatter-{number}", title, panels, groups, shared=True)


def _panel(found: Correlations, dataset: str, table: pd.DataFrame, metric: str) -> Panel:
    """Plot the finite rows, at most 3,000 of them chosen at random. The curve fits all rows."""
    known = np.isfinite(table[[metric, "mos"]].to_numpy(np.float64)).all(axis=1)
    x, y = (table.loc[known, name].to_numpy(np.float64) for name in (metric, "mos"))
    shown = np.arange(len(x))
    if len(x) > _MOST_POINTS:
        shown = np.random.default_rng(0).choice(len(x), _MOST_POINTS, replace=False)
    groups: list[str] = []
    if "distortion" in table and table["distortion"].nunique() > 1:
        kinds = table.loc[known, "distortion"].astype(object)
        kinds = kinds.where(kinds.notna(), "other").astype(str)
        groups = [kinds.iloc[at] for at in shown]
    fit = fit_logistic(x, y, found.logistic)
    curve = None
    if fit is not None:
        across = np.linspace(x.min(), x.max(), _CURVE_POINTS)
        curve = (across, fit.at(across))
    caption = _caption(found, dataset, metric)
    return Panel(Axis(metric), Axis("opinion"), x[shown], y[shown], curve, caption, groups)


def _caption(found: Correlations, dataset: str, metric: str) -> str:
    """Return the coefficients of a panel, as the tables report them."""
    rows = found.opinion
    own = rows[
        (rows["dataset"] == dataset) & (rows["metric"] == metric) & (rows["distortion"] == "")
    ]
    values = dict(zip(own["statistic"], own["value"], strict=True))
    plain, fitted = (
        values.get(name, np.nan) for name in ("plcc", f"plcc-logistic{found.logistic}")
    )
    told = [f"PLCC {plain:.3f}"] if np.isfinite(plain) else []
    told += [f"{fitted:.3f} after logistic {found.logistic}"] if np.isfinite(fitted) else []
    return ", ".join(told)
