"""Runs that keep moments of sets instead of the features of every image.

The features are those of a stand-in for Inception: see `made_sets`.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sets import NAMES, features, write

import iqbench
from iqbench.cli.main import main
from iqbench.engine import kept_features, plan
from iqbench.engine.closing import close_stored_sets
from iqbench.engine.kept_features import MomentKeeper, NoFiles
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.metrics._feature_sets import Moments
from iqbench.metrics._set_distances import frechet_distance
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.features import FeatureTable
from iqbench.results.merge import merge_results
from iqbench.results.moments import ImageSet, MomentTable, SetName
from iqbench.results.read import load_scores
from iqbench.results.verify import verify_results


def evaluate(*methods, **options):
    chosen = {"reference": "ref", "metrics": ["fid"], "features": "moments", "device": "cpu"}
    with pytest.warns(IqbenchWarning):  # at least that the sets are small
        return iqbench.evaluate(methods=list(methods), **{**chosen, **options})


def rows(folder="results"):
    frame = load_scores(folder, scope="set").astype({"method": str, "metric": str})
    return frame.set_index(["method", "metric"])


def fid(method, folder="results"):
    return rows(folder).loc[(method, "fid"), "value"]


def expected(folders, method, names=NAMES, reference="ref", of_set=NAMES):
    both = features(folders / reference, of_set), features(folders / method, names)
    return frechet_distance(*both).value


def parts(results="results"):
    return sorted(Path(results, "moments").glob("*/*.parquet"))


def run(*arguments):
    """Run the command; return its exit code."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return left.value.code


class TestValues:
    def test_fid_is_that_of_kept_features_without_an_interval(self, extracted, folders):
        evaluate("near", "far")
        for method in ("near", "far"):
            row = rows().loc[(method, "fid")]
            assert row["value"] == pytest.approx(expected(folders, method), rel=1e-6)
            assert np.isnan(row["standard_error"])
            assert (row["n"], row["reference_n"]) == (6, 6)
        assert len(extracted) == 18
        assert len(parts()) == 3  # two methods, and the references of both
        assert not (folders / "results" / "features").exists()
        evaluate("near", "far", features="keep", results="kept")
        kept = rows("kept")
        pd.testing.assert_series_equal(kept["signature"], rows()["signature"])
        assert kept["value"].tolist() == pytest.approx(rows()["value"].tolist(), rel=1e-6)

    def test_against_a_reference_set(self, extracted, folders):
        photos = [f"{number}.png" for number in range(9)]
        for number, name in enumerate(photos):
            write(folders / "photos", name, 50 + number)
        for _ in range(2):
            evaluate("near", reference=None, reference_set="photos")
            of_photos = expected(folders, "near", reference="photos", of_set=photos)
            assert fid("near") == pytest.approx(of_photos, rel=1e-6)
        assert len(extracted) == 15
        assert len(parts()) == 2

    def test_an_image_that_is_there_twice_counts_twice(self, extracted, folders):
        for folder in ("ref", "near"):
            shutil.copy(folders / folder / NAMES[0], folders / folder / NAMES[1])
        for _ in range(2):
            evaluate("near")
            assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)

    def test_functions_are_called_once_an_image(self, extracted, folders):
        calls = []

        def dim(image):
            calls.append(image.shape)
            return np.zeros_like(image) if len(calls) % 6 < 2 else image // 2

        for number in (1, 2):
            with pytest.warns(IqbenchWarning):
                iqbench.evaluate(
                    methods={"dim": dim},
                    reference="ref",
                    degradation="noise:sigma=5",
                    metrics=["fid"],
                    features="moments",
                    device="cpu",
                )
            assert len(calls) == 6 * number
            assert np.isfinite(rows()["value"].iloc[0])


