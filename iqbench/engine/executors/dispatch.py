"""Give units to workers that ask for them, and repeat the units of workers that die."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

from iqbench.engine.reading import Output
from iqbench.engine.set_columns import SetColumn
from iqbench.engine.sets import ReferenceRead
from iqbench.engine.unit_scorer import ScoredPart
from iqbench.engine.units import ReferenceUnit, WorkUnit

__all__ = ["Event", "UnitDone", "WorkerDied", "WorkerPool", "WorkerReady", "dispatch", "lost"]

MOST_DEATHS = 3
"""Number of dead workers after which the outputs of a unit are scored one by one."""

DEPTH = 2
"""Units that a worker holds: it reads the second while it scores the first."""


class WorkerReady(NamedTuple):
    """A worker has started, and takes units."""

    worker: int


class UnitDone(NamedTuple):
    """A worker has scored a unit."""

    worker: int
    unit: WorkUnit
    parts: Sequence[ScoredPart]


class WorkerDied(NamedTuple):
    """A worker has gone, and with it the units that it held."""

    worker: int
    reason: str


Event: TypeAlias = WorkerReady | UnitDone | WorkerDied


class WorkerPool(Protocol):
    """Workers, each known by a number that no other has had before."""

    def ready(self) -> Collection[int]:
        """Return the workers that take units."""
        ...

    def send(self, worker: int, unit: WorkUnit) -> None:
        """Give a worker per unit; if it dies meanwhile, an event tells."""
        ...

    def wait(self) -> Event:
        """Return what happens next."""
        ...


@dataclass(frozen=True)
class _Attempt:
    """A unit that is to be scored.

    Attributes
    ----------
    unit
        The unit.
    deaths
        How many workers died that held it.
    single
        Whether it has one output of a unit that was taken apart.
    """

    unit: WorkUnit
    deaths: int = 0
    single: bool = False


class _Schedule:
    """Says which unit is next.

    A unit whose worker died is given to a worker that holds nothing else, so that a second death is
    its own.
    """

    def __init__(self, units: Iterable[WorkUnit]) -> None:
        self._units = iter(units)
        self._ahead = next(self._units, None)
        self._again: deque[_Attempt] = deque()

    @property
    def empty(self) -> bool:
        """Whether all units were given out."""
        return self._ahead is None and not self._again

    def next_of(self, held: Sequence[_Attempt]) -> _Attempt | None:
        """Return what a worker gets next that holds some units already; None for nothing now."""
        if any(attempt.deaths for attempt in held):
            return None
        if self._again:
            return None if held else self._again.popleft()
        if self._ahead is None:
            return None
        unit, self._ahead = self._ahead, next(self._units, None)
        return _Attempt(unit)

    def died(self, held: Iterable[_Attempt]) -> Iterator[_Attempt]:
        """Take back the units of a worker that died; return those that are not tried again."""
        for attempt in held:
            again = replace(attempt, deaths=attempt.deaths + 1)
            if attempt.single:
                yield again
            elif again.deaths < MOST_DEATHS:
                self._again.append(again)
            else:
                self._again.extend(
                    replace(again, unit=unit, single=True) for unit in attempt.unit.singles()
                )


def dispatch(
    pool: WorkerPool,
    units: Iterable[WorkUnit],
    give_up: Callable[[WorkUnit, str], ScoredPart],
) -> Generator[ScoredPart, None, None]:
    """Have workers score units; each takes the next when it has done one.

    Parameters
    ----------
    pool
        The workers; others may come while this goes on.
    units
        Asked for one at a time.
    give_up
        Makes what stands for a unit of one output that kills its workers, and why.

    Yields
    ------
    ScoredPart
        In any order.
    """
    schedule = _Schedule(units)
    held: dict[int, list[_Attempt]] = {}
    while True:
        for depth in range(1, DEPTH + 1):  # one for each worker, before any has two
            for worker in pool.ready():
                mine = held.setdefault(worker, [])
                if len(mine) < depth and (attempt := schedule.next_of(mine)):
                    mine.append(attempt)
                    pool.send(worker, attempt.unit)
        if schedule.empty and not any(held.values()):
            return
        event = pool.wait()
        if isinstance(event, UnitDone):
            mine = held[event.worker]
            mine.remove(next(one for one in mine if one.unit.key == event.unit.key))
            yield from event.parts
        elif isinstance(event, WorkerDied):
            for attempt in schedule.died(held.pop(event.worker, ())):
                why = (
                    f"its worker died {attempt.deaths} times while it was scored, the last time "
                    f"alone: {event.reason}. It may need more memory than there is"
                )
                yield give_up(attempt.unit, why)


def lost(unit: WorkUnit, columns: Iterable[SetColumn], why: str) -> ScoredPart:
    """Return the result of a unit of one image that cannot be scored: errors that say why."""
    if isinstance(unit, ReferenceUnit):
        errors = {
            column.name: f"{image.source.name}: {why}"
            for column in columns
            for image in unit.images
        }
        return ScoredPart(unit.key, references=(ReferenceRead(None, errors),))
    return ScoredPart(unit.key, settled=tuple(Output(one, error=why) for one in unit.outputs))
