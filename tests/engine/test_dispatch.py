"""Units go to workers that ask for them; units of dead workers are repeated, and no others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from iqbench.datasets.sample import OutputImage
from iqbench.engine.executors.dispatch import (
    DEPTH,
    MOST_DEATHS,
    UnitDone,
    WorkerDied,
    WorkerReady,
    dispatch,
    lost,
)
from iqbench.engine.reading import Job, Output
from iqbench.engine.unit_scorer import ScoredPart
from iqbench.engine.units import ItemPart, Unit
from iqbench.images.source import FileSource


def unit(number: int, outputs: int) -> Unit:
    images = tuple(
        OutputImage("mine", f"{number}-{place}", FileSource(Path("x"))) for place in range(outputs)
    )
    return Unit(("data", number), (ItemPart(number, Job(None, images), 0),), {}, {})


class Workers:
    """Workers without processes: `chance` says which one is next, and whether it dies."""

    def __init__(self, count, chance, deadly=(), mortal=True):
        self.held = {number: [] for number in range(count)}
        self.count = count
        self.chance = chance
        self.deadly = set(deadly)
        self.mortal = mortal
        self.tried = Counter()
        self.most_held = 0

    def ready(self):
        return list(self.held)

    def send(self, worker, unit):
        self.held[worker].append(unit)
        self.most_held = max(self.most_held, len(self.held[worker]))

    def wait(self):
        busy = [number for number, units in self.held.items() if units]
        assert busy, "nothing is under way, so nothing would ever happen"
        number = busy[self.chance(len(busy))]
        first = self.held[number][0]
        images = [output.image for output in first.outputs]
        self.tried.update(images)
        if self.deadly & set(images) or (self.mortal and self.chance(4) == 3):
            del self.held[number]
            self.held[self.count] = []  # another in its place
            self.count += 1
            return WorkerDied(number, "SIGKILL")
        self.held[number].pop(0)
        settled = tuple(Output(output) for output in first.outputs)
        return UnitDone(number, first, [ScoredPart(first.key, settled=settled)])


def outcomes(workers, sizes):
    """Image to its error, of all that came back; each image once."""
    units = [unit(number, size) for number, size in enumerate(sizes)]
    found = {}
    for scored in dispatch(workers, units, lambda unit, why: lost(unit, (), why)):
        for output in scored.settled:
            assert output.image.image not in found
            found[output.image.image] = output.error
    assert len(found) == sum(sizes)
    return found


@settings(max_examples=60)
@given(st.lists(st.integers(1, 5), max_size=12), st.integers(1, 4), st.data())
def test_every_output_comes_back_once_whoever_dies(sizes, count, data):
    workers = Workers(count, lambda most: data.draw(st.integers(0, most - 1)))
    found = outcomes(workers, sizes)
    for image, error in found.items():
        assert error is None or workers.tried[image] >= MOST_DEATHS
    assert workers.most_held <= DEPTH


@settings(max_examples=60)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_only_the_output_that_kills_has_an_error(sizes, count, data):
    images = [
        output.image for number, size in enumerate(sizes) for output in unit(number, size).outputs
    ]
    deadly = data.draw(st.sets(st.sampled_from(images), max_size=3))
    workers = Workers(
        count, lambda most: data.draw(st.integers(0, most - 1)), deadly=deadly, mortal=False
    )
    found = outcomes(workers, sizes)
    assert {image for image, error in found.items() if error} == deadly
    for image in deadly:
        assert "its worker died 4 times while it was scored" in found[image]
        assert workers.tried[image] <= MOST_DEATHS + 2  # once beside another that kills


def test_units_are_asked_for_one_at_a_time():
    asked = []

    def units():
        for number in range(20):
            asked.append(number)
            yield unit(number, 1)

    workers = Workers(2, lambda most: 0, mortal=False)
    results = dispatch(workers, units(), lambda unit, why: lost(unit, (), why))
    next(results)
    assert len(asked) <= 2 * DEPTH + 2
    results.close()


def test_a_worker_that_comes_later_takes_part():
    workers = Workers(1, lambda most: most - 1, mortal=False)
    wait = workers.wait
    done = []

    def join():
        if 1 not in workers.held:
            workers.held[1] = []
            return WorkerReady(1)
        event = wait()
        done.append(event.worker)
        return event

    workers.wait = join
    outcomes(workers, [1] * 8)
    assert set(done) == {0, 1}
