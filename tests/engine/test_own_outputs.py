"""Datasets with their own distorted images are scored as they are, with their opinions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from made_folders import picture

from iqbench.api import Evaluation, run_evaluation
from iqbench.datasets.dataset import DatasetSpec, reference_folder
from iqbench.datasets.layout import Layout
from iqbench.datasets.matching.methods import resolve_methods
from iqbench.datasets.sample import DISTORTED, Opinion, OutputImage, Sample
from iqbench.engine import plan as planning
from iqbench.errors import IqbenchError
from iqbench.images.source import FileSource
from iqbench.images.write import write_png
from iqbench.results.read import load_images, load_scores

LEVELS = 3


class Distorted(Layout):
    """Two references with three darker images each; opinions fall as they get darker."""

    layout: Literal["distorted"] = "distorted"
    scale: float = 1.0

    def samples(self, root: Path | None) -> list[Sample]:
        assert root is not None
        return [
            Sample(
                name,
                FileSource(root / f"{name}.png"),
                tuple(
                    OutputImage(
                        DISTORTED,
                        f"{name}_{level}",
                        FileSource(root / f"{name}_{level}.png"),
                        Opinion(self.scale * (5 - level), 0.5, "higher"),
                        "darker",
                    )
                    for level in range(LEVELS)
                ),
            )
            for name in ("a", "b")
        ]


@pytest.fixture
def spec(tmp_path):
    folder = tmp_path / "tid"
    folder.mkdir()
    for number, name in enumerate(("a", "b")):
        write_png(folder / f"{name}.png", picture(number))
        for level in range(LEVELS):
            darker = picture(number) - np.minimum(picture(number), 5 * (level + 1))
            write_png(folder / f"{name}_{level}.png", darker.astype(np.uint8))
    return DatasetSpec(name="tid", root=folder, data=Distorted(), images=2, outputs=2 * LEVELS)


@pytest.fixture
def run(monkeypatch, tmp_path):
    def go(spec, **options):
        monkeypatch.setattr("iqbench.datasets.load.load_datasets", lambda file: {spec.name: spec})
        results = tmp_path / "results"
        options = {"metrics": ["psnr"], "datasets": ["tid"], "results": results} | options
        return run_evaluation(Evaluation(**options)), results

    return go


def test_they_are_scored_without_any_method_and_known_by_their_own_names(spec, run):
    summary, results = run(spec)
    assert (summary.scored, summary.failures, summary.warnings) == (6, [], [])
    scores = load_scores(results)
    assert set(scores["method"]) == {DISTORTED}
    values = scores.set_index("image")["value"]
    assert list(values.index) == ["a_0", "a_1", "a_2", "b_0", "b_1", "b_2"]
    assert values["a_0"] > values["a_1"] > values["a_2"]


def test_opinions_are_in_the_table_of_images(spec, run):
    _, results = run(spec)
    images = load_images(results).set_index("image")
    row = images.loc["b_1"]
    assert (row["mos"], row["mos_std"], row["mos_direction"]) == (4.0, 0.5, "higher")
    assert row["distortion"] == "darker"
    assert row["reference_digest"] == images.loc["b_0", "reference_digest"]
    assert row["reference_digest"] != images.loc["a_0", "reference_digest"]


def test_a_reference_and_all_its_images_are_one_job(spec):
    (plan,) = planning.plan_run([spec.open()], [], metrics=["psnr"]).datasets
    assert [[output.image for output in job.outputs] for job in plan.jobs()] == [
        ["a_0", "a_1", "a_2"],
        ["b_0", "b_1", "b_2"],
    ]


def test_opinions_that_were_corrected_are_entered_without_scoring_again(spec, run):
    run(spec)
    corrected = spec.model_copy(update={"data": Distorted(scale=2.0)})
    summary, results = run(corrected)
    assert (summary.scored, summary.current) == (0, 6)
    images = load_images(results).set_index("image")
    assert images.loc["a_0", "mos"] == 10.0
    assert images.loc["a_0", "height"] == 24
    assert load_scores(results)["value"].notna().all()


def test_an_image_that_cannot_be_read_keeps_its_opinion_and_its_error(spec, run):
    (spec.root / "b_1.png").write_bytes(b"")
    summary, results = run(spec)
    assert [failure.image for failure in summary.failures] == ["b_1"]
    row = load_images(results).set_index("image").loc["b_1"]
    assert row["mos"] == 4.0
    assert "b_1.png is empty" in row["error"]


def test_another_number_of_images_than_the_block_says_is_refused(spec):
    with pytest.raises(IqbenchError, match="'tid' has 7 distorted images, but 6 were found"):
        spec.model_copy(update={"outputs": 7}).open()


def test_a_method_is_refused_where_no_dataset_takes_one(spec, run):
    with pytest.raises(IqbenchError, match="tid brings its own distorted images and takes no meth"):
        run(spec, methods=[str(spec.root)])


def test_a_template_for_such_a_dataset_is_refused(spec):
    with pytest.raises(IqbenchError) as caught:
        planning.plan_run([spec.open()], [], output_name="{id}_x4")
    assert caught.value.hint == "Leave --method, --methods-in, --output-name and --match out"


def test_beside_datasets_that_take_methods_it_is_scored_alone(spec, made):
    made.references()
    made.method("one")
    datasets = [spec.open(), reference_folder(made.root / "hr")]
    methods = resolve_methods([str(made.root / "out" / "one")])
    plans = planning.plan_run(datasets, methods, metrics=["psnr"]).datasets
    assert [list(plan.assignments) for plan in plans] == [[DISTORTED], ["one"]]


def test_a_file_that_was_copied_over_another_is_warned_of_by_name(spec, run):
    (spec.root / "b_2.png").write_bytes((spec.root / "b_0.png").read_bytes())
    summary, _ = run(spec)
    assert summary.warnings == [
        "method 'distorted': 1 of its files for 'tid' are byte for byte equal to another for the "
        "same reference: b_2 is b_0"
    ]
