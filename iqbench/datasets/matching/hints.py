"""Find options that would pair outputs if the names do not match; no file is opened."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from iqbench.datasets.files import is_image_name, natural_key, split_suffix
from iqbench.datasets.matching.comparison import WAYS, compared, pair_names
from iqbench.datasets.storage.paths import Place
from iqbench.datasets.template import OutputName, escape

__all__ = ["NameOption", "offered_options", "suffix_hint", "unlike_hint"]

_WOULD_FIT = " would fit with "

_CANDIDATES = 50
"""How many names are tried as the pattern behind all of them before giving up."""

_SAMPLE = 200
"""Number of images that are tried first; what fits most of them is then tried on all."""


@dataclass(frozen=True)
class NameOption:
    """The option that gives a template of outputs' names: to all methods, or to one.

    Attributes
    ----------
    method, folder
        The method that it is for, and its folder; without them it is for all.
    """

    method: str = ""
    folder: Place = Path()

    def of(self, template: str) -> str:
        """Write the option as it is to be typed."""
        if not self.method:
            return _option("--output-name", template)
        folder = self.folder
        place = escape(folder.as_posix()) if isinstance(folder, Path) else str(folder)
        return _option("--method", f"{self.method}={place}/{template}")


def offered_options(hint: str) -> str:
    """Return the options that a hint says would pair outputs; none where it says none."""
    return hint.partition(_WOULD_FIT)[2]


def unlike_hint(
    stems: Mapping[str, str],
    lost: Mapping[str, str],
    names: Sequence[str],
    ways: Collection[str],
    *,
    templates: bool,
    option: NameOption,
) -> str:
    """Say how the outputs would be found that were not.

    Parameters
    ----------
    stems
        Image to the path that its output should have, without suffix.
    lost
        Those that have no output.
    names
        Paths of the images that belong to none.
    ways
        How names are compared already.
    templates
        Whether a template could be given for the references' names.
    option
        How a template of the outputs' names is given.

    Returns
    -------
    str
        The options that pair more images, each as it is to be written; else, where no output was
        found at all, an example of both names; else nothing.
    """
    if not lost or not names:
        return ""
    none_found = len(lost) == len(stems)
    chosen, count = _best_ways(lost, names, ways, none_found=none_found)
    options = (
        "" if count * 2 > len(lost) else _template_options(stems, names, ways, len(lost), option)
    )
    if not options and templates and none_found and not count:
        options = _both_templates(list(stems), names, ways, option)
    if options:
        return options
    if count:
        what = " and ".join(WAYS[way] for way in chosen)
        return f"{_fit(count)} {' '.join(_match(chosen, ways))}: {what}"
    if not none_found:
        return ""
    return (
        f"The references are named like {min(stems, key=natural_key)!r}, the outputs like "
        f"{min(names, key=natural_key)!r}. Name each pair in a table: iqbench evaluate "
        "--pairs FILE.csv (columns reference, output)"
    )


def suffix_hint(template: OutputName, claims: Iterable[Sequence[str]], option: NameOption) -> str:
    """Say which template takes one of several outputs of an image.

    Parameters
    ----------
    template
        How outputs are named now.
    claims
        The outputs that each image may have, at least one.
    option
        How a template of the outputs' names is given.

    Returns
    -------
    str
        Nothing where each image has one.
    """
    suffixes = [[split_suffix(name)[1].lower() for name in names] for names in claims]
    if all(len(several) == 1 for several in suffixes):
        return ""
    fitting = [
        suffix
        for suffix in dict.fromkeys(suffix for several in suffixes for suffix in several)
        if all(several.count(suffix) == 1 for several in suffixes)
    ]
    if not fitting or template.suffix:
        return "Where several files may be the output of an image, leave one and move the others"
    options = [option.of(template._replace(suffix=it).text) for it in fitting]
    return f"Of several outputs of an image, one is taken with {' or '.join(options)}"


def _template_options(
    stems: Mapping[str, str],
    names: Sequence[str],
    ways: Collection[str],
    lost: int,
    option: NameOption,
) -> str:
    """Name a template of the outputs under which more than half of the images have one."""
    for more in _combinations(ways, ("case", "numbers")):
        template, count = _best_template(list(stems), names, {*ways, *more})
        if count * 2 > len(stems) and count > len(stems) - lost:
            return " ".join([_fit(count), option.of(template), *_match(more, ways)])
    return ""


def _both_templates(
    images: Sequence[str], names: Sequence[str], ways: Collection[str], option: NameOption
) -> str:
    """Name templates of references and outputs, where all references share their begin or end."""
    before, after = _common(images)
    for start, end in dict.fromkeys([("", after), (before, ""), (before, after)]):
        ids = [image[len(start) : len(image) - len(end)] for image in images]
        for more in _combinations(ways, ("case", "numbers")) if start or end else ():
            template, count = _best_template(ids, names, {*ways, *more})
            if count * 2 > len(images):
                reference = f"{escape(start)}{{id}}{escape(end)}"
                options = [_fit(count), _option("--reference-name", reference)]
                if template != "{id}":
                    options.append(option.of(template))
                return " ".join(options + _match(more, ways))
    return ""


def _best_ways(
    lost: Mapping[str, str], names: Sequence[str], ways: Collection[str], *, none_found: bool
) -> tuple[tuple[str, ...], int]:
    """Return the further ways to compare names that pair most images, and how many."""
    step = -(-len(lost) // _SAMPLE)
    sample = dict(list(lost.items())[::step])
    # Folders are left out everywhere or nowhere: not where some outputs were found as they are.
    folders = none_found and any("/" in path for path in (*lost.values(), *names))
    further = [way for way in WAYS if way != "flat" or folders]
    best: tuple[str, ...] = ()
    most = 0
    for more in _combinations(ways, further):
        fit = len(pair_names(sample, names, {*ways, *more}).outputs) if more else 0
        if fit > most:
            best, most = more, fit
        if most == len(sample):
            break
    return best, len(pair_names(lost, names, {*ways, *best}).outputs) if best else 0


def _combinations(ways: Collection[str], words: Sequence[str]) -> list[tuple[str, ...]]:
    """List what may be added to the ways, the fewest words first; nothing comes first."""
    new = [word for word in words if word not in ways]
    return [more for count in range(len(new) + 1) for more in combinations(new, count)]


def _best_template(
    images: Sequence[str], names: Sequence[str], ways: Collection[str]
) -> tuple[str, int]:
    """Return the template of the outputs' names that fits most images, and how many."""
    ids = [compared(image, ways) for image in images]
    stems = {compared(split_suffix(name)[0], ways): name for name in names}
    sample = ids[:: -(-len(ids) // _SAMPLE)]
    found: dict[tuple[str, str], int] = {}
    # An image with a long id is the one whose id is least likely to occur in a name by accident.
    for image in sorted(sample, key=len, reverse=True)[:3]:
        for holder in sorted((stem for stem in stems if image in stem), key=len)[:_CANDIDATES]:
            before, _, after = holder.partition(image)
            if (before, after) not in found:
                fit = sum(f"{before}{other}{after}" in stems for other in sample)
                found[before, after] = fit
    if not found:
        return "", 0
    before, after = max(found, key=found.__getitem__)
    fitting = [name for it in ids if (name := stems.get(f"{before}{it}{after}")) is not None]
    suffix = ""
    if fitting and is_image_name(f"id{after}"):  # else the end would be taken for the suffix
        suffix = split_suffix(fitting[0])[1]
        fitting = [name for name in fitting if split_suffix(name)[1].lower() == suffix.lower()]
    return OutputName(before, after, suffix).text, len(fitting)


def _common(images: Sequence[str]) -> tuple[str, str]:
    """Return what all ids begin with and what all end with, but for parts of words and numbers."""
    before = _beginning(images)
    after = _beginning([image[::-1] for image in images])[::-1]
    before = re.sub(r"([0-9]+|(?<![^\W_])[^\W\d_]+)$", "", before)
    after = re.sub(r"^([0-9]+|[^\W\d_]+(?![^\W_]))", "", after)
    if len(images) < 2 or any(len(image) <= len(before) + len(after) for image in images):
        return "", ""
    return before, after


def _beginning(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    alike = (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(alike, min(len(first), len(last)))]


def _match(more: Collection[str], ways: Collection[str]) -> list[str]:
    return [f"--match {','.join(way for way in WAYS if way in {*ways, *more})}"] if more else []


def _fit(count: int) -> str:
    return f"{count} output{'s' if count != 1 else ''}{_WOULD_FIT.rstrip()}"


def _option(name: str, template: str) -> str:
    return f"{name} {shlex.quote(template)}"
