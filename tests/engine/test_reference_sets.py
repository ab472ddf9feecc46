"""FID and KID against a reference set: images of any names, number and sizes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_sets import NAMES, features, write
from PIL import Image

import iqbench
from iqbench.cli.main import main
from iqbench.engine.closing import close_stored_sets
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.metrics._set_distances import frechet_distance, kernel_distance
from iqbench.results.merge import merge_results
from iqbench.results.read import load_scores
from iqbench.results.sets import read_reference_set
from iqbench.results.verify import verify_results

PHOTOS = [f"{number}.jpg.png" for number in range(9)]


@pytest.fixture
def photos(folders):
    """Nine images of other names and sizes than the outputs, one of them in a sub-folder."""
    for number, name in enumerate(PHOTOS):
        write(folders / "photos", name, 100 + number, height=8 + number, width=20 - number)
    (folders / "photos" / "more").mkdir()
    (folders / "photos" / PHOTOS[8]).rename(folders / "photos" / "more" / PHOTOS[8])
    return folders / "photos"


def names_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def evaluate(*methods, metrics=("fid", "kid"), **options):
    with pytest.warns(IqbenchWarning):  # at least that the sets are small
        return iqbench.evaluate(
            methods=list(methods),
            metrics=list(metrics),
            **{"reference_set": "photos", **options},
        )


def rows(**filters):
    frame = load_scores("results", scope="set", filters=filters)
    return frame.astype({"method": str, "metric": str}).set_index(["method", "metric"])


def run(*arguments):
    """Run the command; return its exit code."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return left.value.code


def expected(folders, method):
    photos = features(folders / "photos", names_of(folders / "photos"))
    outputs = features(folders / method)
    return frechet_distance(photos, outputs).value, kernel_distance(photos, outputs).value


def test_outputs_alone_have_the_distance_to_all_images_of_the_set(extracted, folders, photos):
    evaluate("near", "far")
    for method in ("near", "far"):
        found = rows().loc[method]
        fid, kid = expected(folders, method)
        assert found.loc["fid", "value"] == pytest.approx(fid, rel=1e-4)
        assert found.loc["kid", "value"] == pytest.approx(kid, rel=1e-4)
        assert set(found["dataset"]) == {"outputs"}
        assert set(found["n"]) == {6}
        assert set(found["reference_set"]) == {"photos"}
        assert set(found["reference_n"]) == {9}


def test_its_features_are_extracted_once_for_all_methods_datasets_and_runs(
    extracted, folders, photos
):
    evaluate("near")
    assert len(extracted) == 9 + 6
    evaluate("near", "far")
    evaluate("far", reference="ref", metrics=("psnr", "fid"))
    assert len(extracted) == 9 + 6 + 6


def test_only_what_is_new_in_the_set_is_extracted(extracted, folders, photos):
    evaluate("near", metrics=["fid"])
    before = rows().loc[("near", "fid"), "value"]
    write(photos, "new.png", 7)
    evaluate("near", metrics=["fid"])
    assert len(extracted) == 9 + 6 + 1
    found = rows()  # both values stand in the tables: they are of two sets
    assert sorted(found["reference_n"]) == [9, 10]
    assert before in set(found["value"])


def test_names_and_places_of_its_files_do_not_matter(extracted, folders, photos):
    evaluate("near", metrics=["fid"])
    before = rows()
    moved = folders / "moved"
    moved.mkdir()
    for number, name in enumerate(names_of(photos)):
        shutil.copy(photos / name, moved / f"{50 - number}.png")
    evaluate("near", metrics=["fid"], reference_set=moved)
    after = rows()
    assert list(after["value"]) == list(before["value"])
    assert list(after["signature"]) == list(before["signature"])
    assert len(extracted) == 9 + 6


def test_sizes_need_not_be_those_of_references(extracted, folders, photos):
    """An output that does not fit its reference has no PSNR, and counts in the set."""
    Image.fromarray(np.full((5, 5, 3), 90, np.uint8)).save("near/0.png")
    for _ in range(2):  # the second time nothing is extracted, and the set is the same
        evaluate("near", reference="ref", metrics=("psnr", "fid"))
        row = rows().loc[("near", "fid")]
        assert row["value"] == pytest.approx(expected(folders, "near")[0], rel=1e-4)
        assert (row["n"], row["expected"]) == (6, 6)
    assert len(extracted) == 9 + 6
    errors = load_scores("results", filters={"metric": "psnr"}).set_index("image")["error"]
    assert errors["0"] is not None


