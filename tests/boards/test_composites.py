"""Composite scores: formulas over means, with intervals, ranks and ties of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.boards.board import read_board
from iqbench.boards.composites import composite_ties, presets, read_composites
from iqbench.boards.formula import Formula
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.results.schema import ColumnInfo

VALUES = {
    "a": np.array([2.0, 3.0, 5.0]),
    "b": np.array([4.0, 0.5, 1.0]),
}


def computed(text, values=VALUES):
    formula = Formula.of(text, "x")
    return formula.evaluate(values.__getitem__, lambda name: np.argsort(np.argsort(values[name])))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a' + 'b'", [6, 3.5, 6]),
        ("-'a' * 2 - 1", [-5, -7, -11]),
        ("('a' + 1) ** 2 / 'b'", [9 / 4, 32, 36]),
        ("max(0, 'b' - 1)", [3, 0, 0]),
        ("min('a', 'b', 2)", [2, 0.5, 1]),
        ("log10('a' * 10)", np.log10([20.0, 30, 50])),
        ("log(exp('a'))", [2, 3, 5]),
        ("sqrt(abs(-'b'))", [2, 0.5**0.5, 1]),
        ("rank('b')", [2, 0, 1]),
        ('+"a"\n  + 0', [2, 3, 5]),
        ("'a' ** -1", [1 / 2, 1 / 3, 1 / 5]),
    ],
)
def test_a_formula_is_arithmetic_over_columns(text, expected):
    np.testing.assert_allclose(computed(text), expected)


def test_undefined_results_are_nan_or_infinite_and_stop_nothing():
    found = computed("log('a' - 3)")
    assert np.isnan(found[0])
    assert found[1] == -np.inf


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a + 1", "a in the formula of x is not in quotes. Write 'a'"),
        ("1 + 2", "the formula of x names no column"),
        ("'a' +", "the formula of x is not valid"),
        ("", "the formula of x is not valid"),
        ("'' + 1", "a name in the formula of x is empty"),
        ("open('a')", "unknown function in the formula of x 'open'"),
        ("rank('a' + 'b')", "rank in the formula of x takes one quoted column"),
        ("rank(3) + 'a'", "rank in the formula of x takes one quoted column"),
        ("sqrt('a', 'b')", "sqrt in the formula of x takes one value"),
        ("max('a')", "max in the formula of x takes two values or more"),
        ("max('a', key='b')", "max('a', key='b') is not allowed in the formula of x"),
        ("'a'.upper()", "'a'.upper() is not allowed in the formula of x"),
        ("'a'[0]", "'a'[0] is not allowed in the formula of x"),
        ("'a' if 'b' else 1", "is not allowed in the formula of x"),
        ("[x for x in 'a']", "is not allowed in the formula of x"),
        ("(lambda: 'a')()", "is not allowed in the formula of x"),
        ("f'{1}' + 'a'", "is not allowed in the formula of x"),
        ("'a' + True", "True is not allowed in the formula of x"),
        ("'a' + 1j", "1j is not allowed in the formula of x"),
        ("'a' + 1e999", "is not allowed in the formula of x"),
        ("'a' // 2", "is not allowed in the formula of x"),
        ("'a' < 'b'", "is not allowed in the formula of x"),
        ("'a' and 'b'", "is not allowed in the formula of x"),
        ("'a'; 'b'", "the formula of x is not valid"),
        ("x := 'a'", "the formula of x is not valid"),
        (b"'a'".decode() + " + b'c'", "is not allowed in the formula of x"),
        ("-" * 100 + "'a'", "the formula of x is nested too deeply"),
        ("(" * 3000 + "'a'" + ")" * 3000, "the formula of x"),
        ("'a' + " * 2000 + "'a'", "the formula of x has more than 4000 characters"),
    ],
)
def test_what_is_not_in_the_grammar_is_refused(text, message):
    with pytest.raises(IqbenchError) as caught:
        Formula.of(text, "x")
    assert message in str(caught.value)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_give_a_formula_or_a_sentence(text):
    try:
        formula = Formula.of(text, "x")
    except IqbenchError:
        return
    values = dict.fromkeys(formula.columns, np.array([1.0, 2.0]))
    formula.evaluate(values.__getitem__, values.__getitem__)


def test_definitions_come_from_options_presets_and_files(tmp_path):
    file = tmp_path / "scores.txt"
    file.write_text(
        "# mine\n\nmix = 'psnr' / 50\n  + 'ssim'  # of both\nr (lower) = rank('psnr')\n"
    )
    found = read_composites([str(file), "ntire-infrared", "one = 'a' + 'b'"])
    assert [one.name for one in found] == ["mix", "r", "ntire-infrared", "one"]
    assert [one.direction for one in found] == ["higher", "lower", "higher", "higher"]
    assert found[0].formula.columns == ("psnr", "ssim")
    assert found[2] == presets()["ntire-infrared"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ntire-infrard", "unknown composite score 'ntire-infrard'. Did you mean 'ntire-infrared'"),
        ("missing.txt", "there is no file missing.txt of composite scores"),
        ("= 'a'", "--composite defines no composite score"),
        ("a b = 'a'", "--composite defines no composite score"),
        ("x (upper) = 'a'", "x in --composite: no such direction 'upper'"),
    ],
)
def test_invalid_definitions_are_refused(text, message):
    with pytest.raises(IqbenchError) as caught:
        read_composites([text])
    assert str(caught.value).startswith(message)


def test_a_file_is_blamed_by_its_line(tmp_path):
    file = tmp_path / "scores.txt"
    file.write_text("a = 'psnr'\n\nb = psnr\n")
    with pytest.raises(IqbenchError, match=r"psnr in the formula of 'b' in .*scores\.txt, line 3"):
        read_composites([str(file)])
    with pytest.raises(IqbenchError, match="two composite scores are called 'a'"):
        read_composites(["a = 'psnr'", "a = 'ssim'"])


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (  # the terms of the README, by hand
            "ntire-perceptual",
            {"lpips-alex": 0.2, "dists": 0.1, "clip": 0.6, "man": 0.4, "musiq": 65, "niqe": 12},
            0.8 + 0.9 + 0.6 + 0.4 + 0.65 + 0,
        ),
        ("ntire-infrared", {"psnr": 30, "ssim": 0.9}, 48),
        (
            "ntire-face",
            {"clip": 0.7, "man": 0.5, "musiq": 70, "qalign": 4, "niqe": 5, "fid": 45},
            0.7 + 0.5 + 0.7 + 0.8 + 0.5 + 0.55,
        ),
    ],
)
def test_presets_are_the_formulas_of_their_sources(name, values, expected):
    def value(text):
        (found,) = {number for key, number in values.items() if key in text}
        return np.array([float(found)])

    found = presets()[name].formula.evaluate(value, value)
    assert found == pytest.approx([expected])
    assert presets()[name].source


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Three methods, the last of which lacks an image."""
    from made_folders import Made

    made = Made(tmp_path_factory.mktemp("composites"))
    images = [f"i{number}" for number in range(12)]
    made.references(images)
    made.method("near", images, amount=3)
    made.method("middle", images, amount=7)
    made.method("part", images[1:], amount=5)
    made.evaluate(metrics=("psnr", "ssim", "tv"))
    return made.results


