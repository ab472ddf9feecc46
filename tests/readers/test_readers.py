"""Every reader gives the sums of the metrics' own maps.

Kernels run on a GPU, or where there is none on the CPU in Triton's interpreter.
"""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from iqbench.metrics._base import Place, Tap
from iqbench.metrics._fast_paths import PixelMean
from iqbench.metrics._registry import resolve_metrics
from iqbench.metrics._statistics import pair_moments
from iqbench.metrics.ms_ssim import MsSsim
from iqbench.metrics.psnr import Psnr
from iqbench.metrics.ssim import Ssim
from iqbench.native import library
from iqbench.readers import gpu
from iqbench.readers.choose import (
    choose_readers,
    compiled_readers,
    kernel_readers,
    plain_readers,
)
from iqbench.readers.cpu import (
    CpuFeatureReader,
    CpuMomentReader,
    CpuPixelReader,
    CpuSimilarityReader,
)
from iqbench.readers.gpu import GpuFeatureReader, GpuPixelReader, GpuSimilarityReader
from iqbench.readers.reader import Owners, PlainReader

# float32 sums in another order; windows are float64 throughout.
SUMS = 1e-5
WINDOWS = 1e-10
OWNERS = [0, 1, 1, 0, 1]

needs_loops = pytest.mark.usefixtures("compiled_loops")
needs_triton = pytest.mark.skipif(
    not gpu.has_triton(), reason="Triton is not installed, or older than the kernels"
)


@pytest.fixture(params=["loops", pytest.param("kernels", marks=needs_triton)])
def way(request):
    """What makes the readers, and the device they are for."""
    if request.param == "kernels":
        return kernels()
    request.getfixturevalue("compiled_loops")
    return compiled_readers, torch.device("cpu")


def kernels():
    if torch.cuda.is_available():
        return kernel_readers, torch.device("cuda")
    assert os.environ["TRITON_INTERPRET"] == "1"
    return kernel_readers, torch.device("cpu")


def wanted_by(specs):
    """Tap to metrics, as the engine groups them."""
    wanted = {}
    for request in resolve_metrics(specs):
        for tap in request.column.taps:
            wanted.setdefault(tap, {})[request.metric] = None
    return {tap: list(metrics) for tap, metrics in wanted.items()}


def made(make, specs, parameters=None, *, layer=None):
    """Readers of some metrics; of one layer only, if it is named."""
    wanted = wanted_by(specs)
    readers = make(wanted, {metric: parameters for some in wanted.values() for metric in some})
    return [reader for reader in readers if layer in (None, reader.tap.layer)]


def sums_of(readers, references, outputs, owners, *, last=True, rows=slice(None)):
    """Metric and map to sum and size, of some rows."""
    found = {}
    for reader in readers:
        prepared = reader.prepare(references[:, :, rows])
        band = outputs[:, :, rows]
        place = Place(0, band.shape[2], band.shape[2] + (not last))
        for one in reader.observe(prepared, owners, band, place):
            key = type(one.metric).__name__, str(one.metric), one.name
            found[key] = one.statistic.total.expand(len(outputs)), one.statistic.count
    return found


def assert_equal(given, expected):
    assert given.keys() == expected.keys()
    for key, (total, size) in expected.items():
        # Plain maps may be averaged along the rows, so it is means that are compared.
        mean, right = given[key][0] / given[key][1], total / size
        rel = WINDOWS if "Ssim" in key[0] else SUMS
        assert mean.tolist() == pytest.approx(right.tolist(), rel=rel, abs=1e-12), key


def images(count, channels, height, width, device, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(count, channels, height, width, generator=generator)
    return pixels.to(device).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 40), (37, 29)])
@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_pixels_and_windows(way, channels, height, width, window):
    make, device = way
    similar = [f"ssim:window={window}", f"ssim:window={window},structure=clipped"]
    specs = ["psnr", "psnr:epsilon=1e-8", "tv", *similar]
    references = images(2, channels, height, width, device)
    outputs = images(5, channels, height, width, device, seed=1)
    owners = Owners(OWNERS, 2, device)
    given, expected = (
        sums_of(made(how, specs), references, outputs, owners) for how in (make, plain_readers)
    )
    assert len(expected) == 16
    assert_equal(given, expected)


@pytest.mark.parametrize("column", ["tv-aniso-output", "tv-sq-reference", "tv-iso-output"])
def test_only_what_a_column_asks_for(way, column):
    make, device = way
    references, outputs = (images(1, 3, 9, 10, device, seed=seed) for seed in (0, 1))
    owners = Owners([0], 1, device)
    given, expected = (
        sums_of(made(how, [column]), references, outputs, owners) for how in (make, plain_readers)
    )
    assert_equal(given, expected)