def test_a_changed_reference_leaves_the_value_and_a_changed_output_makes_it_stale(
    extracted, folders, photos
):
    evaluate("near", reference="ref", metrics=("psnr", "fid"))
    before = rows().loc[("near", "fid"), "value"]
    shutil.copy("far/3.png", "ref/3.png")
    iqbench.evaluate(methods=["near"], reference="ref", metrics=["psnr"])
    assert rows().loc[("near", "fid"), "value"] == before
    shutil.copy("far/4.png", "near/4.png")
    iqbench.evaluate(methods=["near"], reference="ref", metrics=["psnr"])
    assert "stale" in rows().loc[("near", "fid"), "error"]


def test_the_value_against_references_is_another_column(extracted, folders, photos, capsys):
    evaluate("near", "far", reference="ref", metrics=["fid"])
    evaluate("near", "far", reference="ref", reference_set=None, metrics=["fid"])
    assert set(rows()["reference_set"]) == {"photos", "references of the outputs"}
    assert len(rows()) == 4
    assert run("leaderboard") == 0
    said = capsys.readouterr().out
    assert "[set=references] ↓" in said
    said = " ".join(said.split())
    assert "fid [set=references]: of 6 images against their references" in said
    assert ": of 6 images against photos (9 images)" in said


def test_a_dataset_says_its_own_set(extracted, folders, photos):
    (folders / "datasets.yaml").write_text(
        f"root: {folders}\n"
        "datasets:\n"
        "  Faces:\n"
        "    metrics: [psnr, fid]\n"
        "    reference_set: photos\n"
        "    data: {layout: folder, references: ref}\n"
    )
    evaluate("near", metrics=(), reference_set=None, datasets=["Faces"])
    row = rows().loc[("near", "fid")]
    assert row["value"] == pytest.approx(expected(folders, "near")[0], rel=1e-4)
    assert row["reference_set"] == "photos"
    evaluate("near", metrics=(), reference_set="far", datasets=["Faces"])
    assert sorted(rows()["reference_set"]) == ["far", "photos"]


def test_a_dataset_whose_set_is_not_there_is_named(extracted, folders):
    (folders / "datasets.yaml").write_text(
        f"root: {folders}\n"
        "datasets:\n"
        "  Faces:\n"
        "    reference_set: photos\n"
        "    data: {layout: folder, references: ref}\n"
    )
    with pytest.raises(IqbenchError, match=r"'Faces': folder of the reference set .*photos"):
        iqbench.evaluate(methods=["near"], datasets=["Faces"], metrics=["fid"])
    iqbench.evaluate(methods=["near"], datasets=["Faces"], metrics=["psnr"])  # needs no set


def test_a_damaged_image_of_the_set_costs_the_sets_value_alone(extracted, folders, photos, capsys):
    (photos / PHOTOS[2]).write_bytes((photos / PHOTOS[2]).read_bytes()[:-20])
    options = ["--reference", "ref", "--reference-set", "photos", "--metric", "psnr"]
    assert run("evaluate", "--method", "near", *options, "--metric", "fid") == 3
    said = capsys.readouterr().err.replace(f"{folders}/", "")
    assert f"no value: ref / near / fid: reference set photos: photos/{PHOTOS[2]}" in said
    assert load_scores("results")["value"].notna().all()
    row = rows().loc[("near", "fid")]
    assert np.isnan(row["value"])
    assert PHOTOS[2] in row["error"]


def test_a_file_that_cannot_be_read_stops_the_run_before_it_begins(extracted, folders, photos):
    (photos / "empty.png").touch()
    with pytest.raises(IqbenchError, match=r"reference set .*empty\.png is empty"):
        iqbench.evaluate(methods=["near"], reference_set="photos", metrics=["fid"])
    assert not (folders / "results").exists()


