"""Files of opinions with other names of columns, and matching of their images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from iqbench.correlation.metric_table import MetricTable, contents
from iqbench.correlation.opinion_table import (
    choices_of_images,
    opinions_alone,
    opinions_of_choices,
    opinions_of_file,
    opinions_of_images,
    references_of_images,
    unmatched_opinions,
    unscored_opinions,
)
from iqbench.errors import IqbenchError
from iqbench.results.opinion import read_opinion


@pytest.fixture
def written(tmp_path):
    def write(text, name="opinions.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def table_of(places, name="psnr"):
    index = pd.MultiIndex.from_tuples(places, names=["dataset", "method", "image"])
    values = pd.DataFrame({name: np.arange(len(places), dtype=float)}, index=index)
    return MetricTable(values, [sorted({place[0] for place in places})])


def test_columns_are_known_by_their_roles_and_the_other_numbers_are_metrics(written):
    read = read_opinion(
        written("Image,MOS,std,psnr,comment\na.png,3.5,0.5,30,x\nb.png,4,1,31,y\n"), {}
    )
    assert list(read.rows.columns) == ["image", "mos", "std", "psnr"]
    assert read.metrics == ["psnr"]


def test_columns_can_be_named(written):
    text = "dist_img,dmos_new,dst,DSSIM\na,3,1.0,0.1\nb,4,2.0,0.2\n"
    read = read_opinion(
        written(text), {"mos": "dmos_new", "image": "dist_img", "distortion": "dst"}
    )
    assert list(read.rows["distortion"]) == ["1", "2"]
    assert list(read.rows["mos"]) == [3.0, 4.0]
    assert read.metrics == ["DSSIM"]


def test_parquet_is_read_too(tmp_path):
    path = tmp_path / "opinions.parquet"
    pd.DataFrame({"image": ["a"], "mos": [3]}).to_parquet(path)
    assert list(read_opinion(path, {}).rows["mos"]) == [3.0]


def test_rows_without_an_opinion_are_left_out(written):
    assert list(read_opinion(written("image,mos\na,3\nb,\n"), {}).rows["image"]) == ["a"]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("image,dmos\na,3\n", {}, "has no column 'mos' or 'judge'.*--mos-column.*image, dmos"),
        ("image,mos\na,3\n", {"mos": "mso"}, "unknown column of .*Did you mean 'mos'"),
        ("image,mos\na,3\n", {"mean": "mos"}, "unknown role of a column 'mean'"),
        ("image,mos\na,good\n", {}, "'mos' of .* holds values that are not numbers"),
        ("image,mos\na,\n", {}, "has no opinion in any row"),
        ("image,judge\na,40\n", {}, "'judge' of .* is not between 0 and 1"),
        ("", {}, "cannot read"),
        ('image,mos\n"a,3\n', {}, "cannot read|no opinion"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(written, text, columns, message):
    with pytest.raises(IqbenchError, match=message):
        read_opinion(written(text), columns)


def test_other_files_are_refused(tmp_path, written):
    with pytest.raises(IqbenchError, match="cannot tell the format"):
        read_opinion(written("", "opinions.pkl"), {})
    with pytest.raises(IqbenchError, match="there is no file"):
        read_opinion(tmp_path / "opinions.csv", {})
    with pytest.raises(IqbenchError, match="cannot read"):
        read_opinion(written("no parquet", "opinions.parquet"), {})


def test_images_are_found_with_and_without_suffix():
    table = table_of([("d", "m", "a"), ("d", "m", "b.c")])
    rows = pd.DataFrame({"image": ["a.PNG", "b.c"], "mos": [1.0, 2.0]})
    found = opinions_of_file(table, rows, "higher", 9.0)
    assert list(found["image"]) == ["a", "b.c"]
    assert list(found["raters"]) == [9, 9]
    assert set(found["mos_direction"]) == {"higher"}


def test_the_method_is_looked_up_where_it_is_said():
    table = table_of([("d", "m", "a"), ("d", "n", "a")])
    rows = pd.DataFrame({"image": ["a", "a"], "method": ["n", "m"], "mos": [1.0, 2.0]})
    found = opinions_of_file(table, rows, "higher").set_index("method")
    assert found.loc["n", ["mos", "psnr"]].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("places", "images", "message"),
    [
        ([("d", "m", "a"), ("d", "n", "a")], ["a"], "more than one method.*column 'method'"),
        ([("d", "m", "a")], ["z"], "no image of the file of opinions has scores"),
        ([("d", "m", "a")], ["a", "a.png"], "'a' more than once"),
    ],
)
def test_opinions_that_could_be_of_several_images_are_refused(places, images, message):
    rows = pd.DataFrame({"image": images, "mos": 1.0})
    with pytest.raises(IqbenchError, match=message):
        opinions_of_file(table_of(places), rows, "higher")


def test_opinions_without_images_are_refused_where_images_matter():
    with pytest.raises(IqbenchError, match="--mos-column image=NAME"):
        opinions_of_file(table_of([("d", "m", "a")]), pd.DataFrame({"mos": [1.0]}), "higher")


def test_opinions_of_datasets_are_taken_from_their_images():
    table = table_of([("d", "m", "a"), ("d", "m", "b")])
    images = pd.DataFrame(
        {
            **{"dataset": "d", "method": "m", "image": ["a", "b"], "mos": [3.0, np.nan]},
            **{"mos_std": 1.0, "mos_direction": "lower", "distortion": "blur"},
        }
    )
    found = opinions_of_images(table, images, 12.0)
    assert list(found["image"]) == ["a"]
    assert found["raters"].tolist() == [12.0]
    assert opinions_of_images(table, images.assign(mos=np.nan)).empty


def test_a_file_may_bring_its_own_metrics():
    rows = pd.DataFrame({"mos": [1.0, 2.0], "psnr": [30.0, 31.0], "n": [5.0, 6.0]})
    table, found = opinions_alone(rows, ["psnr"], "higher", name="study")
    assert table.pools == [["study"]]
    assert list(table.values["psnr"]) == [30, 31]
    assert list(found["raters"]) == [5, 6]
    assert list(found["image"]) == ["0", "1"]


def test_choices_bring_both_outputs_into_a_row():
    table = table_of([("d", "p0", "a"), ("d", "p1", "a"), ("d", "p0", "b"), ("d", "p1", "b")])
    rows = pd.DataFrame({"image": ["a", "b"], "judge": [0.2, 0.7]})
    found, names = opinions_of_choices(table, rows, [])
    assert names == ["psnr"]
    assert found[["psnr_0", "psnr_1"]].to_numpy().tolist() == [[0, 1], [2, 3]]
    swapped, _ = opinions_of_choices(table, rows.assign(first="p1", second="p0"), [])
    assert swapped[["psnr_0", "psnr_1"]].to_numpy().tolist() == [[1, 0], [3, 2]]


def test_choices_between_unnamed_methods_are_refused():
    table = table_of([("d", "p0", "a"), ("d", "p1", "a"), ("d", "p2", "a")])
    with pytest.raises(IqbenchError, match="between two methods, and there are 3"):
        opinions_of_choices(table, pd.DataFrame({"image": ["a"], "judge": [0.2]}), [])


def test_choices_of_a_file_have_their_metrics_in_pairs():
    rows = pd.DataFrame({"judge": [0.2], "d_0": [1.0], "d_1": [2.0], "e_0": [3.0]})
    found, names = opinions_of_choices(None, rows, ["d_0", "d_1", "e_0"])
    assert names == ["d"]
    assert list(found["image"]) == ["0"]


CHOICES = pd.DataFrame(
    {
        **{"dataset": "bapps", "method": ["p1", "p0"] * 2, "image": ["a", "a", "b", "b"]},
        **{"mos": [0.2, 0.8, 1.0, 0.0], "mos_std": np.nan, "mos_direction": "choice"},
        "distortion": ["cnn", "cnn", "superres", "superres"],
    }
)


def test_choices_of_datasets_are_one_row_each_with_the_share_that_chose_the_second():
    rows = choices_of_images(CHOICES)
    assert rows[["image", "first", "second", "judge", "distortion"]].to_numpy().tolist() == [
        ["a", "p0", "p1", 0.2, "cnn"],
        ["b", "p0", "p1", 1.0, "superres"],
    ]
    table = table_of([("bapps", method, image) for method in ("p0", "p1") for image in "ab"])
    found, metrics = opinions_of_choices(table, rows, [])
    assert metrics == ["psnr"]
    assert found[["psnr_0", "psnr_1"]].to_numpy().tolist() == [[0, 2], [1, 3]]
    assert opinions_of_images(table, CHOICES).empty


def test_a_choice_needs_both_outputs():
    with pytest.raises(IqbenchError, match="image 'b' of 'bapps' has choices of 1 outputs"):
        choices_of_images(CHOICES.iloc[:3])


def test_images_that_share_a_reference_are_known_by_it_and_others_by_themselves():
    images = pd.DataFrame(
        {
            "dataset": ["tid"] * 4 + ["set"] * 4,
            "method": ["distorted"] * 4 + ["one", "one", "two", "two"],
            "image": ["i1_1", "i1_2", "i2_1", "i2_2", "a", "b", "a", "b"],
            "reference_digest": ["x", "x", "y", "y", "u", "v", "u", "v"],
        }
    )
    references = references_of_images(images)
    assert references == {
        ("tid", "i1_1"): "x",
        ("tid", "i1_2"): "x",
        ("tid", "i2_1"): "y",
        ("tid", "i2_2"): "y",
    }
    shown = contents(images, references)
    assert shown.tolist() == ["x", "x", "y", "y", "a", "b", "a", "b"]


# -- names are text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["0801", "0802"],
        ["001", "010"],
        ["0", "00"],
        ["1e5", "2e5"],
        ["1_000", "2_000"],
        ["NA", "null"],
        ["nan", "None"],
        ["True", "False"],
        ["inf", "-inf"],
        ["2024-01-01", "2024-01-02"],
        ["-1", "+1"],
        ["1.50", "2.50"],
        ["0x10", "0x11"],
        ["12345678901234567890", "12345678901234567891"],
        ["a b", "a,b"],
        ["801", "802"],
    ],
)
@pytest.mark.parametrize("role", ["image", "method", "dataset", "distortion"])
def test_names_stand_as_they_are_written(written, names, role):
    lines = [f'"{name}",{mos}' for name, mos in zip(names, (3.5, 4), strict=True)]
    read = read_opinion(written("\n".join([f"{role},mos", *lines]) + "\n"), {})
    given = dict(zip(names, (3.5, 4), strict=True))
    assert list(zip(read.rows[role], read.rows["mos"], strict=True)) == sorted(given.items())


def test_whole_numbers_of_a_column_with_gaps_lose_their_point(written):
    """As pandas writes integers beside missing ones."""
    read = read_opinion(written("image,distortion,mos\na,1.0,3\nb,,4\nc,12.0,5\n"), {})
    assert list(read.rows["distortion"]) == ["1", None, "12"]


def test_padded_numbers_are_names_and_no_metric(written):
    read = read_opinion(written("image,mos,frame,psnr\na,3,001,30\nb,4,010,0.5\n"), {})
    assert read.metrics == ["psnr"]


def test_numbers_are_read_as_tables_write_them(written):
    text = "image,mos,psnr,ssim\na,3,inf,1e-3\nb, 4 ,,NA\nc,5,-inf,nan\nd,6,+30.5,.5\n"
    read = read_opinion(written("\ufeff" + text), {})
    assert list(read.rows["mos"]) == [3, 4, 5, 6]
    np.testing.assert_array_equal(read.rows["psnr"], [np.inf, np.nan, -np.inf, 30.5])
    np.testing.assert_array_equal(read.rows["ssim"], [0.001, np.nan, np.nan, 0.5])
    assert read.notes == ()


def test_values_are_read_to_the_last_bit(written):
    values = np.random.default_rng(0).normal(0, 1, 200)
    text = "image,mos,psnr\n" + "".join(f"i{k:03},1,{float(v)!r}\n" for k, v in enumerate(values))
    assert list(read_opinion(written(text), {}).rows["psnr"]) == list(values)


def test_what_is_left_out_of_a_file_is_told(written):
    path = written("image,mos,psnr,comment\na,3,30,x\nb,,31,y\nc,4,failed,z\n")
    read = read_opinion(path, {})
    assert read.metrics == []
    assert read.notes == (
        f"column 'psnr' of {path} is not a metric: 'failed' is not a number",
        f"1 of 3 rows of {path} have no opinion",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,mos\na,3,4\n", "cannot read .*Expected 2 fields in line 2, saw 3"),
        ("image,mos,mos\na,3,4\n", "several columns of one name"),
        ("image,mos, mos\na,3,4\n", "several columns of one name"),
        ("image,mos\na,1_000\n", "'mos' of .* holds values that are not numbers"),
        ("image,mos\na,\u0663\n", "'mos' of .* holds values that are not numbers"),
    ],
)
def test_what_would_be_read_wrongly_is_refused(written, text, message):
    with pytest.raises(IqbenchError, match=message):
        read_opinion(written(text), {})


def test_types_of_parquet_are_believed(tmp_path):
    path = tmp_path / "opinions.parquet"
    pd.DataFrame(
        {"image": [801, 802], "mos": ["3", "4"], "scene": ["1", "2"], "psnr": [30, 31]}
    ).to_parquet(path)
    read = read_opinion(path, {})
    assert list(read.rows["image"]) == ["801", "802"]
    assert list(read.rows["mos"]) == [3.0, 4.0]
    assert read.metrics == ["psnr"]


# -- what does not match ---------------------------------------------------------------------------


def named(*images):
    return pd.DataFrame({"image": images, "mos": 1.0})


@pytest.mark.parametrize(
    ("scored", "given", "hint"),
    [
        ("0801", "801", "zeros at the beginning.*the file has '801', the results '0801'"),
        ("img_001", "img_1.png", "zeros at the beginning"),
        ("Bird", "bird", "in upper and lower case"),
        ("x4/bird", "bird", "in the folder"),
        ("bird", "x4/bird", "in the folder"),
        ("bird.v2", "bird", "in the suffix"),
        ("bird", "baby", "the file has 'baby', the results 'bird'"),
    ],
)
def test_where_nothing_matches_two_ids_are_shown(scored, given, hint):
    with pytest.raises(IqbenchError, match=hint):
        opinions_of_file(table_of([("d", "m", scored)]), named(given), "higher")


@pytest.mark.parametrize("role", ["dataset", "method"])
def test_a_dataset_or_method_that_is_not_scored_is_named(role):
    with pytest.raises(IqbenchError, match=f"no {role} of the file .*It names 'other'; scored are"):
        opinions_of_file(
            table_of([("d", "m", "a")]), named("a").assign(**{role: "other"}), "higher"
        )


def test_values_without_a_partner_are_counted():
    table = table_of([("d", "m", "a"), ("d", "m", "b"), ("d", "n", "a")])
    rows = named("a", "x", "y", "z", "w").assign(method="m")
    assert unmatched_opinions(table, rows) == [
        "4 of 5 opinions belong to no scored image and are left out: x, y, z, ...",
        "2 of 3 scored images have no opinion and are left out",
    ]
    assert unmatched_opinions(table_of([("d", "m", "a")]), named("a.png")) == []


def test_opinions_of_a_dataset_without_a_score_are_counted():
    table = table_of([("d", "m", "a")])
    images = pd.DataFrame(
        {
            **{"dataset": ["d", "d", "d", "e"], "method": "m", "image": ["a", "b", "c", "a"]},
            **{"mos": [3.0, 4.0, np.nan, 1.0], "mos_direction": "higher"},
        }
    )
    assert unscored_opinions(table, images) == [
        "1 of 2 opinions of d are left out, as their images have no score"
    ]
