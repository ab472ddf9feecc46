"""Each metric alone beside the peers': decoded images in, one value out, one process.

``python benchmarks/single_metrics.py [--workload W2] [--rounds 5] [--metric psnr ...] [--keep]``

Rounds are interleaved (iqbench, peer, peer, iqbench, ...); a turn is as many calls as a tenth of a
second takes, at least one. Networks and weights are ready before the clock starts; each takes uint8
arrays as a decoder gives them, so what a metric needs to convert is its own cost. ``pip install
frame-analytics psnr-hvsm flip-evaluator`` adds those peers.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from checkpoints import write_checkpoints
from machine import describe_machine, keep
from numpy.typing import NDArray
from tools.peer import decode
from workloads import WORKLOADS, find_jobs, make_images

Image = NDArray[np.uint8]
Score = Callable[[Image, Image], float]

TURN = 0.1
"""Seconds: nobody scores one pair and goes."""


def ours(columns: list[str]) -> dict[str, Score]:
    """Score by the engine, as ``iqbench evaluate`` does."""
    from iqbench.engine.batch import Batch
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.resources import load_resources
    from iqbench.engine.scorer import Scorer
    from iqbench.images.picture import Picture
    from iqbench.metrics._registry import resolve_metrics
    from iqbench.protocols.presets import resolve_protocol

    compute, protocol = resolve_compute("cpu"), resolve_protocol("rgb")

    def scorer(column: str) -> Score:
        requests = resolve_metrics([column])
        one = Scorer(requests, protocol, load_resources(requests, compute), compute)

        def score(reference: Image, output: Image) -> float:
            pictures = [Picture(image, "", "", 0) for image in (reference, output)]
            found = one.score(Batch(pictures[:1], pictures[1:], [0]))[0]
            value = found[column].value
            assert value is not None
            return value

        return score

    return {column: scorer(column) for column in columns}


def peers() -> dict[str, dict[str, Score]]:
    """Return the peers' functions by column and name."""
    import lpips
    import piq
    import torch
    import torchmetrics.functional.image as tm
    from skimage import color
    from skimage import metrics as sk
    from torch import Tensor

    def tensors(reference: Image, output: Image) -> tuple[Tensor, Tensor]:
        first, second = (
            torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float().div_(255)
            for image in (reference, output)
        )
        return first, second

    def on_tensors(function: Callable[[Tensor, Tensor], Tensor]) -> Score:
        @torch.inference_mode()
        def score(reference: Image, output: Image) -> float:
            first, second = tensors(reference, output)
            return float(function(second, first))

        return score

    def sk_ssim(reference: Image, output: Image) -> float:
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        return float(sk.structural_similarity(reference, output, channel_axis=2, **options))

    def sk_psnr(reference: Image, output: Image) -> float:
        return float(sk.peak_signal_noise_ratio(reference, output))

    def np_tv(reference: Image, output: Image) -> float:
        pixels = output.astype(np.float32)
        return float(sum(np.abs(np.diff(pixels, axis=axis)).sum() for axis in (0, 1)))

    def on_bytes(function: Callable[..., Tensor]) -> Score:
        def score(reference: Image, output: Image) -> float:
            first, second = (
                torch.from_numpy(image).permute(2, 0, 1) for image in (reference, output)
            )
            return float(function(second, first, data_range=255.0))

        return score

    fused: dict[str, dict[str, Score]] = {"psnr": {}, "ssim": {}, "ms-ssim": {}, "ssimulacra2": {}}
    if find_spec("frame_analytics"):  # has no wheel but for Linux
        import frame_analytics as fa

        for column, function in (("psnr", fa.psnr), ("ssim", fa.ssim), ("ms-ssim", fa.ms_ssim)):
            fused[column] = {"frame-analytics": on_bytes(function)}
        fused["ssimulacra2"] = {
            "frame-analytics": on_tensors(lambda out, ref: fa.ssimulacra2(ref, out))
        }
    networks = {net: lpips.LPIPS(net=net, verbose=False) for net in ("alex", "vgg")}
    content = piq.ContentLoss("vgg16", layers=["relu3_3"], weights=[1.0], distance="mae")
    piq_lpips = piq.LPIPS()

    def sk_ciede(reference: Image, output: Image) -> float:
        first, second = (color.rgb2lab(image) for image in (reference, output))
        return float(color.deltaE_ciede2000(first, second).mean())

    return {
        "ciede2000": {"scikit-image": sk_ciede},
        "flip": flip_peer(),
        "fsim": {"piq": on_tensors(partial(piq.fsim, chromatic=False))},
        "haarpsi": {"piq": on_tensors(piq.haarpsi)},
        "iw-ssim": {"piq": on_tensors(piq.information_weighted_ssim)},
        "mdsi": {"piq": on_tensors(piq.mdsi)},
        "ms-gmsd": {"piq": on_tensors(piq.multi_scale_gmsd)},
        "psnr-hvsm": hvs_peers(),
        "ssimulacra2": fused["ssimulacra2"],
        "vsi": {"piq": on_tensors(piq.vsi)},
        "vifp": {"piq": on_tensors(piq.vif_p)},
        "psnr": {
            "piq": on_tensors(partial(piq.psnr, data_range=1.0)),
            "torchmetrics": on_tensors(partial(tm.peak_signal_noise_ratio, data_range=1.0)),
            "scikit-image": sk_psnr,
            **fused["psnr"],
        },
        "ssim": {
            "piq": on_tensors(partial(piq.ssim, data_range=1.0, downsample=False)),
            "torchmetrics": on_tensors(
                partial(tm.structural_similarity_index_measure, data_range=1.0)
            ),
            "scikit-image": sk_ssim,
            **fused["ssim"],
        },
        "ms-ssim": {
            "piq": on_tensors(partial(piq.multi_scale_ssim, data_range=1.0)),
            "torchmetrics": on_tensors(
                partial(tm.multiscale_structural_similarity_index_measure, data_range=1.0)
            ),
            **fused["ms-ssim"],
        },
        "tv-aniso-output": {
            "piq": on_tensors(lambda output, _: piq.total_variation(output, norm_type="l1")),
            "torchmetrics": on_tensors(lambda output, _: tm.total_variation(output)),
            "numpy": np_tv,
        },
        "perceptual-vgg16-relu3_3-l1": {"piq": on_tensors(content)},
        "lpips-alex": {"lpips": on_tensors(partial(networks["alex"], normalize=True))},
        "lpips-vgg": {
            "lpips": on_tensors(partial(networks["vgg"], normalize=True)),
            "piq": on_tensors(piq_lpips),
        },
    }


