"""Metrics and columns by name, and names without hidden choices."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iqbench import plugins
from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.picture import Picture
from iqbench.metrics import _registry
from iqbench.metrics._base import Column, Metric, Tap
from iqbench.metrics._registry import DEFAULT_METRICS, metric_classes, resolve_metrics
from iqbench.metrics.perceptual import default_layers
from iqbench.networks.registry import architecture
from iqbench.networks.weights import NETWORKS
from iqbench.specs import format_value


def names(*specs):
    return [request.column.name for request in resolve_metrics(specs)]


def test_the_default_columns():
    assert names(*DEFAULT_METRICS) == [
        "psnr",
        "ssim",
        "tv-aniso-output",
        "tv-aniso-reference",
        "tv-iso-output",
        "tv-iso-reference",
        "tv-sq-output",
        "tv-sq-reference",
        "tv-ratio",
        "tv-residual",
        "perceptual-vgg16-relu1_2-l1",
        "perceptual-vgg16-relu2_2-l1",
        "perceptual-vgg16-relu3_3-l1",
        "perceptual-vgg16-relu4_3-l1",
        "perceptual-vgg16-relu5_3-l1",
        "perceptual-vgg16-sum-l1",
        "lpips-alex",
        "lpips-vgg",
    ]


@pytest.mark.parametrize(
    ("spec", "columns"),
    [
        ("lpips", ["lpips-alex"]),
        ("lpips:net=squeeze", ["lpips-squeeze"]),
        (" lpips-vgg ", ["lpips-vgg"]),
        ("tv-ratio", ["tv-ratio"]),
        ("perceptual:layers=relu2_2,distance=l2", ["perceptual-vgg16-relu2_2-l2"]),
        (
            "perceptual:net=vgg19,layers=conv5_4+pool5,normalise=none",
            [
                "perceptual-vgg19-conv5_4-l1-normalise=none",
                "perceptual-vgg19-pool5-l1-normalise=none",
                "perceptual-vgg19-sum-l1-layers=conv5_4+pool5-normalise=none",
            ],
        ),
        (
            "perceptual:layers=relu2_2,weights=2",
            ["perceptual-vgg16-relu2_2-l1", "perceptual-vgg16-sum-l1-layers=relu2_2-weights=2"],
        ),
        ("perceptual-resnet18-layer1.0-l1", ["perceptual-resnet18-layer1.0-l1"]),
    ],
)
def test_columns_are_spelt_from_the_options(spec, columns):
    assert names(spec) == columns


def test_no_column_is_computed_twice():
    assert names("psnr", "lpips-alex", "lpips", "psnr") == ["psnr", "lpips-alex"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("psnt", "unknown metric 'psnt'. Did you mean 'psnr'?"),
        ("tv-anisooutput", "unknown metric 'tv-anisooutput'. Did you mean 'tv-aniso-output'?"),
        ("lpips-vg", "unknown metric 'lpips-vg'. Did you mean 'lpips-vgg'?"),
        ("lpips:nett=vgg", "unknown option of metric 'lpips' 'nett'. Did you mean 'net'?"),
        ("lpips:net=vgg16", "net of metric 'lpips': Input should be 'alex', 'vgg' or 'squeeze'"),
        ("psnr:net=vgg", "unknown option of metric 'psnr' 'net'"),
        ("perceptual:net=vgg61", "unknown network 'vgg61'. Did you mean 'vgg19'?"),
        ("perceptual-vgg61-relu1_2-l1", "unknown network 'vgg61'. Did you mean 'vgg19'?"),
        ("perceptual:layers=rel1_2", "unknown layer of vgg16 'rel1_2'. Did you mean 'relu1_2'?"),
        ("perceptual-vgg16-rel1_2-l1", "unknown layer of vgg16 'rel1_2'. Did you mean 'relu1_2'?"),
        ("perceptual-vgg16-relu1_2-l3", "distance of metric 'perceptual': Input should be"),
        ("perceptual-vgg16-relu1_2", "unknown metric 'perceptual-vgg16-relu1_2'. Did you mean"),
        ("perceptual:layers=relu1_2+relu1_2", "a layer is named twice: relu1_2+relu1_2"),
        ("perceptual:weights=1+2", "2 weights for 5 layers (relu1_2+relu2_2+relu3_3+relu4_3+r"),
        ("perceptual:weights=-1+1+1+1+1", "weights of metric 'perceptual': Input should be gre"),
        ("perceptual:weights=inf+1+1+1+1", "weights of metric 'perceptual': Input should be a f"),
        # Another option than the one in the name: no column is called so.
        ("perceptual-vgg16-relu1_2-l1-net=vgg19", "unknown metric 'perceptual-vgg16-relu1_2-l1-n"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_name(spec, message):
    with pytest.raises(IqbenchError) as caught:
        resolve_metrics([spec])
    assert str(caught.value).startswith(message)


def test_no_metric_at_all_is_refused():
    with pytest.raises(IqbenchError, match="no metric is given"):
        resolve_metrics([])


@st.composite
def perceptual_options(draw):
    net = draw(st.sampled_from(sorted(NETWORKS)))
    layers = draw(
        st.one_of(
            st.just(default_layers(net)),
            st.lists(
                st.sampled_from(architecture(net).layers), min_size=1, max_size=5, unique=True
            ).map(tuple),
        )
    )
    weight = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
    weights = draw(
        st.one_of(
            st.just(()),
            st.lists(weight, min_size=len(layers), max_size=len(layers)).map(tuple),
        )
    )
    return {
        "net": net,
        "layers": layers,
        "weights": weights,
        "distance": draw(st.sampled_from(["l1", "l2"])),
        "normalise": draw(st.sampled_from(["imagenet", "none"])),
    }


def as_spec(options):
    written = {key: format_value(value) for key, value in options.items()}
    return "perceptual:" + ",".join(f"{key}={value}" for key, value in written.items() if value)


@given(options=perceptual_options())
def test_the_name_of_a_column_asks_for_that_column(options):
    for request in resolve_metrics([as_spec(options)]):
        (again,) = resolve_metrics([request.column.name])
        assert again.column == request.column
        if "sum" in request.column.name:
            assert again.metric == request.metric


@pytest.mark.parametrize("name", names(*DEFAULT_METRICS, "lpips:net=squeeze"))
def test_the_name_of_a_default_column_asks_for_that_column(name):
    (request,) = resolve_metrics([name])
    assert request.column.name == name
    assert names(name, name) == [name]


@given(options=perceptual_options(), data=st.data())
def test_columns_with_different_options_never_share_a_name(options, data):
    key = data.draw(st.sampled_from(sorted(options)))
    other = data.draw(perceptual_options()) if key == "net" else dict(options)
    if key == "weights":
        # The next number that there is: no rounding may hide it.
        weights = options["weights"] or (1.0,) * len(options["layers"])
        other["weights"] = (math.nextafter(weights[0], 0.0) + 5e-324, *weights[1:])
    elif key == "layers":
        other["layers"] = options["layers"][::-1]
    elif key in ("distance", "normalise"):
        values = {"distance": ("l1", "l2"), "normalise": ("imagenet", "none")}[key]
        other[key] = values[values.index(options[key]) - 1]
    described = {}
    for chosen in (options, other):
        for request in resolve_metrics([as_spec(chosen)]):
            column = request.column
            assert described.setdefault(column.name, column.options) == column.options


class Whole(Metric):
    """The largest error, and its place in the order of all: no band knows it."""

    name: ClassVar[str] = "worst"
    summary: ClassVar[str] = "Largest absolute error"
    citation: ClassVar[str] = "none"
    calls: ClassVar[list[int]] = []

    def columns(self):
        taps = (Tap(whole=True),)
        return (
            Column("worst", "lower", "Largest absolute error", taps),
            Column("worst-root", "lower", "Its root", taps, undefined="the images are equal"),
        )

    def maps(self, tap, reference, output, parameters):
        if output.shape[3] < 2:
            raise IqbenchError("one column is too few")
        self.calls.append(tuple(output.shape))
        return {"worst": (reference[0] - output).abs().flatten(1).amax(1)[:, None]}

    def close(self, column, means, parameters):
        worst = means["worst"]
        return worst if column == "worst" else torch.where(worst > 0, worst.sqrt(), torch.nan)


@pytest.fixture
def installed(monkeypatch) -> Callable[[object], None]:
    """Install another package's entry point for the length of a test."""

    def install(*things: object) -> None:
        def points(group: str) -> list[SimpleNamespace]:
            return [
                SimpleNamespace(
                    value=f"{package}:thing", group=group, load=lambda thing=thing: thing, dist=None
                )
                for package, thing in zip(("other_package", "third_package"), things, strict=False)
            ]

        monkeypatch.setattr(plugins, "entry_points", points)
        assert _registry.ENTRY_POINTS == "iqbench.metrics"
        metric_classes.cache_clear()

    yield install
    metric_classes.cache_clear()


