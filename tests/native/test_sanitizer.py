"""The loops touch no byte beyond their buffers: compiled with AddressSanitizer, and run.

The sanitizer does not work with torch, so a program without torch calls the loops: buffers of
exactly the sizes that `iqbench.native.loops` asks for, from the C library's malloc, which the
sanitizer watches.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "iqbench" / "native").glob("*.c"))

CHANNELS = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048]
"""Numbers of channels of the layers of all networks."""

PROGRAM = """
import ctypes, itertools, sys

C = ctypes.CDLL(sys.argv[1])
LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = [ctypes.c_size_t]
LIBC.free.argtypes = [ctypes.c_void_p]
LIBC.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

class Call:
    # A call whose buffers are exactly as large as they are told, and freed after.
    def __init__(self):
        self.held = []

    def buffer(self, values, size):
        place = LIBC.malloc(values * size)
        LIBC.memset(place, 0, values * size)
        self.held.append(place)
        return ctypes.c_void_p(place)

    def floats(self, values):
        return self.buffer(values, 4)

    def halves(self, values):
        return self.buffer(values, 2)

    def doubles(self, values):
        return self.buffer(values, 8)

    def __call__(self, name, *arguments):
        function = getattr(C, name)
        function.restype = ctypes.c_long
        given = [
            item if isinstance(item, ctypes.c_void_p) else ctypes.c_long(item)
            for item in arguments
        ]
        result = function(*given)
        for place in self.held:
            LIBC.free(place)
        self.held = []
        return result

call, done = Call(), 0
channels = [int(item) for item in sys.argv[2].split(",")]
THREADS = 2

for count, (height, width), half in itertools.product(
    [1, 3, 65, *channels], [(1, 1), (13, 17)], [0, 1]
):
    positions = height * width
    blocks = call("feature_blocks", positions, count, THREADS)
    values = call.halves if half else call.floats
    pair = values(positions * count), values(positions * count)
    call("feature_sums", *pair, call.floats(count), call.doubles(3 * blocks), positions, count,
         half, 1, 1, 1, THREADS)
    done += 1

for height, width, count in itertools.product([1, 2, 3, 64, 65], [1, 2, 7, 300], [1, 3]):
    size = height * width * count
    for own in {height, height - 1}:
        flags = (ctypes.c_long * 13)(*[1] * 13)
        call("pixel_sums", call.floats(size), call.floats(size),
             ctypes.cast(flags, ctypes.c_void_p), call.doubles(13 * height),
             height, width, count, own, THREADS)
        done += 1

for window, count, parts in itertools.product([7, 11], [1, 2, 3, 4], [0, 1]):
    sizes = [(window, window), (window + 1, 400), (window + 64, window + 9)]
    for height, width in sizes:
        size = height * width * count
        blocks = call("similarity_blocks", height - window + 1, width - window + 1, count, THREADS)
        call("similarity_sums", call.floats(size), call.floats(size), call.doubles(window + 4),
             call.doubles(2 * blocks * count), height, width, count, window, parts, THREADS)
        done += 1

for count, (height, width) in itertools.product(
    [1, 3, 17, 65, *channels], [(1, 1), (13, 17), (40, 60)]
):
    positions = height * width
    blocks = call("moment_blocks", positions, count, THREADS)
    call("channel_moments", call.floats(positions * count), call.floats(positions * count),
         call.doubles(5 * blocks * count), positions, count, THREADS)
    done += 1

