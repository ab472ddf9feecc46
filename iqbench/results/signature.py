"""Signatures: one readable line that says how a value was computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = [
    "FILE",
    "GRAY_OUTPUT",
    "differing_fields",
    "gray_output_of",
    "headings",
    "parse_signature",
    "peak_of",
    "signature",
    "without_file",
]

FILE = "file"
"""The field that says of which file a value was imported."""

GRAY_OUTPUT = "gray-output"
"""The field that says how gray outputs of colour references were read, where that is said."""

# The backslash comes first: escaping must not touch its own escapes.
_ESCAPES = (("\\", "\\\\"), ("|", "\\p"), ("=", "\\e"), ("\n", "\\n"))


def signature(fields: Mapping[str, str]) -> str:
    """Write fields as one canonical line, in their order.

    Parameters
    ----------
    fields
        Names and values, e.g. ``{"metric": "psnr", "version": "1", "view": "rgb"}``.

    Returns
    -------
    str
        ``metric=psnr|version=1|view=rgb``. Equal fields in equal order give equal text, and
        different ones different text: ``|``, ``=``, backslash and newline are escaped.
    """
    return "|".join(f"{_escape(name)}={_escape(value)}" for name, value in fields.items())


def parse_signature(text: str) -> dict[str, str]:
    """Read a signature back.

    Parameters
    ----------
    text
        What `signature` wrote.

    Returns
    -------
    dict
        Names and values in their order.

    Raises
    ------
    ValueError
        Where the text is not a signature.
    """
    fields: dict[str, str] = {}
    for item in text.split("|") if text else []:
        name, equals, value = item.partition("=")
        if not equals or "=" in value:
            raise ValueError(f"not a signature: {text!r}")
        fields[_unescape(name)] = _unescape(value)
    return fields


def without_file(text: str) -> str:
    """Leave out of which file a value was imported: values of several files are of one kind."""
    if "source=imported" not in text:
        return text
    fields = parse_signature(text)
    return signature({name: value for name, value in fields.items() if name != FILE})


def peak_of(text: str) -> int:
    """Return the sample value of the reference that meant white; 65535 also stands for 255."""
    peak = parse_signature(text).get("peak", "").partition("/")[0]
    return int(peak) if peak.isdecimal() else 65535


def gray_output_of(texts: Iterable[str]) -> str:
    """Return how gray outputs were read, as some signature says it; else ``error``."""
    chosen = (parse_signature(text).get(GRAY_OUTPUT) for text in texts)
    return next(filter(None, chosen), "error")


def differing_fields(signatures: Iterable[str]) -> list[str]:
    """Name the fields in which signatures differ.

    Parameters
    ----------
    signatures
        Any number of signatures.

    Returns
    -------
    list of str
        Fields that are not the same, or not there, in all; in the order of their first appearance.
    """
    parsed = [parse_signature(text) for text in signatures]
    names = dict.fromkeys(name for fields in parsed for name in fields)
    return [name for name in names if len({fields.get(name) for fields in parsed}) > 1]


def headings(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Head the column of every (metric, signature): by the metric, and by what tells it apart.

    Parameters
    ----------
    pairs
        Metric column names and signatures of one table.

    Returns
    -------
    dict
        ``psnr`` where a metric has one signature, else ``psnr [view=luma]``; no two alike.
    """
    of_metric: dict[str, list[str]] = {}
    for metric, text in dict.fromkeys(pairs):
        of_metric.setdefault(metric, []).append(text)
    return {
        (metric, text): heading
        for metric, texts in of_metric.items()
        for text, heading in zip(texts, _headings_of(metric, texts), strict=True)
    }


def _headings_of(metric: str, texts: list[str]) -> list[str]:
    if len(texts) == 1:
        return [metric]
    names = differing_fields(texts)
    if "protocol" in names and "view" in names:
        names.remove("view")  # follows from the protocol
    short = [f"{metric} [{_difference(parse_signature(text), names)}]" for text in texts]
    # Signatures that differ only in the order of their fields have no field to be told apart by.
    return short if len(set(short)) == len(short) else [f"{metric} [{text}]" for text in texts]


def _difference(fields: Mapping[str, str], names: list[str]) -> str:
    return ", ".join(f"{name}={fields[name]}" if name in fields else f"no {name}" for name in names)


def _escape(text: str) -> str:
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    plain = {escaped[1]: plain for plain, escaped in _ESCAPES}
    characters = iter(text)
    return "".join(
        plain.get(next(characters, "\\"), "\\") if character == "\\" else character
        for character in characters
    )
