"""Text of single cells: numbers, and names that are safe in any table."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

__all__ = [
    "duration",
    "elided",
    "encodable",
    "escape_html",
    "escape_latex",
    "escape_markdown",
    "file_size",
    "fold_heading",
    "markdown_line",
    "mean_change",
    "mean_number",
    "number",
    "plural",
    "printable",
    "seconds_text",
    "shortened",
    "signed",
    "spell_out",
]

NOTHING = "-"


def printable(text: str) -> str:
    r"""Replace control characters by escapes, so that a name cannot control the terminal.

    Parameters
    ----------
    text
        A name from a file or folder.

    Returns
    -------
    str
        One line; control characters are written as ``\x1b``.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


def file_size(number: int) -> str:
    """Write a number of bytes: 512 bytes, 1.5 MiB."""
    if number < 1024:
        return f"{number} bytes"
    size, units = number / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while size >= 1023.95 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.1f} {units[0]}"


def seconds_text(seconds: float) -> str:
    """Write a time by its two largest units: 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    for unit, larger, name, smaller in ((60, 3600, "min", "s"), (3600, 86400, "h", "min")):
        if whole < larger:
            return f"{whole // unit} {name} {whole % unit // (unit // 60)} {smaller}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def duration(number: int, rate: float) -> str:
    """Write the time for a number of items at a rate per second; empty if it is not known."""
    if not number:
        return ""
    return seconds_text(number / rate) if rate > 0 else NOTHING


def spell_out(text: str) -> str:
    r"""Replace control characters by escapes as in JSON, ``\u001b``.

    Parameters
    ----------
    text
        Any text.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else _escape(sign) for sign in text)


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


# Readable replacements of signs, for encodings without them.
_ASCII = {
    **{
        "↑": "^",
        "↓": "v",
        "→": "->",
        "←": "<-",
        "±": "+/-",
        "●": "o",
        "★": "*",
        "·": "-",
        "†": "!",
    },
    **{
        "•": "*",
        "\u00d7": "x",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "≈": "~",
        "\u2212": "-",
        "∞": "inf",
    },
    **{
        "\u2013": "-",
        "—": "-",
        "\u2018": "'",
        "\u2019": "'",
        "“": '"',
        "”": '"',
        "…": "...",
        "✓": "+",
        "✗": "x",
    },
    **{"²": "^2", "³": "^3", "µ": "u", "°": " deg", "\u00a0": " ", "\u202f": " "},
    **dict.fromkeys("─━╌╍┄┅┈┉═╴╶╸╺", "-"),
    **dict.fromkeys("│┃║╎╏┆┇┊┋", "|"),
    **{chr(code): "+" for code in (*range(0x250C, 0x254C), *range(0x2552, 0x256D))},
    **{chr(code): "#" for code in range(0x2580, 0x25A0)},
    **{chr(code): "*" for code in range(0x2800, 0x2900)},
}


def encodable(text: str, encoding: str) -> str:
    r"""Replace characters that an encoding lacks: arrows, lines and the like by readable ASCII.

    Parameters
    ----------
    text
        Any text.
    encoding
        The encoding of the output.

    Returns
    -------
    str
        The text itself if the encoding has all characters. Characters without a replacement are
        escaped, ``\u00e9``, so that different names stay different.
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_encodable(sign, encoding) for sign in text)
    except LookupError:  # Python does not know the encoding
        return encodable(text, "ascii")
    return text


def _encodable(sign: str, encoding: str) -> str:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return _ASCII.get(sign) or _escape(sign)
    return sign


def elided(text: str, most: int = 200) -> str:
    """Leave out the middle of a very long text.

    Parameters
    ----------
    text
        A name.
    most
        The largest number of characters in the result.
    """
    if len(text) <= most:
        return text
    end = (most - 3) // 2
    return f"{text[: most - 3 - end]}...{text[-end:]}"


def shortened(names: Sequence[str], most: int) -> list[str]:
    """Shorten a list of names, so that different names stay different.

    Parameters
    ----------
    names
        Names of methods, metrics or datasets.
    most
        The largest length. Longer names lose their middle, or, if several would become equal, their
        common part. Names that would still be equal are not shortened.
    """
    most = max(most, 5)
    found = [_without_middle(name, most) for name in names]
    for text in {text for name, text in zip(names, found, strict=True) if text != name}:
        alike = [place for place, one in enumerate(found) if one == text]
        signs = zip_longest(*(names[place] for place in alike))
        differ = next((at for at, each in enumerate(signs) if len(set(each)) > 1), None)
        for place in alike if differ is not None else ():
            found[place] = f"…{_without_middle(names[place][differ:], most - 1)}"
    kinds = Counter(text for _, text in set(zip(names, found, strict=True)))
    return [text if kinds[text] == 1 else name for name, text in zip(names, found, strict=True)]


def _without_middle(name: str, most: int) -> str:
    if len(name) <= most:
        return name
    end = (most - 1) // 3
    return f"{name[: most - 1 - end]}…{name[len(name) - end :]}"


def escape_markdown(text: str) -> str:
    """Escape a name for a cell of a Markdown table, including HTML and links."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$!])", r"\\\1", escaped)


