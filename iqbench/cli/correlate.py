"""``iqbench correlate``: correlate metrics with each other, and with human opinion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from iqbench.cli.figure_options import (
    draw_figures,
    figure_options,
    figure_style,
    figures_asked,
    write_figures,
)
from iqbench.cli.options import (
    GivenPath,
    columns_option,
    filter_options,
    format_option,
    results_argument,
    shown_columns,
    suffix_format,
    wanted,
)
from iqbench.cli.streams import print_result, say

if TYPE_CHECKING:
    from iqbench.correlation.inputs import OpinionSource

_LOGISTICS: dict[str | None, Literal[4, 5] | None] = {None: None, "4": 4, "5": 5}
_FIGURES = ("scatter", "spearman", "kendall", "gaps")
"""The figures of `iqbench.correlation.document`, which is slow to import."""


@click.command()
@results_argument
@filter_options
@click.option(
    "--mos",
    metavar="FILE",
    type=GivenPath(dir_okay=False, path_type=Path),
    help="CSV or Parquet of opinions: image, mos[, std, n, distortion, dataset, method], or of "
    "choices: image, judge[, first, second]. If RESULTS is not given, the other columns of "
    "numbers are the metrics. Without --mos, the opinions that are part of datasets are used.",
)
@click.option(
    "--mos-column",
    "mos_columns",
    multiple=True,
    metavar="[ROLE=]NAME",
    help="Name of a column of FILE, if it differs from the names above: dmos, or image=dist_img. "
    "May be repeated.",
)
@click.option(
    "--mos-direction",
    type=click.Choice(["higher", "lower"]),
    help="Whether higher or lower opinions are better; by default higher. For DMOS, both are in "
    "use.",
)
@click.option(
    "--raters",
    type=click.FloatRange(min=1),
    metavar="N",
    help="Number of opinions for each image, if no table gives it.",
)
@click.option(
    "--metric-direction",
    "metric_directions",
    multiple=True,
    metavar="METRIC=higher|lower",
    help="Whether higher or lower values of a metric in FILE are better. May be repeated.",
)
@columns_option("Metrics to use; by default the headline metrics for a terminal, otherwise all.")
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Confidence level of the intervals.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    help="Number of bootstrap resamples of the images; 0 for no intervals.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the resamples.",
)
@click.option(
    "--logistic",
    type=click.Choice(["4", "5"]),
    help="Number of parameters of the logistic that is fitted between metrics and opinions, "
    "reported and drawn; by default both are reported, and the one with 5 is drawn.",
)
@figure_options(_FIGURES)
@format_option()
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=GivenPath(path_type=Path),
    help="Write correlation.parquet, report.md and figures/ to this folder instead of printing; or "
    "one file, if it ends in .md, .csv, .json, .tex, .html or .doc.",
)
@click.option(
    "--figures",
    type=click.Choice(["svg", "pdf", "png"]),
    default="svg",
    show_default=True,
    help="The format of the figures in that folder.",
)
@click.pass_context
def correlate(context: click.Context, /, results: Path, **options: Any) -> None:
    """Correlate metrics with each other, and with human opinion.

    RESULTS is a folder that `iqbench evaluate` wrote; by default results/. Signs are kept: if PSNR
    and LPIPS agree perfectly, their correlation is -1. A metric with a target is used twice, as its
    value and as the distance to the target: tv-ratio and |tv-ratio-1|. A metric with one value for
    a whole set, such as fid, is shown as -.

    \b
    Between metrics: Pearson, Spearman, Kendall's tau-b
      pooled          over all images of all methods and datasets of one protocol
      within dataset  mean over datasets;  within method: mean over the methods of each
      within image    mean tau-b over images: do both metrics rank the methods alike?
    With opinions, by dataset and by distortion:
      SRCC, KRCC, PLCC  Spearman, Kendall, Pearson, signed
      PLCC 4/5, RMSE    after a fitted logistic of 4 or 5 parameters; n >= 8 or 10
      OR 2sd, OR ci     share of images off the curve by more than 2 standard deviations of
                        single opinions, or by more than the 95 % interval of their mean
      AUC, correct      Krasula et al. 2016, needs std and n: telling different pairs from
                        similar ones, better from worse, and share in the right order
      2AFC              mean share of people who choose as the metric does
    Intervals: bootstrap over images; all methods of an image are drawn together. Differences
    between metrics: paired bootstrap, or Williams' test of PLCC where all rows are different
    images, corrected by Holm.
    docs/correlation.md defines every number.

    \b
    Examples:
      iqbench correlate
      iqbench correlate --dataset KADID-10k -o correlation/
      iqbench correlate --metric psnr --metric lpips-alex --format csv
      iqbench correlate results --mos opinions.csv --raters 15
      iqbench correlate --mos csiq.csv --mos-column dmos --mos-direction lower
      iqbench correlate results --mos bapps.parquet --method p0 --method p1
      iqbench correlate --dataset KADID-10k --logistic 4 --figure scatter.pdf --figure-size 17x6cm
    """
    from iqbench.cli.library_warnings import told_warnings
    from iqbench.cli.progress import waiting
    from iqbench.correlation.correlations import read_correlations
    from iqbench.correlation.document import correlation_figures, render_correlations
    from iqbench.correlation.folder import write_correlations
    from iqbench.correlation.inputs import OpinionSource
    from iqbench.document.files import write_text
    from iqbench.document.terminal import Window
    from iqbench.stats.influence import Bootstrap

    output: Path | None = options["output"]
    format = options["format"] or suffix_format(output)
    to_folder = output is not None and format is None
    for_people = format == "table" or (format is None and not to_folder)
    shown = shown_columns(options["columns"], "headline" if for_people else "all")
    asked, style = figures_asked(options["figure"], _FIGURES), figure_style(options)
    source = OpinionSource(
        options["mos"],
        dict(map(_column, options["mos_columns"])),
        options["mos_direction"],
        options["raters"],
    )
    with told_warnings(), waiting("Correlating metrics"):
        found = read_correlations(
            _scores(context, results, source),
            wanted(options),
            shown=shown,
            source=source,
            directions=dict(map(_direction, options["metric_directions"])),
            bootstrap=Bootstrap(options["confidence"], options["resamples"], options["seed"]),
            logistic=_LOGISTICS[options["logistic"]],
        )
        described = [
            (figure, _of_dataset(path, dataset))
            for kind, path in asked
            for dataset, figure in correlation_figures(found, kind)
        ]
        drawn = draw_figures(described, style)
    if to_folder or format in ("csv", "spreadsheet", "json"):  # the others hold these sentences
        for note in found.notes:
            say(f"note: {note}")
    if output is None:
        window = Window.of_stdout()
        text = render_correlations(found, format or "table", window)
        print_result(text, format, color=window.color)
    elif to_folder:
        for path in write_correlations(found, output, figures=options["figures"], style=style):
            say(f"wrote {path}")
    else:
        write_text(output, render_correlations(found, format or "table"))
        say(f"wrote {output}")
    write_figures(drawn)


def _of_dataset(path: Path, dataset: str) -> Path:
    """Add the dataset to the name of a file where there are figures of several."""
    from iqbench.results.paths import slug

    return path.with_stem(f"{path.stem}-{slug(dataset)}") if dataset else path


def _scores(context: click.Context, results: Path, source: OpinionSource) -> Path | None:
    """Take scores from RESULTS, unless a file of opinions has metrics and RESULTS is not named."""
    from click.core import ParameterSource

    from iqbench.results.opinion import read_opinion

    named = context.get_parameter_source("results") is not ParameterSource.DEFAULT
    if source.file is None or named:
        return results
    return None if read_opinion(source.file, source.columns).metrics else results


def _column(text: str) -> tuple[str, str]:
    """Split ROLE=NAME; a name alone is that of the mean opinions."""
    role, equals, name = text.partition("=")
    return (role, name) if equals else ("mos", text)


def _direction(text: str) -> tuple[str, str]:
    from iqbench.results.selector import split_assignment

    metric, direction = split_assignment(text)
    if direction not in ("higher", "lower") or not metric:
        raise click.BadParameter(
            f"{text!r} is not METRIC=higher or METRIC=lower", param_hint="--metric-direction"
        )
    return metric, direction
