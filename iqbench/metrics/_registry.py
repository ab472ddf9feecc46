"""Metrics by name: those of this folder, and those of other packages by entry points."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TypeGuard

import iqbench.metrics
import iqbench.metrics._libraries
from iqbench.classes import is_class
from iqbench.columns import ColumnRole
from iqbench.errors import IqbenchError, exits_as_errors, unknown_name
from iqbench.metrics._base import Column, Metric
from iqbench.metrics._library import Library, LibraryMetric
from iqbench.plugins import name_attribute, or_left_out, package_of_entry_point, plugins
from iqbench.specs import build, parse_spec, spec_text

__all__ = [
    "DEFAULT_METRICS",
    "Request",
    "blamed_on",
    "check_name",
    "columns_of_metric",
    "libraries",
    "metric_classes",
    "named",
    "package_of",
    "resolve_column",
    "resolve_metrics",
    "stem_of",
]

ENTRY_POINTS = "iqbench.metrics"
LIBRARY_ENTRY_POINTS = "iqbench.libraries"
DEFAULT_METRICS = ("psnr", "ssim", "tv", "perceptual", "lpips:net=alex", "lpips:net=vgg")

_OPTION = re.compile(r"-(?=[a-z_]+=)")
_SECTION = re.compile(r"\n\n[A-Z][A-Za-z ]*\n-{3,}(?:\n|$)")
"""The start of the first section of a numpydoc docstring, such as its attributes."""

_PACKAGES: dict[type[Metric], str] = {}
"""The package of each metric from an entry point."""


@dataclass(frozen=True)
class Request:
    """A column to compute, and its metric."""

    metric: Metric
    column: Column

    @property
    def needs_whole_images(self) -> bool:
        """Whether the column needs whole images, so that memory grows with the image."""
        return any(tap.whole for tap in self.column.taps)

    @property
    def role(self) -> ColumnRole:
        """The role of the column."""
        return self.column.role or self.metric.role

    @property
    def definition(self) -> str:
        """The definition of the column: paragraphs without markup, separated by empty lines."""
        if self.column.definition:
            return self.column.definition
        # Do not use the docstring of a base class.
        text = inspect.cleandoc(vars(type(self.metric)).get("__doc__") or "")
        prose = _SECTION.split(text, maxsplit=1)[0]
        paragraphs = (" ".join(part.split()) for part in prose.split("\n\n"))
        return "\n\n".join(part.replace("`", "") for part in paragraphs if part)


@cache
def metric_classes() -> dict[str, type[Metric]]:
    """Return every metric by name: first those of this folder, then those of other packages.

    Warns
    -----
    IqbenchWarning
        About an entry point that cannot be used. It is left out.
    """
    found: list[type[Metric]] = []
    for module in pkgutil.iter_modules(iqbench.metrics.__path__):
        if not module.name.startswith("_"):
            members = vars(import_module(f"iqbench.metrics.{module.name}")).values()
            found += [
                member
                for member in members
                if _is_metric(member) and member.__module__ == f"iqbench.metrics.{module.name}"
            ]
    classes = {metric.name: metric for metric in found}
    for point, plugin in plugins(ENTRY_POINTS, "Metric", _is_metric, classes, name_attribute):
        _PACKAGES[plugin] = package_of_entry_point(point)
        classes[plugin.name] = plugin
    return classes


@cache
def libraries() -> dict[str, Library]:
    """Return the adapters of other libraries by name, also if a library is not installed.

    Warns
    -----
    IqbenchWarning
        About an entry point that cannot be used. It is left out.
    """
    adapters: list[Library] = []
    for module in pkgutil.iter_modules(iqbench.metrics._libraries.__path__):
        path = f"{iqbench.metrics._libraries.__name__}.{module.name}"
        members = vars(import_module(path)).values()
        adapters += [item() for item in members if _is_adapter(item) and item.__module__ == path]
    found = {adapter.name: adapter for adapter in adapters}
    for point, plugin in plugins(
        LIBRARY_ENTRY_POINTS, "Library", _is_adapter, found, name_attribute
    ):
        with or_left_out(point):
            found[plugin.name] = plugin()
    return found


def check_name(name: str) -> None:
    """Refuse a name that no metric and no library of metrics has; options after it are not read.

    Raises
    ------
    IqbenchError
        If it is unknown.
    """
    if name.partition(":")[0] not in {*metric_classes(), *libraries()}:
        raise unknown_name("metric", name, metric_classes())


def named(metric: type[Metric]) -> str:
    """Return the name of a metric for messages, with its package if it is not from iqbench."""
    package = package_of(metric)
    return f"metric {metric.name}" + (f" (package {package})" if package else "")


def columns_of_metric(metric: Metric) -> tuple[Column, ...]:
    """Return the columns of a metric.

    Raises
    ------
    IqbenchError
        If the code of the metric fails. The error names the metric and its package.
    """
    with blamed_on(metric):
        return metric.columns()


@contextmanager
def blamed_on(metric: Metric) -> Iterator[None]:
    """Convert errors in the code of a metric to errors that name its package.

    Raises
    ------
    IqbenchError
        Instead of any other exception.
    """
    try:
        with exits_as_errors():
            yield
    except IqbenchError:
        raise
    except Exception as error:
        raise IqbenchError(
            f"{named(type(metric))} cannot be used: {type(error).__name__}: {error}",
            hint="Leave it out, or fix or remove its package",
        ) from error


def package_of(metric: type[Metric]) -> str:
    """Return the package of a metric with its version; empty for metrics of iqbench.

    Parameters
    ----------
    metric
        A class of `metric_classes`, or of a library.
    """
    if issubclass(metric, LibraryMetric):
        library = metric.library
        return f"{library.distribution} {library.version()}"
    metric_classes()  # a worker that was sent the metric has not looked for it
    return _PACKAGES.get(metric, "")


def _is_adapter(value: object) -> TypeGuard[type[Library]]:
    """Return whether a value is an adapter class."""
    return is_class(value) and issubclass(value, Library)


def _is_metric(value: object) -> TypeGuard[type[Metric]]:
    """Return whether a value is a metric class."""
    return is_class(value) and issubclass(value, Metric)


def resolve_metrics(
    specs: Iterable[str], variants: Mapping[str, str] | None = None
) -> tuple[Request, ...]:
    """Convert metric specs and column names to the columns to compute.

    Parameters
    ----------
    specs
        Each ``name``, ``name:key=value,...`` or the name of a column.
    variants
        The specs that a protocol uses for names without options.

    Returns
    -------
    tuple of Request
        In the given order, without duplicates.

    Raises
    ------
    IqbenchError
        If a metric, column, option, network or layer is unknown; with the most similar name.
    """
    requests: dict[str, Request] = {}
    for spec in specs:
        for request in _resolve((variants or {}).get(spec_text(spec), spec)):
            requests.setdefault(request.column.name, request)
    if not requests:
        raise IqbenchError("no metric is given", hint="Give at least one, such as psnr")
    return tuple(requests.values())


def stem_of(column: str) -> str:
    """Return the name of a column without its options: ``psnr`` for ``psnr-epsilon=1e-08``."""
    return _OPTION.split(column)[0]


def resolve_column(spec: str, variants: Mapping[str, str] | None = None) -> Request:
    """Convert a metric spec or column name to one column.

    Parameters
    ----------
    spec
        If the metric has several columns, this means the one with the name of the metric.
    variants
        As for `resolve_metrics`.

    Raises
    ------
    IqbenchError
        If there is no such metric, or it has several columns and none has its name.
    """
    requests = resolve_metrics([spec], variants)
    for request in requests:
        if len(requests) == 1 or stem_of(request.column.name) == request.metric.name:
            return request
    names = ", ".join(request.column.name for request in requests)
    raise IqbenchError(f"{spec} has several columns: {names}", hint="Name one of them")


def _resolve(spec: str) -> list[Request]:
    """Return the columns of one spec."""
    spec = spec_text(spec)
    library, colon, rest = spec.partition(":")
    if colon and library in libraries():
        return _resolve_foreign(libraries()[library], rest)
    if library in libraries():
        raise IqbenchError(
            f"{library!r} is a library, not a metric",
            hint=f"Name one of its metrics, {library}:NAME: iqbench metrics list --from {library}",
        )
    classes = metric_classes()
    name, options = parse_spec(spec)
    if name in classes:
        metric = build(classes[name], options, where=f"metric {name!r}")
        return [Request(metric, column) for column in columns_of_metric(metric)]
    stem, *suffixes = _OPTION.split(spec)
    extra = dict(suffix.split("=", 1) for suffix in suffixes)
    for metric_class in classes.values():
        parsed = None
        with suppress(Exception):  # errors of a package must not block the metrics of others
            parsed = metric_class.parse_column(stem)
        if parsed is not None:
            metric = build(metric_class, parsed | extra, where=f"metric {metric_class.name!r}")
            wanted = [column for column in columns_of_metric(metric) if column.name == spec]
            if wanted:
                return [Request(metric, wanted[0])]
    known = set(classes)
    for default in DEFAULT_METRICS:
        known |= {request.column.name for request in _resolve(default)}
    raise unknown_name("metric", name, known)


def _resolve_foreign(library: Library, rest: str) -> list[Request]:
    """Return the column of another library's metric: ``name:key=value`` or ``name-key=value``."""
    stem, *suffixes = _OPTION.split(rest)
    if suffixes and ":" not in rest:
        metric = library.build(stem, dict(suffix.split("=", 1) for suffix in suffixes))
    else:
        metric = library.metric(rest)
    return [Request(metric, column) for column in metric.columns()]
