"""Values of single images from JSON, lines of JSON, or YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iqbench.errors import IqbenchError
from iqbench.explain.names import Names
from iqbench.explain.printed import read_printed
from iqbench.explain.values_file.headings import (
    IMAGE_COLUMNS,
    is_absent,
    is_image_heading,
    is_summary,
    metric_of,
)
from iqbench.yaml_file import parse_yaml

__all__ = ["rows_of_json", "rows_of_yaml"]

Row = tuple[str, str, str]
DEEPEST = 20


def rows_of_json(path: Path, text: str, metrics: Sequence[str], names: Names) -> Iterator[Row]:
    """Yield image, metric and number from JSON, or from a line of JSON for each image.

    Raises
    ------
    IqbenchError
        If it is neither.
    """
    try:
        content = _load(path, text)
    except ValueError as error:
        try:
            content = [_load(path, line) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise IqbenchError(f"{path} is no JSON: {error}") from error
    except RecursionError as error:
        raise IqbenchError(f"{path} is nested too deeply") from error
    yield from _rows(path, content, metrics, names)


def rows_of_yaml(path: Path, text: str, metrics: Sequence[str], names: Names) -> Iterator[Row]:
    """Yield image, metric and number from YAML.

    Raises
    ------
    IqbenchError
        If it is not YAML, or as `iqbench.yaml_file.read_yaml`.
    """
    # Numbers stay text: their digits say how precise they are.
    content = parse_yaml(path, text, numbers_as_text=True)
    yield from _rows(path, content, metrics, names)


def _load(path: Path, text: str) -> Any:
    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        known = dict(pairs)
        if len(known) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise IqbenchError(f"{path}: {twice!r} stands twice in one object")
        return known

    # Numbers stay text: their digits say how precise they are.
    return json.loads(
        text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=unique
    )


def _rows(path: Path, content: Any, metrics: Sequence[str], names: Names) -> Iterator[Row]:
    if not isinstance(content, Mapping | list):
        raise IqbenchError(f"{path} is neither an object nor a list")
    yield from _of_node(path, content, metrics, names, 0)


def _of_node(
    path: Path, node: Any, metrics: Sequence[str], names: Names, depth: int
) -> Iterator[Row]:
    """Yield the values in an object or list, and in those inside it."""
    if depth > DEEPEST:
        raise IqbenchError(f"{path} is nested too deeply")
    if isinstance(node, Mapping):
        yield from _of_object(path, node, metrics, names, depth)
    elif isinstance(node, list):
        for item in node:
            if isinstance(item, Mapping) and not _has_image(item) and _own(item, metrics):
                raise IqbenchError(
                    f"{path}: an object names no image",
                    hint=f"Call it {' or '.join(IMAGE_COLUMNS[:3])}",
                )
            if isinstance(item, list) and len(item) == len(metrics) + 1:
                yield from _of_row(item, metrics, names)
            else:
                yield from _of_node(path, item, metrics, names, depth + 1)


def _of_row(item: Sequence[Any], metrics: Sequence[str], names: Names) -> Iterator[Row]:
    """Yield the values of ``[name, number, ...]``."""
    for metric, number in zip(metrics, item[1:], strict=True):
        yield from _named([(item[0], number)], metric, names)


def _of_object(
    path: Path, node: Mapping[str, Any], metrics: Sequence[str], names: Names, depth: int
) -> Iterator[Row]:
    own = _own(node, metrics)
    if own and _has_image(node):
        image = next(node[key] for key in node if is_image_heading(key))
        for own_metric, number in own:
            if not isinstance(image, list):
                yield from _named([(image, number)], own_metric, names)
            elif isinstance(number, list) and len(number) == len(image):
                yield from _named(zip(image, number, strict=True), own_metric, names)
            else:
                raise IqbenchError(f"{path}: {own_metric} has not one value for each image")
        return
    for key, value in node.items():
        metric = metric_of(key, metrics)
        if isinstance(value, Mapping) and metric is not None:
            yield from _named(value.items(), metric, names)
        elif isinstance(value, Mapping) and not _has_image(value) and _own(value, metrics):
            for own_metric, number in _own(value, metrics):
                yield from _named([(key, number)], own_metric, names)
        elif isinstance(value, Mapping | list):
            yield from _of_node(path, value, metrics, names, depth + 1)
        elif metric is None and len(metrics) == 1 and _is_value(key, value, names):
            yield from _named([(key, value)], metrics[0], names)


def _named(values: Iterable[tuple[Any, Any]], metric: str, names: Names) -> Iterator[Row]:
    """Yield the values of one metric by image, without means over all of them."""
    for image, number in values:
        text = "" if number is None else str(number)
        if not is_summary(str(image), names) and not is_absent(text):
            yield str(image), metric, text


def _own(node: Mapping[str, Any], metrics: Sequence[str]) -> list[tuple[str, Any]]:
    """Return metric and value of the entries of an object that are values of a metric."""
    found = [(metric_of(key, metrics), value) for key, value in node.items()]
    return [
        (metric, value)
        for metric, value in found
        if metric is not None and not isinstance(value, Mapping)
    ]


def _has_image(node: Mapping[str, Any]) -> bool:
    return any(is_image_heading(key) and not isinstance(node[key], Mapping) for key in node)


def _is_value(key: str, value: Any, names: Names) -> bool:
    """Tell whether an entry is the value of an image, whose name may be wrong."""
    if names.find(key) is not None:
        return True
    try:
        read_printed(str(value))
    except IqbenchError:
        return False
    return True
