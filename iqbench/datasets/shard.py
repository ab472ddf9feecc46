"""A shard: the part of a run's images that one of several jobs scores."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from iqbench.errors import IqbenchError

__all__ = ["WHOLE", "Shard"]

_TEXT = re.compile(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*")


@dataclass(frozen=True)
class Shard:
    """Some items of every dataset: each item is in exactly one of ``count`` shards.

    An item is a reference with all its outputs. Which shard it is in depends on the names of the
    dataset and of the item alone, so that all jobs agree on it without talking to each other.

    Attributes
    ----------
    number
        Which shard, from 1.
    count
        How many shards there are; one is the whole run.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Shard:
        """Read ``i/n``; None is the whole run.

        Raises
        ------
        IqbenchError
            If the text is not a shard.
        """
        if text is None:
            return cls()
        match = _TEXT.fullmatch(str(text))  # from Python a number may come
        if match is None:
            raise IqbenchError(
                f"{text!r} is not a shard", hint="Give its number and how many there are, e.g. 1/4"
            )
        shard = cls(int(match[1]), int(match[2]))
        if not 1 <= shard.number <= shard.count:
            raise IqbenchError(
                f"there is no shard {shard}",
                hint="Shards are numbered from 1: of four they are 1/4, 2/4, 3/4 and 4/4",
            )
        return shard

    @property
    def whole(self) -> bool:
        """Tell whether all items are in it."""
        return self.count == 1

    def has(self, dataset: str, item: str) -> bool:
        """Tell whether an item is in this shard.

        Parameters
        ----------
        dataset
            Its name in the tables.
        item
            The id of the reference, or of the output where there are no references.
        """
        if self.whole:
            return True
        digest = sha256(f"{dataset}\0{item}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


WHOLE = Shard()
"""All items."""
