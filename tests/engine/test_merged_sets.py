"""Values of sets after a merge of results folders are computed from stored features."""

from __future__ import annotations

import shutil

import pytest
from made_sets import NAMES, write

import iqbench
from iqbench.engine.closing import close_stored_sets
from iqbench.errors import IqbenchWarning
from iqbench.results.merge import merge_results
from iqbench.results.read import load_scores


def evaluate(method, results, **options):
    with pytest.warns(IqbenchWarning):  # at least that the sets are small
        iqbench.evaluate(methods=method, metrics=["fid", "kid"], results=results, **options)


def values(folder):
    frame = load_scores(folder, scope="set").astype({"metric": str}).set_index("metric")
    return frame[["value", "standard_error", "n", "expected", "reference_n", "reference_set"]]


@pytest.fixture
def shards(extracted, folders):
    """Half of the outputs of ``near`` each."""
    for name, images in (("one", NAMES[:3]), ("two", NAMES[3:])):
        (folders / name / "near").mkdir(parents=True)
        for image in images:
            shutil.copy(folders / "near" / image, folders / name / "near")
    for number in range(5):
        write(folders / "photos", f"{number}.png", 50 + number)
    return folders


@pytest.mark.parametrize("compared", ["reference", "reference_set"])
def test_shards_have_the_value_of_one_run(shards, extracted, compared):
    chosen = {compared: "ref" if compared == "reference" else "photos"}
    evaluate("near", "all", **chosen)
    for name in ("one", "two"):
        evaluate(f"{name}/near", f"{name}-results", **chosen)
    done = len(extracted)
    merge_results([shards / "one-results", shards / "two-results"], shards / "merged")
    assert values("merged")["value"].isna().all()  # stale
    assert close_stored_sets(shards / "merged") == []
    expected = values("all")
    if compared == "reference_set":  # without references nobody says how many there should be
        assert (expected["expected"] == 6).all()
    merged = values("merged")
    assert merged.drop(columns=["value", "standard_error"]).equals(
        expected.drop(columns=["value", "standard_error"])
    )
    for column in ("value", "standard_error"):
        assert merged[column].tolist() == pytest.approx(expected[column].tolist(), rel=1e-9)
    assert len(extracted) == done


def test_a_set_that_cannot_be_computed_stays_stale_and_is_reported(shards, extracted):
    for name in ("one", "two"):
        evaluate(f"{name}/near", f"{name}-results", reference="ref")
        shutil.rmtree(shards / f"{name}-results" / "features")
    merge_results([shards / "one-results", shards / "two-results"], shards / "merged")
    problems = close_stored_sets(shards / "merged")
    assert len(problems) == 2
    assert "no features" in problems[0]
    assert "stale" in load_scores("merged", scope="set")["error"][0]