def picture(pixels):
    return Picture(pixels, digest="", name="made", bytes=0)


def test_a_metric_of_another_package_is_discovered_and_scored(installed, make_scorer):
    installed(Whole)
    assert metric_classes()["worst"] is Whole
    assert names("worst", "psnr") == ["worst", "worst-root", "psnr"]
    assert names("worst-root") == ["worst-root"]
    generator = np.random.default_rng(0)
    reference, first, second = generator.integers(0, 256, (3, 17, 13, 3), dtype=np.uint8)
    batch = Batch([picture(reference)], [picture(first), picture(second)], [0, 0])
    Whole.calls.clear()
    # One row at a time: whole images all the same.
    found = make_scorer(["worst", "psnr"], memory=1).score(batch)
    for outcomes, output in zip(found, (first, second), strict=True):
        worst = np.abs(reference.astype(int) - output).max() / 255
        assert outcomes["worst"].value == pytest.approx(worst, abs=1e-6)
        assert outcomes["worst-root"].value == pytest.approx(worst**0.5, abs=1e-6)
        assert list(outcomes) == ["worst", "worst-root", "psnr"]
    # Once for each output, whatever the number of its columns.
    assert Whole.calls == [(1, 3, 17, 13)] * 2


def test_a_whole_image_metric_sees_what_the_protocol_shows(installed, make_scorer):
    installed(Whole)
    reference = np.zeros((12, 14, 3), np.uint8)
    output = reference.copy()
    output[0, 0] = 255  # in the border
    output[6, 6] = 51
    scorer = make_scorer(["worst"], protocol="sr-y:scale=4")
    outcomes = scorer.score(Batch([picture(reference)], [picture(output)], [0]))[0]
    luma = (65.481 + 128.553 + 24.966) / 255 / 5
    assert outcomes["worst"].value == pytest.approx(luma, abs=1e-6)