def test_a_band_counts_its_last_row_only_where_the_image_ends(way):
    make, device = way
    readers = made(make, ["psnr", "tv"])
    references, outputs = (images(1, 3, 9, 10, device, seed=seed) for seed in (0, 1))
    owners = Owners([0], 1, device)
    whole = sums_of(readers, references, outputs, owners)
    parts = [
        sums_of(readers, references, outputs, owners, last=end, rows=band)
        for band, end in ((slice(0, 4), False), (slice(3, 7), False), (slice(6, 9), True))
    ]
    for key, (total, size) in whole.items():
        assert sum(part[key][1] for part in parts) == size
        added = sum(part[key][0] for part in parts)
        assert added.tolist() == pytest.approx(total.tolist(), rel=SUMS)


@needs_loops
def test_pixels_of_another_type_are_read_as_float32():
    device = torch.device("cpu")
    references, outputs = (images(1, 3, 12, 13, device, seed=seed) for seed in (0, 1))
    owners = Owners([0], 1, device)
    readers = made(compiled_readers, ["psnr", "tv", "ssim"])
    given = sums_of(readers, references.double(), outputs.double(), owners)
    assert given == sums_of(readers, references, outputs, owners)


@needs_loops
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 5])
def test_scales_of_ms_ssim(channels, scale):
    layer = "pixels" if scale == 1 else f"scale{scale}"
    device = torch.device("cpu")
    references = images(2, channels, 13, 17, device)
    outputs = images(5, channels, 13, 17, device, seed=1)
    owners = Owners(OWNERS, 2, device)
    given, expected = (
        sums_of(made(how, ["ms-ssim", "ssim"], layer=layer), references, outputs, owners)
        for how in (compiled_readers, plain_readers)
    )
    assert len(expected) == channels + (scale == 1)
    assert_equal(given, expected)


@needs_loops
@pytest.mark.parametrize(
    ("specs", "layer"),
    [(["psnr", "tv", "ssim"], None), (["ssim:window=uniform"], None), (["ms-ssim"], "pixels")],
)
def test_large_images_are_read_in_blocks(specs, layer):
    device = torch.device("cpu")
    references, outputs = (images(1, 3, 200, 600, device, seed=seed) for seed in (0, 1))
    owners = Owners([0], 1, device)
    given, expected = (
        sums_of(made(how, specs, layer=layer), references, outputs, owners)
        for how in (compiled_readers, plain_readers)
    )
    assert expected
    assert_equal(given, expected)


@needs_loops
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_sums_depend_neither_on_threads_nor_on_where_in_memory_an_image_lies(threads):
    made_of = images(1, 3, 130, 300, torch.device("cpu"))
    owners = Owners([0], 1, torch.device("cpu"))
    specs = ["psnr", "tv", "ssim"]
    expected = sums_of(made(compiled_readers, specs), made_of, made_of + 0.1, owners)
    room = torch.empty(made_of.numel() + 16)[threads : threads + made_of.numel()]
    moved = room.view(1, 130, 300, 3).permute(0, 3, 1, 2).copy_(made_of)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = sums_of(made(compiled_readers, specs), moved, moved + 0.1, owners)
    finally:
        torch.set_num_threads(before)
    assert {key: total.tolist() for key, (total, _) in found.items()} == {
        key: total.tolist() for key, (total, _) in expected.items()
    }


@pytest.mark.parametrize("channels", [3, 64, 192, 384])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_features(way, channels, dtype, distance):
    make, device = way
    specs = [f"perceptual:layers=relu1_2,distance={distance}", "lpips:net=vgg"]
    weight = {f"lin{layer}": torch.rand(1, channels, 1, 1, device=device) for layer in range(5)}
    references = (images(2, channels, 5, 27, device) - 0.3).relu().to(dtype)
    outputs = (images(5, channels, 5, 27, device, seed=1) - 0.3).relu().to(dtype)
    references[:, :, 1, 1] = 0  # where all channels are 0, unit length is 0 by 0
    outputs[:, :, 1, 1:3] = 0
    owners = Owners(OWNERS, 2, device)
    given, expected = (
        sums_of(made(how, specs, weight, layer="relu1_2"), references, outputs, owners)
        for how in (make, plain_readers)
    )
    assert len(expected) == 2
    assert_equal(given, expected)


def test_features_of_equal_images_differ_by_nothing(way):
    make, device = way
    same = images(1, 64, 4, 4, device)
    weight = {f"lin{layer}": torch.ones(1, 64, 1, 1, device=device) for layer in range(5)}
    specs = ["perceptual:layers=relu1_2", "lpips:net=vgg"]
    readers = made(make, specs, weight, layer="relu1_2")
    found = sums_of(readers, same, same, Owners([0], 1, device))
    assert [total.tolist() for total, _ in found.values()] == [[0.0], [0.0]]


