"""Selectors: the syntax in which commands and functions name a column of values.

``psnr`` selects every column of a metric, ``psnr[protocol=sr-y:scale=4]`` those with this protocol
in the signature. The heading of a column contains the fields that distinguish it from other columns
of its metric; it is a selector, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.signature import headings, parse_signature

__all__ = [
    "Keys",
    "Selector",
    "most_telling",
    "pick",
    "refusal",
    "select",
    "select_one",
    "split_assignment",
    "split_selectors",
]

Keys = tuple[str, str]
"""A column of values: its metric, and its signature."""

_VERSION = re.compile(r"/[0-9]+")


@dataclass(frozen=True)
class Selector:
    """A metric, and what the signature of a column must say.

    Attributes
    ----------
    metric
        Name of the metric.
    said
        What stands in the brackets; empty for every column of the metric.
    """

    metric: str
    said: str = ""

    @classmethod
    def of(cls, text: str) -> Selector:
        """Read ``metric`` or ``metric[field=value, field=value]``."""
        metric, bracket, rest = text.strip().partition("[")
        if bracket and rest.endswith("]") and metric.strip():
            return cls(metric.strip(), rest[:-1].strip())
        return cls(text.strip())

    def fits(self, metric: str, signature: str) -> bool:
        """Say whether a column is meant.

        A protocol may be named with its version or without. ``no view`` asks for signatures that
        lack a field.
        """
        if metric != self.metric:
            return False
        if not self.said or self.said == signature:
            return True
        try:
            fields = parse_signature(signature)
        except ValueError:
            return False
        wanted = _fields(self.said, fields)
        return wanted is not None and all(
            _same(name, value, fields.get(name)) for name, value in wanted.items()
        )

    def __str__(self) -> str:
        return f"{self.metric}[{self.said}]" if self.said else self.metric


def split_selectors(text: str) -> list[str]:
    """Split a list at its commas, but not at those in brackets.

    Raises
    ------
    IqbenchError
        Where a bracket is not closed.
    """
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    if depth:
        raise IqbenchError(
            f"{text!r} has an unmatched bracket",
            hint="Write psnr[protocol=sr-y:scale=4],ssim",
        )
    return [part.strip() for part in parts if part.strip()]


def split_assignment(text: str) -> tuple[str, str]:
    """Split ``NAME=VALUE`` at its first sign that is not in brackets; no value without one.

    ``psnr[protocol=rgb]=PSNR`` gives ``psnr[protocol=rgb]`` and ``PSNR``.
    """
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "[") - (sign == "]")
        if sign == "=" and not depth:
            return text[:place].strip(), text[place + 1 :].strip()
    return text.strip(), ""


def most_telling(texts: Iterable[str], keys: Keys, heading: str = "") -> str | None:
    """Choose the longest of the selectors that mean a column; None where none does.

    Parameters
    ----------
    texts
        Selectors, or headings.
    keys, heading
        Of the column.
    """
    fitting = [text for text in texts if text == heading or Selector.of(text).fits(*keys)]
    return max(fitting, key=len, default=None)


def select(text: str, columns: Mapping[str, Keys]) -> list[str]:
    """Name the columns that a selector means.

    Parameters
    ----------
    text
        A selector or a heading.
    columns
        By heading, metric and signature.
    """
    if text in columns:
        return [text]
    selector = Selector.of(text)
    return [heading for heading, keys in columns.items() if selector.fits(*keys)]


def select_one(text: str, columns: Mapping[str, Keys], where: str) -> str | None:
    """Name the one column that a selector means; None where there is none.

    Parameters
    ----------
    text, columns
        As for `select`.
    where
        What has the columns, for the error: ``dataset Set5``.

    Raises
    ------
    IqbenchError
        Where it means several, naming them.
    """
    found = select(text, columns)
    if len(found) > 1:
        raise IqbenchError(
            f"{text} has several columns on {where}: {', '.join(found)}",
            hint="Name one of these, or choose with --protocol or --precision",
        )
    return found[0] if found else None


def pick(texts: Sequence[str], known: Iterable[Keys], kind: str = "metric") -> set[Keys]:
    """Pick the columns that selectors mean.

    Parameters
    ----------
    texts
        Selectors, or headings of the known columns.
    known
        All columns that there are.
    kind
        What messages call a selector: ``metric to sort by``.

    Raises
    ------
    IqbenchError
        For a selector that means none of the known columns, naming the choices.
    """
    columns = list(dict.fromkeys(known))
    heads = headings(columns)
    picked: set[Keys] = set()
    for text in texts:
        selector = Selector.of(text)
        found = {keys for keys in columns if selector.fits(*keys) or heads[keys] == text}
        if not found:
            raise refusal(selector, columns, kind)
        picked |= found
    return picked


def refusal(selector: Selector, known: Iterable[Keys], kind: str = "metric") -> IqbenchError:
    """Refuse a selector that means no known column; the hint names those of its metric."""
    columns = list(dict.fromkeys(known))
    own = [keys for keys in columns if keys[0] == selector.metric]
    if not own:
        return unknown_name(kind, selector.metric, {metric for metric, _ in columns})
    choices = [_described(keys, heading) for keys, heading in headings(own).items()]
    return IqbenchError(
        f"no column fits {kind} {str(selector)!r}", hint=f"There is {' and '.join(sorted(choices))}"
    )


def _described(keys: Keys, heading: str) -> str:
    """Name a column; one that is alone, with the fields that could be asked for."""
    metric, signature = keys
    if heading != metric:
        return heading
    try:
        fields = parse_signature(signature)
    except ValueError:
        return metric
    said = ", ".join(f"{name}={value}" for name, value in fields.items() if name != "metric")
    return f"{metric} [{said}]"


def _fields(said: str, known: Iterable[str]) -> dict[str, str | None] | None:
    """Split what is said at the commas between fields; values may have commas of their own."""
    names = set(known)
    fields: dict[str, str | None] = {}
    last = ""
    for part in said.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if equals and name in names:
            fields[name] = value
            last = name
        elif not equals and name.startswith("no "):
            fields[name.removeprefix("no ").strip()] = None
            last = ""
        elif last:
            fields[last] = f"{fields[last]},{part.rstrip()}"
        else:
            return None
    return fields


def _same(name: str, wanted: str | None, found: str | None) -> bool:
    if wanted is None or found is None:
        return wanted is found
    bare = found.rpartition("/")[0] if _VERSION.fullmatch(found[found.rfind("/") :]) else found
    return wanted == found or (name == "protocol" and wanted == bare)
