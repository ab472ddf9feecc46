"""A signature says everything that a value depends on, and nothing else."""

from __future__ import annotations

import pytest

from iqbench.engine.signatures import signatures_of
from iqbench.metrics._base import Metric
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics
from iqbench.networks.weights import NETWORKS
from iqbench.protocols.presets import resolve_protocol
from iqbench.results.signature import parse_signature

DIGEST = "0123456789abcdef" * 4


def spelt(*metrics, protocol="rgb", precision="exact", digests=None):
    requests = resolve_metrics(metrics)
    if digests is None:
        own = {request.metric: type(request.metric).parameters for request in requests}
        trained = [metric for metric, load in own.items() if load is not Metric.parameters]
        digests = dict.fromkeys([*NETWORKS, *trained], DIGEST)
    found = signatures_of(requests, resolve_protocol(protocol), digests, precision)
    assert list(found) == [request.column.name for request in requests]
    return found


def fields(column, *metrics, **how):
    return parse_signature(spelt(*(metrics or (column,)), **how)[column])


def test_a_pixel_metric_depends_on_its_version_and_its_view():
    found = fields("psnr")
    assert (found["metric"], found["version"], found["view"]) == ("psnr", "1", "rgb")
    assert "weights" not in found
    assert fields("psnr", protocol="sr-y:scale=3")["view"] == (
        "luma-studio,uint8,modcrop3,crop3,gray-expand"
    )


def test_each_family_has_its_own_view():
    assert fields("tv-ratio", protocol="sr-y:scale=3")["view"] == "rgb,uint8,modcrop3,crop3"
    assert fields("ssim", protocol="sr-y:scale=3")["view"].startswith("luma")


@pytest.mark.parametrize("precision", ["exact", "tf32", "bf16"])
def test_the_precision_counts_only_where_a_network_is_read(precision):
    assert "precision" not in fields("ssim", precision=precision)
    assert fields("lpips-alex", precision=precision)["precision"] == precision


def test_weights_of_networks_and_of_metrics_are_named_by_their_digests():
    short = DIGEST[:12]
    assert fields("lpips-alex")["weights"] == f"alexnet:{short}+lpips:{short}"
    assert fields("perceptual-vgg16-relu2_2-l1")["weights"] == f"vgg16:{short}"
    other = {"vgg16": "f" * 64}
    assert fields("perceptual-vgg16-relu2_2-l1", digests=other)["weights"] == f"vgg16:{'f' * 12}"


def test_options_that_a_value_depends_on_are_in_it():
    l1 = fields("perceptual-vgg16-relu2_2-l1")
    l2 = fields("perceptual-vgg16-relu2_2-l2")
    assert l1 != l2
    assert set(l1.items()) ^ set(l2.items()) == {("distance", "l1"), ("distance", "l2")}


def test_what_else_is_asked_for_does_not_matter():
    alone = spelt("perceptual-vgg16-relu2_2-l1")
    among = spelt(*DEFAULT_METRICS)
    assert alone.items() <= among.items()