def kinds(make, specs):
    parameters = {f"lin{layer}": torch.ones(1, 1, 1, 1) for layer in range(5)}
    return [type(reader) for reader in made(make, specs, parameters)]


def test_what_is_read_at_once_on_a_gpu():
    assert kinds(kernel_readers, ["psnr", "tv"]) == [GpuPixelReader]
    assert kinds(kernel_readers, ["psnr", "tv", "ssim"]) == [GpuPixelReader, GpuSimilarityReader]
    assert kinds(kernel_readers, ["perceptual", "lpips:net=vgg"]) == [GpuFeatureReader] * 5
    assert set(kinds(kernel_readers, ["ms-ssim"])) == {PlainReader}


def test_what_is_read_at_once_on_a_processor():
    assert kinds(compiled_readers, ["psnr", "tv", "ssim"]) == [CpuPixelReader, CpuSimilarityReader]
    # Both read the first scale.
    assert kinds(compiled_readers, ["ssim", "ms-ssim"]) == [CpuSimilarityReader] * 5
    assert kinds(compiled_readers, ["perceptual", "lpips:net=vgg"]) == [CpuFeatureReader] * 5
    # The image itself, and five layers.
    assert kinds(compiled_readers, ["dists"]) == [CpuMomentReader] * 6


def test_a_subclass_that_observes_otherwise_has_no_fast_path_of_its_parent():
    class Renamed(Psnr):
        """Observe as PSNR does."""

    class Doubled(Psnr):
        """Double the error."""

        def maps(self, tap, reference, output, parameters):
            return {"squared_error": 2 * (reference[0] - output).square()}

    class Declared(Doubled):
        """Say again what is observed."""

        def fast_path(self, tap):
            return PixelMean("squared_error")

    (tap,) = Psnr().columns()[0].taps
    found = {
        kind: [type(reader) for reader in compiled_readers({tap: [kind()]}, {kind(): {}})]
        for kind in (Renamed, Doubled, Declared)
    }
    assert found == {
        Renamed: [CpuPixelReader],
        Doubled: [PlainReader],
        Declared: [CpuPixelReader],
    }


def test_a_metric_of_another_package_declares_a_fast_path_and_has_the_same_value():
    class Structure(Ssim):
        """The mean of contrast times structure."""

        name = "structure"

        def maps(self, tap, reference, output, parameters):
            scale = MsSsim().taps()[0]
            found = MsSsim().maps(scale, reference, output, parameters)
            return {f"s.{name[2:]}": values for name, values in found.items()}

        def fast_path(self, tap):
            whole = super().fast_path(tap)
            return replace(whole, statistic="s", part="structure", by_channel=True)

    metric = Structure()
    (tap,) = metric.columns()[0].taps
    device = torch.device("cpu")
    pair = images(1, 3, 20, 30, device), images(1, 3, 20, 30, device, seed=1)
    (fast,) = compiled_readers({tap: [metric]}, {metric: {}})
    assert isinstance(fast, CpuSimilarityReader)
    owners = Owners([0], 1, device)
    given, expected = (
        sums_of(readers, *pair, owners)
        for readers in ([fast], plain_readers({tap: [metric]}, {metric: {}}))
    )
    assert_equal(given, expected)


def test_a_border_around_pixels_is_read_plainly():
    class Bordered(Psnr):
        """Read pixels with the outermost rows and columns repeated."""

    tap = Tap(border=1)
    for make in (compiled_readers, kernel_readers):
        assert [type(reader) for reader in make({tap: [Bordered()]}, {Bordered(): {}})] == [
            PlainReader
        ]


def test_a_map_of_pixels_that_no_reader_knows_is_refused():
    with pytest.raises(ValueError, match="dz_output is none of squared_error, "):
        PixelMean("dz_output")


@needs_loops
@pytest.mark.parametrize("channels", [1, 3, 64, 70])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 27), (90, 70)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_moments_of_channels(channels, height, width, dtype):
    device = torch.device("cpu")
    references = images(2, channels, height, width, device).to(dtype)
    outputs = (images(5, channels, height, width, device, seed=1) + 30).to(dtype)
    outputs[:, 0] = 7  # a flat channel
    (request,) = resolve_metrics(["dists"])
    tap = request.column.taps[0]
    wanted, parameters = {tap: [request.metric]}, {request.metric: {}}
    owners, place = Owners(OWNERS, 2, device), Place(0, height, height)
    found = {
        make: next(reader.observe(reader.prepare(references.double()), owners, rows, place))
        for make in (compiled_readers, plain_readers)
        for reader in make(wanted, parameters)
        for rows in [outputs.double()]
    }
    given, expected = found.values()
    assert given[:2] == expected[:2]
    assert given.statistic.count == expected.statistic.count == height * width
    exact = pair_moments(references.double()[OWNERS], outputs.double())
    for part in ("means", "squares"):
        value, right = getattr(given.statistic, part), getattr(exact, part)
        assert value.shape == right.shape == getattr(expected.statistic, part).shape
        assert value.flatten().tolist() == pytest.approx(right.flatten().tolist(), abs=1e-9)