def read(results, *texts, **choice):
    found = read_board(results, {}, composites=read_composites(texts), **choice)
    return found.table.frame.set_index("method")


def test_a_score_is_of_means_and_ranks_complete_methods(results):
    board = read(results, "mix = 'psnr' / 50 + 'ssim'", sort="mix")
    np.testing.assert_allclose(board["mix"], board["psnr"] / 50 + board["ssim"])
    assert board["rank"].fillna(0).to_dict() == {"near": 1, "middle": 2, "part": 0}
    assert set(board["ranked_by"]) == {"mix"}
    assert (board["mix_low"] < board["mix"]).all()
    assert (board["mix_high"] > board["mix"]).all()
    assert board.loc["middle", "p_vs_best"] < 0.05
    assert set(board["tie"]) == {""}


def test_ranks_are_those_among_complete_methods_on_every_resample(results):
    board = read(results, "r (lower) = rank('psnr') + rank('ssim')", sort="r")
    assert board["r"].dropna().to_dict() == {"near": 2.0, "middle": 4.0}
    assert board.loc["near", ["rank_low", "rank_high"]].tolist() == [1, 1]


def test_a_score_may_name_another(results):
    board = read(results, "one = 'psnr' * 2", "two = 'one' + 1")
    np.testing.assert_allclose(board["two"], 2 * board["psnr"] + 1)


def test_the_first_alternative_that_is_there_counts(results):
    board = read(results, "x = 'lpips-alex|psnr' + 0 * 'ssim|psnr'")
    np.testing.assert_allclose(board["x"], board["psnr"])


def test_columns_of_a_score_are_shown(results):
    board = read(results, "x = 'tv-iso-output'", shown=["psnr", "x"])
    assert {"psnr", "x", "tv-iso-output"} <= set(board.columns)
    assert "ssim" not in board.columns


def test_a_rank_needs_a_direction(results):
    with pytest.raises(IqbenchError, match=r"rank\('tv-iso-output'\) of x: .* has no direction"):
        read(results, "x = rank('tv-iso-output')")


def test_an_unknown_column_is_named(results):
    with (
        pytest.warns(IqbenchWarning, match="x is not shown on 'hr', which has no psnt"),
        pytest.raises(IqbenchError, match=r"unknown metric of a composite score 'psnt'\. Did you"),
    ):
        read(results, "x = 'psnt'")


def test_methods_that_resamples_do_not_tell_apart_tie():
    generator = np.random.default_rng(0)
    best = generator.normal(3, 1, 2000)
    samples = np.stack([best, best + generator.normal(-0.1, 1, 2000), best - 2], axis=1)
    found = composite_ties(samples, ColumnInfo("higher"))
    assert found.letters == ["a", "a", ""]
    assert found.p_values[1] > 0.5
    assert found.p_values[2] == pytest.approx(2 * 2 / 2001)  # Holm's correction of two tests
    swapped = composite_ties(-samples, ColumnInfo("lower"))
    pd.testing.assert_series_equal(pd.Series(swapped.p_values), pd.Series(found.p_values))
