"""Work ahead in threads, within a budget of memory, and return results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from typing import TypeVar, cast

__all__ = ["Arrival", "work_ahead", "work_on_arrival"]

Job = TypeVar("Job")
Result = TypeVar("Result")


class Arrival(Enum):
    """Placeholder for a job, or a result, while there is none."""

    NONE_YET = "none yet"


def work_ahead(
    jobs: Iterable[Job],
    work: Callable[[Job], Result],
    *,
    cost: Callable[[Job], int],
    workers: int,
    budget: int,
) -> Generator[Result, None, None]:
    """Do jobs in threads ahead of whoever takes the results.

    Parameters
    ----------
    jobs
        In the order in which results are given.
    work
        Run in a thread; decoding and file reading release the interpreter lock.
    cost
        How much of the budget a job's result takes until the next result is asked for.
    workers
        Number of threads; 0 to do each job in the caller's own thread when its turn comes.
    budget
        What all results that are under way may cost together. A job that alone costs more is
        done when nothing else is under way.

    Yields
    ------
    Result
        One per job. What `work` raises is raised here.
    """
    yield from cast(
        "Generator[Result, None, None]",
        work_on_arrival(jobs, work, cost=cost, workers=workers, budget=budget),
    )


def work_on_arrival(
    jobs: Iterable[Job | Arrival],
    work: Callable[[Job], Result],
    *,
    cost: Callable[[Job], int],
    workers: int,
    budget: int,
) -> Generator[Result | Arrival, None, None]:
    """Do jobs in threads ahead of whoever takes the results, while jobs still arrive.

    Parameters
    ----------
    jobs
        As for `work_ahead`. It gives `Arrival.NONE_YET` where it would otherwise have to wait for
        the next job, and is asked again before the next result.
    work, cost, workers, budget
        As for `work_ahead`.

    Yields
    ------
    Result
        One per job. `Arrival.NONE_YET` if nothing is under way and there is no job: the caller may
        then wait for the next job.
    """
    queue = iter(jobs)
    if workers == 0:
        for job in queue:
            yield job if isinstance(job, Arrival) else work(job)
        return
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="iqbench-load")
    with pool:
        waiting: deque[tuple[Future[Result], int]] = deque()
        spent = 0
        ahead = next(queue, None)
        price = _price(ahead, cost)
        try:
            while ahead is not None or waiting:
                if isinstance(ahead, Arrival):
                    ahead = next(queue, None)
                    price = _price(ahead, cost)
                while not (ahead is None or isinstance(ahead, Arrival)) and (
                    not waiting or (len(waiting) <= 2 * workers and spent + price <= budget)
                ):
                    waiting.append((pool.submit(work, ahead), price))
                    spent += price
                    ahead = next(queue, None)
                    price = _price(ahead, cost)
                if waiting:
                    future, paid = waiting.popleft()
                    yield future.result()
                    spent -= paid
                elif ahead is not None:
                    yield Arrival.NONE_YET
        finally:
            for future, _ in waiting:
                future.cancel()


def _price(job: Job | Arrival | None, cost: Callable[[Job], int]) -> int:
    return 0 if job is None or isinstance(job, Arrival) else cost(job)
