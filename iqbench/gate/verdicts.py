"""Verdicts on paired gains: by size, by significance, and by losses of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iqbench.stats.arrays import Floats
from iqbench.stats.gains import finite_mean, infinite_counts
from iqbench.stats.paired import holm, paired_test, smallest_p

__all__ = ["ALPHA", "IMAGE", "MEAN", "TIE", "Judgement", "judge", "reaches"]

ALPHA = 0.05
"""The largest probability that the rule on means calls noise worse anywhere in a check."""

TIE = 0.1
"""A change below this share of the margin is a tie in the tests."""

MEAN, IMAGE = "mean", "image"
"""Reasons why a comparison is worse."""

_ROUNDING = 1e-9  # relative tolerance: a loss of 0.05 dB reaches a margin of 0.05 dB


@dataclass(frozen=True)
class Judgement:
    """The verdict on the pairs of one comparison.

    Parameters
    ----------
    verdict
        ``better``, ``same``, ``worse``, or ``changed`` for a metric without direction.
    reason
        For ``worse``: `IMAGE` if any image lost its limit or more, else `MEAN`. Empty otherwise.
    gain
        Mean over the pairs with a finite gain, see `finite_mean`; NaN without any pair.
    infinite_gains, infinite_losses
        Numbers of pairs with an infinite gain or loss.
    changed
        Number of pairs that differ.
    p_value
        p-value of the test for losses if losses reach the margin, of the test for gains if only
        gains do, else of the test in the direction of the mean; corrected by Holm, NaN if nothing
        was tested.
    margin_alone
        Whether too few pairs changed by more than a tie for any outcome to be significant.
    mean_is_worse
        Whether the rule on means alone gives ``worse``.
    doubtful
        Whether the mean lost or gained the margin, but not significantly.
    images_beyond
        Number of images that lost their limit or more.
    """

    verdict: str
    reason: str
    gain: float
    infinite_gains: int
    infinite_losses: int
    changed: int
    p_value: float
    margin_alone: bool
    mean_is_worse: bool
    doubtful: bool
    images_beyond: int


def judge(
    gains: Sequence[Floats],
    margins: Sequence[float],
    limits: Sequence[Floats] | None = None,
    alpha: float = ALPHA,
) -> list[Judgement]:
    """Judge comparisons together.

    Two rules can call a comparison ``worse``.

    *Single images*: an image lost its limit or more. There is no test. An infinite loss exceeds
    every limit.

    *Means*: the mean over the pairs with a finite gain lost the margin or more, or more pairs lost
    infinitely than gained infinitely; *and* the losses are significant: Wilcoxon's signed-rank
    test, one-sided, with changes below `TIE` of the margin as ties, corrected by Holm over all
    comparisons with changes beyond ties. (Without such changes no outcome could be significant, so
    these comparisons need no correction: Tarone 1990, doi:10.2307/2531456.) An infinite change is
    the largest in the test. If more pairs lost than gained infinitely, infinite gains are left
    out, so that one lucky image does not hide the losses of others. ``better`` is the same rule
    with gains instead of losses. If so few pairs changed that p would be above Holm's strictest
    level (alpha divided by the number of tests) even if all of them were losses, the margin alone
    decides.

    Parameters
    ----------
    gains
        The gain of each pair, per comparison; not NaN, infinities allowed.
    margins
        The margin per comparison; NaN without direction, which is never better or worse.
    limits
        The limit of each pair, per comparison; NaN for no limit. None for no limits at all.
    alpha
        Significance level.

    Returns
    -------
    list of Judgement
        One per comparison.
    """
    if limits is None:
        limits = [np.full(gain.shape, np.nan) for gain in gains]
    losses = _tests(gains, margins, alpha)
    wins = _tests([-gain for gain in gains], margins, alpha)
    return [
        _judgement(*comparison)
        for comparison in zip(gains, margins, limits, losses, wins, strict=True)
    ]


def reaches(change: float, margin: float) -> bool:
    """Return whether a change is as large as the margin, up to rounding."""
    return change >= margin * (1 - _ROUNDING)


@dataclass(frozen=True)
class _Test:
    """The corrected test of a comparison for losses, or for gains.

    ``counts`` is true if the changes are significant, or if no outcome could be significant.
    """

    p_value: float = np.nan
    effect: float = 0.0
    margin_alone: bool = False
    counts: bool = False


def _tests(gains: Sequence[Floats], margins: Sequence[float], alpha: float) -> list[_Test]:
    """Test the comparisons with changes beyond ties for losses; correct by Holm."""
    tested = [_tested(gain, margin) for gain, margin in zip(gains, margins, strict=True)]
    family = [place for place, gain in enumerate(tested) if gain.any()]
    raw = [paired_test(tested[place], "less") for place in family]
    corrected = holm([test.p_value for test in raw])
    found = [_Test()] * len(gains)
    for place, test, p_value in zip(family, raw, corrected, strict=True):
        smallest = smallest_p(int(np.count_nonzero(tested[place])), "less")
        alone = smallest > alpha / len(family)
        found[place] = _Test(float(p_value), test.effect, alone, counts=alone or p_value <= alpha)
    return found


def _tested(gain: Floats, margin: float) -> Floats:
    """Return the gains that the test for losses ranks; empty for a metric without direction."""
    if np.isnan(margin):
        return gain[:0]
    lucky = np.isposinf(gain)
    if np.count_nonzero(gain < 0) > np.count_nonzero(lucky):
        gain = gain[~lucky]
    return np.where(np.abs(gain) < TIE * margin * (1 - _ROUNDING), 0.0, gain)


def _judgement(gain: Floats, margin: float, limit: Floats, loss: _Test, win: _Test) -> Judgement:
    mean = finite_mean(gain)
    rises, falls = infinite_counts(gain)
    changed = int(np.count_nonzero(gain))
    images_beyond = int(np.count_nonzero((gain < 0) & (-gain >= limit * (1 - _ROUNDING))))
    mean_lost = mean < 0 and reaches(-mean, margin)
    mean_won = mean > 0 and reaches(mean, margin)
    loses, wins = mean_lost or falls > rises, mean_won or rises > falls
    # If nothing can be tested, infinite losses do not overrule gains with more weight.
    outvoted = loss.margin_alone and mean_won and loss.effect > 0
    worse = loses and loss.counts and not outvoted
    better = wins and win.counts and not worse
    verdict = "changed" if changed and np.isnan(margin) else "same"
    if worse or images_beyond:
        verdict = "worse"
    elif better:
        verdict = "better"
    # Report the direction that the verdict is about, or that was doubtful.
    lost_side = worse or (not better and (loses or (mean < 0 and not wins)))
    side = loss if lost_side else win
    return Judgement(
        verdict=verdict,
        reason=(IMAGE if images_beyond else MEAN) if verdict == "worse" else "",
        gain=mean,
        infinite_gains=rises,
        infinite_losses=falls,
        changed=changed,
        p_value=side.p_value,
        margin_alone=side.margin_alone,
        mean_is_worse=worse,
        doubtful=(loses or wins) and not (worse or better) and not np.isnan(margin),
        images_beyond=images_beyond,
    )
