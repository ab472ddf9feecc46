"""Measure all conventions on a few pairs, and those that may fit on all pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError
from iqbench.explain.convention import Convention
from iqbench.explain.evidence import Evidence
from iqbench.explain.family import Family
from iqbench.explain.threads import in_threads
from iqbench.explain.value import Reported

if TYPE_CHECKING:
    from iqbench.engine.reporter import Reporter
    from iqbench.explain.files import Pairs

__all__ = ["Survey", "Trait"]

SCREENED = 6
"""How many pairs are measured under every convention; all pairs of a dataset that has no more."""

CHANCE = 2e-4
"""The probability that Student's t gives up the true convention after a look at some pairs."""

ALLOWANCE = 3e-4
"""How much more a mean may be off, relative to values above 1: few pairs may hide a difference."""

FITTED = 24
"""From so many pairs on, means are also estimated from all complete conventions together."""

EQUAL = 1e-9
"""Numbers with a smaller standard deviation are equal, and tell nothing of other pairs."""

NEAREST = 10
"""How many of the nearest conventions that do not fit are measured on all pairs."""

RELATIVES = 2
"""How many of the nearest are measured on all pairs at once, as bases to compare others with."""

RIVALS = 3
"""How many of the nearest are sought exactly where every convention is a pass of a network."""

ADVANCES = 64

Statistics = dict[int, Any]


class Trait(NamedTuple):
    """Properties of a pair that decide whether it is measured before others.

    Attributes
    ----------
    spread
        How much the conventions differ on it.
    kinds
        Names of properties that only some conventions depend on, such as ``gray``.
    unusual
        Numbers that are large for unusual pairs; only some conventions depend on them.
    """

    spread: float = 0.0
    kinds: frozenset[str] = frozenset()
    unusual: tuple[float, ...] = ()


class Bases(NamedTuple):
    """Complete conventions, from whose values on some pairs the means of others are estimated.

    Attributes
    ----------
    values
        On these pairs, (bases, pairs); their means are the bases' values.
    moves
        (bases,). The value over all pairs minus the value over these.
    span
        (pairs, rank). Orthonormal columns; they span the centred values of the bases that are
        means of images.
    weights
        (pairs,). The regression adds the sum of a convention's centred values times these to its
        mean.
    """

    values: NDArray[np.float64]
    moves: NDArray[np.float64]
    span: NDArray[np.float64]
    weights: NDArray[np.float64]