class TestWhatIsExtracted:
    def test_nothing_where_nothing_changed(self, extracted, folders):
        evaluate("near", "far")
        before, stored = rows()["value"].tolist(), parts()
        evaluate("near", "far")
        assert len(extracted) == 18
        assert rows()["value"].tolist() == before
        assert parts() == stored

    def test_of_a_second_method_its_own_images(self, extracted, folders):
        evaluate("near")
        evaluate("near", "far")
        assert len(extracted) == 18

    def test_all_images_of_a_set_where_one_changed(self, extracted, folders):
        evaluate("near")
        shutil.copy(folders / "far" / NAMES[2], folders / "near" / NAMES[2])
        evaluate("near")
        assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)
        assert len(extracted) == 12 + 6
        assert len(parts()) == 2  # the old moments are gone

    def test_new_images_alone_where_some_were_added(self, extracted, folders):
        (folders / "whole").mkdir()
        for name in NAMES[4:]:
            (folders / "near" / name).rename(folders / "whole" / name)
        evaluate("near")
        assert len(extracted) == 8
        for name in NAMES[4:]:
            (folders / "whole" / name).rename(folders / "near" / name)
        evaluate("near")
        assert len(extracted) == 12
        assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)

    def test_what_a_method_lacks_is_taken_out_of_the_references(self, extracted, folders):
        (folders / "far" / NAMES[3]).unlink()
        evaluate("near", "far")
        left = [name for name in NAMES if name != NAMES[3]]
        of_left = expected(folders, "far", left, of_set=left)
        assert fid("far") == pytest.approx(of_left, rel=1e-5)
        assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)
        assert rows().loc[("far", "fid"), "n"] == 5
        assert len(extracted) == 6 + 6 + 5 + 1  # that reference a second time

    def test_nothing_of_images_whose_features_were_kept(self, extracted, folders):
        evaluate("near", features="keep")
        evaluate("near")
        assert len(extracted) == 12
        assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)
        evaluate("near", features="keep", metrics=["fid", "kid"])
        assert len(extracted) == 12

    def test_everything_with_recompute(self, extracted, folders):
        evaluate("near")
        evaluate("near", recompute=True)
        assert len(extracted) == 24
        assert len(parts()) == 2

    def test_the_rest_after_an_interrupted_run(self, extracted, folders, monkeypatch):
        from iqbench.metrics._inception_features import InceptionExtractor

        extract = InceptionExtractor.extract

        def stop(self, image, weights):
            if len(extracted) == 7:
                raise KeyboardInterrupt
            return extract(self, image, weights)

        with monkeypatch.context() as patch:
            patch.setattr(InceptionExtractor, "extract", stop)
            with pytest.raises(KeyboardInterrupt):
                iqbench.evaluate(methods="near", reference="ref", metrics="fid", features="moments")
        evaluate("near")
        assert len(extracted) == 13  # a reference whose output was not reached is read again
        assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)
        assert len(parts()) == 2


class TestRefusals:
    def test_kid_before_an_image_is_read(self, extracted, folders, decoded, capsys):
        options = ["--reference", "ref", "--metric", "fid", "--metric", "kid"]
        assert run("evaluate", "--method", "near", *options, "--features", "moments") == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "kid needs the features of every image: --features moments keeps none" in said
        assert "--features keep" in said
        assert not decoded
        assert not (folders / "results").exists()

    def test_moments_are_kept_by_default_of_large_sets(self, extracted, folders, monkeypatch):
        monkeypatch.setattr(plan, "KEPT_IMAGES", 5)
        with pytest.raises(IqbenchError, match=r"kid needs .* more than 5 .*'ref' has one of 6"):
            iqbench.evaluate(methods="near", reference="ref", metrics=["fid", "kid"])
        with pytest.warns(IqbenchWarning) as caught:
            iqbench.evaluate(methods="near", reference="ref", metrics=["fid"])
        said = [str(one.message) for one in caught]
        assert any("'ref' has a set of 6 images: moments" in text for text in said)
        assert parts()
        assert not (folders / "results" / "features").exists()
        evaluate("near", metrics=["fid", "kid"], features="keep")
        assert np.isfinite(rows().loc[("near", "kid"), "value"])

    def test_a_large_reference_set_counts(self, extracted, folders, monkeypatch):
        monkeypatch.setattr(plan, "KEPT_IMAGES", 7)
        for number in range(8):
            write(folders / "photos", f"{number}.png", number)
        with pytest.raises(IqbenchError, match="has one of 8"):
            iqbench.evaluate(methods="near", reference_set="photos", metrics=["kid"])

    def test_what_is_kept_of_sets_where_no_metric_compares_any(self, folders):
        with pytest.raises(IqbenchError, match="no metric that compares sets"):
            iqbench.evaluate(methods="near", reference="ref", metrics="psnr", features="moments")

    def test_an_unknown_way(self, folders):
        with pytest.raises(IqbenchError, match="moment"):
            iqbench.evaluate(methods="near", reference="ref", metrics="fid", features="moment")


