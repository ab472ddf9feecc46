"""FID and KID in a run: features stored once, values tied to their images, methods ranked by them.

The features are those of a stand-in for Inception: see `made_sets`.
"""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_sets import NAMES, features

import iqbench
from iqbench.boards.board import Board
from iqbench.boards.dataset_board import BoardOptions
from iqbench.cli.main import main
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.metrics._inception_features import InceptionExtractor
from iqbench.metrics._set_distances import frechet_distance, kernel_distance
from iqbench.results.extractor_files import FeatureKey
from iqbench.results.features import FeatureTable
from iqbench.results.read import load_columns, load_images, load_scores


def evaluate(*methods, metrics=("fid", "kid"), **options):
    with pytest.warns(IqbenchWarning):  # at least that the sets are small
        return iqbench.evaluate(
            methods=list(methods), reference="ref", metrics=list(metrics), **options
        )


def command(*arguments):
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 0


def sets():
    frame = load_scores("results", scope="set")
    return frame.astype({"method": str, "metric": str}).set_index(["method", "metric"])


def test_the_values_are_those_of_the_closing_formulas(extracted, folders):
    evaluate("near", "far")
    found = sets()
    for method in ("near", "far"):
        both = features(folders / "ref"), features(folders / method)
        for metric, distance in (
            ("fid", frechet_distance(*both, paired=True)),
            ("kid", kernel_distance(*both, paired=True)),
        ):
            row = found.loc[method, metric]
            assert row["value"] == pytest.approx(distance.value, rel=1e-5, abs=1e-6)
            assert row["standard_error"] == pytest.approx(distance.standard_error, rel=1e-4)
            assert (row["n"], row["expected"]) == (6, 6)


def test_fid_and_kid_share_features_and_references_are_extracted_once(extracted, folders):
    evaluate("near")
    assert len(extracted) == 12
    evaluate("near", "far")  # a second method costs its own images only
    assert len(extracted) == 18
    evaluate("near", "far")
    assert len(extracted) == 18


def test_an_added_metric_of_sets_leaves_scores_of_images_as_they_are(extracted, folders):
    iqbench.evaluate(methods=["near"], reference="ref", metrics=["psnr"])
    before = load_scores("results")
    evaluate("near", metrics=("psnr", "fid"))
    pd.testing.assert_frame_equal(load_scores("results"), before)
    assert sets().loc[("near", "fid"), "n"] == 6


def test_a_changed_output_makes_the_value_stale_until_it_is_evaluated_again(extracted, folders):
    evaluate("near", metrics=("psnr", "fid"))
    old = sets().loc[("near", "fid"), "value"]
    (folders / "near" / NAMES[0]).write_bytes((folders / "far" / NAMES[0]).read_bytes())
    iqbench.evaluate(methods=["near"], reference="ref", metrics=["psnr"])
    row = sets().loc[("near", "fid")]
    assert np.isnan(row["value"])
    assert "stale" in row["error"]
    evaluate("near", metrics=("psnr", "fid"))
    assert sets().loc[("near", "fid"), "value"] != old
    assert len(extracted) == 13


def test_a_method_without_an_output_is_incomplete_and_not_ranked(extracted, folders):
    (folders / "far" / NAMES[2]).unlink()
    evaluate("near", "far")
    assert sets().loc[("far", "fid"), "n"] == 5
    assert sets().loc[("far", "fid"), "expected"] == 6
    board = board_of_results()
    assert list(board["method"]) == ["near", "far"]
    assert list(board["complete"]) == [True, False]
    assert board["rank"].isna().tolist() == [False, True]


def board_of_results():
    from iqbench.boards.board import Board

    board = Board.of(
        load_scores("results"),
        load_images("results"),
        load_columns("results"),
        sets=load_scores("results", scope="set"),
    )
    return board.table.frame


def test_the_leaderboard_shows_values_of_sets_beside_means(extracted, folders):
    evaluate("near", "far", metrics=("psnr", "fid"))
    board = board_of_results().set_index("method")
    assert board["ranked_by"].unique() == ["psnr"]
    assert board["fid"].to_dict() == sets()["value"].droplevel("metric").to_dict()
    assert board["fid_rank"].to_dict() == {"near": 1, "far": 2}
    error = sets().loc[("far", "fid"), "standard_error"]
    assert board.loc["far", "fid_high"] - board.loc["far", "fid"] == pytest.approx(
        1.96 * error, 1e-4
    )


