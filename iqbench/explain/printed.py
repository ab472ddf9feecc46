"""Numbers as people print them: with a unit, in per cent, in bold type, with a deviation."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from iqbench.errors import IqbenchError

__all__ = ["DEVIATION", "NUMBER", "read_printed"]

NUMBER = r"[-+\u2212]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
"""A regular expression for numbers inside a line of text; U+2212 is the typographic minus."""

DEVIATION = r"(?:±|\\pm|\+/-|\+-)"
"""What stands between a number and its deviation."""

LARGEST_EXPONENT = 300
"""Larger powers of ten are no values of a metric, and float64 has few more."""

_MARKUP = re.compile(r"\\(?!%)[A-Za-z]+\*?|\\,|</?\w+>|[${}*_`~\u00a0]")
_INFINITE = {"∞": "inf", "+∞": "inf", "infinite": "inf"}
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+\.\d*|[-+]?\d{1,3}(?:,\d{3}){2,}")


def read_printed(text: str) -> Decimal:
    """Read a number with the digits that were printed.

    Parameters
    ----------
    text
        ``28.42``, ``.8101``, ``1.2e-3``, ``inf``; also ``28.42 dB``, ``81.01%`` (which is .8101),
        ``27.31 ± 2.14`` and ``27.31 (2.14)`` (the deviation is left out), ``28,42``, ``4,847.82``,
        and with the marks of LaTeX, Markdown or HTML for bold and underlined numbers.

    Returns
    -------
    Decimal
        Finite or infinite; the last digit is the last that was printed.

    Raises
    ------
    IqbenchError
        If it is no number.
    """
    plain = re.split(DEVIATION, text, maxsplit=1)[0]
    plain = _MARKUP.sub(" ", plain).replace("\u2212", "-").replace("\\%", "%").strip(" \t([)]")
    plain = re.sub(r"\s+\(.*", "", plain)
    body, percent = re.subn(r"\s*%$", "", plain)
    body = re.sub(r"\s*dB$", "", body, flags=re.IGNORECASE).strip()
    body = _INFINITE.get(body.lower(), body)
    if _THOUSANDS.fullmatch(body):
        body = body.replace(",", "")
    elif body.count(",") == 1 and "." not in body:
        body = body.replace(",", ".")
    try:
        number = Decimal(body)
    except InvalidOperation:
        number = Decimal("nan")
    too_large = number.is_finite() and abs(number.adjusted()) > LARGEST_EXPONENT
    if number.is_nan() or too_large:
        raise IqbenchError(
            f"the value {text!r} is no number", hint="Type it as printed, e.g. 28.42"
        )
    return number.scaleb(-2) if percent else number
