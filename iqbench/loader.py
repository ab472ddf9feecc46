"""Work ahead in threads, within a budget, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["work_ahead"]

Job = TypeVar("Job")
Result = TypeVar("Result")


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
        One a job. What `work` raises is raised here.
    """
    if workers == 0:
        yield from map(work, jobs)
        return
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="iqbench-load")
    with pool:
        waiting: deque[tuple[Future[Result], int]] = deque()
        spent = 0
        queue = iter(jobs)
        ahead = next(queue, None)
        price = 0 if ahead is None else cost(ahead)
        try:
            while ahead is not None or waiting:
                while ahead is not None and (
                    not waiting or (len(waiting) <= 2 * workers and spent + price <= budget)
                ):
                    waiting.append((pool.submit(work, ahead), price))
                    spent += price
                    ahead = next(queue, None)
                    price = 0 if ahead is None else cost(ahead)
                future, paid = waiting.popleft()
                yield future.result()
                spent -= paid
        finally:
            for future, _ in waiting:
                future.cancel()
