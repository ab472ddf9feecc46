"""Verdicts on paired gains: by how much, and is it more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iqbench.analysis.gains import Floats, mean_difference
from iqbench.analysis.paired import Alternative, holm, paired_test, smallest_p

__all__ = ["ALPHA", "Judgement", "judge"]

ALPHA = 0.05
"""How often noise alone may be called worse anywhere in a check."""

_ROUNDING = 1e-9  # a loss of 0.05 dB is one, whatever the last bits of the difference


@dataclass(frozen=True)
class Judgement:
    """What the pairs of one comparison say.

    Parameters
    ----------
    verdict
        ``better``, ``same``, ``worse``, or ``changed`` for a metric without direction.
    gain
        Mean over the pairs, see `mean_difference`; NaN without any.
    changed
        How many pairs differ.
    p_value
        Of the side that the gain is on, corrected by Holm; NaN where nothing was tested.
    margin_alone
        Whether too few pairs differ for any outcome to be significant.
    doubtful
        Whether the gain or loss is beyond the margin and does not count for want of significance.
    """

    verdict: str
    gain: float
    changed: int
    p_value: float
    margin_alone: bool
    doubtful: bool


def judge(
    gains: Sequence[Floats], margins: Sequence[float], alpha: float = ALPHA
) -> list[Judgement]:
    """Judge comparisons together.

    A comparison is ``worse`` if its mean gain is a loss of the margin or more, *and* the losses
    are significant: Wilcoxon's signed-rank test, one-sided, corrected by Holm over all comparisons
    in which anything changed. (Where nothing changed no outcome could be significant, so that
    these cost the others nothing: Tarone 1990, doi:10.2307/2531456.) ``better`` is its mirror
    image. Where so few pairs changed that even if all had got worse p would be above the strictest
    of Holm's levels, alpha over the number of tests, the margin alone decides.

    Parameters
    ----------
    gains
        Of each comparison, how much better each pair got; none NaN, infinities allowed.
    margins
        Of each comparison; NaN for one without direction, which is never better or worse.
    alpha
        Level of the test.

    Returns
    -------
    list of Judgement
        One a comparison.
    """
    means = [mean_difference(gain) if gain.size else np.nan for gain in gains]
    changed = [int(np.count_nonzero(gain)) for gain in gains]
    family = [
        place for place, margin in enumerate(margins) if changed[place] and not np.isnan(margin)
    ]
    p_value = _corrected([gains[place] for place in family], [means[place] for place in family])
    tested = dict(zip(family, p_value, strict=True))
    judged = []
    for place, (gain, margin) in enumerate(zip(means, margins, strict=True)):
        p = tested.get(place, np.nan)
        alone = place in tested and smallest_p(changed[place], "less") > alpha / len(family)
        beyond = place in tested and gain != 0 and abs(gain) >= margin * (1 - _ROUNDING)
        counts = beyond and (alone or p <= alpha)
        verdict = "changed" if changed[place] and np.isnan(margin) else "same"
        if counts:
            verdict = "better" if gain > 0 else "worse"
        judged.append(
            Judgement(verdict, gain, changed[place], p, alone, doubtful=beyond and not counts)
        )
    return judged


def _corrected(gains: Sequence[Floats], means: Sequence[float]) -> list[float]:
    """Test each for the side its mean is on; correct losses and gains apart."""
    sides: list[Alternative] = ["less" if mean < 0 else "greater" for mean in means]
    raw = np.array(
        [paired_test(gain, side).p_value for gain, side in zip(gains, sides, strict=True)]
    )
    lost = np.array([side == "less" for side in sides], dtype=bool)
    # The p of the side that a mean is not on counts as 1: it is in the family and comes last.
    losses, wins = holm(np.where(lost, raw, 1.0)), holm(np.where(lost, 1.0, raw))
    return [float(p) for p in np.where(lost, losses, wins)]
