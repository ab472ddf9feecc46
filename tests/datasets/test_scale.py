"""Large datasets are listed and matched fast, without opening an image."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COUNT = 4000

# Audit hooks see every file that is opened, by whatever function; they cannot be taken away again,
# hence a process of its own.
SCRIPT = """
import sys, time
from pathlib import Path
root, output = Path(sys.argv[1]), sys.argv[2]
from iqbench.datasets.dataset import pairs_file, reference_folder
from iqbench.datasets.matching.by_name import match_outputs
from iqbench.datasets.matching.methods import Method
from iqbench.datasets.listing import describe
opened = []
def hook(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".png"):
        opened.append(arguments[0])
sys.addaudithook(hook)
start = time.perf_counter()
dataset = reference_folder(root / "hr")
found = match_outputs(Method("mine", root / "out"), dataset, alone=True, output_name=output)
pairs = pairs_file(root / "pairs.csv")
row = describe(dataset.spec)
seconds = time.perf_counter() - start
print(len(dataset.samples), len(found.outputs), len(pairs.samples), row["images"], len(opened))
print(seconds)
(root / "hr" / "0.png").open().close()
print(len(opened))
"""


@pytest.fixture
def large(make_files: Callable[..., Path]) -> Path:
    root = make_files("large/hr", [f"{number}.png" for number in range(COUNT)]).parent
    make_files("large/out", [f"{number}_x4.png" for number in range(COUNT)])
    rows = "".join(f"hr/{number}.png,out/{number}_x4.png,mine\n" for number in range(COUNT))
    (root / "pairs.csv").write_text("reference,output,method\n" + rows)
    return root


def test_listing_and_matching_open_no_image_and_take_seconds_for_100000(large: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(large), "{id}_x4"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    counts, seconds, control = ran.stdout.splitlines()
    assert counts == f"{COUNT} {COUNT} {COUNT} {COUNT} 0"
    assert control == "1"
    # 100,000 in ten seconds means 4,000 in less than half; the rest is for a busy machine.
    assert float(seconds) < 2
