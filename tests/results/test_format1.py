"""Tables of the first release can always be read; `format1/` is such a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tiny_images import IMAGES, METHODS, write_tiny_images

import iqbench
from iqbench.api import Evaluation, run_evaluation
from iqbench.cli.main import cli
from iqbench.errors import IqbenchError
from iqbench.results.part_file import encode, open_part, part_name
from iqbench.results.parts import TableParts, list_parts, merge
from iqbench.results.read import load_columns, load_images, load_scores
from iqbench.results.schema import FORMAT, SCHEMAS

WRITTEN = Path(__file__).with_name("format1")
METRICS = ("psnr", "ssim", "tv", "gmsd")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The images again, and beside them what the first release wrote of them."""
    write_tiny_images(tmp_path)
    shutil.copytree(WRITTEN, tmp_path / "results")
    return tmp_path


def evaluate(folder: Path, metrics: tuple[str, ...] = METRICS, **options: object):
    """Do again what was done then."""
    given = {"methods_in": folder / "out", "reference": folder / "hr", "dataset_name": "tiny"}
    return run_evaluation(
        Evaluation(
            **{**given, **options},
            metrics=metrics,
            results=folder / "results",
            device="cpu",
            workers=2,
        )
    )


def files(folder: Path) -> dict[Path, bytes]:
    """Every file of the tables."""
    return {path: path.read_bytes() for path in (folder / "results").rglob("*.parquet")}


def formats(folder: Path) -> dict[str, set[int]]:
    """By dataset the formats of its parts of scores."""
    found: dict[str, set[int]] = {}
    for path in (folder / "results" / "scores").rglob("*.parquet"):
        with open_part(path, "scores") as (_, footer):
            found.setdefault(footer.dataset, set()).add(footer.format)
    return found


def test_its_parts_are_of_format_1(folder):
    assert formats(folder) == {"tiny": {1}, "rated": {1}}


def test_all_values_are_read(folder):
    scores = load_scores(folder / "results")
    assert list(scores.columns) == [
        *("dataset", "method", "image", "metric", "value", "error", "signature", "protocol")
    ]
    assert (
        scores["value"].notna().groupby(scores["dataset"], observed=True).sum() == [77, 91]
    ).all()
    psnr = scores.query("dataset == 'rated' and metric == 'psnr' and method == 'sharp'")["value"]
    assert psnr.round(2).tolist() == [38.13, 38.14, 38.13, 38.12]


def test_columns_say_what_their_footers_lack(folder):
    columns = load_columns(folder / "results")
    roles = {name: info.role for name, info in columns.items()}
    assert roles == {
        **dict.fromkeys(("psnr", "ssim", "gmsd"), "fidelity"),
        **dict.fromkeys((name for name in columns if name.startswith("tv-")), "statistic"),
    }
    assert columns["psnr"].margin is not None
    assert columns["psnr"].margin.value == 0.05
    assert "ITU-T" in columns["psnr"].citation


def test_evaluating_again_computes_nothing_and_leaves_complete_parts_alone(folder):
    before = load_scores(folder / "results")
    # The image without an output is noted again: its rows are not those of ``sharp``.
    scores = {path: data for path, data in files(folder).items() if path.match("scores/*/sharp/*")}
    summary = evaluate(folder)
    assert (summary.scored, summary.current) == (0, 7)
    assert scores
    assert scores.items() <= files(folder).items()
    after = load_scores(folder / "results")
    # The error names the folder, which is another one here.
    assert after.drop(columns="error").equals(before.drop(columns="error"))


def test_a_changed_output_is_scored_again_and_what_is_merged_is_of_the_new_format(folder):
    old = load_scores(folder / "results", filters={"dataset": "tiny", "metric": "psnr"})
    (folder / "out/soft/reed.ppm").write_bytes((folder / "hr/reed.ppm").read_bytes())
    summary = evaluate(folder)
    assert summary.scored == 1
    (warning,) = (text for text in summary.warnings if "format" in text)
    assert f"merged into format {FORMAT}" in warning
    assert "cannot read them any more" in warning
    assert formats(folder) == {"tiny": {1, FORMAT}, "rated": {1}}
    new = load_scores(folder / "results", filters={"dataset": "tiny", "metric": "psnr"})
    rgb = new["protocol"] == "rgb"
    changed = (new["method"] == "soft") & (new["image"] == "reed") & rgb
    assert new.loc[changed, "value"].tolist() == [float("inf")]
    kept = old[(old["image"] != "reed") & (old["protocol"] == "rgb")]["value"]
    assert new[(new["image"] != "reed") & rgb]["value"].dropna().tolist() == kept.dropna().tolist()


def test_another_metric_is_added_beside_the_old_values(folder):
    summary = evaluate(folder, ("psnr", "psnr-b"))
    assert summary.scored == 7
    scores = load_scores(folder / "results", filters={"dataset": "tiny"})
    assert set(scores["metric"]) == {"psnr", "psnr-b", "ssim", "gmsd", *_variation()}
    warnings = [text for text in evaluate(folder, ("psnr", "psnr-b")).warnings if "format" in text]
    assert not warnings  # it is said once