def markdown_line(text: str) -> str:
    """Escape a sentence for a line of its own: it begins no list, heading or rule."""
    text = re.sub(r"^(\s*)([-+=])", r"\1\\\2", escape_markdown(text))
    return re.sub(r"^(\s*[0-9]{1,9})([.)])(?=\s|$)", r"\1\\\2", text)


def escape_html(text: str) -> str:
    """Escape a name for HTML, also for attributes."""
    return html.escape(printable(text))


_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"


def _greek(sign: str) -> str:
    """Return the command of a Greek letter."""
    name = unicodedata.name(sign).split()[-1].replace("LAMDA", "LAMBDA")
    return f"$\\{name.lower() if sign.islower() else name.capitalize()}$"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "\u00d7": r"$\times$",
    "†": r"\dag{}",
    "●": r"$\bullet$",
    **{sign: f"\\{sign}" for sign in "{}#$%&_"},
    **{"≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$", "∞": r"$\infty$"},
    **{"\u2212": "$-$", "\u2032": "$'$", "\u2033": "$''$"},
    **{sign: _greek(sign) for sign in _GREEK},
}


def escape_latex(text: str, most: int = 200) -> str:
    """Escape a name for the text of a LaTeX document; see `elided` for ``most``.

    Accents are joined with their letters: file names of macOS have them apart, and pdflatex knows
    no accents alone. It knows the letters of Latin alphabets and the signs in `_LATEX`; for other
    alphabets, use xelatex or lualatex.
    """
    text = unicodedata.normalize("NFC", elided(text, most))
    # At the start of a row, these signs would be arguments of the double backslash before them.
    escaped = "".join(_LATEX.get(sign, sign) for sign in printable(text))
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped


_MANY_DIGITS = 1e16


def number(value: float | None, decimals: int | None = None) -> str:
    """Write a number for people.

    Parameters
    ----------
    value
        The number; None and NaN for a missing one.
    decimals
        Digits after the decimal point; None for four significant ones.

    Returns
    -------
    str
        ``-`` for a missing number. With an exponent if all digits would be zero, or if there would
        be more than a double has.
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    value += 0.0  # -0.0 is 0
    if decimals is None or abs(value) >= _MANY_DIGITS:
        return f"{value:.4g}"
    text = f"{value:.{decimals}f}"
    return f"{value:.1e}" if value != 0 and float(text) == 0 else text


def plural(count: int, what: str) -> str:
    """Count things: ``1 image``, ``1,004 images``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def signed(value: float, decimals: int | None = None) -> str:
    """Write a difference with its sign."""
    text = number(value, decimals)
    return f"+{text}" if value > 0 else text


def mean_change(value: float, decimals: int | None, rises: int, falls: int) -> str:
    """Write a mean of finite differences, with the numbers of infinite ones.

    Parameters
    ----------
    value, decimals
        As for `signed`.
    rises, falls
        Numbers of differences that are +inf and -inf.

    Returns
    -------
    str
        ``-0.800 (1 +inf)``; only the infinity if there is no finite difference.
    """
    text = signed(value, decimals)
    if math.isinf(value):
        return text
    counts = [f"{count} {sign}inf" for count, sign in ((rises, "+"), (falls, "-")) if count]
    return f"{text} ({', '.join(counts)})" if counts else text


def mean_number(
    value: float, decimals: int | None = None, infinite: int = 0, distance: float = math.nan
) -> str:
    """Write a mean of finite values, with the number of infinite ones or the distance.

    Parameters
    ----------
    value, decimals
        As for `number`.
    infinite
        The number of infinite values, which are not in the mean.
    distance
        For a metric with a target, the mean distance to it.

    Returns
    -------
    str
        ``31.20 (+1 inf)`` or ``1.002 (0.450 off)``; only the infinity if there is no finite value.
    """
    text = number(value, decimals)
    if math.isinf(value):
        return text
    if not math.isnan(distance):
        text += f" ({number(distance, decimals)} off)"
    return f"{text} (+{infinite} inf)" if infinite else text


def fold_heading(heading: str) -> list[str]:
    """Wrap a heading after hyphens and at spaces into lines of ten characters if possible.

    There is never a line break before an arrow.

    Parameters
    ----------
    heading
        E.g. ``perceptual-vgg16-sum-l1 ↓``.

    Returns
    -------
    list of str
        At least one line.
    """
    lines = [""]
    for piece in re.findall(r"[^-\s]*-+\s*|[^-\s]+(?:\s+[↑↓→]\S*)?\s*|\s+", heading):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > 10:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]
