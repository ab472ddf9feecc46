"""Methods are removed and renamed completely or not at all, and this is recorded."""

from __future__ import annotations

import json
import os
import shutil

import pandas as pd
import pytest

from iqbench.errors import IqbenchError
from iqbench.results import changes
from iqbench.results.changes import remove_method, rename_method, settle_changes
from iqbench.results.pending import read_changes
from iqbench.results.published import PublishedMean, add_published, read_published
from iqbench.results.read import load_images, load_runs, load_scores
from iqbench.results.verify import verify_results


class KilledError(BaseException):
    """Ends a process, in the place where it is raised."""


@pytest.fixture
def tables(bench):
    """Two methods on two datasets, of which one also has a published mean."""
    for dataset in ("set5", "urban"):
        for method, value in (("edsr", 30.0), ("swinir", 31.0)):
            for image in ("a", "b"):
                bench.score(image, value=value, dataset=dataset, method=method)
    add_published(bench.root, [PublishedMean("set5", "edsr", "psnr", 32.1, "a paper", "rgb")])
    return bench


def shown(bench):
    """(dataset, method) of the scores, of the images and of the published means."""
    scores = load_scores(bench.root)
    images = load_images(bench.root)
    return [
        set(zip(scores["dataset"], scores["method"], strict=True)),
        set(zip(images["dataset"], images["method"], strict=True)),
        {(mean.dataset, mean.method) for mean in read_published(bench.root)},
    ]


EVERY = {(dataset, method) for dataset in ("set5", "urban") for method in ("edsr", "swinir")}
REST = {("set5", "swinir"), ("urban", "swinir")}
RENAMED = REST | {("set5", "new"), ("urban", "new")}


class TestRemove:
    def test_nothing_of_it_is_left(self, tables):
        change = remove_method(tables.root, "edsr")
        assert shown(tables) == [REST, REST, set()]
        assert (change.images, change.scores) == (4, 4)
        names = {path.name for path in tables.root.rglob("*") if "edsr" in path.name}
        assert names == set()
        assert not any(one.bad for one in verify_results(tables.root))

    def test_on_one_dataset(self, tables):
        remove_method(tables.root, "edsr", ["urban"])
        kept = EVERY - {("urban", "edsr")}
        assert shown(tables) == [kept, kept, {("set5", "edsr")}]

    def test_a_method_that_only_papers_print(self, bench):
        mean = PublishedMean("set5", "edsr", "psnr", 32.1, "a paper", "rgb")
        add_published(bench.root, [mean])
        remove_method(bench.root, "edsr")
        assert read_published(bench.root) == []

    def test_it_can_be_scored_again(self, tables):
        remove_method(tables.root, "edsr")
        tables.score("a", method="edsr", value=29.0)
        assert load_scores(tables.root, filters={"method": "edsr"})["value"].tolist() == [29.0]

    def test_unknown_names_are_refused_with_the_nearest(self, tables):
        with pytest.raises(IqbenchError, match="edsr") as caught:
            remove_method(tables.root, "edsrr")
        assert "edsr" in str(caught.value)
        with pytest.raises(IqbenchError, match="set6"):
            remove_method(tables.root, "edsr", ["set6"])
        assert shown(tables)[0] == EVERY


class TestRename:
    def test_all_of_it_has_the_new_name(self, tables):
        before = load_scores(tables.root).astype(object).replace({"method": {"edsr": "new"}})
        runs = load_runs(tables.root)
        images = load_images(tables.root).set_index(["dataset", "image", "method"])["written"]
        rename_method(tables.root, "edsr", "new")
        assert shown(tables) == [RENAMED, RENAMED, {("set5", "new")}]
        after = load_scores(tables.root).astype(object)
        order = ["dataset", "method", "image"]
        before = before.sort_values(order, ignore_index=True)
        pd.testing.assert_frame_equal(after.sort_values(order, ignore_index=True), before)
        assert load_runs(tables.root) == runs
        moved = load_images(tables.root).set_index(["dataset", "image", "method"])["written"]
        assert moved["set5", "a", "new"] == images["set5", "a", "edsr"]
        assert not any(one.bad for one in verify_results(tables.root))

    def test_on_one_dataset(self, tables):
        rename_method(tables.root, "edsr", "new", ["set5"])
        assert shown(tables)[0] == REST | {("set5", "new"), ("urban", "edsr")}

    def test_the_case_of_a_letter(self, tables):
        rename_method(tables.root, "edsr", "EDSR")
        assert ("set5", "EDSR") in shown(tables)[0]

    @pytest.mark.parametrize("new", ["swinir", "edsr", "", " "])
    def test_a_name_that_is_taken_or_none_is_refused(self, tables, new):
        with pytest.raises(IqbenchError):
            rename_method(tables.root, "edsr", new)
        assert shown(tables) == [EVERY, EVERY, {("set5", "edsr")}]

    def test_a_name_of_a_published_row_is_taken(self, tables):
        add_published(tables.root, [PublishedMean("urban", "new", "psnr", 1.0, "a paper")])
        with pytest.raises(IqbenchError, match="has a method 'new' on urban already"):
            rename_method(tables.root, "edsr", "new")


