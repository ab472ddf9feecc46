"""``iqbench metrics``: list the metrics, and show the definition of each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from iqbench.cli.streams import print_result

if TYPE_CHECKING:
    from iqbench.metrics._registry import Request

__all__ = ["metrics"]

_LISTED = ("metric", "column", "better", "default", "what")

_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@click.group()
def metrics() -> None:
    """Metrics: list, show.

    \b
    Examples:
      iqbench metrics list
      iqbench metrics show lpips-vgg
    """


@metrics.command("list")
@click.option(
    "--from",
    "library",
    metavar="LIBRARY",
    help="List the metrics of another library, which must be installed: piq, torchmetrics or "
    "pyiqa.",
)
@_FORMAT
def list_metrics(library: str | None, form: str) -> None:
    """List all metrics with their columns under default options.

    \b
    Examples:
      iqbench metrics list --format json
      iqbench metrics list --from piq
    """
    import pandas as pd

    from iqbench.document.records import render_records
    from iqbench.document.terminal import Window

    rows = _own_metrics() if library is None else _metrics_of(library)
    window = Window.of_stdout()
    print_result(render_records(pd.DataFrame(rows), form, window=window), form, color=window.color)


def _metrics_of(library: str) -> list[dict[str, str]]:
    """List what another library offers, as it says it."""
    from iqbench.errors import unknown_name
    from iqbench.metrics._registry import libraries
    from iqbench.specs import format_value

    if library not in libraries():
        raise unknown_name("library", library, libraries())
    adapter = libraries()[library]
    adapter.imported()
    offers = [adapter.offer(name) for name in adapter.names()]
    return [
        {
            "metric": f"{library}:{offer.name}",
            "better": offer.direction,
            "needs": offer.needs,
            "scope": offer.scope if offer.scope == "image" else f"{offer.scope} (not taken)",
            "options": "as the library takes them"
            if offer.options is None
            else ",".join(
                f"{name}={format_value(default)}" for name, (_, default) in offer.options.items()
            ),
        }
        for offer in offers
    ]


def _own_metrics() -> list[dict[str, str]]:
    """List the metrics of this package and of plug-ins."""
    from iqbench.errors import IqbenchError
    from iqbench.metrics._registry import (
        DEFAULT_METRICS,
        columns_of_metric,
        metric_classes,
        package_of,
        resolve_metrics,
    )

    defaults = {request.column.name for request in resolve_metrics(DEFAULT_METRICS)}
    rows = []
    for name, metric in metric_classes().items():
        package = package_of(metric)
        try:
            columns = columns_of_metric(metric())
        except IqbenchError as error:  # of a plug-in: the others are listed
            rows.append({"metric": name, "what": str(error)})
            continue
        rows += [
            {
                "metric": name,
                "column": column.name,
                "better": column.direction,
                "default": "yes" if column.name in defaults else "",
                "what": f"{column.summary} (package {package})" if package else column.summary,
            }
            for column in columns
        ]
    return [{key: row.get(key, "") for key in _LISTED} for row in rows]


def _definitions(requests: Sequence[Request]) -> Iterator[str]:
    """Give the metric's docstring, and what columns say of themselves in other words."""
    metric = requests[0].metric
    own = inspect.cleandoc(vars(type(metric)).get("__doc__") or "").replace("``", "`")
    if own:
        yield own
    of_columns: dict[str, list[str]] = {}
    for item in requests:
        if item.column.definition:
            of_columns.setdefault(item.column.definition, []).append(item.column.name)
    for text, names in of_columns.items():
        yield text if len(of_columns) == 1 and not own else f"{', '.join(names)}: {text}"
    for item in requests:
        margin = item.column.margin
        if margin is not None and margin.reason:
            yield f"Margin of {item.column.name} in checks: {margin}, {margin.reason}"


@metrics.command("show")
@click.argument("spec")
@_FORMAT
def show_metric(spec: str, form: str) -> None:
    """Show a metric's definition, source, options and columns. SPEC is a spec or a column.

    For a metric of another package, show the package and its description of the metric.

    \b
    Examples:
      iqbench metrics show ssim
      iqbench metrics show perceptual:net=vgg19,layers=conv5_4
      iqbench metrics show lpips-vgg
    """
    import pandas as pd

    from iqbench.document.records import render_records
    from iqbench.document.terminal import Window
    from iqbench.metrics._registry import package_of, resolve_metrics
    from iqbench.specs import format_value

    requests = resolve_metrics([spec])
    metric = requests[0].metric
    columns = pd.DataFrame(
        [
            {
                "column": item.column.name,
                "better": item.column.direction,
                "role": item.role,
                "margin": "" if item.column.margin is None else str(item.column.margin),
                "what": item.column.summary,
            }
            for item in requests
        ]
    )
    window = Window.of_stdout()
    table = render_records(columns, form, window=window)
    if form == "json":
        print_result(table, form)
        return
    package = package_of(type(metric))
    click.echo(f"{metric.name}, version {metric.version}{f', of {package}' if package else ''}\n")
    click.echo(f"{metric.summary}.\n")
    for text in _definitions(requests):
        click.echo(f"{text}\n")
    click.echo(f"Needs: {metric.needs}. One value of each {metric.scope}.")
    click.echo(f"Source: {metric.citation}")
    for name, value in metric.chosen():
        click.echo(f"Option {name} = {format_value(value) or '(none)'}")
    click.echo()
    print_result(table, color=window.color)
    whole = [item.column.name for item in requests if item.needs_whole_images]
    if whole:
        click.echo(f"\nNot streamed: {', '.join(whole)}. Memory grows with the size of the image.")