for count, width, (upper, lower), above, images in itertools.product(
    [1, 16, 70], [1, 2, 9], [(1, 0), (3, 4), (8, 1)], [0, 1], [1, 2]
):
    for high in range(1, (above + upper + lower + 1 - 3) // 2 + 2):
        row = images * width * count
        call("l2_pool", call.floats(upper * row), call.floats(lower * row), upper, lower,
             call.floats(images * high * ((width + 1) // 2) * count), images, width, count, above,
             high, THREADS)
        done += 1

for height, width in [(1, 1), (3, 50), (20, 7)]:
    call("window_sums", call.doubles((height + 6) * (width + 6)), call.doubles(49),
         call.doubles(height * width), height, width, THREADS)
    done += 1

for count, side in [(1, 1), (3, 2), (2, 48), (1, 96)]:
    call("sign_sums", call.doubles(count * side * side), call.doubles(count * 25), count, side,
         THREADS)
    done += 1

for height, width in [(1, 1), (3, 50), (20, 257), (40, 600)]:
    size = height * width
    for rounded in [0, 1]:
        call("luma_plane", call.floats(3 * size), call.floats(size), call.doubles(6), height, width,
             rounded, THREADS)
    call("linear_light", call.floats(size), call.floats(size), size, THREADS)
    call("lab_planes", call.floats(3 * size), call.floats(3 * size), call.floats(10), size, THREADS)
    for border in [0, 4]:
        call("xyb_planes", call.floats(3 * size), call.floats(3 * height * (width + 2 * border)),
             call.floats(11), height, width, border, THREADS)
    for planes in [1, 3]:
        around = planes * (height + 8) * (width + 8)
        call("xyb_sums", call.floats(around), call.floats(around), call.floats(10),
             call.doubles(6 * planes * height), planes, height, width, THREADS)
    done += 8

for count in [1, 63, 64, 129]:
    call("block_errors", call.floats(64 * count), call.floats(64 * count), call.floats(4 * 64),
         call.doubles(2 * -(-count // 64)), count, THREADS)
    done += 1

for height, width, count, planes, factor, images in itertools.product(
    [1, 5, 16], [1, 9, 4200], [1, 3, 4], [1, 3], [1, 2, 5], [1, 2]
):
    for before in {0, (factor - 1) // 2, factor - 1}:
        high, wide = ((side + before + factor - 1) // factor for side in (height, width))
        size = images * height * width * count
        call("mixed_means", call.floats(size), call.floats(planes * count),
             call.floats(images * planes * high * wide), images, height, width, count, planes,
             factor, before, high, wide, THREADS)
        done += 1

for height, width, count, above, below, scharr in itertools.product(
    [1, 2, 9], [1, 2, 511, 513], [1, 2], [0, 1], [0, 1], [0, 1]
):
    high = above + height + below - 2
    if high > 0:
        call("gradient_lengths", call.floats(count * height * width),
             call.floats(count * high * width), count, height, width, above, high, scharr, THREADS)
        done += 1

for (height, width), (high, wide), count in itertools.product(
    [(1, 1), (1, 7), (40, 1), (30, 20)], [(1, 1), (7, 50)], [1, 3]
):
    rows, columns = ((ctypes.c_int * new)(*[
        min(k * (had - 1) // max(new - 1, 1), max(had - 2, 0)) for k in range(new)
    ]) for had, new in ((height, high), (width, wide)))
    call("resize_bilinear", call.floats(2 * height * width * count),
         ctypes.cast(rows, ctypes.c_void_p), call.floats(high),
         ctypes.cast(columns, ctypes.c_void_p), call.floats(wide),
         call.floats(2 * count * high * wide), 2, height, width, count, high, wide, THREADS)
    done += 1

for count in [1, 15, 4096, 4099]:
    call("filtered_spectra", call.floats(2 * count), call.floats(4 * count), call.floats(8 * count),
         4, count, THREADS)
    for first in [0, 1]:
        call("oriented_parts", call.floats(8 * count), call.floats(count), call.floats(count),
             call.floats(count), count, first, THREADS)
    call("medians", call.floats(3 * count), call.floats(3), 3, count, THREADS)
    call("congruencies", call.floats(4 * count), call.floats(4), call.floats(count),
         call.floats(count), count, THREADS)
    for gray in [0, 1]:
        blocks, size = call("weighted_blocks", count, THREADS), (1 if gray else 2) * count
        call("weighted_sums", *(call.floats(count) for _ in range(4)), call.floats(size),
             call.floats(size), call.floats(6), call.doubles(3 * blocks), count, gray, THREADS)
    call("salient_places", call.floats(3 * count), call.floats(3 * count), call.floats(count),
         call.floats(2), call.floats(2), call.floats(count), count, THREADS)
    done += 7

for height, width, count in itertools.product([1, 9], [1, 2, 511, 513], [1, 3]):
    found = 6 + count - 1
    call("haar_coefficients", call.floats(count * (height + 7) * width),
         call.floats(found * height * width), count, height, width, THREADS)
    blocks = call("haar_blocks", height * width, THREADS)
    call("haar_sums", call.floats(found * height * width), call.floats(found * height * width),
         call.floats(2), call.doubles(2 * blocks), height * width, count > 1, THREADS)
    done += 2

for count in [1, 15, 4096, 4099]:
    blocks = call("deviation_blocks", count, THREADS)
    call("unlike_sums", call.floats(count), call.floats(count), call.floats(2),
         call.doubles(2 * blocks), count, THREADS)
    call("joint_roots", call.floats(3 * count), call.floats(3 * count), call.floats(count),
         call.floats(count), call.floats(count), call.floats(4), call.floats(count),
         call.doubles(2 * blocks), count, THREADS)
    call("root_distances", call.floats(count), call.floats(2), call.doubles(blocks), count, THREADS)
    done += 3

kept = [item for item in channels if item % 16 == 0 and item <= 512]
for inputs, outputs in [*((item, 64) for item in kept), (16, 128), (256, 192)]:
    call("winograd_pack", call.floats(9 * inputs * outputs), call.floats(36 * inputs * outputs),
         outputs, inputs, THREADS)
    sizes = [(1, 3, 0, 3), (2, 5, 4, 9), (1, 1, 1, 1)]
    if inputs in (16, 256):
        sizes.append((1, 17, 2, 31))
    for (images, upper, lower, width), half in itertools.product(sizes, [0, 1]):
        for above, below, beside in [(1, 1, 1), (0, 1, 1), (1, 0, 0), (0, 0, 0)]:
            high, wide = above + upper + lower + below - 2, width + 2 * beside - 2
            if high < 1 or wide < 1:
                continue
            values = call.halves if half else call.floats
            room = Call()("winograd_room", inputs, THREADS)
            call("winograd_convolve", values(images * upper * width * inputs),
                 values(images * lower * width * inputs), upper, lower,
                 values(images * high * wide * outputs), call.floats(36 * inputs * outputs),
                 call.floats(outputs), call.floats(inputs), call.floats(room),
                 images, width, inputs, outputs, above, below, beside, half, half, THREADS)
            done += 1
print(done)
"""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """Compile the loops with AddressSanitizer, linked with OpenMP; and return how to run Python."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the loops are for Linux on x86-64")
    if shutil.which("gcc") is None or importlib.util.find_spec("hatchling") is None:
        pytest.skip("there is no gcc, or no hatchling")
    named = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(named).is_absolute():
        pytest.skip("gcc comes without AddressSanitizer")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    building = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(building)
    features = Path("/proc/cpuinfo").read_text()
    folder = tmp_path_factory.mktemp("sanitized")

    def compiled(processor, sources=SOURCES):
        if f"{processor}f" not in features and processor not in features.split():
            pytest.skip(f"this processor has no {processor}")
        target = folder / f"{processor}-{len(sources)}.so"
        flags = [*building.FLAGS, *building.PROCESSORS[processor], "-O1", "-g", "-shared"]
        command = ["gcc", *flags, "-fsanitize=address", *map(str, sources), "-o", str(target)]
        subprocess.run(command, check=True, capture_output=True)
        return target

    def run(library, program, *arguments):
        return subprocess.run(
            [sys.executable, "-c", program, str(library), *arguments],
            # Threads that wait busily between short loops would take most of the time.
            env=os.environ
            | {
                "LD_PRELOAD": named,
                "ASAN_OPTIONS": "detect_leaks=0",
                "OMP_WAIT_POLICY": "passive",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return compiled, run, folder


@pytest.mark.parametrize("processor", ["avx2", "avx512"])
def test_no_loop_leaves_its_buffers(sanitized, processor):
    compiled, run, _ = sanitized
    done = run(compiled(processor), PROGRAM, ",".join(map(str, CHANNELS)))
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) > 400


def test_a_loop_that_leaves_its_buffer_would_be_found(sanitized):
    compiled, run, folder = sanitized
    source = folder / "wrong.c"
    source.write_text("void feature_sums(float *x, long n) { x[n] = 1; }\n")
    program = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
ctypes.CDLL(sys.argv[1]).feature_sums(ctypes.c_void_p(libc.malloc(64)), ctypes.c_long(16))
"""
    done = run(compiled("avx2", [source]), program)
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
