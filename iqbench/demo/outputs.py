"""Degrade the embedded photographs and run every method on them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.datasets.sample import Sample
from iqbench.demo.task import Task
from iqbench.demo.tasks import TASKS
from iqbench.images.write import write_png

__all__ = ["DATASETS", "make_outputs"]

DATASETS = tuple(task.dataset for task in TASKS)
"""The demo's datasets, by their names in the packaged ``datasets.yaml``."""


def make_outputs(folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the demo's references, degraded inputs and every method's outputs as PNG files.

    All files are made again and replace existing ones. Equal input gives equal files, so that a
    second run changes nothing.

    Parameters
    ----------
    folder
        Gets ``references/<dataset>/<image>.png``, ``inputs/<dataset>/<image>.png`` and
        ``outputs/<method>/<dataset>/<image>.png``. A method has no folder for a dataset of another
        task.
    progress
        Called after each image of a task with the number of finished images and of all images.

    Raises
    ------
    IqbenchError
        If a photograph cannot be read or a file cannot be written.
    """
    specs = load_datasets(PACKAGED_FILE)
    jobs = [(task, sample) for task in TASKS for sample in specs[task.dataset].open().samples]
    # Use threads: numpy, OpenCV and scikit-image take most of the time, and release the global
    # interpreter lock.
    executor = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        futures = [executor.submit(_restore, folder, task, sample) for task, sample in jobs]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            if progress is not None:
                progress(done, len(jobs))
    finally:
        executor.shutdown(cancel_futures=True)


def _restore(folder: Path, task: Task, sample: Sample) -> None:
    """Write all files of one image of one task."""
    reference = sample.needed_reference.read().decode().pixels.astype(np.uint8)
    # The seed depends only on the name: a new photograph does not change the noise of others.
    degraded = task.degrade(reference, zlib.crc32(sample.image.encode()))
    file = f"{task.dataset}/{sample.image}.png"
    write_png(folder / "references" / file, reference)
    write_png(folder / "inputs" / file, degraded)
    for name, method in task.methods.items():
        write_png(folder / "outputs" / name / file, method(degraded))
