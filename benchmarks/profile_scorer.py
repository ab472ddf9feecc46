"""Where iqbench's time goes: by part, and GFLOP/s of every convolution against the floor.

``python benchmarks/profile_scorer.py`` scores one pair of a workload with the default metrics under
torch.profiler. Parts are marked by wrapping iqbench's functions from outside; a part that runs
inside another counts for itself only.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from floor import BUNDLE_LAYERS, gigaflops_by_layer, measure_rates
from torch.profiler import ProfilerActivity, profile, record_function
from workloads import WORKLOADS, find_jobs, make_images

from iqbench.engine.batch import Batch
from iqbench.engine.compute import resolve_compute
from iqbench.engine.freed_memory import keep_freed_memory
from iqbench.engine.observations import Observations
from iqbench.engine.resources import Resources, load_resources
from iqbench.engine.scorer import Scorer
from iqbench.images.source import FileSource
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics
from iqbench.networks.backbone import Backbone
from iqbench.networks.convolution import Convolution
from iqbench.networks.layers import MaxPool, Relu
from iqbench.networks.stream import WindowStream
from iqbench.protocols.presets import resolve_protocol
from iqbench.protocols.view import View
from iqbench.readers.cpu import CpuFeatureReader, CpuPixelReader, CpuSimilarityReader

PREFIX = "part:"


def _marked(function: Callable[..., Any], part: Callable[..., str]) -> Callable[..., Any]:
    """Wrap a function so that the profiler sees it as a part."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        with record_function(PREFIX + part(*arguments)):
            return function(*arguments, **options)

    return wrapper


@contextmanager
def marked_parts(resources: Resources, metrics: Iterable[Any]) -> Iterator[None]:
    """Mark decoding, layers, maps and sums while the block runs."""
    names = {
        id(layer): f"{network} {name}"
        for network, deepest in BUNDLE_LAYERS.items()
        for name, layer in resources.backbones[network].upto([deepest])
    }

    def layer_name(layer: Any, *_: Any) -> str:
        return names.get(id(layer), "other layers")

    def metric_name(metric: Any, *_: Any) -> str:
        net = getattr(metric, "net", "")
        return f"maps of {metric.name} {net}".rstrip()

    places: list[tuple[Any, str, Callable[..., str]]] = [
        (View, "band", lambda *_: "pixels to tensors"),
        (Backbone, "see", lambda *_: "normalising the input"),
        (Convolution, "_rectified", layer_name),
        (Convolution, "_convolve", layer_name),
        (MaxPool, "_pool", lambda *_: "max pooling"),
        (Relu, "forward", lambda *_: "rectifier"),
        (WindowStream, "push", lambda *_: "joining bands"),
        (Observations, "add", lambda *_: "statistics"),
        (CpuPixelReader, "totals", lambda *_: "PSNR and total variation"),
        (CpuSimilarityReader, "totals", lambda *_: "SSIM"),
        (CpuFeatureReader, "totals", lambda reader, *_: f"distances at {reader.tap.network}"),
    ]
    for kind in {type(metric) for metric in metrics}:
        places += [(kind, method, metric_name) for method in ("prepare", "maps")]
    before = [(place, name, place.__dict__.get(name)) for place, name, _ in places]
    try:
        for place, name, part in places:
            setattr(place, name, _marked(getattr(place, name), part))
        yield
    finally:
        for place, name, function in before:
            if function is None:
                delattr(place, name)
            else:
                setattr(place, name, function)


def own_times(events: Iterable[Any]) -> dict[str, float]:
    """Sum the seconds of each part, without those of parts inside it."""
    seconds: dict[str, float] = defaultdict(float)
    for event in events:
        if event.name == "aten::relu_":  # the pass rectifies in place, outside the layer
            seconds["rectifier"] += event.cpu_time_total / 1e6
            parent = _enclosing(event)
            if parent is not None:
                seconds[parent] -= event.cpu_time_total / 1e6
        if not event.name.startswith(PREFIX):
            continue
        own = event.cpu_time_total / 1e6
        seconds[event.name.removeprefix(PREFIX)] += own
        parent = _enclosing(event)
        if parent is not None:
            seconds[parent] -= own
    return seconds