def test_a_whole_image_metric_says_why_a_value_is_undefined(installed, make_scorer):
    installed(Whole)
    image = picture(np.zeros((12, 12, 3), np.uint8))
    outcomes = make_scorer(["worst"]).score(Batch([image], [image], [0]))[0]
    assert outcomes["worst"].value == 0
    assert outcomes["worst-root"].error == "undefined: the images are equal"
    thin = picture(np.zeros((12, 1, 3), np.uint8))
    for outcome in make_scorer(["worst"]).score(Batch([thin], [thin], [0]))[0].values():
        assert (outcome.value, outcome.error) == (None, "undefined: one column is too few")
    tiny = picture(np.zeros((7, 7, 3), np.uint8))
    scorer = make_scorer(["worst"], protocol="sr-y:scale=4")
    for outcome in scorer.score(Batch([tiny], [tiny], [0]))[0].values():
        assert outcome.value is None
        assert outcome.error.startswith("undefined: 7x7 pixels are too few for the view")


class Fragile(Metric):
    """Fails on outputs whose first pixel is white, in its maps or in its closing formula."""

    name: ClassVar[str] = "fragile"
    summary: ClassVar[str] = "Fails"
    citation: ClassVar[str] = "none"
    place: str = "maps"

    def columns(self):
        return (Column("fragile", "lower", "Fails", (Tap(),), (("place", self.place),)),)

    def maps(self, tap, reference, output, parameters):
        white = output[:, :, 0, 0].amin(1) == 1
        if self.place == "maps" and white.any():
            raise ZeroDivisionError("white")
        return {"white": white.float()[:, None]}

    def close(self, column, means, parameters):
        if means["white"].any():
            raise ZeroDivisionError("white")
        return means["white"]


