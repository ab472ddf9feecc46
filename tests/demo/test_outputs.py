from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from iqbench.datasets.load import PACKAGED_FILE, load_datasets
from iqbench.datasets.matching.by_name import match_outputs
from iqbench.datasets.matching.methods import resolve_methods
from iqbench.demo import outputs
from iqbench.demo.outputs import DATASETS, make_outputs
from iqbench.demo.task import Task
from iqbench.demo.tasks import TASKS
from iqbench.images.source import FileSource


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    steps: list[tuple[int, int]] = []
    make_outputs(folder, lambda done, total: steps.append((done, total)))
    assert steps == [(done, 32) for done in range(1, 33)]
    return folder


def pixels(path: Path) -> np.ndarray:
    return FileSource(path).read().decode().pixels


def mean_psnr(folder: Path, task: Task, method: str) -> float:
    references = sorted((folder / "references" / task.dataset).glob("*.png"))
    outputs = folder / "outputs" / method / task.dataset
    values = [
        peak_signal_noise_ratio(pixels(path), pixels(outputs / path.name)) for path in references
    ]
    return float(np.mean(values))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.dataset)
def test_every_method_beats_the_input(made: Path, task: Task) -> None:
    assert len(task.methods) >= 5
    baseline = mean_psnr(made, task, "input")
    for method in task.methods:
        if method != "input":
            assert mean_psnr(made, task, method) > baseline + 0.3, method


def test_the_outputs_are_found_as_a_run_finds_them(made: Path) -> None:
    specs = load_datasets(PACKAGED_FILE)
    methods = resolve_methods([], made / "outputs")
    for task in TASKS:
        dataset = specs[task.dataset].open()
        for method in methods:
            matches = match_outputs(method, dataset, alone=False)
            assert matches.attempted == (method.name in task.methods)
            if matches.attempted:
                assert len(matches.outputs) == len(dataset.samples) == 8
                assert matches.problems == {}
                assert matches.extra == []


def test_outputs_have_the_size_of_the_reference_and_inputs_are_kept(made: Path) -> None:
    specs = load_datasets(PACKAGED_FILE)
    for task in TASKS:
        for sample in specs[task.dataset].open().samples:
            reference = sample.reference.read().decode().pixels
            name = f"{task.dataset}/{sample.image}.png"
            np.testing.assert_array_equal(pixels(made / "references" / name), reference)
            for method in task.methods:
                assert pixels(made / "outputs" / method / name).shape == reference.shape
            scale = specs[task.dataset].scale or 1
            height, width = pixels(made / "inputs" / name).shape[:2]
            assert (height * scale, width * scale) == reference.shape[:2]


def test_a_second_run_changes_no_file(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digests(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.glob(f"*/**/{TASKS[0].dataset}/*.png")
        }

    # One task is enough: all go the same way.
    monkeypatch.setattr(outputs, "TASKS", TASKS[:1])
    make_outputs(tmp_path)
    make_outputs(tmp_path)
    assert digests(tmp_path) == digests(made)
    assert not list(tmp_path.glob("**/.*"))


def test_the_tasks_are_the_embedded_datasets() -> None:
    specs = load_datasets(PACKAGED_FILE)
    embedded = [name for name, spec in specs.items() if spec.data.layout == "embedded"]
    assert list(DATASETS) == embedded


def test_a_failing_method_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(image: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    task = Task(TASKS[0].dataset, TASKS[0].degrade, {"fails": fails})
    monkeypatch.setattr(outputs, "TASKS", (task,))
    with pytest.raises(ZeroDivisionError):
        make_outputs(tmp_path)
