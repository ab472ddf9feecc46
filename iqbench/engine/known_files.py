"""Facts about files at addresses, from earlier runs and for later runs.

Only the driver uses the store of digests. It sends the facts about the files of a unit with the
unit, and workers return new facts with the results.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from iqbench.datasets.files import some
from iqbench.datasets.storage.digest_store import (
    DIGESTS_VARIABLE,
    DigestStore,
    KnownFile,
    digest_store,
    identity_of,
    learned_of,
)
from iqbench.engine.reading import header_of
from iqbench.errors import IqbenchError
from iqbench.images.source import Source

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["KnownFiles"]

_WRITTEN_TOGETHER = 10_000
"""The digests of so many files are written at a time."""

_WRITTEN_AFTER = 30.0
"""Seconds after which the digests of fewer files are written too."""


def _is_new(known: KnownFile, before: KnownFile | None) -> bool:
    """Tell whether the facts about a file are new, or differ from the known ones."""
    return before is None or known not in (before, replace(before, header=None))


class KnownFiles:
    """Digests and headers of files at addresses; leaving it writes what was learned.

    Parameters
    ----------
    trusted
        Whether what is known counts. Where it does not, every file is read, and what is found is
        compared with what was known.
    """

    def __init__(self, *, trusted: bool = True) -> None:
        self._trusted = trusted
        self._store: DigestStore | None = digest_store()
        self._learned: dict[str, KnownFile] = {}
        self._written = time.monotonic()
        self._differing: dict[str, None] = {}
        self._problems: dict[str, None] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what was learned, whatever ended the run."""
        self._write()

    @property
    def warnings(self) -> list[str]:
        """Warnings about the store, for the user."""
        found = list(self._problems)
        if self._differing:
            found.append(
                f"the bytes of {some(self._differing)} changed, but not the tag (ETag) that the "
                f"server gives them: set {DIGESTS_VARIABLE}=0, so that every run reads all files"
            )
        return found

    def of(self, identities: Iterable[str | None]) -> dict[str, KnownFile]:
        """Return what is known of files, by identity."""
        wanted = {identity for identity in identities if identity is not None}
        if not self._trusted:
            return {}
        found = {one: self._learned[one] for one in wanted & self._learned.keys()}
        return found | self._stored(wanted - found.keys())

    def digest(self, source: Source) -> str:
        """Return the digest of a file, which is read if it is not known.

        Raises
        ------
        IqbenchError
            If it cannot be read.
        """
        known = self.of([identity_of(source)])
        if known:
            return next(iter(known.values())).digest
        content = source.read()
        self.learn(learned_of(source, content, header_of(content)))
        return content.digest

    def learn(self, files: Mapping[str, KnownFile]) -> None:
        """Take what was found in files that were read."""
        if self._store is None or not files:
            return
        for identity, known in files.items():
            if _is_new(known, self._learned.get(identity)):
                self._learned[identity] = known
        waited = time.monotonic() - self._written
        if len(self._learned) >= _WRITTEN_TOGETHER or waited > _WRITTEN_AFTER:
            self._write()

    def _stored(self, identities: set[str]) -> dict[str, KnownFile]:
        if self._store is None or self._problems or not identities:
            return {}
        try:
            return self._store.get(identities)
        except IqbenchError as error:
            self._problems[str(error)] = None
            return {}

    def _write(self) -> None:
        learned, self._learned, self._written = self._learned, {}, time.monotonic()
        if self._store is None or not learned:
            return
        before = self._stored(set(learned))
        self._differing |= {
            one.partition("\0")[0]: None
            for one, known in learned.items()
            if one in before and before[one].digest != known.digest
        }
        new = {one: known for one, known in learned.items() if _is_new(known, before.get(one))}
        try:
            self._store.put(new)
        except IqbenchError as error:
            self._problems[str(error)] = None
            self._store = None  # or each time that it is tried may wait for a lock
