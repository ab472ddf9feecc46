"""Columns of an evaluator are metrics of torchmetrics, and have the evaluator's values."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import subprocess
import sys
import warnings
from copy import deepcopy
from importlib import import_module
from pathlib import Path

import pytest
import torch

import iqbench
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.evaluator import Evaluator

torchmetrics = pytest.importorskip(
    "torchmetrics", reason="torchmetrics is not installed: pip install 'iqbench[torchmetrics]'"
)
integration = import_module("iqbench.integrations.torchmetrics")
EvaluatorMetric, EvaluatorCollection = integration.EvaluatorMetric, integration.EvaluatorCollection

METRICS = ["psnr", "ssim", "tv-ratio"]
PROTOCOL = "sr-y:scale=4"


def photographs(count=3, *, side=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    reference = torch.nn.functional.interpolate(coarse, (side, side - 4), mode="bicubic")
    reference = reference.clamp(0, 1)
    return reference + 0.05 * torch.randn(reference.shape, generator=generator), reference


def expected(*batches, metrics=METRICS, protocol=PROTOCOL, **options):
    """What an evaluator says of the same images."""
    evaluator = Evaluator(metrics, protocol, device="cpu", **options)
    for batch in batches:
        evaluator.update(*batch)
    return evaluator.compute()


@pytest.fixture
def metric():
    return EvaluatorMetric("psnr", PROTOCOL)


@pytest.fixture
def collection():
    return EvaluatorCollection(METRICS, PROTOCOL)


@pytest.fixture
def scored(monkeypatch):
    """How many batches were scored."""
    batches = []
    update = Evaluator.update
    monkeypatch.setattr(
        Evaluator,
        "update",
        lambda self, *rest, **ids: batches.append(1) or update(self, *rest, **ids),
    )
    return batches


class TestOneColumn:
    def test_it_is_a_metric_with_the_value_of_the_evaluator(self, metric):
        assert isinstance(metric, torchmetrics.Metric)
        metric.update(*photographs(3))
        metric.update(*photographs(2, side=56, seed=1))
        mean = expected(photographs(3), photographs(2, side=56, seed=1))["psnr"]
        assert metric.compute().item() == mean
        assert metric.compute().shape == ()

    def test_images_of_a_list_may_differ_in_size(self, metric):
        batches = [photographs(1, side=40), photographs(1, side=52, seed=1)]
        metric.update([batch[0][0] for batch in batches], [batch[1][0] for batch in batches])
        assert metric.compute().item() == expected(*batches)["psnr"]

    def test_calling_it_gives_the_value_of_the_batch_and_keeps_it(self, metric, scored):
        first, second = photographs(3), photographs(2, seed=1)
        assert metric(*first).item() == expected(first)["psnr"]
        assert metric(*second).item() == expected(second)["psnr"]
        assert metric.compute().item() == expected(first, second)["psnr"]
        assert len(scored) == 2 + 4  # one each, and those that were expected

    def test_reset_forgets(self, metric):
        metric.update(*photographs())
        metric.reset()
        assert metric.update_count == 0
        metric.update(*photographs(seed=3))
        assert metric.compute().item() == expected(photographs(seed=3))["psnr"]

    @pytest.mark.filterwarnings("ignore:The ``compute`` method of metric:UserWarning")
    def test_the_mean_of_no_image_is_nan(self, metric):
        assert math.isnan(metric.compute())

    @pytest.mark.parametrize(
        "copied", [lambda one: one.clone(), deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
    )
    def test_a_copy_has_the_scores_and_is_independent(self, metric, copied):
        metric.update(*photographs())
        other = copied(metric)
        other.update(*photographs(2, seed=1))
        assert metric.compute().item() == expected(photographs())["psnr"]
        assert other.compute().item() == expected(photographs(), photographs(2, seed=1))["psnr"]

    @pytest.mark.usefixtures("pretrained_networks")
    def test_pickles_and_checkpoints_contain_no_network(self):
        metric = EvaluatorMetric("lpips-alex")
        metric.update(*photographs(side=64))
        assert len(pickle.dumps(metric)) < 20_000
        assert not metric.state_dict()
        assert not list(metric.parameters())
        loaded = pickle.loads(pickle.dumps(metric)).compute()
        assert loaded.item() == metric.compute().item()

    def test_a_persistent_state_survives_a_checkpoint(self, metric):
        metric.persistent(True)
        metric.update(*photographs())
        buffer = io.BytesIO()
        torch.save(metric.state_dict(), buffer)
        buffer.seek(0)
        other = EvaluatorMetric("psnr", PROTOCOL)
        other.load_state_dict(torch.load(buffer, weights_only=True))
        other.update(*photographs(2, seed=1))
        assert other.compute().item() == expected(photographs(), photographs(2, seed=1))["psnr"]

    def test_states_are_merged(self, metric):
        other = metric.clone()
        metric.update(*photographs())
        other.update(*photographs(2, seed=1))
        metric.merge_state(other)
        assert metric.compute().item() == pytest.approx(
            expected(photographs(), photographs(2, seed=1))["psnr"], rel=1e-12
        )

    @pytest.mark.parametrize(
        "change",
        [
            lambda one: one.to(torch.float16),
            lambda one: one.half(),
            lambda one: one.set_dtype(torch.float16),
            lambda one: one.to("cpu"),
        ],
    )
    def test_values_do_not_depend_on_the_type_of_a_module(self, metric, change):
        metric.update(*photographs())
        changed = change(metric)
        changed.update(*photographs(2, seed=1))
        assert changed.compute().item() == expected(photographs(), photographs(2, seed=1))["psnr"]

    def test_the_state_lies_where_the_metric_lies(self, metric):
        metric.update(*photographs())
        assert {state.device.type for state in metric.to("meta").images} == {"meta"}
        assert metric.device.type == "meta"

    def test_an_id_counts_once(self, metric):
        output, reference = photographs(3)
        metric.update(output, reference, ids=["a", "b", "c"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            metric.update(output[:1], reference[:1], ids=["a"])
            assert metric.compute().item() == expected((output, reference))["psnr"]
        metric.update(output[:1], reference[:1], ids=["b"])
        with pytest.warns(
            IqbenchWarning, match="'b' was given twice with different pixels: the first"
        ):
            assert metric.compute().item() == expected((output, reference))["psnr"]

    def test_scores_are_those_of_images_and_can_be_written(self, metric, tmp_path):
        metric.update(*photographs(), ids=["a", "b", "c"])
        found = metric.scores()
        assert list(found.index) == ["a", "b", "c"]
        assert metric.compute().item() == math.fsum(found["psnr"]) / 3
        metric.write(tmp_path, method="step-1", dataset="photographs")
        written = iqbench.load_scores(tmp_path, wide=True).loc["photographs", "step-1"]
        assert written["psnr"].tolist() == found["psnr"].tolist()

    @pytest.mark.parametrize(
        ("column", "better"), [("psnr", True), ("gmsd", False), ("tv-ratio", None)]
    )
    def test_it_says_what_is_better(self, column, better):
        assert EvaluatorMetric(column).higher_is_better is better
        assert deepcopy(EvaluatorMetric(column)).higher_is_better is better

    @pytest.mark.parametrize(
        ("metric", "protocol", "column"),
        [
            ("ms-ssim", "rgb", "ms-ssim"),  # it has a column ms-ssim-db too
            ("fsim", "rgb", "fsim"),
            ("lpips:net=vgg", "rgb", "lpips-vgg"),
            ("psnr", "pyiqa-y", "psnr-epsilon=1e-08"),  # as the protocol says
        ],
    )
    def test_a_name_means_the_column_of_that_name(self, metric, protocol, column):
        assert EvaluatorMetric(metric, protocol).column == column

    def test_a_bad_batch_is_refused_and_changes_nothing(self, metric):
        metric.update(*photographs())
        with pytest.raises(IqbenchError, match="but images are in"):
            metric.update(photographs()[0] * 255, photographs()[1])
        assert metric.compute().item() == expected(photographs())["psnr"]

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: EvaluatorMetric("pnsr"), "unknown metric 'pnsr'. Did you mean 'psnr'"),
            (lambda: EvaluatorMetric("psnr", "rbg"), "unknown protocol 'rbg'"),
            (lambda: EvaluatorMetric("tv"), "tv has several columns: tv-aniso-output, "),
            (lambda: EvaluatorCollection(["pnsr"]), "unknown metric 'pnsr'"),
        ],
    )
    def test_what_is_unknown_is_refused_when_it_is_made(self, make, message):
        with pytest.raises(IqbenchError) as caught:
            make()
        assert str(caught.value).startswith(message)


class TestCollections:
    def test_it_is_a_collection_with_the_values_of_the_evaluator(self, collection, scored):
        assert isinstance(collection, torchmetrics.MetricCollection)
        collection.update(*photographs())
        collection.update(*photographs(2, seed=1))
        assert len(scored) == 2  # not once a column
        found = {name: value.item() for name, value in collection.compute().items()}
        assert found == expected(photographs(), photographs(2, seed=1))

    def test_calling_it_scores_once_and_gives_the_means_of_the_batch(self, collection, scored):
        for batch in (photographs(), photographs(2, seed=1)):
            before = len(scored)
            found = {name: value.item() for name, value in collection(*batch).items()}
            assert len(scored) == before + 1
            assert found == expected(batch)
        total = {name: value.item() for name, value in collection.compute().items()}
        assert total == expected(photographs(), photographs(2, seed=1))

    def test_reset_clone_and_prefix(self, collection):
        collection.update(*photographs())
        validation = collection.clone(prefix="val/")
        collection.reset()
        assert {name: value.item() for name, value in validation.compute().items()} == {
            f"val/{name}": value for name, value in expected(photographs()).items()
        }
        collection.update(*photographs(2, seed=1))
        assert collection.compute()["psnr"].item() == expected(photographs(2, seed=1))["psnr"]

    def test_its_scores_have_all_columns(self, collection, tmp_path):
        collection.update(*photographs(), ids=["a", "b", "c"])
        assert list(collection.scores().columns) == METRICS
        collection.write(tmp_path, method="mine")
        written = iqbench.load_scores(tmp_path, wide=True).loc["validation", "mine"]
        assert set(written.columns) == set(METRICS)

    def test_names_of_columns_may_have_dots(self):
        collection = EvaluatorCollection("psnr:epsilon=0.5")
        collection.update(*photographs())
        value = expected(photographs(), metrics=["psnr:epsilon=0.5"], protocol="rgb")
        assert collection.compute()["psnr-epsilon=0_5"].item() == value["psnr-epsilon=0.5"]

    def test_a_metric_stands_beside_those_of_torchmetrics(self):
        both = torchmetrics.MetricCollection(
            {
                "theirs": torchmetrics.MeanSquaredError(),
                "ours": EvaluatorMetric("psnr", bits=None),
            }
        )
        output, reference = photographs(1)
        output = output.clamp(0, 1).contiguous()
        both.update(preds=output, target=reference.contiguous())
        found = both.compute()
        assert found["ours"].item() == pytest.approx(-10 * math.log10(found["theirs"]), rel=1e-6)

    def test_metrics_that_begin_with_equal_values_are_not_taken_for_one(self):
        """torchmetrics merges metrics whose states are equal after the first batch."""
        both = torchmetrics.MetricCollection(
            {
                "rgb": EvaluatorMetric("psnr"),
                "luma": EvaluatorMetric("psnr", PROTOCOL),
                "16 bits": EvaluatorMetric("psnr", bits=16),
            }
        )
        _, reference = photographs()
        rounded = (reference * 255).round() / 255
        both.update(rounded, rounded)  # infinite in all of them
        both.reset()
        both.update(*photographs())
        found = {name: value.item() for name, value in both.compute().items()}
        for name, options in {
            "rgb": {"protocol": "rgb"},
            "luma": {},
            "16 bits": {"protocol": "rgb", "bits": 16},
        }.items():
            assert found[name] == expected(photographs(), **options)["psnr"]

    def test_a_tracker_finds_the_best_epoch(self):
        tracker = torchmetrics.wrappers.MetricTracker(EvaluatorCollection(["psnr", "gmsd"]))
        for sigma in (0.1, 0.02, 0.05):
            tracker.increment()
            _, reference = photographs()
            tracker.update((reference + sigma * torch.randn_like(reference)), reference)
        _, steps = tracker.best_metric(return_step=True)
        assert steps == {"psnr": 1, "gmsd": 1}


@pytest.fixture
def rows_as_features(monkeypatch):
    """Features of sets that need no fetched weights."""
    from iqbench.metrics._inception_features import InceptionExtractor
    from iqbench.networks.weights import Weights

    monkeypatch.setattr(
        InceptionExtractor,
        "extract",
        lambda self, image, weights: image.mean(3)[:, :, ::8].flatten(1).numpy(),
    )
    made = Weights("inception", {}, "0123456789ab", "made")
    monkeypatch.setattr(InceptionExtractor, "weights", lambda self, folder: made)


@pytest.mark.usefixtures("rows_as_features")
class TestSets:
    """Their features are part of the state: a value is of all batches together."""

    def test_a_collection_has_the_values_of_the_evaluator(self):
        collection = EvaluatorCollection(["psnr", "fid"])
        first, second = photographs(5), photographs(4, seed=1)
        found = {name: value.item() for name, value in collection(*first).items()}
        assert found == pytest.approx(expected(first, metrics=["psnr", "fid"], protocol="rgb"))
        collection.update(*second)
        both = expected(first, second, metrics=["psnr", "fid"], protocol="rgb")
        copied = pickle.loads(pickle.dumps(collection))
        for one in (collection, copied):
            total = {name: value.item() for name, value in one.compute().items()}
            assert total == pytest.approx(both, rel=1e-12)

    def test_reference_sets_tell_metrics_apart(self):
        sets = {name: photographs(6, seed=seed)[1] for name, seed in (("one", 3), ("two", 4))}
        both = torchmetrics.MetricCollection(
            {name: EvaluatorMetric("fid", reference_set=images) for name, images in sets.items()}
        )
        for seed in (0, 1):
            both.update(*photographs(5, seed=seed))
        found = both.compute()
        batches = photographs(5), photographs(5, seed=1)
        for name, images in sets.items():
            alone = expected(*batches, metrics=["fid"], protocol="rgb", reference_set=images)
            assert found[name].item() == pytest.approx(alone["fid"], rel=1e-12)
        assert found["one"] != found["two"]


PROGRAM = """
import json, sys
import torch
from iqbench.integrations.torchmetrics import EvaluatorCollection

rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world
)
images = torch.load(f"{folder}/images.pt", weights_only=True)
collection = EvaluatorCollection(["psnr", "ssim"], "sr-y:scale=4")
for place in {0: [0, 1, 2, 3], 1: [4, 0], 2: []}[rank]:
    both = (images[kind][place : place + 1] for kind in ("output", "reference"))
    collection.update(*both, ids=[place])
if rank == 2:
    import warnings
    warnings.simplefilter("ignore")  # of a metric that was never updated
collection.write(f"{folder}/results", method="mine")
found = {
    "means": {name: value.item() for name, value in collection.compute().items()},
    "images": sorted(collection.scores().index),
}
with open(f"{folder}/{rank}.json", "w") as file:
    json.dump(found, file)
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow  # each process imports torch
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no torch.distributed")
def test_ranks_have_together_what_one_process_has(tmp_path):
    """Three ranks: one image on two of them, and no image on the last."""
    output, reference = photographs(5)
    torch.save({"output": output, "reference": reference}, tmp_path / "images.pt")
    alone = Evaluator(["psnr", "ssim"], PROTOCOL, device="cpu")
    alone.update(output, reference, ids=range(5))
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(rank), "3", str(tmp_path)],
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(3)
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    for rank in range(3):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["means"] == alone.compute()
        assert found["images"] == [str(place) for place in range(5)]
    written = iqbench.load_scores(tmp_path / "results", wide=True).loc["validation", "mine"]
    assert written["psnr"].tolist() == alone.scores().loc[list(written.index), "psnr"].tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_metric_on_a_gpu_scores_there():
    metric = EvaluatorMetric("psnr", PROTOCOL).to("cuda")
    output, reference = photographs()
    metric.update(output.cuda(), reference.cuda())
    assert metric.scoring.on(metric.device)._scorer.compute.device.type == "cuda"
    assert metric.images[-1].device.type == metric.compute().device.type == "cuda"
    assert metric.compute().item() == pytest.approx(expected((output, reference))["psnr"], abs=1e-4)


def test_without_torchmetrics_the_module_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.delitem(sys.modules, "iqbench.integrations.torchmetrics")
    with pytest.raises(IqbenchError) as caught:
        import_module("iqbench.integrations.torchmetrics")
    assert str(caught.value) == (
        "the package torchmetrics is not installed. pip install 'iqbench[torchmetrics]'"
    )