def test_methods_are_ranked_by_a_set_value_where_there_is_nothing_else(extracted, folders, capsys):
    evaluate("near", "far", metrics=("fid",))
    board = board_of_results()
    assert list(board["method"]) == ["near", "far"]
    assert list(board["ranked_by"]) == ["fid", "fid"]
    command("leaderboard")
    assert "ranked by fid" in capsys.readouterr().out
    command("report", "-o", "report.html")
    command("export", "--scope", "set", "-o", "sets.csv")
    exported = pd.read_csv("sets.csv").set_index("method")["value"]
    assert exported.to_dict() == pytest.approx(sets()["value"].droplevel("metric").to_dict())


def test_too_few_images_have_no_value_and_say_how_many_are_needed(extracted, folders):
    for name in NAMES[1:]:
        (folders / "ref" / name).unlink()
    evaluate("near", metrics=("fid",))
    row = sets().loc[("near", "fid")]
    assert np.isnan(row["value"])
    assert "at least 2 images" in row["error"]


def test_sixteen_bits_are_scaled_and_not_rounded(extracted, folders):
    import cv2

    for name in NAMES:
        image = cv2.imread(str(folders / "ref" / name)).astype(np.uint16)
        cv2.imwrite(str(folders / "near" / name), image * 257 + 100)
    evaluate("near", metrics=("fid",))
    shift = features(folders / "ref")
    shift[:, :3] += 100 / 257
    expected = frechet_distance(features(folders / "ref"), shift)
    assert sets().loc[("near", "fid"), "value"] == pytest.approx(expected.value, rel=1e-3)


def test_a_small_set_is_warned_of(extracted, folders):
    with pytest.warns(IqbenchWarning, match="6 images: with fewer than 10,000 it is too large"):
        iqbench.evaluate(methods=["near"], reference="ref", metrics=["fid"])


def test_small_sets_are_warned_of_once(extracted, folders):
    with pytest.warns(IqbenchWarning) as caught:
        iqbench.evaluate(methods=["near", "far"], reference="ref", metrics=["fid", "kid"])
    (said,) = [str(one.message) for one in caught]
    assert said.startswith("fid of ref / near and 1 more is computed from 6 images")


def test_one_pair_has_no_fid(folders):
    with pytest.raises(IqbenchError, match="sets of images"):
        iqbench.measure("ref/0.png", "near/0.png", metrics=["fid"])


def test_features_are_read_back_bit_by_bit_in_the_order_asked_for(tmp_path):
    generator = np.random.default_rng(0)
    stored = {
        FeatureKey(f"{number:064x}", 0): generator.normal(size=(1 + number % 3, 32)).astype("f4")
        for number in range(50)
    }
    table = FeatureTable(tmp_path, "features=made")
    for key, rows in stored.items():
        table.write({key: rows})
    table.merge()
    assert len(list(table.folder.glob("*.parquet"))) == 1
    assert table.keys() == stored.keys()
    wanted = [*list(stored)[::-7], next(iter(stored))]
    np.testing.assert_array_equal(
        table.select(wanted).array(), np.concatenate([stored[key] for key in wanted])
    )


def test_damaged_features_are_refused_by_name(tmp_path):
    table = FeatureTable(tmp_path, "features=made")
    table.write({FeatureKey("00", 0): np.ones((1, 4), np.float32)})
    (part,) = table.folder.glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(IqbenchError, match=part.name):
        table.select([FeatureKey("00", 0)])


def test_features_that_are_not_there_are_asked_for_in_vain(tmp_path):
    with pytest.raises(IqbenchError, match="lacks the features of 1 of 1"):
        FeatureTable(tmp_path, "features=made").select([FeatureKey("00", 0)])


def test_patches_cover_two_grids(monkeypatch):
    import torch

    from iqbench.metrics import _inception_features as module

    seen = []
    monkeypatch.setattr(
        module, "_features", lambda _, part, resizer: seen.append(part) or torch.zeros(1, 4)
    )
    monkeypatch.setattr(module, "load_inception", lambda device, weights: None)
    image = torch.rand(1, 3, 8, 12)
    assert InceptionExtractor(patches=4).extract(image, None).shape == (6 + 2, 4)
    assert torch.equal(seen[1], image[:, :, :4, 4:8])
    assert torch.equal(seen[6], image[:, :, 2:6, 2:6])
    with pytest.raises(IqbenchError, match="at least 16x16"):
        InceptionExtractor(patches=16).extract(image, None)