def _enclosing(event: Any) -> str | None:
    """Return the part around an event."""
    outer = event.cpu_parent
    while outer is not None:
        if outer.name.startswith(PREFIX):
            return str(outer.name.removeprefix(PREFIX))
        outer = outer.cpu_parent
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=list(WORKLOADS), default="W1")
    parser.add_argument("--methods", type=int, default=1)
    parser.add_argument("--precision", choices=("exact", "bf16"), default="exact")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest counts")
    parser.add_argument(
        "--give-back",
        action="store_true",
        help="let the system have freed memory at once, which a run does not",
    )
    options = parser.parse_args()
    workload = replace(WORKLOADS[options.workload], pairs=1)
    requests = resolve_metrics(DEFAULT_METRICS)
    compute = resolve_compute("cpu", options.precision)
    resources = load_resources(requests, compute)
    scorer = Scorer(requests, resolve_protocol("rgb"), resources, compute)
    with tempfile.TemporaryDirectory() as name:
        make_images(workload, options.methods, Path(name))
        (job,) = find_jobs(Path(name))
        start = time.perf_counter()
        reference, *outputs = (
            FileSource(path).read().decode() for path in (job.reference, *job.outputs.values())
        )
        decoding = time.perf_counter() - start
    batch = Batch([reference], outputs, [0] * len(outputs))
    with nullcontext() if options.give_back else keep_freed_memory(compute):
        scorer.score(batch)
        plain = min(_seconds(scorer, batch) for _ in range(options.repeats))
        metrics = {request.metric for request in requests}
        best = min(
            (_parts(scorer, batch, resources, metrics) for _ in range(options.repeats)),
            key=lambda parts: sum(parts.values()),
        )
    print(f"without the profiler: {plain:.2f} s")
    best["decoding (in threads, ahead)"] = decoding
    _print(best, workload.height, workload.width, options.methods)


def _seconds(scorer: Scorer, batch: Batch) -> float:
    """Time a batch."""
    start = time.perf_counter()
    scorer.score(batch)
    return time.perf_counter() - start


def _parts(
    scorer: Scorer, batch: Batch, resources: Resources, metrics: Iterable[Any]
) -> dict[str, float]:
    """Profile a batch; return the seconds of each part."""
    with (
        marked_parts(resources, metrics),
        profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler,
    ):
        whole = _seconds(scorer, batch)
    seconds = dict(own_times(profiler.events()))
    seconds["rest"] = whole - sum(seconds.values())
    return seconds


def _print(seconds: dict[str, float], height: int, width: int, methods: int) -> None:
    """Print convolutions with their rates, then the parts."""
    rates = measure_rates()
    floor = max(rates["gemm"], rates["pointwise"])
    whole = sum(seconds.values())
    print(f"one reference and {methods} outputs, {height}x{width}: {whole:.2f} s")
    print(f"floor: {rates['gemm']:.0f} GFLOP/s in a matrix product, {rates['pointwise']:.0f} 1x1\n")
    print(f"{'convolution':24}{'s':>8}{'share':>8}{'GFLOP/s':>9}{'of floor':>10}")
    convolutions = work = 0.0
    for network, deepest in BUNDLE_LAYERS.items():
        for layer, gigaflops in gigaflops_by_layer(network, deepest, height, width).items():
            taken = seconds.pop(f"{network} {layer}")
            done = gigaflops * (1 + methods)
            convolutions, work = convolutions + taken, work + done
            _line(f"{network} {layer}", taken, whole, done / taken, floor)
    _line("all convolutions", convolutions, whole, work / convolutions, floor)
    _line("everything", whole, whole, work / whole, floor)
    print(f"\n{'other part':32}{'s':>8}{'share':>8}")
    for part, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"{part:32}{taken:8.3f}{taken / whole:8.1%}")


def _line(name: str, taken: float, whole: float, rate: float, floor: float) -> None:
    print(f"{name:24}{taken:8.3f}{taken / whole:8.1%}{rate:9.1f}{rate / floor:10.0%}")


if __name__ == "__main__":
    main()
