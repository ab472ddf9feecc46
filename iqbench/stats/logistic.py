"""Logistic curves that are fitted between a metric and opinions before PLCC and RMSE.

4 parameters: f(x) = b1 + b2 / (1 + exp(-b3 (x - b4))), the form of VQEG FR-TV Phase II, with
asymptotes b1 and b1 + b2.
5 parameters: f(x) = b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5, the same with a linear
term, often attributed to Sheikh, Sabir, Bovik 2006 (doi:10.1109/TIP.2006.881959).

Given slope and position of the curve, the other parameters are linear least squares (Golub and
Pereyra 1973). So the search has only two dimensions: first on a grid, then from its best points.
It needs no initial guess, and depends neither on the metric's scale nor on its direction. The
curve with 5 parameters contains the one with 4, so its search also starts from the solution with
4, and its error is never larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit

from iqbench.stats.arrays import Floats

__all__ = ["Logistic", "Parameters", "Shape", "fit_logistic"]

Parameters = Literal[4, 5]
Shape = Literal["logistic", "exponential", "step"]

# All of these are for a metric with mean 0 and variance 1.
_SLOPES = np.geomspace(0.3, 30, 9)
_PLACES = np.linspace(0.05, 0.95, 9)  # quantiles
_SLOWEST, _STEEPEST = 0.05, 1000.0
_BEYOND = 10.0  # largest distance between the values and the middle of the curve
_TAIL = 5.0  # beyond this many scales from its middle, a logistic is an exponential within 1 %
_REFINED = 2  # points of the grid from which the search starts
_TRIED = 500  # rows that are used on the grid: enough to find the best points


@dataclass(frozen=True)
class Logistic:
    """A fitted curve.

    Attributes
    ----------
    parameters
        b1, b2, ... as in the formulas of this module.
    fitted
        (n,) the curve at the metric's values, in units of opinion.
    converged
        Whether the search ended at a minimum.
    shape
        ``exponential`` if the middle of the curve is far beyond the values, ``step`` if fewer than
        two values are in its rise. The parameters then have no meaning, but the fit is still
        valid.
    monotonic
        Whether the curve only rises or only falls over the metric's values. The curve with 5
        parameters may do both because of its linear term, and then overrates the metric.
    """

    parameters: tuple[float, ...]
    fitted: Floats
    converged: bool
    shape: Shape
    monotonic: bool

    def at(self, x: Floats) -> Floats:
        """Evaluate the curve at any values, by the formulas of this module."""
        if len(self.parameters) == 4:
            floor, height, slope, place = self.parameters
            return np.asarray(floor + height * expit(slope * (x - place)), dtype=np.float64)
        height, slope, place, tilt, constant = self.parameters
        rising = height * (expit(slope * (x - place)) - 0.5)
        return np.asarray(rising + tilt * x + constant, dtype=np.float64)


def fit_logistic(x: Floats, y: Floats, parameters: Parameters) -> Logistic | None:
    """Fit opinions by a logistic function of a metric, by least squares.

    Parameters
    ----------
    x
        (n,) values of the metric, finite.
    y
        (n,) opinions, finite.
    parameters
        4 or 5.

    Returns
    -------
    Logistic or None
        None if n is below twice the number of parameters, or if x or y is constant.
    """
    if len(x) < 2 * parameters or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    centre, scale, middle, spread = (float(n) for n in (x.mean(), x.std(), y.mean(), y.std()))
    u, v = (x - centre) / scale, (y - middle) / spread
    found, converged = _search(u, v, 4, _starts(u, v, 4))
    if parameters == 5:
        found, converged = _search(u, v, 5, [found.where, *_starts(u, v, 5)])
    slope, place = found.slope / scale, centre + scale * float(found.where[1])
    floor, height, *tilts = found.named()
    if parameters == 4:
        b = [floor * spread + middle, height * spread, slope, place]
    else:
        constant = floor + height / 2 - tilts[0] * centre / scale
        b = [height * spread, slope, place]
        b += [tilts[0] * spread / scale, constant * spread + middle]
    curve: Floats = middle + spread * found.curve
    named = tuple(float(number) for number in b)
    return Logistic(named, curve, converged, _shape(u, found), _monotonic(x, curve))


def _search(
    u: Floats, v: Floats, parameters: Parameters, starts: Sequence[Floats]
) -> tuple[_Solved, bool]:
    """Search slope and position from each start; return the best, and whether it converged."""
    # Clip instead of using bounds: MINPACK has no bounds, but is ten times as fast, and stops
    # when the result no longer changes.
    lowest, highest = np.array(
        [[np.log(_SLOWEST), u.min() - _BEYOND], [np.log(_STEEPEST), u.max() + _BEYOND]]
    )
    last = _solved_at(u, v, np.zeros(2), parameters)

    def at(where: Floats) -> _Solved:
        nonlocal last  # the slopes are needed at the point of the last residuals
        inside = np.clip(where, lowest, highest)
        if not np.array_equal(inside, last.where):
            last = _solved_at(u, v, inside, parameters)
        return last

    def residuals(where: Floats) -> Floats:
        return at(where).curve - v

    def slopes(where: Floats) -> Floats:
        inside: Floats = ((lowest < where) & (where < highest)).astype(np.float64)
        return _slopes(u, at(where)) * inside

    results = [
        least_squares(residuals, start, slopes, method="lm", xtol=1e-9, ftol=1e-12, gtol=1e-9)
        for start in starts
    ]
    best = min(results, key=lambda result: float(result.cost))
    return at(best.x), bool(best.status > 0)


def _shape(u: Floats, found: _Solved) -> Shape:
    place = float(found.where[1])
    if found.slope * max(u.min() - place, place - u.max()) > _TAIL:
        return "exponential"
    rising = np.unique(u[found.slope * np.abs(u - place) < _TAIL])
    return "step" if len(rising) < 2 else "logistic"


@dataclass(frozen=True)
class _Solved:
    """The best curve with a given slope and position.

    Attributes
    ----------
    where
        Logarithm of the slope, and position.
    design
        (n, 2 or 3) columns of the linear fit: 1, the sigmoid, and u.
    sigmoid
        (n,) rising if ``rises`` is 1, falling if it is -1.
    spread, mean
        Standard deviation and mean of the sigmoid, which standardise its column.
    linear
        Coefficients of the columns.
    curve
        (n,) the values of the curve.
    """

    where: Floats
    design: Floats
    sigmoid: Floats
    rises: float
    mean: float
    spread: float
    linear: Floats
    curve: Floats

    @property
    def slope(self) -> float:
        return float(np.exp(self.where[0]))

    def named(self) -> list[float]:
        """Lower asymptote and height of the rising sigmoid, and the linear term if there is one."""
        height = float(self.linear[1]) / self.spread
        floor = float(self.linear[0]) - height * self.mean
        if self.rises < 0:
            floor, height = floor + height, -height
        return [floor, height, *map(float, self.linear[2:])]


def _solved_at(u: Floats, v: Floats, where: Floats, parameters: Parameters) -> _Solved:
    argument = np.exp(where[0]) * (u - where[1])
    # Far beyond the values, only the tail that tends to 0 keeps its precision.
    rises = -1.0 if float(argument.mean()) > 0 else 1.0
    sigmoid: Floats = expit(rises * argument)
    mean = float(sigmoid.mean())
    spread = max(float(sigmoid.std()), float(np.finfo(np.float64).tiny))
    columns = [np.ones_like(u), (sigmoid - mean) / spread]
    if parameters == 5:
        columns.append(u)
    design = np.stack(columns, axis=1)
    linear = _solve(design, v)
    curve: Floats = design @ linear
    return _Solved(where, design, sigmoid, rises, mean, spread, linear, curve)


def _solve(design: Floats, right: Floats) -> Floats:
    solved = np.linalg.lstsq(design.T @ design, design.T @ right, rcond=1e-13)[0]
    return np.asarray(solved, dtype=np.float64)


def _slopes(u: Floats, at: _Solved) -> Floats:
    """Return the derivatives of the residuals by slope and position, after Kaufman (1975): (n, 2).

    The part that the linear parameters can compensate is projected out.
    """
    steepness = at.sigmoid * (1 - at.sigmoid) / at.spread  # symmetric, so that no tail overflows
    bend = at.rises * at.linear[1] * at.slope * steepness
    moved = np.stack([bend * (u - at.where[1]), -bend], axis=1)
    left: Floats = moved - at.design @ _solve(at.design, moved)
    return left


def _starts(u: Floats, v: Floats, parameters: Parameters) -> list[Floats]:
    """Evaluate a grid of slopes and positions on some of the rows; return the best points."""
    if len(u) > _TRIED:
        chosen = np.argsort(u, kind="stable")[np.linspace(0, len(u) - 1, _TRIED).astype(int)]
        u, v = u[chosen], v[chosen]
    places = np.unique(np.quantile(u, _PLACES))
    grid = np.array([(np.log(slope), place) for slope in _SLOPES for place in places])
    sigmoids = expit(np.exp(grid[:, :1]) * (u - grid[:, 1:])) - 0.5
    columns = [np.ones_like(sigmoids), sigmoids]
    if parameters == 5:
        columns.append(np.broadcast_to(u, sigmoids.shape))
    design = np.stack(columns, axis=2)
    # A negligible ridge keeps the equations solvable if the sigmoid is flat.
    normal = design.transpose(0, 2, 1) @ design + 1e-9 * len(u) * np.eye(len(columns))
    linear = np.linalg.solve(normal, design.transpose(0, 2, 1) @ v[:, np.newaxis])
    errors = ((v - (design @ linear)[:, :, 0]) ** 2).sum(axis=1)
    return list(grid[np.argsort(errors, kind="stable")[:_REFINED]])


def _monotonic(x: Floats, fitted: Floats) -> bool:
    steps = np.diff(fitted[np.argsort(x, kind="stable")])
    tolerance = 1e-9 * float(np.ptp(fitted))
    return bool((steps >= -tolerance).all() or (steps <= tolerance).all())