@pytest.mark.parametrize("memory", [0, 2**28])
def test_features_are_read_in_blocks_of_any_size(tmp_path, monkeypatch, memory):
    from iqbench.results import features as module

    monkeypatch.setattr(module, "_IN_MEMORY", memory)
    monkeypatch.setattr(module, "_ROWS_A_BLOCK", 16)
    generator = np.random.default_rng(0)
    stored = {
        FeatureKey(f"{number:064x}", 255): generator.normal(size=(1 + number % 2, 8)).astype("f4")
        for number in range(60)
    }
    table = FeatureTable(tmp_path, "features=made")
    keys = list(stored)
    for start in range(0, 60, 25):
        table.write({key: stored[key] for key in keys[start : start + 25]})
    table.write({keys[0]: stored[keys[0]]})  # another run wrote it too: it counts once
    wanted = [*keys[::-3], keys[0], keys[0]]
    selected = table.select(wanted)
    expected = np.concatenate([stored[key] for key in wanted])
    found = np.full_like(expected, np.nan)
    for places, rows in selected.blocks():
        assert np.isnan(found[places]).all()
        assert len(rows) <= 32
        found[places] = rows
    np.testing.assert_array_equal(found, expected)
    counts = np.bincount(selected.owners).tolist()
    assert counts == [len(stored[key]) for key in wanted]


def test_features_are_read_while_another_process_merges_them(tmp_path, monkeypatch):
    from iqbench.results import features as module

    monkeypatch.setattr(module, "_IN_MEMORY", 0)
    table = FeatureTable(tmp_path, "features=made")
    for number in range(4):
        table.write({FeatureKey(f"{number}", 255): np.full((1, 4), number, np.float32)})
    selected = table.select([FeatureKey(f"{number}", 255) for number in range(4)])
    found = {}
    for places, rows in selected.blocks():
        if not found:
            table.merge()
        assert not found.keys() & set(places.tolist())
        found |= dict(zip(places.tolist(), rows[:, 0].tolist(), strict=True))
    assert found == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}


def test_a_check_leaves_the_same_images_out_on_both_sides(extracted, folders, capsys):
    evaluate("mine=near", metrics=("psnr", "fid", "kid"), results="old")
    evaluate("mine=near", metrics=("psnr", "fid", "kid"), results="new")
    command("check", "new", "--baseline", "old")
    assert "3 same" in capsys.readouterr().out
    evaluate("mine=far", metrics=("psnr", "fid", "kid"), results="worse")
    found = iqbench.check("worse", baseline="old").rows.set_index("metric")
    assert set(found["verdict"]) == {"worse"}
    assert found.loc["fid", "gain_high"] < 0
    assert found.loc["fid", "n"] == 6
    command("compare", "old", "worse")
    assert "no test and no wins" in capsys.readouterr().out
    command("compare", "old", "worse", "--metric", "fid")  # where nothing else is compared
    said = capsys.readouterr().out
    assert "no test and no wins" in said
    assert "Wilcoxon" not in said


def test_two_methods_of_a_folder_are_compared_by_their_sets(extracted, folders):
    from iqbench.gate.compare import compare_parts
    from iqbench.gate.compared_scores import methods_by_dataset

    evaluate("near", "far", metrics=("fid",))
    with methods_by_dataset(Path("results"), "near", "far", {}) as sides:
        (row,) = compare_parts(sides.parts(), methods=sides.methods).rows.to_dict("records")
    values = sets()["value"].droplevel("metric")
    assert row["difference"] == pytest.approx(values["far"] - values["near"])
    assert row["low"] < row["difference"] < row["high"]


def test_commands_without_values_of_sets_say_so(extracted, folders, capsys):
    evaluate("near", "far", metrics=("psnr", "ssim", "fid"))
    for columns in ("psnr,ssim,fid", "all"):
        command("correlate", "--columns", columns)
        said = capsys.readouterr().out
        assert "fid: - (one value per set" in said
        assert ["fid", "-", "-"] in [line.split() for line in said.splitlines()]
    command("correlate", "--format", "json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["first"] for row in rows if row["kind"] == "set"] == ["fid"]
    assert not any("fid" in (row["first"], row["second"]) for row in rows if row["kind"] != "set")
    command("correlate", "--columns", "psnr,ssim", "--format", "json")
    assert not any(row["kind"] == "set" for row in json.loads(capsys.readouterr().out))
    with pytest.raises(SystemExit) as left:
        main(["correlate", "--metric", "fid"])
    assert left.value.code == 2
    assert "fid has one value per set" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["leaderboard", "--metric", "fid", "--pairs"])
    assert "one value per set" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["table", "markdown", "html"])
