"""Metrics of other libraries have the values of direct calls of these libraries."""

from __future__ import annotations

import importlib
import json
import pickle
import random
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from made_folders import Made, noisy, picture, tensor

import iqbench
from iqbench import plugins
from iqbench.boards.board import read_board
from iqbench.engine.batch import Batch
from iqbench.errors import IqbenchError
from iqbench.images.picture import Picture
from iqbench.metrics import _library
from iqbench.metrics._library import Library, Offer, probe_images
from iqbench.metrics._peak_memory import peak_bytes
from iqbench.metrics._registry import libraries, resolve_metrics
from iqbench.results.read import load_scores
from iqbench.results.signature import parse_signature

SIDE = 176
"""The least side that every function of piq and torchmetrics takes, rounded up."""

REFERENCE = picture(0, SIDE, SIDE + 8)
OUTPUTS = [noisy(REFERENCE, seed, amount) for seed, amount in ((1, 9), (2, 25))]
LOADING = {"brisque", "clipiqa", "content", "dists", "lpips", "pieapp", "style"}
"""Metrics of piq that fetch weights."""


def score(make_scorer, specs, outputs=OUTPUTS, reference=REFERENCE):
    """Score outputs of one reference in one batch."""

    def seen(pixels):
        return Picture(pixels, digest="", name="made", bytes=0)

    batch = Batch([seen(reference)], [seen(pixels) for pixels in outputs], [0] * len(outputs))
    return make_scorer(specs).score(batch)


def offered(name, without=()):
    """Name what a library offers of single images, where it is installed."""
    if importlib.util.find_spec(name) is None:
        return []
    adapter = libraries()[name]
    return [
        metric
        for metric in adapter.names()
        if adapter.offer(metric).scope == "image" and metric not in without
    ]


def images(needs, output, reference):
    return (output,) if needs == "output" else (output, reference)


@pytest.mark.parametrize("name", offered("piq", LOADING))
def test_piq_gives_the_value_of_a_direct_call(make_scorer, name):
    piq = pytest.importorskip("piq")
    needs = libraries()["piq"].offer(name).needs
    found = score(make_scorer, [f"piq:{name}"])
    for outcomes, output in zip(found, OUTPUTS, strict=True):
        function = getattr(piq, name)
        direct = function(*images(needs, tensor(output), tensor(REFERENCE)))
        # Both in float32; sums of a batch are rounded otherwise.
        assert outcomes[f"piq:{name}"].value == pytest.approx(float(direct), rel=1e-5)


@pytest.mark.parametrize("name", offered("piq", LOADING))
def test_piq_draws_no_random_numbers(name):
    """So no seed is in the signatures, and outputs go in batches."""
    piq = pytest.importorskip("piq")
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    needs = libraries()["piq"].offer(name).needs
    getattr(piq, name)(*images(needs, *probe_images(SIDE)))
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert before == after


def test_a_metric_that_mixes_the_images_of_a_batch_gets_one_at_a_time():
    pytest.importorskip("piq")
    (good,), (bad,) = resolve_metrics(["piq:haarpsi"]), resolve_metrics(["piq:srsim"])
    assert (good.metric.batched(), bad.metric.batched()) == (True, False)


def test_piq_says_what_is_needed_and_what_is_better():
    pytest.importorskip("piq")
    offers = {name: libraries()["piq"].offer(name) for name in libraries()["piq"].names()}
    higher = {name for name, offer in offers.items() if offer.direction == "higher"}
    assert higher == {
        *("clipiqa", "dss", "fsim", "haarpsi", "information_weighted_ssim", "multi_scale_ssim"),
        *("psnr", "srsim", "ssim", "vif_p", "vsi"),
    }
    alone = {name for name, offer in offers.items() if offer.needs == "output"}
    assert alone == {"brisque", "clipiqa", "total_variation"}
    sets = {name for name, offer in offers.items() if offer.scope == "set"}
    assert sets == {"fid", "gs", "is", "kid", "msid", "pr"}


