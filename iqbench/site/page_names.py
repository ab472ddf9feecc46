"""Names of the files and anchors of a site, which stay the same in every build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from iqbench.results.names import natural
from iqbench.results.paths import slug

__all__ = ["anchor_of", "file_names", "plain_name"]


def plain_name(name: str) -> str:
    """Spell a name for an address, which people read: ``set5`` for ``Set5``.

    Names that differ in case alone may have one spelling; all others have their own, because one
    that loses more than its upper case has a part of its digest.
    """
    lower = name.lower()
    return lower if slug(lower) == lower else slug(name).lower()


def file_names(names: Iterable[str], before: Mapping[str, str]) -> dict[str, str]:
    """Name the files of datasets.

    Parameters
    ----------
    names
        Datasets.
    before
        By dataset, the names that an earlier build gave: they are kept for ever, also those of
        datasets that are gone.

    Returns
    -------
    dict
        By dataset, as ``before`` with the new ones. Of two that differ in case alone, the later
        one gets a part of its digest: there are file systems that do not tell case.
    """
    found = dict(before)
    taken = set(found.values())
    for name in sorted(names, key=lambda name: (natural(name), name)):
        if name not in found:
            plain = plain_name(name)
            found[name] = plain if plain not in taken else _with_digest(plain, name)
            taken.add(found[name])
    return found


def _with_digest(plain: str, name: str) -> str:
    return f"{plain}-{sha256(name.encode(errors='surrogatepass')).hexdigest()[:10]}"


def anchor_of(method: str) -> str:
    """Name the place of a method on a page."""
    return f"method-{plain_name(method)}"
