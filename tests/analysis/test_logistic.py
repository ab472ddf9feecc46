"""Logistic fits find the curve that made the data, or say that there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from iqbench.analysis.logistic import _slopes, _solved_at, fit_logistic


def logistic4(x, a, b, c, d):
    return a + b / (1 + np.exp(-c * (x - d)))


def logistic5(x, a, b, c, d, e):
    return a * (0.5 - 1 / (1 + np.exp(b * (x - c)))) + d * x + e


@pytest.mark.parametrize(
    ("parameters", "curve", "truth"),
    [(4, logistic4, (1.0, 4.0, 0.3, 30.0)), (5, logistic5, (3.0, 0.4, 28.0, 0.02, 1.0))],
)
def test_a_fit_finds_the_curve_that_made_the_data(parameters, curve, truth):
    x = np.linspace(15, 45, 60)
    fit = fit_logistic(x, curve(x, *truth), parameters)
    assert fit.parameters == pytest.approx(truth, rel=1e-4)
    assert (fit.converged, fit.shape, fit.monotonic) == (True, "logistic", True)
    noisy = curve(x, *truth) + np.random.default_rng(0).normal(0, 0.3, 60)
    best = curve_fit(curve, x, noisy, p0=truth, maxfev=10_000)[0]
    ours = fit_logistic(x, noisy, parameters)
    error = np.sum((ours.fitted - noisy) ** 2)
    assert error == pytest.approx(np.sum((curve(x, *best) - noisy) ** 2), rel=1e-6)
    np.testing.assert_allclose(curve(x, *ours.parameters), ours.fitted, rtol=1e-7)


@pytest.mark.parametrize("parameters", [4, 5])
@pytest.mark.parametrize("scale", [1e-6, -1.0, 1e5])
def test_a_fit_does_not_depend_on_scale_or_sign(parameters, scale):
    generator = np.random.default_rng(2)
    x = generator.uniform(0, 1, 80)
    y = np.tanh(4 * x) + generator.normal(0, 0.2, 80)
    plain, scaled = (fit_logistic(s * x + s, y, parameters) for s in (1.0, scale))
    np.testing.assert_allclose(scaled.fitted, plain.fitted, atol=2e-4)


def test_what_no_logistic_can_tell_is_said():
    x = np.linspace(0, 5, 40)
    assert fit_logistic(x, np.exp(x), 4).shape == "exponential"
    step = fit_logistic(x, (x > 2).astype(float), 4)
    assert step.shape == "step"
    assert step.fitted == pytest.approx((x > 2).astype(float), abs=1e-3)
    bent = fit_logistic(x, np.sin(x), 5)
    assert not bent.monotonic


def test_a_search_that_strays_to_where_the_sigmoid_underflows_goes_on():
    x, y = np.repeat([-0.7, 1.0], 6), np.tile([0.0, 1.0, 2.0], 4)
    at = _solved_at(x, y, np.array([np.log(315), -2.95]), 5)  # exp(-315 * 2.25) is about 1e-308
    assert at.spread < 1e-300
    assert np.isfinite(_slopes(x, at)).all()


def test_too_few_images_or_one_value_have_no_fit():
    x = np.arange(9.0)
    assert fit_logistic(x, x**2, 5) is None
    assert fit_logistic(x, x**2, 4) is not None
    assert fit_logistic(np.ones(20), np.arange(20.0), 4) is None
    assert fit_logistic(np.arange(20.0), np.ones(20), 4) is None