class TestKilled:
    """Wherever the process dies, readers see all of a change or nothing; the next one ends it."""

    def steps(self, monkeypatch, at):
        """Die when the ``at``-th step on files is about to be done."""
        left = [at]

        def counted(function):
            def step(*arguments, **options):
                left[0] -= 1
                if left[0] < 0:
                    raise KilledError
                return function(*arguments, **options)

            return step

        for name in ("_write_renamed", "_delete", "replace_file", "write_published"):
            monkeypatch.setattr(changes, name, counted(getattr(changes, name)))
        monkeypatch.setattr(changes, "_undo", lambda *arguments: None)  # nobody is left to do it

    @pytest.mark.parametrize("at", range(14))
    @pytest.mark.parametrize("what", ["remove", "rename"])
    def test_at_any_step(self, tables, monkeypatch, what, at):
        act = {
            "remove": lambda: remove_method(tables.root, "edsr"),
            "rename": lambda: rename_method(tables.root, "edsr", "new"),
        }[what]
        done = [REST, REST, set()] if what == "remove" else [RENAMED, RENAMED, {("set5", "new")}]
        before = [EVERY, EVERY, {("set5", "edsr")}]
        with monkeypatch.context() as patch:
            self.steps(patch, at)
            patch.setattr(os, "getpid", lambda: 2**22 + 1)  # of a process that is dead
            try:
                act()
            except KilledError:
                pass
            else:
                assert at > 6
        now = shown(tables)
        assert now in (before, done)
        settle_changes(tables.root)
        assert shown(tables) == now
        assert len(read_changes(tables.root)) == (now == done)
        assert not list(tables.root.glob("changes/*.p*"))
        if now == before:
            act()
            assert shown(tables) == done

    def test_an_error_undoes_a_rename(self, tables, monkeypatch):
        def full(*arguments, **options):
            raise IqbenchError("cannot write: no space left")

        files = sorted(tables.root.rglob("*.parquet"))
        monkeypatch.setattr(changes, "write", full)
        with pytest.raises(IqbenchError, match="no space left"):
            rename_method(tables.root, "edsr", "new")
        assert sorted(tables.root.rglob("*.parquet")) == files
        assert read_changes(tables.root) == []

    def test_a_live_process_is_waited_for(self, tables, monkeypatch):
        def dies(*arguments):
            raise KilledError

        with monkeypatch.context() as patch:
            patch.setattr(changes, "_write_renamed", dies)
            patch.setattr(changes, "_undo", lambda *arguments: None)
            with pytest.raises(KilledError):
                rename_method(tables.root, "edsr", "new")
        with pytest.raises(IqbenchError, match=f"by process {os.getpid()} on "):
            tables.score("c")


class TestRecord:
    def test_the_result_says_what_was_done(self, tables):
        remove_method(tables.root, "edsr", ["urban"])
        rename_method(tables.root, "edsr", "new")
        first, second = read_changes(tables.root)
        assert first.sentence == "method 'edsr' was removed on urban: 2 images, 2 values"
        assert second.sentence == "method 'edsr' was renamed to 'new' on set5: 2 images, 2 values"

    def test_a_damaged_one_is_named(self, tables):
        remove_method(tables.root, "edsr")
        (file,) = tables.root.glob("changes/*.json")
        file.write_text("{")
        with pytest.raises(IqbenchError, match="record of a change"):
            read_changes(tables.root)

    @pytest.mark.parametrize(
        "name",
        [
            *("../../x/y", "/etc/passwd/a/b", "a/b", "scores/set5/edsr/.."),
            *("scores/set5/swinir/x.parquet", "changes/set5/edsr/x.parquet", ""),
        ],
    )
    def test_an_untrusted_record_deletes_no_other_files(self, tables, name):
        remove_method(tables.root, "edsr")
        (file,) = tables.root.glob("changes/*.json")
        content = json.loads(file.read_text()) | {"parts": [name]}
        file.with_suffix(".pending").write_text(json.dumps(content))
        victim = tables.root / "a" / "b"
        victim.mkdir(parents=True)
        with pytest.raises(IqbenchError, match="is not part of that method"):
            settle_changes(tables.root)
        assert victim.is_dir()

    def test_a_copied_folder_has_it_too(self, tables, tmp_path):
        remove_method(tables.root, "edsr")
        shutil.copytree(tables.root, tmp_path / "copy")
        assert len(read_changes(tmp_path / "copy")) == 1
