"""If memory runs out while a file is read, its row has the reason; read bytes are bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_folders import IMAGES, noisy, picture

import iqbench
from iqbench.errors import IqbenchError
from iqbench.images import source
from iqbench.images.source import FileSource
from iqbench.images.write import write_png

LARGE = 1_900_000_000


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read whole."""
    names = []
    read = Path.read_bytes

    def listen(path):
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", listen)
    return names


def sparse(path, head=b""):
    """A file of nearly 2 GB that takes no space on disk."""
    path.write_bytes(head)
    os.truncate(path, LARGE)


class TestLargeFiles:
    def test_a_file_that_is_no_image_is_not_read(self, made, reads):
        made.references()
        folder = made.method()
        for name in ("a", "b"):
            sparse(folder / f"{name}.png")
        summary = made.evaluate()
        assert [failure.image for failure in summary.failures] == ["a", "b"]
        assert summary.scored == 1
        assert sorted(set(reads)) == ["a.png", "b.png", "c.png"]  # the references
        assert reads.count("a.png") == reads.count("b.png") == 1

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm"])
    def test_an_image_of_few_pixels_in_a_large_file_is_refused(self, tmp_path, reads, suffix):
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), picture())
        sparse(path, path.read_bytes())
        reads.clear()
        with pytest.raises(IqbenchError) as caught:
            FileSource(path).read()
        assert path.name in caught.value.message
        assert reads == []

    def test_a_file_with_many_bytes_of_metadata_is_read(self, tmp_path):
        path = tmp_path / "a.bmp"
        cv2.imwrite(str(path), picture())
        with path.open("ab") as file:
            file.write(bytes(1 << 20))
        assert FileSource(path).read().bytes > 1 << 20


class TestExhausted:
    """Whatever a decoder raises, the rest of the run is scored."""

    @pytest.fixture
    def fail(self, monkeypatch):
        def at(name, error):
            decode = source.decode

            def failing(file, **options):
                if file.name.endswith(name):
                    raise error
                return decode(file, **options)

            monkeypatch.setattr(source, "decode", failing)

        return at

    @pytest.mark.parametrize(
        "error",
        [
            MemoryError(),
            cv2.error("OpenCV: (-4:Insufficient memory) Failed to allocate 9 bytes"),
            np._core._exceptions._ArrayMemoryError((9,), np.dtype("u1")),
        ],
        ids=["python", "opencv", "numpy"],
    )
    def test_an_output_that_does_not_fit_is_a_row(self, made, fail, error):
        made.references()
        made.method()
        fail("mine/b.png", error)
        (failure,) = made.evaluate().failures
        assert failure.image == "b"
        assert failure.error.startswith("there is not enough memory to read ")
        assert "mine/b.png" in failure.error
        assert made.values()["mine", "b"] is None
        assert made.values()["mine", "c"] is not None

    def test_a_reference_that_does_not_fit_is_a_row_of_every_method(self, made, fail):
        made.references()
        for name in ("one", "two"):
            made.method(name)
        fail("hr/b.png", MemoryError())
        assert {(item.method, item.image) for item in made.evaluate().failures} == {
            *(("one", "b"), ("two", "b"))
        }

    def test_any_other_error_names_the_file_and_what_was_raised(self, made, fail):
        made.references()
        made.method()
        fail("mine/b.png", ZeroDivisionError("division\nby zero"))
        (failure,) = made.evaluate().failures
        assert failure.error.endswith("mine/b.png cannot be read: ZeroDivisionError: division")

    def test_an_interruption_is_not_an_error_of_an_image(self, made, fail):
        made.references()
        made.method()
        fail("mine/b.png", KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            made.evaluate()

    def test_measure_says_so_in_a_sentence(self, made, fail):
        made.references()
        folder = made.method()
        fail("mine/b.png", MemoryError())
        with pytest.raises(IqbenchError, match=r"not enough memory to read .*mine/b\.png"):
            iqbench.measure(made.root / "hr/b.png", folder / "b.png", metrics="psnr")

    def test_measure_compares_sizes_before_it_decodes(self, made, decoded):
        made.references()
        write_png(made.root / "large.png", picture(0, 240, 320))
        with pytest.raises(IqbenchError, match=r"large\.png has 320x240 pixels, its reference"):
            iqbench.measure(made.root / "hr/b.png", made.root / "large.png", metrics="psnr")
        assert decoded == []


LIMITED = """
import json, re, resource, shutil
from pathlib import Path
from iqbench.api import Evaluation, run_evaluation

def run(results):
    options = {"metrics": ["psnr"], "device": "cpu", "workers": 2, "results": Path(results)}
    return run_evaluation(Evaluation(methods=["out"], reference=Path("hr"), **options))

run("warm-up")  # everything is imported, and all threads have begun
for side in ("hr", "out"):
    shutil.move(f"big/{side}.png", f"{side}/big.png")
size = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (size + (200 << 20),) * 2)
summary = run("results")
print(json.dumps([summary.scored, [[item.image, item.error] for item in summary.failures]]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and limits the address space")
def test_a_limit_of_the_address_space_costs_the_large_image_alone(tmp_path):
    for seed, name in enumerate(IMAGES):
        write_png(tmp_path / "hr" / f"{name}.png", picture(seed))
        write_png(tmp_path / "out" / f"{name}.png", noisy(picture(seed)))
    (tmp_path / "big").mkdir()
    flat = np.full((9000, 10000, 3), 7, np.uint8)  # 270 MB in memory, little on disk
    for side in ("hr", "out"):
        cv2.imwrite(str(tmp_path / "big" / f"{side}.png"), flat)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    scored, failures = json.loads(done.stdout)
    assert scored == len(IMAGES)
    ((image, error),) = failures
    assert image == "big"
    assert "hr/big.png" in error