@pytest.mark.parametrize("place", ["maps", "close"])
def test_an_exception_of_a_metric_is_an_error_of_its_own_values(installed, make_scorer, place):
    installed(Fragile)
    generator = np.random.default_rng(0)
    reference, good, bad = generator.integers(0, 200, (3, 17, 13, 3), dtype=np.uint8)
    bad[0, 0] = 255
    outputs = [picture(image) for image in (good, bad, good)]
    scorer = make_scorer([f"fragile:place={place}", "psnr", "ssim"])
    found = scorer.score(Batch([picture(reference)], outputs, [0, 0, 0]))
    alone = make_scorer(["psnr", "ssim"]).score(Batch([picture(reference)], outputs, [0, 0, 0]))
    for outcomes, expected in zip(found, alone, strict=True):
        assert outcomes["psnr"] == expected["psnr"]
        assert outcomes["ssim"] == expected["ssim"]
    assert found[1]["fragile"].error == (
        "metric fragile (package other_package) failed: ZeroDivisionError: white"
    )
    assert [found[index]["fragile"].value for index in (0, 2)] == [0.0, 0.0]


@pytest.mark.parametrize("thing", [int, "psnr", None, lambda: 1])
def test_an_entry_point_that_is_no_metric_is_left_out(installed, thing):
    installed(thing)
    with pytest.warns(
        IqbenchWarning, match=r"'other_package:thing' of iqbench.metrics is not a subclass of Met"
    ):
        assert "psnr" in metric_classes()


@pytest.mark.parametrize("name", ["", "two words", "a:b", "a,b", "a[b]", 3])
def test_a_metric_whose_name_no_spec_can_hold_is_left_out(installed, name):
    installed(renamed(name))
    with pytest.warns(IqbenchWarning, match="which cannot be written in a spec"):
        assert name not in metric_classes()


def test_a_metric_without_a_name_is_left_out(installed):
    class Nameless(Metric):
        def columns(self):
            return ()

    installed(Nameless)
    with pytest.warns(IqbenchWarning, match="has the name None, which cannot be written"):
        assert Nameless not in metric_classes().values()


def test_a_metric_of_another_package_never_replaces_one_of_iqbench(installed):
    installed(renamed("psnr"))
    with pytest.warns(IqbenchWarning, match="has the name 'psnr', which iqbench itself uses"):
        assert metric_classes()["psnr"].__module__ == "iqbench.metrics.psnr"


def test_of_two_packages_with_metrics_of_one_name_neither_is_used(installed):
    installed(renamed("worst"), renamed("worst"))
    with pytest.warns(IqbenchWarning) as told:
        assert "worst" not in metric_classes()
    assert [str(one.message).split()[1] for one in told] == ["other_package", "third_package"]
    assert all("'worst', which another package uses too" in str(one.message) for one in told)


def test_a_metric_that_is_declared_twice_is_one_metric(installed):
    installed(Whole, Whole)
    assert metric_classes()["worst"] is Whole


def renamed(name):
    return type("Other", (Whole,), {"name": name, "__module__": __name__})


@pytest.mark.parametrize("place", ["maps", "close"])
def test_complex_numbers_are_an_error_of_the_metric(installed, make_scorer, place):
    class Complex(Fragile):
        name: ClassVar[str] = "fragile"

        def maps(self, tap, reference, output, parameters):
            return {"white": output * (1j if place == "maps" else 1)}

        def close(self, column, means, parameters):
            return means["white"] * 1j

    installed(Complex)
    image = picture(np.full((9, 9, 3), 50, np.uint8))
    (found,) = make_scorer(["fragile", "psnr"]).score(Batch([image], [image], [0]))
    assert "metric fragile (package other_package) failed: TypeError: " in found["fragile"].error
    assert "complex" in found["fragile"].error
    assert found["psnr"].value == float("inf")


def test_a_metric_must_say_what_it_computes():
    with pytest.raises(TypeError, match=r"abstract class Metric .*columns"):
        Metric()

    class Bare(Metric):
        name = "bare"

        def columns(self):
            return ()

    bare = Bare()
    with pytest.raises(NotImplementedError, match="bare has columns with taps, but no maps"):
        bare.maps(Tap(), (), None, {})
    with pytest.raises(NotImplementedError, match=r"bare has .* but neither maps nor values"):
        bare.maps(Tap(whole=True), (), None, {})
    with pytest.raises(NotImplementedError, match=r"bare has .* but no closing formula"):
        bare.close("x", {}, {})
    with pytest.raises(
        NotImplementedError, match="bare reads bitstreams, but does not define bitstream_value"
    ):
        bare.bitstream_value(1, 1, 1)
    assert bare.parameters(None) is None
    assert bare.prepare(None, "rows", {}) == ("rows",)
