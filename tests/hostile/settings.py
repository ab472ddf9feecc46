"""Programs whose process is set up strangely: iqbench gives the right values there.

`run(seed, count)` calls `evaluate`, `measure` and the functions in that many processes, each with
some settings changed before or after iqbench is imported, some of them in a thread. The values must
be those of a process as it comes, and nothing is printed.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from children import Child, Ended
from PIL import Image

__all__ = ["SETTINGS", "WRONG", "difference", "run"]

WRONG = ("wrong",)
"""Outcomes that may not be. The other: ``right``."""

METRICS = ("psnr", "ssim", "tv-ratio", "gmsd", "ssim:downsample=pool")
MODULES = (
    *("cv2", "decimal", "gc", "locale", "logging", "numpy", "os", "pandas", "PIL.Image"),
    *("PIL.ImageFile", "random", "resource", "signal", "sys", "torch", "warnings"),
)

SETTINGS = {
    "float64": "torch.set_default_dtype(torch.float64)",
    "bfloat16": "torch.set_default_dtype(torch.bfloat16)",
    "float16": "torch.set_default_dtype(torch.float16)",
    "meta": "torch.set_default_device('meta')",
    "one thread": "torch.set_num_threads(1)",
    "seven threads": "torch.set_num_threads(7)",
    "no gradients": "torch.set_grad_enabled(False)",
    "inference": "torch.inference_mode().__enter__()",
    "anomalies": "torch.autograd.set_detect_anomaly(True)",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "autocast": "torch.autocast('cpu', torch.bfloat16).__enter__()",
    "low precision": "torch.set_float32_matmul_precision('medium')",
    "flush denormals": "torch.set_flush_denormal(True)",
    "no mkldnn": "torch.backends.mkldnn.enabled = False",
    "numpy raises": "numpy.seterr(all='raise')",
    "numpy prints": "numpy.set_printoptions(precision=1, threshold=2)",
    "opencv threads": "cv2.setNumThreads(0)",
    "opencv plain": "cv2.setUseOptimized(False)",
    "pandas strings": "pandas.set_option('mode.string_storage', 'python')",
    "pandas copies": "pandas.set_option('mode.chained_assignment', 'raise')",
    "strict warnings": "warnings.resetwarnings(); warnings.simplefilter('error')",
    "no folder": "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
    "no arguments": "sys.argv.clear()",
    "no stdin": "os.close(0); sys.stdin = None",
    "no stdout": "os.close(1); sys.stdout = None",
    "no stderr": "os.close(2); sys.stderr = None",
    "C locale": "locale.setlocale(locale.LC_ALL, 'C')",
    "narrow": "os.environ.update(COLUMNS='x', LINES='-1', TERM='', LANG='tr_TR.UTF-8', TZ='x')",
    "empty environment": "os.environ.clear()",
    "few files open": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "no core": "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    "low recursion": "sys.setrecursionlimit(300)",
    "umask": "os.umask(0o077)",
    "many digits": "sys.set_int_max_str_digits(640)",
    "few decimals": "decimal.getcontext().prec = 2",
    "seeded": "random.seed(0); numpy.random.seed(0); torch.manual_seed(0)",
    "collector": "gc.disable(); gc.freeze()",
    "short switches": "sys.setswitchinterval(1e-6)",
    "signals ignored": "[signal.signal(n, signal.SIG_IGN) for n in (2, 1, 15)]",
    "logging": "logging.basicConfig(level=0, handlers=[logging.NullHandler()])",
    "small pictures": "Image.MAX_IMAGE_PIXELS = 1",
    "truncated images": "ImageFile.LOAD_TRUNCATED_IMAGES = True",
}
"""What is done to the process, by name."""


def values(folder: str, changes: Sequence[str], late: bool, threaded: bool) -> dict[str, Any]:
    """Change settings before or after iqbench is imported, compute, and return what was found."""
    os.chdir(folder)
    names = {name.rpartition(".")[2]: import_module(name) for name in MODULES}
    if not late:
        exec("\n".join(changes), names)

    if late:
        exec("\n".join(changes), names)
    if threaded:
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(_compute, Path(folder)).result()
    return _compute(Path(folder))


def _compute(folder: Path) -> dict[str, Any]:
    import torch

    import iqbench
    from iqbench import functional

    arguments: dict[str, Any] = {"metrics": list(METRICS), "device": "cpu"}
    pair = [folder / place / "a.png" for place in ("hr", "mine")]
    rows = iqbench.evaluate(
        methods=[str(folder / "mine")],
        reference=folder / "hr",
        results=folder / f"results{os.getpid()}",
        **arguments,
    )
    found = {"evaluate": rows["value"].tolist()}
    found["measure"] = iqbench.measure(*pair, **arguments)["value"].tolist()
    one = torch.linspace(0, 1, 3 * 40 * 40, dtype=torch.float32, device="cpu")
    one = one.reshape(1, 3, 40, 40)
    for name in ("psnr", "ssim", "tv_ratio", "gmsd"):
        found[name] = getattr(functional, name)(one, one.flip(2) * 0.9).tolist()
    return found


def difference(ended: Ended, sound: dict[str, Any]) -> str:
    """Say how what a child found differs from the sound values."""
    if ended.code != 0 or ended.result is None:
        return f"ends with {ended.code}: {ended.stderr[-700:]}"
    if ended.stderr or ended.stdout:
        return f"prints {ended.stderr + ended.stdout!r}"
    for name, expected in sound.items():
        found = ended.result[name]
        if not np.allclose(found, expected, rtol=1e-5, atol=1e-8, equal_nan=True):
            return f"{name} is {found}, not {expected}"
    return ""


def run(
    seed: int, count: int, *, tell: Callable[[str], object] = lambda line: None
) -> Counter[str]:
    """Try strange processes; see `campaign.Run`."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="hostile-settings-") as folder:
        pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 44, 3), np.uint8)
        for place, one in zip(("hr", "mine"), pixels, strict=True):
            (Path(folder) / place).mkdir()
            Image.fromarray(one).save(Path(folder) / place / "a.png")
        sound = Child(values, folder, [], False, False).wait().result
        if sound is None:
            raise RuntimeError("a process as it comes does not compute")
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            names = chance.sample(list(SETTINGS), chance.choice((1, 1, 2, 3)))
            late, threaded = chance.random() < 0.5, chance.random() < 0.2
            lines = [SETTINGS[name] for name in names]
            why = difference(Child(values, folder, lines, late, threaded).wait(), sound)
            counts["tried"] += 1
            counts["wrong" if why else "right"] += 1
            if why:
                tell(f"wrong: seed {seed}, process {number}, {', '.join(names)}: {why}")
    return counts