# Those that pip's newest torchmetrics has; older ones have fewer.
@pytest.mark.parametrize(
    "name",
    offered(
        "torchmetrics",
        {
            "learned_perceptual_image_patch_similarity",
            "deep_image_structure_and_texture_similarity",
        },
    ),
)
def test_torchmetrics_gives_the_value_of_a_direct_call(make_scorer, name):
    functional = pytest.importorskip("torchmetrics.functional.image")
    function = getattr(functional, name.replace("multi_scale", "multiscale"))
    needs = libraries()["torchmetrics"].offer(name).needs
    given = {"data_range": 1.0} if "data_range" in function.__annotations__ else {}
    found = score(make_scorer, [f"torchmetrics:{name}"])
    for outcomes, output in zip(found, OUTPUTS, strict=True):
        direct = function(*images(needs, tensor(output), tensor(REFERENCE)), **given)
        # torchmetrics' class sums over windows, its function takes their mean.
        near = pytest.approx(float(direct), rel=1e-5, abs=1e-9)
        assert outcomes[f"torchmetrics:{name}"].value == near


def test_torchmetrics_says_what_is_needed_and_what_is_better():
    pytest.importorskip("torchmetrics")
    adapter = libraries()["torchmetrics"]
    assert adapter.offer("universal_image_quality_index").direction == "higher"
    assert adapter.offer("spectral_angle_mapper").direction == "lower"
    assert adapter.offer("total_variation").needs == "output"
    # They take panchromatic images, or a generator.
    assert not {"quality_with_no_reference", "perceptual_path_length"} & set(adapter.names())


@pytest.mark.parametrize(
    ("spec", "column"),
    [
        ("torchmetrics:uqi", "torchmetrics:universal_image_quality_index"),
        ("torchmetrics:ssim", "torchmetrics:structural_similarity_index_measure"),
        ("torchmetrics:SpectralAngleMapper", "torchmetrics:spectral_angle_mapper"),
        (
            "torchmetrics:uqi:kernel_size=7+7",
            "torchmetrics:universal_image_quality_index-kernel_si",
        ),
        ("piq:haarpsi", "piq:haarpsi"),
        ("piq:haarpsi:scales=3", "piq:haarpsi"),
        ("piq:haarpsi:scales=4,subsample=false", "piq:haarpsi-scales=4-subsample=false"),
        ("piq:haarpsi-scales=4", "piq:haarpsi-scales=4"),
        ("piq:PieAPP", "piq:pieapp"),
        ("piq:mdsi:combination=mult", "piq:mdsi-combination=mult"),
    ],
)
def test_a_column_is_spelt_from_the_options_that_are_no_defaults(spec, column):
    pytest.importorskip(spec.partition(":")[0])
    (request,) = resolve_metrics([spec])
    assert request.column.name.startswith(column)
    (again,) = resolve_metrics([request.column.name])
    assert again == request
    assert pickle.loads(pickle.dumps(request)) == request


def test_options_reach_the_library(make_scorer):
    piq = pytest.importorskip("piq")
    spec = "piq:haarpsi:c=20,subsample=false"
    (outcomes, _) = score(make_scorer, [spec])
    direct = piq.haarpsi(tensor(OUTPUTS[0]), tensor(REFERENCE), c=20.0, subsample=False)
    column = "piq:haarpsi-subsample=false-c=20"
    assert outcomes[column].value == pytest.approx(float(direct), rel=1e-6)


def test_gray_images_count_as_three_equal_channels(make_scorer):
    piq = pytest.importorskip("piq")
    gray = OUTPUTS[0][..., :1], REFERENCE[..., :1]
    (outcomes,) = score(make_scorer, ["piq:vsi"], [gray[0]], gray[1])
    three = (tensor(pixels).expand(-1, 3, -1, -1) for pixels in gray)
    assert outcomes["piq:vsi"].value == pytest.approx(float(piq.vsi(*three)), rel=1e-6)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("piq:harpsi", "unknown metric of piq 'harpsi'. Did you mean 'haarpsi'?"),
        (
            "piq:haarpsi:scale=3",
            "unknown option of metric 'piq:haarpsi' 'scale'. Did you mean 'sca",
        ),
        ("piq:haarpsi:scales=many", "scales of metric 'piq:haarpsi': Input should be a valid int"),
        (
            "piq:fid",
            "piq:fid has one value per set of images, and iqbench uses only metrics of single",
        ),
        ("piq", "'piq' is a library, not a metric. Name one of its metrics, piq:NAME: iqbench me"),
    ],
)
def test_what_is_unknown_is_refused(spec, message):
    pytest.importorskip("piq")
    with pytest.raises(IqbenchError) as caught:
        resolve_metrics([spec])
    assert str(caught.value).startswith(message)


