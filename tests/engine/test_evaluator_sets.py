"""An evaluator gives FID and KID of what it has seen, as `evaluate` does of the files.

The features are those of a stand-in for Inception: see `made_sets`.
"""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from made_sets import NAMES, write
from PIL import Image

import iqbench
from iqbench.engine import memory_features
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.results.read import load_scores

METRICS = ["psnr", "fid", "kid"]


def arrays(folder, names=NAMES):
    return [np.array(Image.open(folder / name)) for name in names]


def update(scorer, method, names=NAMES):
    """Score some outputs of a method, with their references."""
    scorer.update(arrays(Path(method), names), arrays(Path("ref"), names), ids=names)


def evaluator(metrics=METRICS, **options):
    return iqbench.Evaluator(metrics, device="cpu", **options)


def evaluated(method, metrics=METRICS, results="results", **options):
    """The values of sets of one method that `evaluate` gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sets are small
        iqbench.evaluate(methods=[method], metrics=metrics, results=results, **options)
    frame = load_scores(results, scope="set")
    return frame[frame["method"].astype(str) == method].set_index("metric")


@pytest.mark.usefixtures("extracted")
def test_the_values_are_those_of_evaluate(folders):
    scorer = evaluator()
    for name in NAMES:
        update(scorer, "near", [name])
    found, expected = scorer.compute(), evaluated("near", reference="ref")
    sets = scorer.scores(scope="set")
    assert list(found) == METRICS
    for metric in ("fid", "kid"):
        assert found[metric] == expected.loc[metric, "value"]
        assert sets.loc[metric, "standard_error"] == expected.loc[metric, "standard_error"]
        assert sets.loc[metric, ["n", "expected", "reference_n"]].tolist() == [6, 6, 6]
        assert scorer.signatures[metric] == expected.loc[metric, "signature"]
    assert list(scorer.scores().columns) == ["psnr"]


def test_references_are_extracted_once_for_all_epochs(extracted, folders):
    scorer = evaluator()
    for method in ("near", "far"):
        update(scorer, method)
        value = scorer.compute()["fid"]
        scorer.reset()
    assert len(extracted) == 18
    assert value == evaluated("far", reference="ref").loc["fid", "value"]
    assert math.isnan(scorer.compute()["fid"])


@pytest.mark.parametrize("form", ["folder", "arrays", "tensors"])
def test_a_reference_set_needs_no_pairs(extracted, folders, form):
    for number in range(4):
        write(folders / "set", f"{number}.png", number + 50, 20 + number, 16)
    given = {
        "folder": "set",
        "arrays": arrays(folders / "set", [f"{number}.png" for number in range(4)]),
        "tensors": [
            torch.from_numpy(one).permute(2, 0, 1)
            for one in arrays(folders / "set", [f"{number}.png" for number in range(4)])
        ],
    }[form]
    scorer = evaluator(["fid"], reference_set=given)
    assert len(extracted) == 4
    scorer.update(arrays(folders / "near"), ids=NAMES)
    expected = evaluated("near", ["fid"], reference_set="set").loc["fid"]
    # In another order where digests are of pixels.
    assert scorer.compute()["fid"] == pytest.approx(expected["value"], rel=1e-12)
    row = scorer.scores(scope="set").loc["fid"]
    assert (row["n"], row["reference_n"]) == (6, 4)
    if form == "folder":
        assert scorer.signatures["fid"] == expected["signature"]
    scorer.reset()
    scorer.update(arrays(folders / "far"), ids=NAMES)
    again = evaluated("far", ["fid"], reference_set="set").loc["fid", "value"]
    assert scorer.compute()["fid"] == pytest.approx(again, rel=1e-12)


def test_calling_keeps_nothing_and_extracts_nothing(extracted, folders):
    scorer = evaluator()
    found = scorer(arrays(folders / "near"), arrays(folders / "ref"))
    assert list(found) == ["psnr"]
    assert extracted == []


def test_a_repeated_id_counts_once(extracted, folders):
    scorer = evaluator(["fid"])
    update(scorer, "near")
    value = scorer.compute()
    update(scorer, "near", NAMES[:2])
    assert scorer.compute() == value
    assert len(extracted) == 12


@pytest.mark.usefixtures("extracted")
def test_written_values_are_read_as_those_of_evaluate(folders):
    scorer = evaluator()
    update(scorer, "near")
    scorer.write("results", method="step-1", dataset="noisy")
    row = load_scores("results", scope="set").set_index("metric").loc["fid"]
    assert row["value"] == scorer.compute()["fid"]
    assert (row["method"], row["n"], row["expected"]) == ("step-1", 6, 6)


@pytest.mark.usefixtures("extracted")
def test_a_written_value_of_other_images_is_stale(folders):
    scorer = evaluator()
    update(scorer, "near")
    scorer.write("results", method="mine", dataset="noisy")
    other = evaluator(["psnr"])
    update(other, "far")
    other.write("results", method="mine", dataset="noisy")
    row = load_scores("results", scope="set").set_index("metric").loc["fid"]
    assert math.isnan(row["value"])
    assert "stale" in row["error"]


@pytest.mark.usefixtures("extracted")
def test_a_state_has_the_features(folders):
    first, second = evaluator(), evaluator()
    update(first, "near", NAMES[:3])
    update(second, "near", NAMES[3:])
    states = []
    for one in (first, second):
        buffer = io.BytesIO()
        torch.save(one.state_dict(), buffer)
        buffer.seek(0)
        states.append(torch.load(buffer, weights_only=True))
    whole = evaluator()
    whole.load_state_dict(*states)
    assert whole.compute()["fid"] == evaluated("near", reference="ref").loc["fid", "value"]
    broken = {**states[0], "features": {}}
    with pytest.raises(IqbenchError, match="not a state of an Evaluator"):
        whole.load_state_dict(broken)


@pytest.mark.usefixtures("extracted")
def test_an_image_without_features_makes_the_mean_unknown_and_is_counted(folders):
    scorer = evaluator(["psnr", "fid"])
    output = [torch.from_numpy(one / 255).permute(2, 0, 1) for one in arrays(folders / "near")]
    output[2][0, 0, 0] = math.nan
    with pytest.warns(IqbenchWarning, match="NaN"):
        scorer.update(output, arrays(folders / "ref"), ids=NAMES)
    assert math.isnan(scorer.compute()["fid"])
    assert "NaN" in scorer.errors()[NAMES[2], "fid"]
    row = scorer.scores(scope="set").loc["fid"]
    assert (row["n"], row["expected"]) == (5, 6)
    assert row["value"] > 0
    scorer.write("results", method="mine")
    assert load_scores("results", scope="set")["n"].tolist() == [5]


@pytest.mark.usefixtures("extracted")
def test_one_image_is_no_set(folders):
    scorer = evaluator(["fid"])
    scorer.update(arrays(folders / "near", NAMES[:1]), arrays(folders / "ref", NAMES[:1]))
    assert math.isnan(scorer.compute()["fid"])
    assert "at least 2 images" in scorer.scores(scope="set").loc["fid", "error"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["psnr"], "reference_set": "ref"}, "but no metric that compares sets"),
        ({"metrics": ["fid"], "reference_set": "none"}, "none does not exist"),
        ({"metrics": ["fid"], "reference_set": "broken"}, "a.png"),
        ({"metrics": ["fid"], "reference_set": []}, "the reference set has no image"),
        ({"metrics": ["fid"], "reference_set": torch.rand(0, 3, 8, 8)}, "has no image"),
        ({"metrics": ["fid"], "reference_set": [3]}, "image of the reference set 0 is of type int"),
    ],
)
@pytest.mark.usefixtures("extracted")
def test_a_reference_set_that_cannot_be_used_is_refused_at_once(folders, options, message):
    (folders / "broken").mkdir()
    (folders / "broken" / "a.png").write_bytes((folders / "ref" / NAMES[0]).read_bytes()[:-40])
    with pytest.raises(IqbenchError, match=message):
        evaluator(**options)


@pytest.mark.usefixtures("extracted")
def test_a_missing_reference_is_named(folders):
    with pytest.raises(IqbenchError, match="fid cannot be computed without a reference"):
        evaluator(["fid"]).update(arrays(folders / "near"))


@pytest.mark.usefixtures("extracted")
def test_other_ranks_features_are_merged(folders, monkeypatch):
    """Two ranks, the second of which has the state that the first one gathers."""
    first, second = evaluator(), evaluator()
    update(first, "near", NAMES[:2])
    update(second, "near", NAMES[2:])
    state = second.state_dict()
    monkeypatch.setattr(
        "iqbench.evaluator.gather",
        lambda mine: [mine, state if "rows" in mine else state["features"]],
    )
    merged = first.compute()
    assert merged["fid"] == evaluated("near", reference="ref").loc["fid", "value"]


def saved(scorer):
    """The state of an evaluator, written and read as a checkpoint is."""
    buffer = io.BytesIO()
    torch.save(scorer.state_dict(), buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


class TestMoments:
    """Of sets that are too large for the features of every image."""

    @pytest.fixture(autouse=True)
    def merged_early(self, monkeypatch):
        """Less than four images wait; the others are merged."""
        monkeypatch.setattr(memory_features, "WAITING", 2)

    @staticmethod
    def moments(metrics=("psnr", "fid"), **options):
        return evaluator(list(metrics), features="moments", **options)

    @staticmethod
    def expected(method="near", **options):
        options = options or {"reference": "ref"}
        return evaluated(method, ["fid"], "moments", features="moments", **options).loc["fid"]

    @pytest.mark.parametrize("batch", [1, 4, 6])
    def test_the_values_are_those_of_evaluate(self, extracted, folders, batch):
        scorer = self.moments()
        for start in range(0, 6, batch):
            update(scorer, "near", NAMES[start : start + batch])
        expected, row = self.expected(), scorer.scores(scope="set").loc["fid"]
        assert scorer.compute()["fid"] == pytest.approx(expected["value"], rel=1e-9)
        assert row[["n", "expected", "reference_n"]].tolist() == [6, 6, 6]
        assert math.isnan(row["standard_error"])
        assert scorer.signatures["fid"] == expected["signature"]
        scorer.write("written", method="near")
        (found,) = load_scores("written", scope="set")["value"]
        assert found == scorer.compute()["fid"]

    @pytest.mark.usefixtures("extracted")
    def test_features_of_few_images_are_in_memory(self, folders):
        scorer = self.moments()
        update(scorer, "near")
        (kept,) = scorer.state_dict()["features"].values()
        assert len(kept["waiting"]) < 4
        assert [len(part["images"]) for part in kept["parts"]] == [6 - len(kept["waiting"])]

    @pytest.mark.parametrize("form", ["folder", "arrays"])
    def test_a_reference_set_is_extracted_once_for_all_epochs(self, extracted, folders, form):
        names = [f"{number}.png" for number in range(5)]
        for number, name in enumerate(names):
            write(folders / "set", name, number + 50, 20 + number, 16)
        given = "set" if form == "folder" else arrays(folders / "set", names)
        scorer = self.moments(["fid"], reference_set=given)
        for method in ("near", "far"):
            scorer.update(arrays(Path(method)), ids=NAMES)
            value = self.expected(method, reference_set="set")["value"]
            assert scorer.compute()["fid"] == pytest.approx(value, rel=1e-9)
            assert scorer.scores(scope="set").loc["fid", "reference_n"] == 5
            scorer.reset()
        assert math.isnan(scorer.compute()["fid"])
        extracted.clear()
        scorer.update(arrays(Path("near")), ids=NAMES)
        assert len(extracted) == 6

    @pytest.mark.usefixtures("extracted")
    def test_a_repeated_id_counts_once(self, folders):
        scorer = self.moments()
        update(scorer, "near", [*NAMES[:3], *NAMES[:3]])
        update(scorer, "near", NAMES)
        assert scorer.compute()["fid"] == pytest.approx(self.expected()["value"], rel=1e-9)

    @pytest.mark.usefixtures("extracted")
    def test_nothing_of_a_refused_batch_is_kept(self, folders):
        scorer = self.moments()
        update(scorer, "near")
        with pytest.raises(IqbenchError, match="3 references"):
            scorer.update(arrays(Path("near")), arrays(Path("ref"), NAMES[:3]))
        assert scorer.compute()["fid"] == pytest.approx(self.expected()["value"], rel=1e-9)

    @pytest.mark.usefixtures("extracted")
    def test_states_are_united_and_go_on(self, folders):
        first, second, whole = (self.moments() for _ in range(3))
        update(first, "near", NAMES[:3])
        update(second, "near", NAMES[3:5])
        whole.load_state_dict(saved(first), saved(second))
        update(whole, "near", NAMES[5:])
        again = self.moments()
        again.load_state_dict(saved(whole))
        for one in (whole, again):
            assert one.compute()["fid"] == pytest.approx(self.expected()["value"], rel=1e-9)

    @pytest.mark.parametrize("images", [5, 6])
    @pytest.mark.usefixtures("extracted")
    def test_an_image_that_a_sampler_repeats_at_the_end_counts_once(self, folders, images):
        ranks = [self.moments(), self.moments()]
        for place in range(6):
            update(ranks[place % 2], "near", [NAMES[place % images]])
        whole = self.moments()
        whole.load_state_dict(*map(saved, ranks))
        one = self.moments()
        update(one, "near", NAMES[:images])
        assert whole.compute()["fid"] == pytest.approx(one.compute()["fid"], rel=1e-9)
        assert len(whole) == images

    @pytest.mark.usefixtures("extracted")
    def test_the_same_state_twice_counts_once(self, folders):
        scorer, whole = self.moments(), self.moments()
        update(scorer, "near")
        whole.load_state_dict(saved(scorer), saved(scorer))
        assert whole.compute()["fid"] == pytest.approx(scorer.compute()["fid"], rel=1e-9)

    @pytest.mark.usefixtures("extracted")
    def test_images_that_cannot_be_told_apart_give_an_error_not_a_value(self, folders):
        first, second, whole = (self.moments() for _ in range(3))
        update(first, "near", NAMES[:5])
        update(second, "near", [NAMES[0], NAMES[5], *NAMES[1:4]])
        whole.load_state_dict(saved(first), saved(second))
        assert math.isnan(whole.compute()["fid"])
        error = whole.scores(scope="set").loc["fid", "error"]
        assert "'0.png' was scored more than once by different processes" in error

    @pytest.mark.usefixtures("extracted")
    def test_an_image_without_features_is_left_out(self, folders):
        scorer = self.moments(["fid"])
        output = [torch.from_numpy(one / 255).permute(2, 0, 1) for one in arrays(folders / "near")]
        output[2][0, 0, 0] = math.nan
        with pytest.warns(IqbenchWarning, match="NaN"):
            scorer.update(output, arrays(folders / "ref"), ids=NAMES)
        few = self.moments(["fid"])
        update(few, "near", [*NAMES[:2], *NAMES[3:]])
        row = scorer.scores(scope="set").loc["fid"]
        assert row["value"] == pytest.approx(few.compute()["fid"], rel=1e-9)
        assert (row["n"], row["expected"]) == (5, 6)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"metrics": ["fid", "kid"]}, "kid needs the features of every image"),
            ({"metrics": ["psnr"]}, "no metric that compares sets"),
            ({"metrics": ["fid"], "features": "none"}, "unknown way to keep features 'none'"),
        ],
    )
    def test_impossible_options_are_refused_before_an_image_is_read(
        self, extracted, folders, options, message
    ):
        (folders / "broken").mkdir()
        (folders / "broken" / "a.png").write_bytes(b"no image")
        sets = {"reference_set": "broken"} if "fid" in options["metrics"] else {}
        with pytest.raises(IqbenchError, match=message):
            evaluator(**{"features": "moments"} | options, **sets)
        assert extracted == []

    @pytest.mark.parametrize("kinds", [("keep", "moments"), ("moments", "keep")])
    @pytest.mark.usefixtures("extracted")
    def test_a_state_of_the_other_kind_is_refused(self, folders, kinds):
        given, taken = (evaluator(["fid"], features=kind) for kind in kinds)
        update(given, "near")
        with pytest.raises(IqbenchError, match=f"features='{kinds[0]}'"):
            taken.load_state_dict(saved(given))