def flip_peer() -> dict[str, Score]:
    """Return the authors' program, where it is installed."""
    if not find_spec("flip_evaluator"):
        return {}
    import flip_evaluator

    def score(reference: Image, output: Image) -> float:
        first, second = (image.astype(np.float32) / 255 for image in (reference, output))
        return float(flip_evaluator.evaluate(first, second, "LDR", applyMagma=False)[1])

    return {"flip-evaluator": score}


def hvs_peers() -> dict[str, Score]:
    """Return both forms of psnr_hvsm, numpy and C++, where it is installed."""
    if not find_spec("psnr_hvsm"):
        return {}
    from psnr_hvsm import BACKENDS

    def score(functions: dict[str, Callable], reference: Image, output: Image) -> float:
        first, second = (functions["bt601ycbcr"](image)[0] for image in (reference, output))
        return float(functions["psnr_hvs_hvsm"](first, second)[1])

    return {
        f"psnr_hvsm {backend}": partial(score, BACKENDS[backend])
        for backend in ("numpy", "cpp")
        if backend in BACKENDS
    }


def measure(
    functions: dict[str, Score], images: list[Image], rounds: int
) -> dict[str, list[float]]:
    """Time each function in turns, after one turn that is not counted.

    Another begins every round: the first finds the caches as the last left them.
    """
    for function in functions.values():
        turn(function, images)
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(turn(functions[name], images))
    return seconds


def turn(function: Score, images: list[Image]) -> float:
    """Call a function for `TURN`, at least once; return the seconds of a call."""
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < TURN:
        function(*images)
        calls += 1
    return (time.perf_counter() - start) / calls


def line(column: str, seconds: dict[str, list[float]]) -> str:
    """Write the row of a metric: milliseconds, and ours over the fastest peer's within a round."""
    best = min((name for name in seconds if name != "iqbench"), key=lambda k: median(seconds[k]))
    ratios = [a / b for a, b in zip(seconds["iqbench"], seconds[best], strict=True)]
    cells = [f"{1e3 * median(seconds['iqbench']):.1f}"]
    others = (f"{k} {1e3 * median(v):.1f}" for k, v in seconds.items() if k != "iqbench")
    spread = " / ".join(f"{of(ratios):.2f}" for of in (min, median, max))
    return "| " + " | ".join([column, *cells, ", ".join(others), best, spread]) + " |"


def main() -> None:
    warnings.simplefilter("ignore")  # of deprecations between the peers and torch
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=list(WORKLOADS), default="W1")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--metric", nargs="*", help="only these columns")
    parser.add_argument("--keep", action="store_true", help="write the page into results/ too")
    options = parser.parse_args()
    command = "python benchmarks/single_metrics.py " + " ".join(sys.argv[1:])
    head = describe_machine("Single metrics", command)
    workload = WORKLOADS[options.workload]
    with tempfile.TemporaryDirectory(prefix="iqbench-single-") as name:
        write_checkpoints(Path(name) / "torch")
        os.environ["TORCH_HOME"] = str(Path(name) / "torch")
        make_images(replace(workload, pairs=1), 1, Path(name) / "images")
        (job,) = find_jobs(Path(name) / "images")
        images = [decode(path) for path in (job.reference, *job.outputs.values())]
        # A metric whose only peer is not installed has nobody to be beside.
        theirs = {
            column: functions
            for column, functions in peers().items()
            if functions and (not options.metric or column in options.metric)
        }
        mine = ours(list(theirs))
    from iqbench.engine.compute import resolve_compute
    from iqbench.engine.heap import keep_freed_memory

    rows = [
        "| metric | iqbench, ms | peers, ms | fastest peer | iqbench over it: min / median / max |",
        "| --- | --- | --- | --- | --- |",
    ]
    for column, functions in theirs.items():
        print(column, file=sys.stderr, flush=True)
        # As in a run of iqbench; the peers have it as well.
        with keep_freed_memory(resolve_compute("cpu")):
            found = measure({"iqbench": mine[column], **functions}, images, options.rounds)
        rows.append(line(column, found))
    size = f"One pair of {workload.height}x{workload.width}, 8-bit RGB; medians."
    keep("\n\n".join([head, size, "\n".join(rows)]) + "\n", "single-metrics", options.keep)


if __name__ == "__main__":
    main()