def test_an_image_that_does_not_suit_the_library_is_an_error_of_its_value(make_scorer):
    pytest.importorskip("piq")
    small = REFERENCE[:20, :20]
    (outcomes,) = score(make_scorer, ["piq:multi_scale_ssim", "psnr"], [small], small)
    assert outcomes["piq:multi_scale_ssim"].error.startswith(
        "metric piq:multi_scale_ssim (package piq "
    )
    assert outcomes["psnr"].value == float("inf")


def test_a_library_that_is_missing_is_named_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "piq", None)
    real = importlib.import_module

    def absent(name):
        if name == "piq":
            raise ModuleNotFoundError("No module named 'piq'", name="piq")
        return real(name)

    monkeypatch.setattr(_library, "import_module", absent)
    with pytest.raises(IqbenchError) as caught:
        resolve_metrics(["piq:haarpsi"])
    assert str(caught.value) == (
        "metrics named piq:... are computed by piq, which is not installed. "
        "Install it: pip install piq"
    )


def test_memory_is_measured_by_what_lives_at_once():
    def three_of_a_megabyte():
        one = torch.zeros(2**18)
        two = one + 1
        del one
        return two * 2

    assert peak_bytes(three_of_a_megabyte) == 2 * 2**20


# A stand-in for pyiqa: the same public interface, and nothing of its code.


class Model(torch.nn.Module):
    """What ``create_metric`` returns."""

    def __init__(self, compares, factor):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(float(factor)))
        self.compares = compares

    def forward(self, target, ref=None):
        assert target.shape[1] == 3
        assert float(target.min()) >= 0
        assert float(target.max()) <= 1
        assert (ref is not None) == self.compares
        if ref is not None:
            return (self.weight * (target - ref).abs().mean((1, 2, 3)))[:, None]
        place = int(torch.randint(target.shape[3] - 8, ()))  # a random crop
        return self.weight * target[..., place : place + 8].mean((1, 2, 3))


@pytest.fixture
def stand_in(monkeypatch):
    """Install a module of the interface of pyiqa."""
    modes = {"worse": "FR", "musiq": "NR", "fid": "NR"}

    def create_metric(metric_name, as_loss=False, device=None, factor=2.0):
        assert str(device) == "cpu"
        return Model(modes[metric_name] == "FR", factor)

    def list_models(metric_mode=None):
        return sorted(name for name, mode in modes.items() if metric_mode in (None, mode))

    module = ModuleType("pyiqa")
    module.__version__ = "9.9"
    module.create_metric, module.list_models = create_metric, list_models
    configs = ModuleType("pyiqa.default_model_configs")
    configs.DEFAULT_CONFIGS = {
        "worse": {"metric_mode": "FR", "lower_better": True},
        "musiq": {"metric_mode": "NR"},
        "fid": {"metric_mode": "NR", "lower_better": True},
    }
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    monkeypatch.setitem(sys.modules, "pyiqa.default_model_configs", configs)
    monkeypatch.setattr(Library, "version", lambda self: "9.9")
    for cached in (_library._metric_class, _library._loaded):
        cached.cache_clear()
    yield module
    for cached in (_library._metric_class, _library._loaded):
        cached.cache_clear()


def test_a_run_with_pyiqa(stand_in, tmp_path):
    made = Made(tmp_path)
    made.references()
    made.method("near", amount=3)
    made.method("far", amount=9)
    summary = made.evaluate(metrics=("pyiqa:worse", "pyiqa:musiq:factor=3"))
    assert any("whole images are read" in text and " MB" in text for text in summary.warnings)
    scores = load_scores(made.results)
    assert scores["error"].isna().all()
    of_worse = scores[scores["metric"] == "pyiqa:worse"]
    signature = parse_signature(of_worse["signature"].iloc[0])
    assert signature["library"] == "pyiqa 9.9"
    assert signature["seed"] == "0"
    assert signature["weights"].startswith("pyiqa:worse:")
    board = read_board(made.results, {}).table.frame.set_index("method")
    assert (board.loc["near", "pyiqa:worse_rank"], board.loc["far", "pyiqa:worse_rank"]) == (1, 2)
    again = made.evaluate(metrics=("pyiqa:worse", "pyiqa:musiq:factor=3"))
    assert (again.scored, again.current) == (0, 6)