@pytest.fixture
def shards(extracted, folders):
    """Results of half of the outputs of ``near`` each."""
    for name, images in (("one", NAMES[:3]), ("two", NAMES[3:])):
        (folders / name / "near").mkdir(parents=True)
        for image in images:
            shutil.copy(folders / "near" / image, folders / name / "near")
    for number in range(5):
        write(folders / "photos", f"{number}.png", 50 + number)
    return folders


class TestMerged:
    @pytest.mark.parametrize("compared", ["reference", "reference_set"])
    @pytest.mark.parametrize("of_one", ["moments", "keep"])
    def test_shards_have_the_value_of_one_run(self, shards, extracted, compared, of_one):
        chosen = {"reference": None}
        chosen[compared] = "ref" if compared == "reference" else "photos"
        evaluate("near", results="all", **chosen)
        evaluate("one/near", results="1", **{**chosen, "features": of_one})
        evaluate("two/near", results="2", **chosen)
        done = len(extracted)
        merge_results([shards / "1", shards / "2"], shards / "merged")
        assert close_stored_sets(shards / "merged") == []
        merged = rows("merged").loc[("near", "fid")]
        assert merged["value"] == pytest.approx(fid("near", "all"), rel=1e-6)
        assert (merged["n"], merged["expected"]) == (6, 6)
        assert len(extracted) == done
        evaluate("near", results="merged", **chosen)  # nothing is left to do
        assert len(extracted) == done

    def test_shards_in_one_folder_are_closed_without_an_image(self, extracted, folders):
        for number in (1, 2):
            evaluate("near", shard=f"{number}/2")
        assert len(extracted) == 12
        evaluate("near")
        assert len(extracted) == 12
        assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)
        assert len(parts()) == 2

    @pytest.mark.parametrize("features", ["moments", "keep"])
    @pytest.mark.parametrize("together", [True, False])
    def test_each_shard_extracts_its_share_of_a_reference_set(
        self, shards, extracted, features, together
    ):
        chosen = {"reference": None, "reference_set": "photos", "features": features}
        evaluate("near", results="all", **chosen)
        assert len(extracted) == 11
        names = ["together"] * 3 if together else ["1", "2", "3"]
        for number, name in enumerate(names, 1):
            evaluate("near", results=name, shard=f"{number}/3", **chosen)
        assert len(extracted) == 22
        if not together:
            merge_results([shards / name for name in names], shards / "together")
        assert close_stored_sets(shards / "together") == []
        assert fid("near", "together") == pytest.approx(fid("near", "all"), rel=1e-6)
        evaluate("near", results="together", **chosen)
        assert len(extracted) == 22
        assert rows("together").loc[("near", "fid"), "reference_n"] == 5

    def test_an_image_that_each_shard_must_read_counts_once(self, shards, extracted):
        """Of 10 bits in 16 the samples alone tell what is white."""
        deep = np.random.default_rng(7).integers(0, 2**10, (12, 14, 3), dtype=np.uint16)
        content = cv2.imencode(".png", deep)[1].tobytes()
        bits = b"sBIT" + bytes([10, 10, 10])
        note = struct.pack(">I", 3) + bits + struct.pack(">I", zlib.crc32(bits))
        Path("photos/deep.png").write_bytes(content[:33] + note + content[33:])
        chosen = {"reference": None, "reference_set": "photos"}
        evaluate("near", results="all", **chosen)
        for number in (1, 2, 3):
            evaluate("near", results=str(number), shard=f"{number}/3", **chosen)
        done = len(extracted)
        merge_results([shards / name for name in "123"], shards / "merged")
        assert close_stored_sets(shards / "merged") == []
        assert fid("near", "merged") == pytest.approx(fid("near", "all"), rel=1e-6)
        assert rows("merged").loc[("near", "fid"), "reference_n"] == 6
        assert len(extracted) == done

    def test_compacting_a_folder_of_shards_closes_its_sets(self, extracted, folders, capsys):
        for number in (1, 2):
            evaluate("near", shard=f"{number}/2")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["results", "compact"])
        assert (ended.value.code, "warning" in capsys.readouterr().err) == (0, False)
        assert len(extracted) == 12
        assert fid("near") == pytest.approx(expected(folders, "near"), rel=1e-6)

    def test_shards_with_a_common_image_cannot_be_told_apart(self, shards):
        shutil.copy(shards / "near" / NAMES[0], shards / "two" / "near")
        for name in ("one", "two"):
            evaluate(f"{name}/near", results=f"{name}-results")
        merge_results([shards / "one-results", shards / "two-results"], shards / "merged")
        (problem,) = close_stored_sets(shards / "merged")
        assert "neither features nor moments are stored of 2 images" in problem
        assert "stale" in rows("merged").loc[("near", "fid"), "error"]

    def test_kid_is_not_closed_from_moments(self, shards):
        for name in ("one", "two"):
            evaluate(f"{name}/near", results=name + "-kid", metrics=["kid"], features="keep")
            shutil.rmtree(shards / f"{name}-kid" / "features")
            evaluate(f"{name}/near", results=name + "-kid")
        merge_results([shards / "one-kid", shards / "two-kid"], shards / "merged")
        (problem,) = close_stored_sets(shards / "merged")
        assert "kid needs the features of every image" in problem


