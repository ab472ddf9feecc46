"""The task of each dataset, from the run to the readers."""

from __future__ import annotations

import pandas as pd
import pytest
from results_bench import COLUMNS, Bench, manifest

from iqbench.errors import IqbenchError
from iqbench.results.read import iter_datasets, load_images, load_scores
from iqbench.results.schema import ImageRow


def announce(bench: Bench, task: str | None, time: str, method: str = "edsr") -> None:
    tasks = None if task is None else {"set5": task}
    with bench.store.writer(manifest(time), COLUMNS, tasks) as writer:
        writer.add_image(ImageRow("set5", method, time, "ref", "out"))


def tasks(bench: Bench) -> dict[str, str]:
    return {tables.dataset: tables.task for tables in iter_datasets(bench.root)}


def test_the_task_is_in_the_footers(bench: Bench) -> None:
    announce(bench, "super-resolution", "2026-01-01")
    assert tasks(bench) == {"set5": "super-resolution"}
    footer = bench.store.table("images", "set5", "edsr").footer()
    assert footer is not None
    assert footer.task == "super-resolution"


def test_results_of_runs_that_did_not_know_it_have_none(bench: Bench) -> None:
    bench.score()
    assert tasks(bench) == {"set5": ""}


def test_the_newest_run_with_a_task_decides(bench: Bench) -> None:
    announce(bench, "denoising", "2026-01-02", method="a")
    announce(bench, "deblurring", "2026-01-01", method="b")
    announce(bench, None, "2026-01-03", method="b")
    assert tasks(bench) == {"set5": "deblurring"}
    announce(bench, "sharpening", "2026-01-04", method="a")
    assert tasks(bench) == {"set5": "sharpening"}


def test_one_dataset_at_a_time_is_all_that_there_is(bench: Bench) -> None:
    for dataset, method in (("set5", "a"), ("set5", "b"), ("set14", "a")):
        bench.score("x", dataset=dataset, method=method)
        bench.score("y", dataset=dataset, method=method, metric="lpips-alex", value=0.1)
    found = list(iter_datasets(bench.root))
    assert {tables.dataset for tables in found} == {"set5", "set14"}
    names = ["dataset", "method", "image", "metric"]
    for attribute, whole in (("scores", load_scores), ("images", load_images)):
        parts = pd.concat([getattr(tables, attribute).astype(object) for tables in found])
        keys = [name for name in names if name in parts]
        expected = whole(bench.root)[list(parts.columns)].astype(object)
        pd.testing.assert_frame_equal(
            parts.sort_values(keys, ignore_index=True),
            expected.sort_values(keys, ignore_index=True),
        )


def test_filters_choose_scores_but_images_stay_those_of_all_methods(bench: Bench) -> None:
    for method in ("a", "b"):
        bench.score("x", method=method)
    (found,) = iter_datasets(bench.root, filters={"method": "a"})
    assert set(found.scores["method"]) == {"a"}
    assert set(found.images["method"]) == {"a", "b"}


def test_datasets_that_were_not_asked_for_are_not_read(bench: Bench) -> None:
    for dataset in ("set5", "set14"):
        bench.score(dataset=dataset)
    (found,) = iter_datasets(bench.root, filters={"dataset": "set14"})
    assert found.dataset == "set14"


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"dataset": "set6"}, "unknown dataset 'set6'. Did you mean 'set5'"),
        ({"metric": "psnr", "protocol": "luma"}, "no score has"),
    ],
)
def test_what_is_not_there_is_refused_in_the_end(
    bench: Bench, filters: dict[str, str], message: str
) -> None:
    bench.score()
    bench.score(dataset="set14", metric="lpips-alex", protocol="luma")
    with pytest.raises(IqbenchError, match=message):
        list(iter_datasets(bench.root, filters=filters))