def test_random_crops_are_the_same_in_every_run_and_every_batch(stand_in, make_scorer):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    together = score(make_scorer, ["pyiqa:musiq"])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    alone = [score(make_scorer, ["pyiqa:musiq"], [output])[0] for output in OUTPUTS]
    assert together == alone


def test_other_weights_are_another_signature(stand_in):
    evaluator = [
        iqbench.Evaluator(metrics=[f"pyiqa:worse:factor={factor}"], device="cpu")
        for factor in (2, 4)
    ]
    first, second = (tensor(noisy(picture(0))), tensor(picture(0)))
    values = [next(iter(one(first, second).values())) for one in evaluator]
    assert float(values[1]) == pytest.approx(2 * float(values[0]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pyiqa:fid", "pyiqa:fid has one value per set of images"),
        ("pyiqa:musik", "unknown metric of pyiqa 'musik'. Did you mean 'musiq'?"),
    ],
)
def test_pyiqa_refuses(stand_in, spec, message):
    with pytest.raises(IqbenchError, match=message):
        resolve_metrics([spec])


def test_an_option_that_pyiqa_does_not_take_is_said_before_the_run(stand_in, make_scorer):
    with pytest.raises(IqbenchError, match=r"pyiqa cannot make pyiqa:worse: .*'size'"):
        make_scorer(["pyiqa:worse:size=7"])


def test_weights_that_cannot_be_fetched_are_said_before_the_run(stand_in, make_scorer):
    def offline(*args, **kwargs):
        raise OSError("no network")

    stand_in.create_metric = offline
    with pytest.raises(IqbenchError, match=r"cannot load the weights of pyiqa:worse: no network"):
        make_scorer(["pyiqa:worse"])


def test_pyiqa_itself_gives_the_value_of_a_direct_call(make_scorer):
    pyiqa = pytest.importorskip("pyiqa")
    (outcomes, _) = score(make_scorer, ["pyiqa:psnr", "pyiqa:gmsd"])
    for name in ("psnr", "gmsd"):
        direct = pyiqa.create_metric(name, device=torch.device("cpu"))
        value = float(direct(tensor(OUTPUTS[0]), tensor(REFERENCE)))
        assert outcomes[f"pyiqa:{name}"].value == pytest.approx(value, rel=1e-6)


def test_a_library_may_read_the_older_flags_of_cudnn(stand_in, make_scorer):
    """As pyiqa does: they can be read only where all of cuDNN has one precision."""

    class Old(Model):
        def forward(self, target, ref=None):
            with torch.backends.cudnn.flags(enabled=True, deterministic=True):
                return super().forward(target, ref)

    stand_in.create_metric = lambda name, device: Old(name == "worse", 2.0)
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32
    (outcomes, _) = score(make_scorer, ["pyiqa:worse"])
    assert outcomes["pyiqa:worse"].error is None
    assert cudnn.allow_tf32 == before


def test_an_adapter_of_another_package_is_discovered(monkeypatch, make_scorer):
    class Mine(Library):
        name, package, distribution, home = "mine", "json", "mine", "here"

        def names(self):
            return ["mean"]

        def offer(self, name):
            return Offer(name, "none", "output")

        def load(self, name, options):
            return (lambda output, reference: output.mean((1, 2, 3))), None

    point = SimpleNamespace(
        value="mine:Mine", group="iqbench.libraries", load=lambda: Mine, dist=None
    )
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [point] * (group != "iqbench.metrics")
    )
    libraries.cache_clear()
    try:
        (outcomes, _) = score(make_scorer, ["mine:mean"])
        mean = OUTPUTS[0].mean() / 255
        assert outcomes["mine:mean"].value == pytest.approx(mean, rel=1e-5)
    finally:
        libraries.cache_clear()


def test_the_list_of_a_library(capsys):
    pytest.importorskip("piq")
    from click.testing import CliRunner

    from iqbench.cli.metrics import metrics

    ran = CliRunner().invoke(metrics, ["list", "--from", "piq", "--format", "json"])
    rows = {row["metric"]: row for row in json.loads(ran.output)}
    assert rows["piq:haarpsi"]["better"] == "higher"
    assert rows["piq:haarpsi"]["options"] == "scales=3,subsample=true,c=30,alpha=4.2"
    assert rows["piq:fid"]["scope"] == "set (not taken)"