def test_leaderboards_say_of_which_images_a_value_is(extracted, folders, capsys, format):
    evaluate("near", "far")
    command("leaderboard", "--format", format)
    said = " ".join(capsys.readouterr().out.split())
    assert "fid, kid: of 6 images against their references" in said


def test_methods_of_different_sets_are_told_apart(extracted, folders, capsys):
    (folders / "far" / NAMES[5]).unlink()
    evaluate("near", "far", metrics=("fid",))
    command("leaderboard")
    said = " ".join(capsys.readouterr().out.split())
    assert "of 6 images against their references (near)" in said
    assert "of 5 images against their references (far)" in said


def test_programs_get_of_which_images_a_value_is(extracted, folders):
    (folders / "far" / NAMES[5]).unlink()
    evaluate("near", "far", metrics=("psnr", "fid"))
    facts = ["fid_n", "fid_reference_set", "fid_reference_n"]
    expected = {
        "near": [6, "references of the outputs", 6],
        "far": [5, "references of the outputs", 5],
    }
    command("leaderboard", "-o", "board.csv")
    board = pd.read_csv("board.csv").set_index("method")
    assert {name: board.loc[name, facts].tolist() for name in board.index} == expected
    assert "psnr_n" not in board
    command("leaderboard", "-o", "board.json")
    rows = {row["method"]: row for row in json.loads(Path("board.json").read_text())}
    assert {name: [row[fact] for fact in facts] for name, row in rows.items()} == expected


def test_a_value_that_is_gone_is_of_no_images(extracted, folders, capsys):
    evaluate("near", "far", metrics=("psnr", "fid"))
    shutil.copy("far/3.png", "near/3.png")
    iqbench.evaluate(methods=["near"], reference="ref", metrics=["psnr"])
    capsys.readouterr()
    command("leaderboard", "--format", "csv")
    board = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index("method")
    assert board["fid_n"].isna().to_dict() == {"near": True, "far": False}


@pytest.mark.parametrize("sort", [(), ("--sort", "fid")])
def test_pairs_show_nothing_of_sets(extracted, folders, capsys, sort):
    evaluate("near", "far", metrics=("psnr", "fid"))
    command("leaderboard", "--pairs", *sort)
    said = capsys.readouterr().out
    assert "fid: - (one value per method: no images to win)" in said
    (row,) = [line.split() for line in said.splitlines() if line.split()[:2] == ["near", "far"]]
    assert row[2:5] == ["6", "0", "0"]
    assert row[-1] == "-"
    command("leaderboard", "--pairs", *sort, "--format", "json")
    (pair,) = json.loads(capsys.readouterr().out)
    assert (pair["metric"], pair["wins"], pair["fid"]) == ("psnr", 6, None)


def test_pairs_are_ordered_by_the_column_in_which_they_are_compared(extracted, folders):
    evaluate("near", "far", metrics=("psnr", "fid"))
    scores = load_scores("results")
    whole = load_scores("results", scope="set").sort_values("method", ascending=False)
    board = Board.of(
        scores,
        load_images("results"),
        load_columns("results"),
        BoardOptions(sort="fid"),
        sets=whole.assign(value=[2.0, 1.0]),
    )
    assert board.datasets[0].ranked() == ["far", "near"]
    (pair,) = board.pairs().to_dict("records")
    assert (pair["method"], pair["other"], pair["wins"]) == ("near", "far", 6)


def test_sets_have_no_part_in_agreement_with_people(extracted, folders, capsys):
    evaluate("near", "far", metrics=("psnr", "fid"))
    rows = [
        f"{number},{method},{place + number / 10}"
        for place, method in enumerate(("far", "near"))
        for number in range(6)
    ]
    Path("mos.csv").write_text("\n".join(["image,method,mos", *rows]))
    command("correlate", "--mos", "mos.csv", "--resamples", "0")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    (fid,) = [line for line in lines if line[:1] == ["fid"]]
    assert set(fid[1:]) == {"-"}
    assert any(line[:2] == ["psnr", "12"] for line in lines)
