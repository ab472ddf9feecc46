"""`iqbench site`: its files, their names, the history, and existing folders."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_pages import HOSTILE, score_method
from pydantic import ValidationError

from iqbench.boards.board import read_board
from iqbench.errors import IqbenchError
from iqbench.site import write_folder
from iqbench.site.build import SiteOptions, build_site
from iqbench.site.method_facts import MethodFacts, read_method_facts
from iqbench.site.page_names import anchor_of, file_names, plain_name
from iqbench.site.write_folder import write_site_files


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything that a folder holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def results(tmp_path) -> Path:
    """Two datasets with two methods each."""
    for dataset in ("Set5", "Set14"):
        for quality, method in enumerate(("bicubic", "edsr")):
            score_method(tmp_path / "results", dataset, method, quality)
    return tmp_path / "results"


@pytest.fixture
def site(tmp_path) -> Path:
    return tmp_path / "public"


class TestFiles:
    """What a build writes."""

    def test_there_is_an_index_a_page_a_dataset_and_every_download(self, results, site):
        built = build_site(results, site)
        kinds = ("csv", "json", "parquet")
        assert set(files_of(site)) == {
            *("index.html", "history.html", "site.json", "versions/1.csv"),
            *("datasets/set5.html", "datasets/set14.html"),
            *(f"downloads/leaderboard.{kind}" for kind in kinds),
            *(f"downloads/dataset-{name}.{kind}" for name in ("set5", "set14") for kind in kinds),
        }
        assert built.files == len(files_of(site))
        assert built.size == sum(map(len, files_of(site).values()))

    def test_downloads_hold_the_leaderboard_in_full(self, results, site):
        build_site(results, site)
        board = read_board(results, {}, shown="all").table.frame
        board = board.dropna(axis="columns", how="all").reset_index(drop=True)
        downloads = site / "downloads"
        parquet = pd.read_parquet(downloads / "leaderboard.parquet")
        pd.testing.assert_frame_equal(parquet, board, check_dtype=False)
        table = pd.read_csv(downloads / "leaderboard.csv", dtype=str)
        assert table["psnr"].map(float).tolist() == board["psnr"].tolist()
        rows = json.loads((downloads / "leaderboard.json").read_text("utf-8"))
        assert [row["psnr_low"] for row in rows] == board["psnr_low"].tolist()
        own = pd.read_csv(downloads / "dataset-set5.csv")
        assert set(own["dataset"]) == {"Set5"}

    def test_names_that_a_spreadsheet_would_run_are_quoted_in_csv_alone(self, results, site):
        name = "=HYPERLINK(1)"
        score_method(results, "Set5", name, 3)
        build_site(results, site)
        downloads = site / "downloads"
        assert f"'{name}" in set(pd.read_csv(downloads / "leaderboard.csv")["method"])
        assert name in set(pd.read_parquet(downloads / "leaderboard.parquet")["method"])

    def test_pages_ask_for_nothing_and_lead_to_files_that_are_there(self, results, site):
        (results / "methods.yaml").write_text(
            "edsr:\n  paper: https://arxiv.org/abs/1707.02921\n", encoding="utf-8"
        )
        build_site(results, site)
        for page in site.rglob("*.html"):
            html = page.read_text(encoding="utf-8")
            assert "default-src 'none'" in html
            assert not re.findall(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(?!data:)', html)
            links = re.findall(r'<a [^>]*href="([^"]+)"', html)
            assert len(links) > 3
            for link in links:
                parts = urlsplit(link)
                if parts.scheme:
                    assert link == "https://arxiv.org/abs/1707.02921"
                    continue
                target = (page.parent / parts.path).resolve() if parts.path else page
                assert target.is_file(), (page, link)
                assert target.is_relative_to(site.resolve())
                if parts.fragment:
                    assert f'id="{parts.fragment}"' in target.read_text(encoding="utf-8")

    def test_names_do_no_harm(self, tmp_path, site):
        for quality, method in enumerate(HOSTILE):
            score_method(tmp_path / "results", '<b onclick="harm()">', method, quality)
        build_site(tmp_path / "results", site, options=SiteOptions(title="</title><script>1"))
        assert all(re.fullmatch(r"[a-z0-9./_-]+", name) for name in files_of(site))
        pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
        assert len(pages) == 3
        for html in pages:
            assert "<b onclick" not in html
            assert "<img src=x" not in html
            assert html.count("<script") == html.count("</script>") == 2
            assert "&lt;/title&gt;&lt;script&gt;1" in html

    def test_a_folder_without_scores_is_refused(self, tmp_path, site):
        with pytest.raises(IqbenchError, match="nowhere"):
            build_site(tmp_path / "nowhere", site)
        assert not site.exists()


class TestNames:
    """Addresses stay."""

    @given(st.lists(st.text(), unique=True, max_size=20))
    def test_no_two_datasets_share_a_file_on_any_file_system(self, names):
        found = file_names(names, {})
        assert len({file.lower() for file in found.values()}) == len(names)
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", file) for file in found.values())

    @given(st.text(), st.text())
    def test_only_names_that_differ_in_case_alone_are_spelt_alike(self, one, other):
        if plain_name(one) == plain_name(other):
            assert one.lower() == other.lower()

    def test_names_read_well(self):
        assert plain_name("Set5") == "set5"
        assert plain_name("DIV2K.val_x4") == "div2k.val_x4"
        assert re.fullmatch(r"gopro__blur_-[0-9a-f]{10}", plain_name("GoPro (blur)"))
        assert re.fullmatch(r"name-[0-9a-f]{10}", plain_name("数据"))
        assert anchor_of("edsr") == "method-edsr"

    def test_names_stay_whatever_comes_later(self):
        first = file_names(["set5"], {})
        assert first == {"set5": "set5"}
        second = file_names(["Set5", "set5", "A"], first)
        assert second["set5"] == "set5"
        assert re.fullmatch(r"set5-[0-9a-f]{10}", second["Set5"])
        assert file_names(["Set5"], second) == second  # also of those that are gone

    def test_a_dataset_that_is_gone_keeps_its_page(self, results, site):
        build_site(results, site)
        build_site(results, site, {"dataset": ("Set14",)})
        html = (site / "datasets" / "set5.html").read_text(encoding="utf-8")
        assert "no longer part of the leaderboard" in html
        assert "<table" not in html
        assert not (site / "downloads" / "dataset-set5.csv").exists()
        build_site(results, site)
        assert "<table" in (site / "datasets" / "set5.html").read_text(encoding="utf-8")


class TestHistory:
    """Each build adds an entry."""

    def test_it_says_what_has_changed(self, results, site):
        said = []

        def build(**options) -> None:
            said.append(build_site(results, site, options=SiteOptions(**options)).version.changes)

        build()
        build(note="Again <b>")
        score_method(results, "Set5", "swinir", 3)
        build()
        score_method(results, "Set5", "edsr", 2)
        score_method(results, "Urban100", "edsr", 1)
        build()
        (results / "methods.yaml").write_text("edsr: {date: 2017-07-10}\n", encoding="utf-8")
        build()
        assert said == [
            ["first version"],
            ["nothing"],
            ["swinir is new on Set5"],
            ["new dataset Urban100", "edsr has other values on Set5"],
            ["date or links of edsr changed"],
        ]
        record = json.loads((site / "site.json").read_text("utf-8"))
        tables = [version["table"] for version in record["versions"]]
        assert tables == [f"versions/{number}.csv" for number in (1, 1, 3, 4, 5)]
        assert [version["number"] for version in record["versions"]] == [1, 2, 3, 4, 5]
        html = (site / "history.html").read_text(encoding="utf-8")
        for text in ("swinir is new on Set5", "Again &lt;b&gt;; nothing", "versions/3.csv"):
            assert text in html
        old = pd.read_csv(site / "versions" / "1.csv")
        assert set(old["method"]) == {"bicubic", "edsr"}

    def test_removed_methods_are_reported(self, results, site):
        score_method(results, "Set5", "=swinir", 3)
        build_site(results, site)
        built = build_site(results, site, {"method": ("bicubic", "edsr"), "metric": ("psnr",)})
        assert built.version.changes == [
            "column ssim is gone",
            "column lpips-alex is gone",
            "=swinir is gone from Set5",
        ]

    def test_a_table_that_somebody_deleted_is_not_linked(self, results, site):
        build_site(results, site)
        (site / "versions" / "1.csv").unlink()
        built = build_site(results, site)
        assert built.version.changes == [
            "what has changed is not known: the table of the version before is gone"
        ]
        assert "versions/1.csv" not in (site / "history.html").read_text(encoding="utf-8")
        assert built.version.table == "versions/2.csv"

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("files", ["../results/methods.yaml"]),
            ("files", ["/etc/passwd"]),
            ("files", ["datasets/../../x"]),
            ("pages", {"Set5": "../x"}),
            ("format", 2),
            ("title", None),
            ("more", 1),
        ],
    )
    def test_a_record_that_was_forged_is_refused_and_nothing_is_touched(
        self, results, site, key, value
    ):
        build_site(results, site)
        record = site / "site.json"
        record.write_text(json.dumps(json.loads(record.read_text("utf-8")) | {key: value}))
        before = files_of(site)
        with pytest.raises(
            IqbenchError, match=r"site\.json is not what iqbench site writes: "
        ) as told:
            build_site(results, site)
        assert "empty folder" in told.value.hint
        assert files_of(site) == before


class TestFolder:
    """The folder is written whole or not at all, and nobody else's files are touched."""

    def test_other_files_stay(self, results, site):
        (site / ".git").mkdir(parents=True)
        (site / ".git" / "HEAD").write_text("ref")
        (site / "CNAME").write_text("example.org")
        for _ in range(2):
            build_site(results, site)
        assert (site / ".git" / "HEAD").read_text() == "ref"
        assert (site / "CNAME").read_text() == "example.org"
        assert [path.name for path in site.iterdir() if "iqbench" in path.name] == []

    @pytest.mark.parametrize("name", ["index.html", "site.json", "datasets/set5.html", "downloads"])
    def test_a_file_of_somebody_else_is_not_replaced(self, results, site, name):
        (site / name).parent.mkdir(parents=True)
        (site / name).write_text("mine")
        with pytest.raises(IqbenchError):
            build_site(results, site)
        assert files_of(site) == {name: b"mine"}

    def test_nothing_is_written_through_a_link(self, results, site, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        site.mkdir()
        (site / "datasets").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(IqbenchError, match="is not a folder"):
            build_site(results, site)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_where_anything_fails_the_site_is_as_before(self, tmp_path, monkeypatch):
        folder = tmp_path / "public"
        old = {"index.html": b"old", "datasets/gone.html": b"old", "datasets/stays.html": b"old"}
        new = {"index.html": b"new", "datasets/stays.html": b"new", "datasets/more.html": b"new"}
        real, calls, failing = Path.replace, [0], [0]

        def replace(self, target):
            calls[0] += 1
            if calls[0] == failing[0]:
                raise OSError(28, "No space left on device", str(target))
            return real(self, target)

        monkeypatch.setattr(Path, "replace", replace)
        write_site_files(folder, old, [])
        for failing[0] in range(1, 5):
            calls[0] = 0
            with pytest.raises(IqbenchError, match="No space left on device"):
                write_site_files(folder, new, old)
            assert files_of(folder) == old
        calls[0] = failing[0] = 0
        write_site_files(folder, new, old)
        assert files_of(folder) == new
        assert calls[0] == 4  # each of them was made to fail

    def test_where_the_first_build_fails_no_folder_is_left(self, tmp_path, monkeypatch):
        def full(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(write_folder.os, "fsync", full)
        with pytest.raises(IqbenchError, match="No space left"):
            write_site_files(tmp_path / "new" / "public", {"index.html": b"x"}, [])
        assert not (tmp_path / "new" / "public").exists()

    @pytest.mark.parametrize("at", range(1, 5))
    def test_a_build_that_was_killed_is_undone_by_the_next(self, tmp_path, monkeypatch, at):
        folder = tmp_path / "public"
        old = {"index.html": b"old", "datasets/gone.html": b"old", "datasets/stays.html": b"old"}
        new = {"index.html": b"new", "datasets/stays.html": b"new", "datasets/more.html": b"new"}
        write_site_files(folder, old, [])

        class KilledError(BaseException):
            pass

        real, calls = Path.replace, [0]

        def replace(self, target):
            calls[0] += 1
            if calls[0] == at:
                raise KilledError
            return real(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            # Who is killed cleans nothing up.
            patch.setattr(write_folder, "_put_back", lambda *arguments: None)
            patch.setattr(write_folder.shutil, "rmtree", lambda *arguments, **options: None)
            with pytest.raises(KilledError):
                write_site_files(folder, new, old)
        assert len(list(folder.glob(".iqbench-site-*"))) == 1
        newest = {"index.html": b"newest"}
        write_site_files(folder, newest, old)
        assert files_of(folder) == newest


class TestMethodFacts:
    """methods.yaml, which strangers write."""

    def write(self, tmp_path: Path, text: str) -> Path:
        path = tmp_path / "methods.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def test_it_says_date_paper_and_code(self, tmp_path):
        path = self.write(
            tmp_path,
            "edsr:\n  date: 2017-07-10\n  paper: https://arxiv.org/abs/1707.02921\n"
            "  code: http://github.com/a/b?x=1#readme\nbicubic: {}\n",
        )
        found = read_method_facts(path, ["edsr", "bicubic"])
        assert found["edsr"].texts() == {
            "date": "2017-07-10",
            "paper": "https://arxiv.org/abs/1707.02921",
            "code": "http://github.com/a/b?x=1#readme",
        }
        assert found["bicubic"].texts() == {}
        assert read_method_facts(self.write(tmp_path, ""), []) == {}

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (
                "edsr: {paper: 'javascript:alert(1)'}",
                "key 'paper': an address begins with https://",
            ),
            ("edsr: {code: ' javascript:alert(1)'}", "key 'code': an address has no blanks"),
            ("edsr: {code: 'data:text/html,x'}", "an address begins with https://"),
            ("edsr: {code: '//host/x'}", "an address begins with https://"),
            ("edsr: {code: 'github.com/a/b'}", "an address begins with https://"),
            ("edsr: {code: 'https:///x'}", "the name of a host"),
            ("edsr: {code: 'https://user:secret@host/'}", "no user and no password"),
            ("edsr: {code: 'https://host:99999/'}", "is not an address"),
            ("edsr: {code: 'https://[host/'}", "is not an address"),
            ('edsr: {code: "https://host/\\"onclick=x"}', "no blanks, quotes"),
            ("edsr: {code: 'https://host/<script>'}", "no blanks, quotes, brackets"),
            ("edsr: {code: 7}", "key 'code': "),
            ("edsr: {date: soon}", "key 'date': "),
            ("edsr: {dte: 2017-07-10}", "unknown key 'dte'. Did you mean 'date'?"),
            ("ersd: {date: 2017-07-10}", "unknown method 'ersd'. Did you mean 'edsr'?"),
            ("7: {date: 2017-07-10}", "Put it in quotes: '7'"),
            ("edsr: https://host", "must hold keys with values, not text"),
            ("- edsr", "must hold one block per method, not a list"),
            ("edsr: {date: 2017-13-10}", "not valid YAML"),
        ],
    )
    def test_what_is_wrong_is_said_with_file_method_and_key(self, tmp_path, text, told):
        path = self.write(tmp_path, text)
        with pytest.raises(IqbenchError, match=re.escape(told)) as error:
            read_method_facts(path, ["edsr"])
        assert str(path) in str(error.value)

    @given(st.from_regex(r"\A[a-z]{0,10}:?/{0,2}.{0,30}\Z") | st.text())
    def test_whatever_is_accepted_leads_to_the_web(self, address):
        try:
            found = MethodFacts(code=address).texts().get("code")
        except ValidationError:
            return
        if found is not None:
            assert re.match(r"https?://[^/?#@]+(?:[/?#]|\Z)", found, re.IGNORECASE)
            assert not set(found) & set(' "<>\\\t\n\r`')

    def test_a_wrong_file_leaves_the_site_as_it_was(self, results, site):
        build_site(results, site)
        before = files_of(site)
        self.write(results, "edsr: {code: 'javascript:1'}")
        with pytest.raises(IqbenchError, match=r"methods\.yaml: method 'edsr': key 'code'"):
            build_site(results, site)
        assert files_of(site) == before

    def test_dates_and_links_stand_beside_the_values(self, results, site):
        self.write(results, "edsr: {date: 2017-07-10, code: 'https://host/?a=1&b=2'}")
        build_site(results, site)
        for page in ("index.html", "datasets/set5.html"):
            html = (site / page).read_text(encoding="utf-8")
            assert '<a href="https://host/?a=1&amp;b=2" rel="nofollow noopener">code</a>' in html
            assert "2017-07-10" in html
            assert ">paper<" not in html  # nobody has one


def test_ranks_over_many_datasets_are_drawn_into_the_index(tmp_path, site):
    for dataset in range(5):
        for quality, method in enumerate(("bicubic", "edsr", "swinir")):
            score_method(tmp_path / "results", f"set{dataset}", method, quality)
    build_site(tmp_path / "results", site)
    html = (site / "index.html").read_text(encoding="utf-8")
    image = r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)">'
    ((picture, told),) = re.findall(image, html)
    assert b"swinir" in b64decode(picture)
    assert "critical difference" in told