def test_the_margin_alone_decides_a_check(extracted, folders, capsys):
    evaluate("near", results="before", features="keep")
    evaluate("near", results="same")
    shutil.rmtree(folders / "near")
    shutil.copytree(folders / "far", folders / "near")
    evaluate("near", results="after")
    assert run("check", "--baseline", "before", "same") == 0
    assert run("check", "--baseline", "before", "after") == 1
    assert "fid" in capsys.readouterr().out


def test_damaged_moments_are_named(extracted, folders):
    evaluate("near")
    assert not any(one.bad for one in verify_results(folders / "results"))
    part = parts()[0]
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    (bad,) = [one for one in verify_results(folders / "results") if one.bad]
    assert bad.part.samefile(part)
    with pytest.raises(IqbenchError, match=part.name):
        iqbench.evaluate(methods="near", reference="ref", metrics="fid", features="moments")


class Stored:
    """Images with rows of features, all of which can be extracted again."""

    def __init__(self, numbers, length=3):
        generator = np.random.default_rng(0)
        self.rows = {
            FeatureKey(f"{number:064x}", 255): generator.normal(
                number, 2, (1 + number % 3, length)
            ).astype("f4")
            for number in numbers
        }
        self.keys = list(self.rows)
        self.asked = 0

    def has(self, keys):
        return all(key in self.rows for key in keys)

    def extract(self, keys):
        for key in keys:
            self.asked += 1
            yield self.rows[key]

    def moments(self, keys):
        return Moments.of(np.concatenate([self.rows[key] for key in keys]))


@given(
    st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=8), max_size=5),
    st.lists(st.integers(0, 11), min_size=1, max_size=14),
    st.sets(st.integers(0, 11)),
)
@settings(max_examples=30)
def test_moments_of_any_set_are_put_together_from_any_others(
    tmp_path_factory, stored_sets, wanted, kept
):
    root = tmp_path_factory.mktemp("moments")
    images = Stored(range(12))
    table = MomentTable(root, "features=made")
    for number, members in enumerate(stored_sets):
        keys = [images.keys[one] for one in members]
        moments = images.moments(keys)
        name = SetName("d", str(number))
        table.write(ImageSet(name, keys), moments.n, moments.mean, moments.scatter)
    features = {images.keys[one]: images.rows[images.keys[one]] for one in kept}
    FeatureTable(root, "features=made").write(features)
    keeper = MomentKeeper(root, "features=made")
    asked = ImageSet(SetName("d", "mine"), [images.keys[one] for one in wanted])
    expected = images.moments(asked.keys)
    for read_again in (images, NoFiles()):  # the second time its moments are stored
        found = keeper.read(asked, read_again)
        assert found.n == expected.n
        np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.scatter, expected.scatter, rtol=1e-7, atol=1e-7)
    others = {SetName("d", str(number)) for number in range(len(stored_sets))}
    keeper.tidy()  # what other sets have stays
    assert {one.name for one in table.sets()} >= others


def test_few_features_wait_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_features, "WAITING", 4)
    monkeypatch.setattr(kept_features, "_SAVED_EVERY", 10)
    images = Stored(range(25))
    keeper = MomentKeeper(tmp_path, "features=made")
    name, table = SetName("d", "m"), MomentTable(tmp_path, "features=made")
    saved = []
    for key in images.keys:
        keeper.take({key: images.rows[key]})
        keeper.join(name, key)
        assert len(keeper._growing[name].waiting) < 4
        saved.append([one.images for one in table.sets()])
    assert saved[8] == []
    assert saved[9] == [10]
    assert saved[24] == [20]
    found = keeper.read(ImageSet(name, images.keys), NoFiles())
    np.testing.assert_allclose(found.scatter, images.moments(images.keys).scatter, rtol=1e-9)
    assert [one.images for one in table.sets()] == [25]
