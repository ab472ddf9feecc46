"""Logistic fits find the curve of the data, or report that there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from iqbench.stats.logistic import _slopes, _solved_at, fit_logistic


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


def test_data_without_a_logistic_fit_is_reported():
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


METRICS = {
    "psnr": lambda rng, n: rng.uniform(20, 50, n),
    "ssim": lambda rng, n: rng.beta(8, 1.5, n),
    "lpips": lambda rng, n: rng.lognormal(-2, 0.8, n),
    "two groups": lambda rng, n: np.where(
        np.arange(n) < n // 2, rng.normal(25, 1.5, n), rng.normal(40, 3, n)
    ),
    "levels": lambda rng, n: np.arange(n) % 4 + 0.0,
    "outliers": lambda rng, n: rng.standard_cauchy(n),
    "far from zero": lambda rng, n: 1e6 + rng.normal(0, 1e-3, n),
}
OPINIONS = {
    "saturating": lambda z: 50 + 25 * np.tanh(z),
    "linear": lambda z: 50 + 20 * z,
    "bent": lambda z: 50 - 18 * z + 4 * z**2,
    "sigmoid": lambda z: 50 + 30 / (1 + np.exp(-3 * z)),
    "step": lambda z: 50 + 20.0 * (z > 0.3),
    "wave": lambda z: 50 + 20 * np.sin(3 * z),
    "unrelated": lambda z: np.full_like(z, 50.0),
}


@settings(derandomize=True, max_examples=150)
@given(
    st.sampled_from(sorted(METRICS)),
    st.sampled_from(sorted(OPINIONS)),
    st.sampled_from([10, 24, 80]),
    st.sampled_from([0.0, 3.0, 12.0]),
    st.integers(0, 2**32 - 1),
)
def test_five_parameters_never_fit_worse_than_four(metric, opinion, n, noise, seed):
    """The curve with five contains the one with four."""
    rng = np.random.default_rng(seed)
    x = METRICS[metric](rng, n)
    y = OPINIONS[opinion]((x - x.mean()) / x.std()) + rng.normal(0, noise, n)
    four, five = (fit_logistic(x, y, parameters) for parameters in (4, 5))
    if four is not None:
        errors = [np.sqrt(np.mean((fit.fitted - y) ** 2)) for fit in (four, five)]
        assert errors[1] <= errors[0] * (1 + 1e-9) + 1e-9 * np.ptp(y)


@pytest.mark.parametrize("parameters", [4, 5])
def test_the_curve_can_be_evaluated_anywhere(parameters):
    generator = np.random.default_rng(5)
    x = generator.uniform(-3, 7, 50)
    y = 40 / (1 + np.exp(-1.3 * (x - 2))) + 0.5 * x + generator.normal(0, 1, 50)
    fit = fit_logistic(x, y, parameters)
    np.testing.assert_allclose(fit.at(x), fit.fitted, rtol=1e-9)
    between = (x[:-1] + x[1:]) / 2
    formula = {
        4: lambda z, a, b, c, d: a + b / (1 + np.exp(-c * (z - d))),
        5: lambda z, a, b, c, d, e: a * (0.5 - 1 / (1 + np.exp(b * (z - c)))) + d * z + e,
    }[parameters]
    np.testing.assert_allclose(fit.at(between), formula(between, *fit.parameters), rtol=1e-9)