def _variation() -> set[str]:
    forms = {f"tv-{form}-{side}" for form in ("aniso", "iso", "sq") for side in ("output",)}
    return {
        *forms,
        *(name.replace("output", "reference") for name in forms),
        *("tv-ratio", "tv-residual"),
    }


@pytest.mark.parametrize(
    "command",
    [
        ["leaderboard", "{results}"],
        ["correlate", "{results}", "--columns", "all"],
        ["report", "{results}", "-o", "{root}/report.html"],
        ["check", "{results}", "--baseline", "{old}"],
        ["compare", "sharp", "soft", "--results", "{results}"],
        ["compare", "{old}", "{results}"],
        ["export", "{results}", "-o", "{root}/scores.csv"],
        ["results", "verify", "{results}"],
    ],
    ids=lambda command: " ".join(command[:1]),
)
def test_every_command_reads_it(folder, monkeypatch, command):
    monkeypatch.chdir(folder)
    names = {"results": folder / "results", "root": folder, "old": WRITTEN}
    result = CliRunner().invoke(cli, [word.format(**names) for word in command])
    assert result.exit_code == 0, result.output


def test_a_check_of_the_new_format_against_it_is_the_same(folder):
    evaluate(folder, (*METRICS, "psnr-b"))
    rows = iqbench.check(folder / "results", baseline=WRITTEN).rows
    assert set(rows["verdict"]) == {"same"}


class TestOtherReleases:
    """What parts of this format may hold that this release does not know, and may lack."""

    @pytest.fixture
    def part(self, folder: Path) -> Path:
        (part,) = list_parts(folder / "results/scores/tiny/sharp")
        return part

    def rewrite(self, part: Path, table: pa.Table, **footer: object) -> Path:
        """Put another table in the place of a part, as another release would write it."""
        from dataclasses import replace

        with open_part(part, "scores") as (_, known):
            content = encode(table, replace(known, **{"format": FORMAT, **footer}))
        name = part.with_name(part_name(int(part.name.partition("-")[0]), content))
        part.unlink()
        name.write_bytes(content)
        return name

    def test_an_unknown_column_is_ignored_and_kept(self, folder, part):
        before = load_scores(folder / "results")
        table = pq.read_table(part)
        table = table.append_column("colour", pa.array(["red"] * table.num_rows))
        table = table.select([*table.column_names[::-1]])
        other = self.rewrite(part, table)
        assert load_scores(folder / "results").equals(before)
        (folder / "out/sharp/reed.ppm").write_bytes((folder / "hr/reed.ppm").read_bytes())
        evaluate(folder)
        assert "colour" in pq.read_schema(other).names
        assert len(list_parts(other.parent)) == 2

    def test_a_column_with_a_default_may_lack(self, part):
        table = TableParts(part.parent, "scores").rows(["image", "scope", "group"])
        assert table.schema.names == ["image", "scope", "group"]
        assert set(table.column("scope").to_pylist()) == {"image"}
        assert set(table.column("group").to_pylist()) == {None}
        table = TableParts(part.parent, "scores").rows(["scope"])
        assert table.num_rows == pq.read_metadata(part).num_rows

    @pytest.mark.parametrize("column", ["value", "pair", "signature", "image"])
    def test_no_other_column_may_lack(self, folder, part, column):
        self.rewrite(part, pq.read_table(part).drop_columns([column]))
        with pytest.raises(IqbenchError, match="written by another version"):
            load_scores(folder / "results")

    def test_a_later_format_is_refused(self, folder, part):
        self.rewrite(part, pq.read_table(part), format=FORMAT + 1)
        with pytest.raises(IqbenchError, match="written by another version"):
            load_scores(folder / "results")

    def test_values_of_groups_are_no_values_of_images_and_stay(self, folder, part):
        before = load_scores(folder / "results")
        table = TableParts(part.parent, "scores").rows()
        names = pa.array(["group"] * table.num_rows).dictionary_encode()
        groups = table.set_column(
            table.schema.get_field_index("scope"), SCHEMAS["scores"].field("scope"), names
        )
        self.rewrite(part, pa.concat_tables([table, groups]).unify_dictionaries())
        assert load_scores(folder / "results").equals(before)
        (folder / "out/sharp/reed.ppm").write_bytes((folder / "hr/reed.ppm").read_bytes())
        evaluate(folder)
        table = TableParts(part.parent, "scores").rows(["scope"])
        assert table.column("scope").to_pylist().count("group") == groups.num_rows

    def test_merging_says_whether_it_changed_the_format(self, folder, part):
        assert merge(TableParts(part.parent, "scores")) is False  # one part stays
        shutil.copy(part, part.with_name(part_name(1, part.read_bytes())))
        assert merge(TableParts(part.parent, "scores")) is True
        assert merge(TableParts(part.parent, "scores")) is False


def test_the_images_are_those_that_were_scored(folder):
    images = load_images(folder / "results")
    assert set(images["image"]) >= set(IMAGES)
    assert set(images["method"]) == set(METHODS)
