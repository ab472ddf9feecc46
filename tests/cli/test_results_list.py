"""`iqbench results list | remove | rename | compact`: their messages and their effects."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from iqbench.results.read import load_images, load_scores


@pytest.fixture
def scored(folders):
    folders.evaluate()
    return folders


class NextCentury(datetime):
    """A clock that is far ahead."""

    @classmethod
    def now(cls, tz=None):
        return cls(2100, 1, 1, tzinfo=tz)


class TestList:
    def test_methods_datasets_images_runs_and_size(self, scored, iqbench):
        ran = iqbench("results", "list", "--format", "csv")
        head, one, two = ran.out.splitlines()
        assert head == "method,dataset,images,scored,runs,last,parts,bytes,metrics"
        parts = [path for path in scored.results.rglob("*.parquet") if "one" in path.parts]
        size = sum(path.stat().st_size for path in parts)
        assert one.startswith("one,hr,3,3,1,2")
        assert one.endswith(f",2,{size},psnr")
        assert two.startswith("two,hr,3,3,1,")

    def test_missing_and_new_images(self, scored, iqbench, monkeypatch):
        (scored.root / "out/two/b.png").unlink()
        # Runs are told apart by their second, and these two may begin in the same one.
        monkeypatch.setattr("iqbench.engine.manifest.datetime", NextCentury)
        scored.evaluate(metrics=("psnr", "ssim"))
        rows = {row["method"]: row for row in json.loads(list_json(iqbench))}
        assert (rows["two"]["images"], rows["two"]["scored"]) == (3, 2)
        assert rows["one"]["metrics"] == "psnr ssim"
        assert rows["one"]["runs"] == 2

    @pytest.mark.parametrize("format", ["table", "markdown", "csv", "json", "latex", "html"])
    def test_every_format(self, scored, iqbench, format):
        ran = iqbench("results", "list", "--format", format)
        assert ran.code == 0
        assert "two" in ran.out

    def test_the_suffix_of_a_file_says_the_format(self, scored, iqbench):
        iqbench("results", "list", "-o", "list.json")
        assert len(json.loads((scored.root / "list.json").read_text())) == 2

    def test_filters(self, scored, iqbench):
        rows = json.loads(list_json(iqbench, "--method", "one"))
        assert [row["method"] for row in rows] == ["one"]
        ran = iqbench("results", "list", "--method", "three")
        assert ran.code == 2
        assert "three" in ran.err

    def test_no_results(self, made, iqbench):
        assert iqbench("results", "list", "nowhere").code == 2


def list_json(iqbench, *arguments):
    return iqbench("results", "list", "--format", "json", *arguments).out


class TestRemoveAndRename:
    def test_removed(self, scored, iqbench):
        ran = iqbench("results", "remove", "one")
        assert ran.code == 0
        assert "method 'one' was removed on hr: 3 images, 3 values" in ran.err
        assert set(load_scores(scored.results)["method"]) == {"two"}
        assert "method 'one' was removed on hr" in iqbench("results", "list").out

    def test_renamed(self, scored, iqbench):
        before = load_scores(scored.results)["value"].tolist()
        ran = iqbench("results", "rename", "one", "better")
        assert "method 'one' was renamed to 'better' on hr: 3 images, 3 values" in ran.err
        after = load_scores(scored.results)
        assert set(after["method"]) == {"better", "two"}
        assert after["value"].tolist() == before

    def test_a_renamed_method_is_not_scored_again(self, scored, iqbench):
        iqbench("results", "rename", "one", "better")
        summary = scored.evaluate(f"better={scored.root / 'out/one'}")
        assert (summary.scored, summary.current) == (0, 3)

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (("remove", "on"), "one"),
            (("remove", "one", "--dataset", "hrr"), "hr"),
            (("rename", "one", "two"), "has a method 'two' on hr already"),
            (("rename", "one", "a\nb"), "cannot be used as a name"),
            (("rename", "one", "one"), "is not a new name"),
        ],
    )
    def test_a_refused_change_changes_nothing(self, scored, iqbench, command, said):
        before = scored.files()
        ran = iqbench("results", *command)
        assert ran.code == 2
        assert said in ran.err
        assert scored.files() == before


class TestCompact:
    def test_few_parts_are_left_with_the_same_rows(self, scored, iqbench):
        # Runs that were killed leave a part each; here, all of them at once.
        for kind in ("images", "scores"):
            (part,) = scored.results.glob(f"{kind}/hr/one/*.parquet")
            for number in range(5):
                moment = f"{int(part.name[:20]) + number + 1:020d}"
                (part.parent / (moment + part.name[20:])).write_bytes(part.read_bytes())
        before = load_scores(scored.results), load_images(scored.results)["image"].tolist()
        ran = iqbench("results", "compact")
        assert ran.code == 0
        assert ran.err.startswith("results: 14 parts, ")
        assert " became 4, " in ran.err
        assert len(list(scored.results.rglob("*.parquet"))) == 4
        assert load_scores(scored.results).equals(before[0])
        assert load_images(scored.results)["image"].tolist() == before[1]

    def test_a_compact_folder_stays_as_it_is(self, scored, iqbench):
        before = scored.files()
        assert iqbench("results", "compact").code == 0
        assert scored.files() == before