@needs_loops
def test_moments_of_equal_features_are_equal():
    device = torch.device("cpu")
    same = images(1, 64, 30, 40, device)
    (request,) = resolve_metrics(["dists"])
    tap = request.column.taps[1]
    (reader,) = compiled_readers({tap: [request.metric]}, {})
    (found,) = reader.observe(reader.prepare(same), Owners([0], 1, device), same, Place(0, 30, 30))
    first, second, both = found.statistic.squares.unbind(1)
    assert torch.equal(first, second)
    assert torch.equal(first, both)


@pytest.mark.parametrize("make", [kernel_readers, compiled_readers])
def test_psnr_alone_waits_for_no_neighbours(make):
    # An image of one row has none below, and must be served all the same.
    (reader,) = made(make, ["psnr"])
    assert reader.tap.window == 1
    assert made(make, ["psnr", "tv"])[0].tap.window == 2


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(kernel_readers, marks=needs_triton),
        pytest.param(
            compiled_readers,
            marks=pytest.mark.skipif(
                not library.available(), reason="there are no compiled loops here"
            ),
        ),
    ],
)
def test_what_reads_the_reference(make):
    assert not made(make, ["tv-aniso-output"])[0].reads_reference
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    output = images(1, 3, 4, 5, device)
    (alone,) = made(make, ["tv-aniso-output"])
    # An output of the fourth of four references, which it does not need.
    assert len(list(alone.observe((), Owners([3], 4, device), output, Place(0, 4, 4)))) == 2
    assert made(make, ["tv-ratio"])[0].reads_reference
    assert made(make, ["psnr"])[0].reads_reference


@needs_loops
def test_the_device_decides(monkeypatch):
    wanted = wanted_by(["psnr", "tv"])
    (reader,) = choose_readers(wanted, {}, torch.device("cpu"))
    assert isinstance(reader, CpuPixelReader)
    monkeypatch.setattr(library, "available", lambda: False)
    parameters = {metric: None for metrics in wanted.values() for metric in metrics}
    plain = choose_readers(wanted, parameters, torch.device("cpu"))
    assert {type(reader) for reader in plain} == {PlainReader}
    assert not gpu.available(torch.device("cpu"))


@pytest.mark.parametrize(("installed", "known"), [("3.1.9", False), ("3.2.0", True)])
def test_an_older_triton_is_left_alone(monkeypatch, installed, known):
    monkeypatch.setattr(gpu, "version", lambda _: installed)
    assert gpu.has_triton() is known


def test_kernels_that_do_not_compile_give_a_warning_and_are_not_used(monkeypatch):
    def broken():
        raise RuntimeError("no compiler")

    monkeypatch.setattr(gpu, "has_triton", lambda: True)
    monkeypatch.setattr(gpu, "_kernels", broken)
    # No device is needed before the kernel is.
    monkeypatch.setattr(torch, "zeros", lambda *size, **options: torch.ones(size))
    monkeypatch.setattr(gpu, "Owners", lambda *_: None)
    with pytest.warns(RuntimeWarning, match="Triton cannot compile here.*no compiler"):
        assert not gpu.available.__wrapped__(torch.device("cuda"))


FORKED = """
import os, sys, torch
from iqbench.metrics._base import Place
from iqbench.metrics._registry import resolve_metrics
from iqbench.readers.cpu import CpuSimilarityReader
from iqbench.readers.reader import Owners

torch.set_num_threads(2)
(request,) = resolve_metrics(["ssim"])
tap, metric = request.column.taps[0], request.metric
reader = CpuSimilarityReader(tap, [(metric, metric.fast_path(tap))])
image = torch.rand(1, 512, 256, 3).permute(0, 3, 1, 2)
other, prepared = 1 - image, reader.prepare(image)
owners = Owners([0], 1, torch.device("cpu"))

def score():
    (one,) = reader.observe(prepared, owners, other, Place(0, 512, 512))
    return float(one.statistic.total)

expected = score()
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(0 if score() == expected else 1)
"""


@needs_loops
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_does_not_wait_for_threads_that_are_not_there():
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
