"""Working ahead: in order, within the budget, only on demand, and without leftovers."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iqbench.loader import work_ahead


class Held:
    """What is under way or handed out but not given back yet, and the most there ever was."""

    def __init__(self) -> None:
        self.now: dict[int, int] = {}
        self.most = 0
        self.too_large: list[tuple[int, ...]] = []
        self._lock = threading.Lock()

    def begin(self, job: int, cost: int, budget: int) -> None:
        with self._lock:
            self.now[job] = cost
            total = sum(self.now.values())
            if total > budget and len(self.now) > 1:
                self.too_large.append(tuple(self.now.values()))
            self.most = max(self.most, len(self.now))

    def end(self, job: int) -> None:
        with self._lock:
            del self.now[job]


@settings(derandomize=True, max_examples=60)
@given(
    costs=st.lists(st.integers(0, 12), max_size=25),
    workers=st.integers(1, 4),
    budget=st.integers(1, 20),
)
def test_results_come_in_order_and_within_the_budget(costs, workers, budget):
    held = Held()

    def work(job):
        held.begin(job, costs[job], budget)
        return job

    found = []
    jobs = range(len(costs))
    for result in work_ahead(jobs, work, cost=costs.__getitem__, workers=workers, budget=budget):
        found.append(result)
        held.end(result)  # the caller is done with it before it asks for the next
    assert found == list(jobs)
    # Only a job that alone costs more than the budget may exceed it, and it does so alone.
    assert held.too_large == []


def test_jobs_are_done_at_the_same_time():
    together = threading.Barrier(3, timeout=20)

    def work(_):
        together.wait()  # broken, which raises, unless three are there at once
        return True

    assert list(work_ahead(range(3), work, cost=lambda _: 1, workers=3, budget=10)) == [True] * 3


def test_a_slow_first_job_does_not_change_the_order():
    release = threading.Event()

    def work(job):
        if job == 0:
            release.wait(20)
        elif job == 3:
            release.set()
        return job

    assert list(work_ahead(range(4), work, cost=lambda _: 1, workers=2, budget=10)) == [0, 1, 2, 3]


def test_jobs_are_asked_for_no_earlier_than_need_be():
    asked = []

    def jobs():
        for number in range(100):
            asked.append(number)
            yield number

    results = work_ahead(jobs(), lambda job: job, cost=lambda _: 1, workers=2, budget=1000)
    assert asked == []
    assert next(results) == 0
    assert len(asked) <= 2 * 2 + 2
    results.close()


def test_the_budget_limits_how_far_ahead_work_goes():
    asked = []

    def jobs():
        for number in range(100):
            asked.append(number)
            yield number

    results = work_ahead(jobs(), lambda job: job, cost=lambda _: 4, workers=8, budget=10)
    next(results)
    assert len(asked) == 3  # two fit, the third was asked for its cost
    results.close()


def test_no_jobs_no_results():
    assert list(work_ahead([], lambda job: job, cost=lambda _: 1, workers=1, budget=1)) == []


def left_behind():
    return [thread for thread in threading.enumerate() if thread.name.startswith("iqbench-load")]


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
def test_an_exception_of_a_job_is_raised_in_order(error):
    def work(job):
        if job == 2:
            raise error("job 2")
        return job

    found = []
    with pytest.raises(error, match="job 2"):
        found.extend(
            result for result in work_ahead(range(9), work, cost=lambda _: 1, workers=2, budget=99)
        )
    assert left_behind() == []


def test_errors_of_the_cost_and_of_the_jobs_themselves_are_raised():
    def jobs():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(work_ahead(jobs(), lambda job: job, cost=lambda _: 1, workers=1, budget=9))
    with pytest.raises(KeyError):
        list(work_ahead([1], lambda job: job, cost={}.__getitem__, workers=1, budget=9))
    assert left_behind() == []


def test_closing_stops_the_work_and_leaves_no_thread_behind():
    done = []

    def work(job):
        time.sleep(0.01)
        done.append(job)
        return job

    results = work_ahead(range(1000), work, cost=lambda _: 1, workers=2, budget=10**6)
    next(results)
    results.close()
    number = len(done)
    assert number <= 2 * 2 + 2
    assert left_behind() == []
    time.sleep(0.05)
    assert len(done) == number
