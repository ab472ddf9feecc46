"""How few pairs tell which conventions may fit a mean: the true one is never given up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from iqbench.explain.convention import Convention
from iqbench.explain.evidence import Evidence
from iqbench.explain.family import MeanFamily
from iqbench.explain.pair import Pair
from iqbench.explain.survey import CHANCE, Survey, Trait, _rooms
from iqbench.explain.value import Reported
from iqbench.images.picture import Picture

PAIRS, CONVENTIONS = 100, 60


class Table(MeanFamily):
    """A metric whose values are known: (conventions, pairs); the crop is the row."""

    metric = "known"

    def __init__(self, values):
        self.rows = values
        self.measured = 0

    def values(self):
        return {}

    def measure(self, pair, convention):
        self.measured += 1
        return float(self.rows[convention.crop, pair])

    def close(self, found, convention):
        """Average values in decibels, or their errors."""
        if convention.pool == "images":
            return float(np.mean(found))
        return float(-10 * np.log10(np.mean(10 ** (-np.array(found) / 10))))


class Places:
    """Pairs that are only numbers."""

    def __len__(self):
        return PAIRS

    def read(self, place):
        return place


def surveyed(values, truth, traits=None, pool="images"):
    """Return the survey of a mean with four digits, its family, and the true convention."""
    family = Table(values)
    conventions = [Convention("known", crop=row) for row in range(len(values))]
    conventions += [item._replace(pool="pooled") for item in conventions]
    true = conventions[truth]._replace(pool=pool)
    mean = family.close(values[truth], true)
    survey = Survey(
        family,
        pairs=Places(),
        evidence=Evidence("known", Reported.parse(f"{mean:.4f}"), {}),
        traits=traits or [Trait()] * PAIRS,
        doubtful=(),
        usual=conventions[:3],
        workers=1,
        reporter=None,
    )
    survey.run(conventions)
    return survey, family, true


def alike(seed):
    """Make values that go up and down together, by unlike amounts, with noise of heavy tails."""
    random = np.random.default_rng(seed)
    pairs = random.normal(0.8, 0.08, (2, PAIRS))
    slopes = random.normal(1, 0.2, (CONVENTIONS, 1)), random.normal(0, 0.3, (CONVENTIONS, 1))
    noise = random.standard_t(4, (CONVENTIONS, PAIRS)) * random.uniform(
        1e-4, 1e-2, (CONVENTIONS, 1)
    )
    return slopes[0] * pairs[0] + slopes[1] * pairs[1] + noise


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_is_followed_to_the_end_and_most_others_are_not(seed):
    values = alike(seed)
    for truth in range(0, CONVENTIONS, 3):
        survey, family, convention = surveyed(values, truth)
        assert survey.complete(convention)
        assert survey.value(convention) == pytest.approx(values[truth].mean(), abs=1e-12)
        assert family.measured < values.size / 2


@pytest.mark.parametrize("seed", range(3))
def test_a_mean_of_errors_is_followed_however_unlike_the_images_are(seed):
    random = np.random.default_rng(seed)
    values = random.normal(25, 6, PAIRS) + random.normal(0, 0.05, (CONVENTIONS, PAIRS))
    traits = [Trait(unusual=(float(-value),)) for value in values[0]]
    for truth in range(0, CONVENTIONS, 6):  # few images decide the mean error
        survey, _, convention = surveyed(values, truth, traits, pool="pooled")
        assert survey.complete(convention)


@pytest.mark.parametrize("kind", ["gray", "turned", "cut to a multiple of 3"])
@pytest.mark.parametrize("place", [1, 37, 98])
def test_what_only_one_pair_has_is_looked_at(kind, place):
    values = alike(0)
    values[10] = values[0]
    values[10, place] += 0.3  # on other pairs it is the usual convention
    traits = [Trait(kinds=frozenset({"colour"})) for _ in range(PAIRS)]
    traits[place] = Trait(kinds=frozenset({"colour", kind}))
    survey, _, convention = surveyed(values, 10, traits)
    assert place in survey.screened
    assert survey.complete(convention)


@pytest.mark.parametrize("way", [0, 1])
def test_the_most_unusual_pair_is_looked_at(way):
    traits = [Trait(unusual=(0.1, 0.1)) for _ in range(PAIRS)]
    traits[63] = Trait(unusual=(0.9, 0.1) if way == 0 else (0.1, 0.9))
    survey, *_ = surveyed(alike(1), 5, traits)
    assert 63 in survey.screened


def test_every_pair_is_looked_at_once():
    survey, *_ = surveyed(alike(2), 5)
    assert sorted(survey.places) == list(range(PAIRS))
    assert survey.screened == survey.places[: len(survey.screened)]


def test_a_mean_may_be_off_by_student_s_interval_of_a_finite_set():
    values = np.random.default_rng(3).normal(size=(4, 12))
    error = stats.sem(values, axis=1) * np.sqrt(1 - 12 / 50)
    low, high = stats.t.interval(1 - CHANCE, 11, loc=0, scale=error)
    assert np.allclose(_rooms(values, 11, 50), (high - low) / 2, rtol=1e-9)


@pytest.mark.parametrize("values", [[0.5] * 6, [np.inf, 1, 2, 3, 4, 5], [np.nan] * 6, [0.5]])
def test_values_that_tell_nothing_leave_all_room(values):
    assert np.isinf(_rooms(np.array([values]), len(values) - 1, 50)).all()


def pair_of(*images):
    return Pair(*(Picture(pixels, digest="", name="a.png", bytes=0) for pixels in images))


def test_a_pair_is_unusual_by_unused_values_its_brightness_and_its_error():
    reference = np.full((8, 8, 3), 100, np.uint8)
    reference[0, 0] = 151
    output = reference // 2
    unused, darker, error = pair_of(reference, output).unusual()
    assert unused == pytest.approx(1 - 51 / 255)
    seventh = np.s_[::7, ::7]
    assert error == pytest.approx(np.mean((reference[seventh] / 255 - output[seventh] / 255) ** 2))
    assert darker == pytest.approx(1 - output.mean() / reference.mean())


def test_black_images_are_equally_bright():
    black = np.zeros((8, 8, 3), np.uint8)
    assert pair_of(black, black).unusual() == (1.0, 0.0, 0.0)