@pytest.mark.parametrize(
    ("folder", "why"),
    [("nowhere", "does not exist"), ("ref/0.png", "is a file"), ("void", "holds no image")],
)
def test_what_is_no_folder_of_images_is_refused(extracted, folders, folder, why):
    (folders / "void").mkdir()
    with pytest.raises(IqbenchError, match=why):
        iqbench.evaluate(methods=["near"], reference_set=folder, metrics=["fid"])


def test_other_files_beside_the_images_are_named(extracted, folders, photos):
    (photos / "notes.txt").write_text("mine")
    with pytest.warns(IqbenchWarning) as caught:
        iqbench.evaluate(methods=["near"], reference_set="photos", metrics=["fid"])
    said = [str(one.message) for one in caught if "photos" in str(one.message)]
    assert said == [
        f"reference set {folders}/photos holds files that are not images; left out: notes.txt"
    ]


def test_a_set_that_no_metric_needs_is_refused(folders, photos):
    with pytest.raises(IqbenchError, match="no metric that compares sets") as caught:
        iqbench.evaluate(methods=["near"], reference="ref", reference_set="photos", metrics=["tv"])
    assert "--metric fid" in caught.value.hint


def test_fid_of_outputs_alone_asks_for_a_set(folders):
    with pytest.raises(IqbenchError, match="fid needs a reference") as caught:
        iqbench.evaluate(methods=["near"], metrics=["fid"])
    assert "--reference-set" in caught.value.hint


def test_a_set_of_one_image_has_no_distance(extracted, folders):
    write(folders / "one", "a.png", 1)
    evaluate("near", metrics=["fid"], reference_set="one")
    assert "6 outputs and 1 references" in rows().loc[("near", "fid"), "error"]


def test_another_peak_is_another_column(extracted, folders):
    import cv2

    for number, name in enumerate(NAMES):
        levels = np.random.default_rng(number).integers(0, 1024, (12, 14, 3))
        for folder in ("ten", "other"):
            (folders / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(folders / folder / name), levels.astype(np.uint16) + number)
    evaluate("ten", metrics=["fid"], reference_set="other", peak=None)
    evaluate("ten", metrics=["fid"], reference_set="other", peak=1100)
    assert len(set(rows()["signature"])) == 2
    assert len(extracted) == 2 * 6  # both folders hold the same files


def states(results="results"):
    return {one.part.name: one.state for one in verify_results(Path(results))}


class TestNotes:
    """Which images a reference set has is noted, so that its values can be closed again."""

    def test_a_note_is_verified_by_its_name(self, extracted, folders, photos):
        evaluate("near")
        (note,) = Path("results", "reference-sets").iterdir()
        assert states()[note.name] == "ok"
        assert set(states().values()) == {"ok"}

    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda content: content[:-5], id="cut off"),
            pytest.param(lambda content: b"[]", id="empty"),
            pytest.param(lambda content: content.replace(b"255", b'"x"', 1), id="no number"),
            pytest.param(lambda content: content[:4] + b"xyz" + content[7:], id="other digest"),
        ],
    )
    def test_a_damaged_note_is_named(self, extracted, folders, photos, damage):
        evaluate("near")
        (note,) = Path("results", "reference-sets").iterdir()
        note.write_bytes(damage(note.read_bytes()))
        assert states()[note.name] == "unreadable"
        with pytest.raises(IqbenchError, match=note.name):
            read_reference_set(Path("results"), note.stem)
        evaluate("near")  # the next run writes it again
        assert states()[note.name] == "ok"

    def test_of_a_set_with_a_damaged_image_there_is_none(self, extracted, folders, photos):
        """Or values would be closed of fewer images after a merge."""
        (photos / PHOTOS[2]).write_bytes((photos / PHOTOS[2]).read_bytes()[:-20])
        for number, names in enumerate((NAMES[:3], NAMES[3:])):
            for name in names:
                (folders / str(number) / "near").mkdir(parents=True, exist_ok=True)
                shutil.copy(folders / "near" / name, folders / str(number) / "near")
            evaluate(f"{number}/near", results=f"shard {number}")
        assert not Path("shard 0", "reference-sets").exists()
        merge_results([Path("shard 0"), Path("shard 1")], Path("merged"))
        problems = close_stored_sets(Path("merged"))
        assert len(problems) == 2
        assert "are not recorded" in problems[0]
        assert load_scores("merged", scope="set")["value"].isna().all()