class Survey:
    """The values of conventions, measured on as many pairs as are needed to tell which fit.

    Parameters
    ----------
    family
        How the metric is measured.
    pairs
        All pairs.
    evidence
        The reported values.
    traits
        Of each pair. With values of images, pairs on which conventions differ most come first.
    doubtful
        Conventions that a mean alone cannot prove. If only a mean of several pairs was reported,
        they are measured on the first pairs only.
    usual
        Conventions that are measured on all pairs in any case, as bases to compare others with.
    workers
        How many pairs are measured at a time.
    reporter
        Receives the progress.
    """

    def __init__(
        self,
        family: Family[Any],
        *,
        pairs: Pairs,
        evidence: Evidence,
        traits: Sequence[Trait],
        doubtful: Collection[Convention],
        usual: Iterable[Convention],
        workers: int,
        reporter: Reporter | None,
    ) -> None:
        self._family = family
        self._pairs = pairs
        self.evidence = evidence
        self._workers = workers
        self._reporter = reporter
        # Conventions of one sample share its statistics.
        self._samples: dict[Convention, Convention] = {}
        self._shared: dict[Convention, Statistics] = {}
        self.found: dict[Convention, Statistics] = {}
        self._usual = list(usual)
        self._relatives: list[Convention] = []
        self._pools: dict[str, None] = {}
        self._first: list[Convention] = []
        self._later = 0
        self._one_by_one = family.networks and not family.whole_set
        places = range(len(pairs)) if evidence.mean else sorted(evidence.images)
        first, rest = self._ordered(list(places), traits)
        self.places: list[int] = [*first, *rest]
        few = self._one_by_one and len(self.places) <= SCREENED
        self._doubtful = frozenset(() if evidence.images or few else doubtful)
        self.screened = self.places if family.whole_set else first
        self._values: dict[tuple[Convention, int], float] = {}
        self._estimates: dict[tuple[Convention, int, int], tuple[float, float]] = {}
        self._singles: dict[Convention, dict[int, float]] = {}
        self._known_bases: dict[tuple[tuple[int, ...], int], Bases] = {}

    def run(self, conventions: Sequence[Convention], *, later: int = 0) -> None:
        """Measure conventions; `found` then has the statistics of the pairs that were needed.

        If the metric has a network, the conventions of the first call are measured on `screened`,
        and later ones on one pair, then on more while they may fit.

        Parameters
        ----------
        conventions
            Conventions that were not measured before, the most plausible in the first call.
        later
            How many more will be measured if none of these fits; the reporter is told.
        """
        self._later = later
        screened = self.screened[:1] if self._one_by_one and self._first else self.screened
        self._first = self._first or list(conventions)
        for item in conventions:
            sample = self._samples[item] = self._family.sample(item)
            self.found[item] = self._shared.setdefault(sample, {})
            self._pools[item.pool] = None
        self._measure(conventions, screened)
        rest = self.places[len(self.screened) :]
        if self._one_by_one and self.evidence.mean is None:
            rest = []  # A mean that nobody reported needs no conventions to compare it with.
        if rest and not self._relatives:
            # Conventions that may fit are similar to the nearest one found so far.
            near = [item for item in self._candidates(0) if item not in self._doubtful]
            self._relatives = sorted(near, key=lambda item: self._outlook(item)[0])[:RELATIVES]
        self._measure([item for item in self._bases() if item in self.found], rest)
        done = len(screened)
        while done < len(self.places):
            chunk = self.places[done : 2 * done]
            self._measure(self._candidates(done), chunk)
            done += len(chunk)

    def complete(self, convention: Convention) -> bool:
        """Tell whether a convention was measured on all pairs that have a reported value."""
        return len(self.found[convention]) == len(self.places)

    def value(self, convention: Convention) -> float:
        """Return a convention's value over all pairs, estimated where it is not complete."""
        key = (convention, len(self.found[convention]))
        if key not in self._values:
            complete = self.complete(convention)
            close, estimate = self._close, self._estimate
            number = close(convention, self.places) if complete else estimate(convention)[0]
            self._values[key] = number
        return self._values[key]

    def images(self, convention: Convention, places: Sequence[int]) -> NDArray[np.float64]:
        """Return a convention's values of single images."""
        known = self._singles.setdefault(convention, {})
        missing = [place for place in places if place not in known]
        if missing:
            statistics = [self.found[convention][place] for place in missing]
            known.update(zip(missing, self._family.each(statistics, convention), strict=True))
        return np.array([known[place] for place in places])

    def measured(self, convention: Convention, places: Sequence[int]) -> NDArray[np.float64]:
        """Return a convention's values of single images; NaN where it was not measured."""
        known = self.found[convention]
        return np.array([self._single(convention, at) if at in known else np.nan for at in places])

    def worst(self, convention: Convention) -> tuple[float, bool]:
        """Return the largest difference from what was reported, and whether all agree.

        Differences are compared relative to what the digits allow. Only measured pairs count.
        """
        worst, agrees, ratio = 0.0, True, -1.0
        for reported, value in self._compared(convention):
            off = reported.difference(value)
            agrees &= reported.matches(value)
            share = abs(off) / reported.tolerance if reported.tolerance else abs(off)
            if math.isnan(share) or share > ratio:
                worst, ratio = off, share
        return worst, agrees

    def _compared(self, convention: Convention) -> list[tuple[Any, float]]:
        known = self.found[convention]
        rows: list[tuple[Any, float]] = [
            (reported, self._single(convention, place))
            for place, reported in self.evidence.images.items()
            if place in known
        ]
        if self.evidence.mean is not None:
            rows.append((self.evidence.mean, self.value(convention)))
        return rows

    def _ordered(self, places: list[int], traits: Sequence[Trait]) -> tuple[list[int], list[int]]:
        """Return the pairs on which all conventions are measured, and the others in their order.

        With values of images, the pairs on which conventions differ most come first. For a mean,
        both lists are samples from the whole dataset. The first list has every kind of pair at
        least once, and the most unusual pairs.
        """
        if self.evidence.images:
            named = self.evidence.images
            places.sort(key=lambda place: (place not in named, -traits[place].spread))
            return places[:SCREENED], places[SCREENED:]
        ways = range(len(traits[0].unusual))
        chosen = [max(places, key=lambda place: traits[place].unusual[way]) for way in ways]
        chosen = list(dict.fromkeys(chosen))
        seen = {kind for place in chosen for kind in traits[place].kinds}
        for place in places:
            if not traits[place].kinds <= seen:
                chosen.append(place)
                seen |= traits[place].kinds
        others = [place for place in places if place not in chosen]
        count = min(max(SCREENED - len(chosen), SCREENED // 2), len(others))
        spaced = {others[len(others) * index // count] for index in range(count)}
        others = [place for place in others if place not in spaced]
        step = max(1, len(others) // (3 * SCREENED))
        others = [place for start in range(step) for place in others[start::step]]
        return [*chosen, *sorted(spaced)], others

    def _candidates(self, done: int) -> list[Convention]:
        """Return the conventions that may still fit, and the nearest of the others."""
        distances: dict[Convention, float] = {}
        keep: list[Convention] = []
        for convention, known in self.found.items():
            if len(known) == len(self.places):
                continue
            if len(known) < done:
                continue
            off, possible = self._outlook(convention)
            if possible and convention not in self._doubtful:
                keep.append(convention)
            elif not math.isnan(off):
                distances[convention] = off
        if self._one_by_one and self.evidence.mean is None:
            return keep + self._rivals(distances, done)
        # Earlier calls measured conventions that were the nearest then.
        bases = self._bases()
        room = RIVALS if self._one_by_one else NEAREST
        room -= sum(self.complete(item) and item not in bases for item in self.found)
        nearest = sorted(distances, key=lambda item: distances[item])[: max(0, room)]
        return [*keep, *nearest]

    def _rivals(self, distances: Mapping[Convention, float], done: int) -> list[Convention]:
        """Return the conventions that do not fit, but may be the nearest.

        The largest difference from the values of images only grows with more images. So those that
        are farther off than some that were measured on all of `screened` are not the nearest. A
        value whose digits were cut off is off by up to one more half of a digit.
        """
        enough = len(self.screened)
        known = [off for item, off in distances.items() if len(self.found[item]) >= enough]
        known += [self._outlook(item)[0] for item in self.found if self.complete(item)]
        limit = sorted(known)[RIVALS - 1] if len(known) >= RIVALS else math.inf
        return [
            item
            for item, off in distances.items()
            if (done < enough and off < limit) or self._nearly(item)
        ]

    def _nearly(self, convention: Convention) -> bool:
        """Tell whether the values of images fit if digits may have been cut off or rounded up."""
        return all(
            abs(reported.difference(self._single(convention, place)))
            <= reported.tolerance + reported.half
            for place, reported in self.evidence.images.items()
            if place in self.found[convention]
        )

    def _outlook(self, convention: Convention) -> tuple[float, bool]:
        """Return how far a convention is off, and whether it may fit."""
        off, possible = 0.0, True
        for place, reported in self.evidence.images.items():
            if place in self.found[convention]:
                value = self._single(convention, place)
                off = max(off, abs(reported.difference(value)))
                possible &= reported.matches(value)
        mean = self.evidence.mean
        if mean is not None:
            value, room = self._estimate(convention)
            away = abs(mean.difference(value))
            off = max(off, away)
            room += ALLOWANCE * max(1.0, abs(mean.value))
            possible &= not away > mean.tolerance + room
            possible &= self._within_limits(convention, mean)
        return off, possible

    def _within_limits(self, convention: Convention, mean: Reported) -> bool:
        """Tell whether the pairs that are missing can have values that give the mean."""
        if convention.pool != "images" or self._family.whole_set:
            return True
        places = [place for place in self.places if place in self.found[convention]]
        total, missing = self.images(convention, places).sum(), len(self.places) - len(places)
        least, most = ((total + missing * end if missing else total) for end in self._family.limits)
        room = mean.tolerance * len(self.places)
        return bool(least - room <= mean.value * len(self.places) <= most + room)

    def _estimate(self, convention: Convention) -> tuple[float, float]:
        """Estimate a mean over all pairs from few, and how far off the estimate may be.

        A pair that has a high value under one convention has high values under the others, too. So
        the means of complete conventions improve the estimate.
        """
        known = self.found[convention]
        first = self._first if self._one_by_one else []
        bases = [base for base in (*self._bases(), *first) if self._has_all(base)]
        key = (convention, len(known), len(bases))
        if key not in self._estimates:
            places = tuple(place for place in self.places if place in known)
            self._estimates[key] = self._compare(convention, places, bases)
        return self._estimates[key]

    def _compare(
        self, convention: Convention, places: tuple[int, ...], bases: Sequence[Convention]
    ) -> tuple[float, float]:
        """Estimate a mean alone, from each base, and from all; return the most certain one.

        From a base, it is that of the base plus the mean difference of the two on these pairs; from
        all, it is a linear regression, which needs means of images.
        """
        own = self._shares(convention, places)
        known = self._values_of(bases, places)
        total = len(self.places)
        rooms = _rooms(np.vstack([own, own - known.values]), len(places) - 1, total)
        best = int(rooms.argmin())
        if bases and len(places) < SCREENED:
            # So few pairs do not tell how certain an estimate is, nor which base is most similar.
            best = 1 + min(range(len(bases)), key=lambda index: _unlike(convention, bases[index]))
            rooms[best] = np.inf
        value, room = self._close(convention, places), float(rooms[best])
        if convention.pool == "images" and len(known.weights) and np.isfinite(own).all():
            centred = own - own.mean()
            rest = centred - known.span @ (centred @ known.span)
            (fitted,) = _rooms(rest[None], len(places) - 1 - known.span.shape[1], total)
            if fitted < room:
                return value + float(centred @ known.weights), float(fitted)
        return value + (float(known.moves[best - 1]) if best else 0.0), room

    def _shares(self, convention: Convention, places: tuple[int, ...]) -> NDArray[np.float64]:
        """Return one number a pair; the mean of the numbers is the value, or is close to it.

        The numbers are the values of images. Where errors are averaged first, they are jackknife
        pseudo-values: n times the value, minus n - 1 times the value without the pair (Quenouille
        1956).
        """
        count = len(places)
        if (convention.pool == "images" and not self._family.whole_set) or count < 2:
            return self.images(convention, places)
        without = [
            self._close(convention, (*places[:place], *places[place + 1 :]))
            for place in range(count)
        ]
        with np.errstate(invalid="ignore"):  # infinite less infinite
            return count * self._close(convention, places) - (count - 1) * np.array(without)

    def _values_of(self, bases: Sequence[Convention], places: tuple[int, ...]) -> Bases:
        """Return the values of complete conventions on some pairs; computed once."""
        key = (places, len(bases))
        if key not in self._known_bases:
            rows = [self._shares(base, places) for base in bases]
            values = np.array(rows).reshape(len(bases), len(places))
            closed = [(self._close(base, self.places), self._close(base, places)) for base in bases]
            moves = np.array([whole - part for whole, part in closed])
            usable = np.isfinite(values).all(1) & np.isfinite(moves)
            usable &= np.array([base.pool == "images" for base in bases], dtype=bool)
            span, weights = np.zeros((len(places), 0)), np.zeros(0)
            if usable.any() and len(places) >= FITTED:
                centred = values[usable] - values[usable].mean(1, keepdims=True)
                columns, sizes, mixed = np.linalg.svd(centred.T, full_matrices=False)
                rank = int((sizes > EQUAL * sizes[0]).sum()) if sizes[0] > 0 else 0
                span = columns[:, :rank]
                weights = span @ ((mixed[:rank] @ moves[usable]) / sizes[:rank])
            self._known_bases[key] = Bases(values, moves, span, weights)
        return self._known_bases[key]

    def _bases(self) -> list[Convention]:
        """Return the conventions that are measured on all pairs, to compare others with.

        Conventions that differ only in how pairs are averaged have the same statistics.
        """
        measured = dict.fromkeys([*self._usual, *self._relatives])
        averaged = (base._replace(pool=pool) for base in measured for pool in self._pools)
        return list(dict.fromkeys([*measured, *averaged]))

    def _has_all(self, convention: Convention) -> bool:
        return convention in self.found and self.complete(convention)

    def _single(self, convention: Convention, place: int) -> float:
        known = self._singles.get(convention, {})
        return known[place] if place in known else float(self.images(convention, (place,))[0])

    def _close(self, convention: Convention, places: Sequence[int]) -> float:
        if convention.pool == "images" and not self._family.whole_set:
            return float(self.images(convention, places).mean())
        known = self.found[convention]
        return self._family.close([known[place] for place in places], convention)

    def _measure(self, conventions: Sequence[Convention], places: Sequence[int]) -> None:
        """Measure pairs; drop the conventions that cannot be applied to all of them."""
        samples = {self._samples[convention]: self.found[convention] for convention in conventions}
        ordered = sorted(samples, key=self._family.order)
        if not ordered or not places:
            return
        missing = sum(place not in samples[sample] for sample in ordered for place in places)
        advance = self._begin(len(ordered), len(places), missing)
        unfit: set[Convention] = set()
        parts = _split(ordered, self._workers // len(places))

        def look(task: tuple[int, Sequence[Convention]]) -> Mapping[Convention, Any]:
            place, part = task
            pair = self._pairs.read(place)
            values: dict[Convention, Any] = {}
            for sample in part:
                if sample not in unfit and place not in samples[sample]:
                    try:
                        values[sample] = self._family.measure(pair, sample)
                    except IqbenchError:  # the image is too small, so there is no value
                        unfit.add(sample)
                if place not in samples[sample]:
                    advance()
            return values

        tasks = list(product(places, parts))
        results = in_threads(look, tasks, self._workers)
        for (place, _), values in zip(tasks, results, strict=True):
            for sample, statistic in values.items():
                samples[sample][place] = statistic
        if unfit:
            kept = [item for item in self.found if self._samples[item] not in unfit]
            self.found = {item: self.found[item] for item in kept}

    def _begin(self, conventions: int, places: int, missing: int) -> Callable[[], None]:
        """Report the amount of work; return a function that counts one more value."""
        reporter = self._reporter
        if reporter is None:
            return lambda: None
        pairs = "one pair" if places == 1 else f"{places} pairs"
        later = f" ({self._later} more if none fits)" if self._later else ""
        reporter.begin(
            f"{self.evidence.metric}, {conventions} conventions on {pairs}{later}", missing
        )
        counts = iter(range(1, missing + 1))
        told = 0

        def advance() -> None:
            nonlocal told
            count = next(counts, told)
            if count - told >= ADVANCES or self._family.networks or count == missing:
                reporter.advance(count - told)
                told = count

        return advance


def _unlike(convention: Convention, base: Convention) -> tuple[int, bool]:
    """Return how many settings differ; the metric itself counts most."""
    return len(convention.departures(base)), convention.metric != base.metric


def _split(ordered: Sequence[Convention], count: int) -> list[Sequence[Convention]]:
    """Split conventions into parts of similar size; those with the same pixels stay together.

    If there are fewer pairs than workers, several workers share a pair.
    """
    groups = [list(group) for _, group in groupby(ordered, key=lambda item: item.seen)]
    parts: list[list[Convention]] = [[]]
    for group in groups:
        if len(parts[-1]) * count >= len(ordered):
            parts.append([])
        parts[-1] += group
    return [part for part in parts if part]


def _rooms(values: NDArray[np.float64], freedom: int, total: int) -> NDArray[np.float64]:
    """Return how far the mean of each row may be from that of all values, by Student's t.

    It is farther away with a probability of `CHANCE`.

    Parameters
    ----------
    values
        (rows, n), a sample from `total` values, or what a regression leaves of it.
    freedom
        The degrees of freedom.
    total
        The number of all values.

    Returns
    -------
    ndarray
        (rows,). Infinite if a row is too short, or if its values are equal or not finite.
    """
    from scipy.special import stdtrit

    count = values.shape[1]
    if freedom < 1:
        return np.full(len(values), np.inf)
    with np.errstate(invalid="ignore"):
        deviations = values.std(axis=1) * math.sqrt(count / freedom)
    errors = deviations * math.sqrt((1 - count / total) / count)
    telling = np.isfinite(deviations) & (deviations > EQUAL)
    return np.where(telling, errors * stdtrit(freedom, 1 - CHANCE / 2), np.inf)
