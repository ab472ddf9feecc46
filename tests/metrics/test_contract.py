"""Promises that every registered metric keeps; new columns are included automatically."""

import math

import numpy as np
import pytest
from skimage import data

from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.metrics._registry import metric_classes, resolve_metrics
from iqbench.networks import weights

# Every metric with its defaults, and the options that read other networks or other layers.
SPECS = (
    *metric_classes(),
    "lpips:net=vgg",
    "lpips:net=squeeze",
    "perceptual:net=resnet18,distance=l2",
    "perceptual:layers=conv3_3+pool4,weights=.1+1,normalise=none",
)


def why_not(metric):
    """Say why a metric cannot be tested: its trained parameters were not fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(weights.OFFLINE_VARIABLE, "1")
        try:
            metric.parameters(None)
        except IqbenchError as error:
            return str(error)
    return ""


REQUESTS = tuple(
    request
    for request in resolve_metrics(SPECS)
    if request.metric.needs != "bitstream" and request.metric.scope == "image"
)
REASONS = {request.metric: why_not(request.metric) for request in REQUESTS}
HERE = [request.column.name for request in REQUESTS if not REASONS[request.metric]]
NETWORKS = frozenset(weights.NETWORKS)
COLUMNS = [request.column.name for request in REQUESTS]
# Of the light noise: differences of a hundredth between float32 features of size 1.
ROUNDING = 1e-5
columns = pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            request,
            id=request.column.name,
            marks=pytest.mark.skipif(bool(REASONS[request.metric]), reason=REASONS[request.metric]),
        )
        for request in REQUESTS
    ],
)


def picture(pixels):
    return Picture(pixels, digest="", name="made", bytes=0)


def noisy(image, deviation, seed=1):
    noise = np.random.default_rng(seed).normal(0, deviation * 255, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def outcomes_of(scorer, photograph):
    """Outcomes of every column by what was scored."""
    equal, light, heavy = photograph, noisy(photograph, 0.02), noisy(photograph, 0.15)
    generator = np.random.default_rng(0)
    random = generator.integers(0, 256, (2, *photograph.shape), dtype=np.uint8)
    outputs = {"equal": equal, "light": light, "heavy": heavy, "random": random[0]}
    batch = Batch([picture(photograph)], [picture(image) for image in outputs.values()], [0] * 4)
    scored = dict(zip(outputs, scorer.score(batch), strict=True))

    def one(reference, output):
        return scorer.score(Batch([picture(reference)], [picture(output)], [0]))[0]

    scored["swapped"] = one(light, photograph)
    scored["random pair"] = one(*random)
    scored["light alone"] = one(photograph, light)
    several = Batch(
        [picture(image) for image in (heavy, photograph, random[0])],
        [picture(image) for image in (random[1], light, photograph)],
        [2, 1, 0],
    )
    scored["of several"], scored["light in a crowd"], _ = scorer.score(several)
    return scored


@pytest.fixture(scope="module")
def found(make_scorer):
    """All columns, all of it in few batches; networks on small images, for they take longer."""
    deep = [
        request.column.name
        for request in REQUESTS
        if NETWORKS & {tap.network for tap in request.column.taps} and request.column.name in HERE
    ]
    shallow = [name for name in HERE if name not in deep]
    small = outcomes_of(make_scorer(deep), data.astronaut()[60:125, 180:247])
    # As large as the five scales of MS-SSIM and two blocks of NIQE want it.
    large = outcomes_of(make_scorer(shallow), data.astronaut()[20:217, 140:339])
    return {case: small[case] | large[case] for case in small}


@columns
def test_a_column_describes_itself(request_):
    column, metric = request_.column, request_.metric
    assert column.name.startswith(metric.name)
    assert column.summary
    assert metric.citation
    assert metric.version >= 1
    kind, _, target = column.direction.partition(":")
    assert kind in ("higher", "lower", "none") or (
        kind == "target" and math.isfinite(float(target))
    )


@columns
def test_equal_images_have_the_best_value(request_, found):
    column = request_.column
    value = found["equal"][column.name].value
    assert value is not None
    if request_.metric.needs == "output":
        return  # what the reference is does not matter, see below
    kind, _, target = column.direction.partition(":")
    if kind == "higher":
        assert value > found["light"][column.name].value
    elif kind == "lower":
        # Not exactly: reference and outputs go through a network in batches of different size.
        assert value == pytest.approx(0, abs=ROUNDING)
    elif kind == "target":
        assert value == pytest.approx(float(target), abs=1e-6)


@columns
def test_a_metric_that_needs_the_output_alone_does_not_see_the_reference(request_, found):
    name = request_.column.name
    of_reference = found["light"][name].value == found["of several"][name].value
    if request_.metric.needs == "output":
        # Outputs of several references: the photograph under light noise stands second.
        assert found["light in a crowd"][name] == found["light alone"][name]
    else:
        assert not of_reference


@columns
def test_a_heavier_degradation_is_worse(request_, found):
    column = request_.column
    light, heavy = (found[name][column.name].value for name in ("light", "heavy"))
    kind, _, target = column.direction.partition(":")
    if kind == "higher":
        assert heavy < light
    elif kind == "lower":
        assert heavy > light
    elif kind == "target":
        assert abs(heavy - float(target)) > abs(light - float(target))
    else:
        assert math.isfinite(light)


@columns
def test_a_symmetric_metric_does_not_know_which_is_the_reference(request_, found):
    name = request_.column.name
    there, back = found["light"][name].value, found["swapped"][name].value
    if request_.metric.symmetric:
        assert there == pytest.approx(back, rel=ROUNDING)
    else:
        assert math.isfinite(back)


@columns
def test_random_images_have_finite_values(request_, found):
    for case in ("random", "random pair", "light", "heavy"):
        outcome = found[case][request_.column.name]
        assert outcome.error is None
        assert math.isfinite(outcome.value)


@columns
def test_a_value_does_not_depend_on_the_batch_around_it(request_, found):
    name = request_.column.name
    alone = found["light alone"][name].value
    assert found["light"][name].value == pytest.approx(alone, rel=ROUNDING)
    assert found["light in a crowd"][name].value == pytest.approx(alone, rel=ROUNDING)
    # The batches pair the same two images in both.
    pair = found["random pair"][name].value
    assert found["of several"][name].value == pytest.approx(pair, rel=ROUNDING)


@columns
def test_the_name_asks_for_the_column(request_):
    # Where a metric of several columns is called like one of them, all are given.
    again = resolve_metrics([request_.column.name])
    assert request_.column in [request.column for request in again]


def test_no_two_columns_share_a_name():
    assert len(set(COLUMNS)) == len(COLUMNS)
