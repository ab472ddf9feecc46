"""Kernels give the sums of the metrics' own maps: on a GPU, else in Triton's interpreter."""

import os

import pytest
import torch

from iqbench.metrics._registry import resolve_metrics
from iqbench.readers import fused
from iqbench.readers.choose import choose_readers
from iqbench.readers.fused import FeatureReader, PixelReader, SimilarityReader
from iqbench.readers.reader import MapReader, Owners

# float32 sums in another order; SSIM is float64 throughout.
SUMS = 1e-5
SSIM = 1e-10

pytest.importorskip("triton", minversion="3.2", reason="Triton and its interpreter")


@pytest.fixture
def device():
    """Where kernels run: on a GPU, or where there is none on the CPU in Triton's interpreter."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    assert os.environ["TRITON_INTERPRET"] == "1"
    return torch.device("cpu")


def readers_of(specs, parameters, device, *, fused):
    wanted = {}
    for request in resolve_metrics(specs):
        for tap in request.column.taps:
            wanted.setdefault(tap, {})[request.metric] = None
    wanted = {tap: list(metrics) for tap, metrics in wanted.items()}
    parameters = {metric: parameters for metrics in wanted.values() for metric in metrics}
    return choose_readers(wanted, parameters, device, fused=fused)


def sums_of(readers, rows, references, outputs, owners, *, last=True):
    """Metric and map to the sums; `rows` gives a tap's rows of the images."""
    found = {}
    for reader in readers:
        prepared = reader.prepare(rows(reader.tap, references))
        for one in reader.sums(prepared, owners, rows(reader.tap, outputs), last=last):
            found[one.metric.name, one.name] = one.total.expand(len(outputs)), one.size
    return found


def assert_equal(given, expected, tolerance=SUMS):
    assert given.keys() == expected.keys()
    for key, (total, count) in expected.items():
        # Plain maps may be averaged along the rows, so it is means that are compared.
        mean, right = given[key][0] / given[key][1], total / count
        rel = SSIM if key[1] == "ssim" else tolerance
        assert mean.tolist() == pytest.approx(right.tolist(), rel=rel, abs=1e-12), key


def images(count, channels, height, width, device, seed=0):
    made = torch.rand(
        count, channels, height, width, generator=torch.Generator().manual_seed(seed)
    ).to(device)
    return made.contiguous(memory_format=torch.channels_last)


OWNERS = [0, 1, 1, 0, 1]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 40), (37, 29)])
@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_pixels_and_windows(device, channels, height, width, window):
    specs = ["psnr", "tv", f"ssim:window={window}"]
    references = images(2, channels, height, width, device)
    outputs = images(5, channels, height, width, device, seed=1)
    owners = Owners(OWNERS, 2, device)
    plain, kernels = (
        sums_of(
            readers_of(specs, {}, device, fused=way),
            lambda tap, rows: rows,
            references,
            outputs,
            owners,
        )
        for way in (False, True)
    )
    assert_equal(kernels, plain)


def test_a_band_counts_its_last_row_only_where_the_image_ends(device):
    (reader,) = readers_of(["psnr", "tv"], {}, device, fused=True)
    references, outputs = (images(1, 3, 9, 10, device, seed=seed) for seed in (0, 1))
    owners = Owners([0], 1, device)
    whole = sums_of([reader], lambda tap, rows: rows, references, outputs, owners)
    parts = [
        sums_of(
            [reader], lambda tap, rows, b=band: rows[:, :, b], references, outputs, owners, last=end
        )
        for band, end in ((slice(0, 4), False), (slice(3, 7), False), (slice(6, 9), True))
    ]
    for key, (total, count) in whole.items():
        assert sum(part[key][1] for part in parts) == count
        added = sum(part[key][0] for part in parts)
        assert added.tolist() == pytest.approx(total.tolist(), rel=SUMS)


@pytest.mark.parametrize("channels", [3, 64, 192, 384])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_features(device, channels, dtype):
    specs = ["perceptual:layers=relu1_2", "perceptual:layers=relu1_2,distance=l2", "lpips:net=vgg"]
    weight = {f"lin{layer}": torch.rand(1, channels, 1, 1, device=device) for layer in range(5)}
    references = (images(2, channels, 5, 27, device) - 0.3).relu().to(dtype)
    outputs = (images(5, channels, 5, 27, device, seed=1) - 0.3).relu().to(dtype)
    references[:, :, 1, 1] = 0  # where all channels are 0, unit length is 0 by 0
    outputs[:, :, 1, 1:3] = 0
    owners = Owners(OWNERS, 2, device)
    found = []
    for kernels in (False, True):
        readers = [
            reader
            for reader in readers_of(specs, weight, device, fused=kernels)
            if reader.tap.layer == "relu1_2"
        ]
        found.append(sums_of(readers, lambda tap, rows: rows, references, outputs, owners))
    assert len(found[0]) == 3 - 1  # l1 and l2 are one metric's two options: of one name
    assert_equal(found[1], found[0])


def test_equal_images_differ_by_nothing(device):
    same = images(1, 64, 4, 4, device)
    weight = {f"lin{layer}": torch.ones(1, 64, 1, 1, device=device) for layer in range(5)}
    readers = readers_of(["perceptual:layers=relu1_2", "lpips:net=vgg"], weight, device, fused=True)
    (reader,) = (reader for reader in readers if reader.tap.layer == "relu1_2")
    owners = Owners([0], 1, device)
    found = sums_of([reader], lambda tap, rows: rows, same, same, owners)
    assert [total.tolist() for total, _ in found.values()] == [[0.0], [0.0]]


def kinds(specs, *, fused=True):
    parameters = {f"lin{layer}": torch.ones(1, 1, 1, 1) for layer in range(5)}
    found = readers_of(specs, parameters, torch.device("cpu"), fused=fused)
    return [type(reader) for reader in found]


def test_what_a_gpu_reads_at_once():
    assert kinds(["psnr", "tv"]) == [PixelReader]
    assert kinds(["psnr", "tv", "ssim"]) == [PixelReader, SimilarityReader]
    assert kinds(["perceptual", "lpips:net=vgg"]) == [FeatureReader] * 5


def test_what_has_no_kernel_is_read_the_plain_way():
    assert set(kinds(["ms-ssim"])) == {MapReader}
    # Of one row there are no neighbours; a reader that waits for two would never be served.
    assert kinds(["psnr"]) == [MapReader]
    assert set(kinds(["psnr", "tv", "lpips:net=vgg"], fused=False)) == {MapReader}


def test_without_a_gpu_there_are_no_kernels():
    assert not fused.available(torch.device("cpu"))


def test_kernels_that_do_not_compile_are_told_of_and_not_used(monkeypatch):
    def broken():
        raise RuntimeError("no compiler")

    monkeypatch.setattr(fused, "_kernels", broken)
    # The device is asked for nothing before the kernel is: tensors are made where there is one.
    monkeypatch.setattr(torch, "zeros", lambda *size, device: torch.ones(size))
    monkeypatch.setattr(fused, "Owners", lambda *_: None)
    with pytest.warns(RuntimeWarning, match="Triton cannot compile here.*no compiler"):
        assert not fused.available.__wrapped__(torch.device("cuda"))
