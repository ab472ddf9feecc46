"""The script for submissions accepts honest submissions and refuses forged ones."""

from __future__ import annotations

import json
import runpy
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

import iqbench
from iqbench.cli.main import cli
from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.results.part_file import encode, open_part, part_name

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKFLOW = yaml.safe_load((EXAMPLES / "leaderboard_workflow.yml").read_text(encoding="utf-8"))
IMAGES = {"Set5": ("a", "b", "c"), "Set14": ("d", "e")}
OPTIONS = ("--dataset", "Set5", "--dataset", "Set14", "--datasets-file", "datasets.yaml")
NOISE = {"edsr": 9, "swinir": 4}


@pytest.fixture
def script(monkeypatch):
    """Load the script; its iqbench runs in this process, for torch takes seconds to import."""
    names = runpy.run_path(str(EXAMPLES / "leaderboard_submission.py"))

    def run(*arguments):
        ran = CliRunner().invoke(cli, list(map(str, arguments)))
        if isinstance(ran.exception, IqbenchError):
            raise names["Refused"](str(ran.exception))
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        if ran.exit_code:
            raise names["Refused"](ran.output)
        return ran.stdout

    names["main"].callback.__globals__["run"] = run

    def call(*arguments):
        return CliRunner().invoke(names["main"], list(map(str, arguments)), catch_exceptions=False)

    return call


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A leaderboard's repository with references, and two submissions."""
    folder = tmp_path_factory.mktemp("leaderboard")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fill()
    return folder


@pytest.fixture
def leaderboard(template, tmp_path, monkeypatch):
    """Work in a copy of it."""
    shutil.copytree(template, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")


def fill() -> None:
    """Write the datasets, and the submissions."""
    blocks = {}
    for dataset, images in IMAGES.items():
        blocks[dataset] = {
            "task": "denoising",
            "protocol": "rgb",
            "images": len(images),
            "data": {"layout": "folder", "references": f"data/{dataset}"},
        }
        for image in images:
            pixels = np.random.default_rng(ord(image)).integers(20, 230, (24, 32, 3))
            write_png(Path(f"data/{dataset}/{image}.png"), pixels.astype(np.uint8))
    Path("datasets.yaml").write_text(yaml.safe_dump({"root": ".", "datasets": blocks}))
    for method in NOISE:
        submit(method)


def submit(method: str, *datasets: str) -> Path:
    """Score outputs into a folder as a contributor does."""
    folder = Path("submissions") / method
    for dataset in datasets or IMAGES:
        for image in IMAGES[dataset]:
            pixels = np.random.default_rng(ord(image)).integers(20, 230, (24, 32, 3))
            noise = np.random.default_rng(1).integers(-NOISE[method], NOISE[method], pixels.shape)
            path = folder / "outputs" / method / dataset / f"{image}.png"
            write_png(path, (pixels + noise).astype(np.uint8))
    iqbench.evaluate(
        methods_in=folder / "outputs",
        datasets=list(datasets or IMAGES),
        datasets_file="datasets.yaml",
        metrics=["psnr"],
        results=folder,
    )
    (folder / "methods.yaml").write_text(f"{method}: {{date: 2017-07-10}}\n", encoding="utf-8")
    return folder


def forge(folder: Path, dataset: str, by: float = 5.0) -> None:
    """Raise the values of a dataset, with checksums that are right."""
    for part in folder.glob("scores/*/*/*.parquet"):
        with open_part(part, "scores") as (_, footer):
            table = pq.read_table(part)
        if footer.dataset != dataset:
            continue
        at = table.schema.get_field_index("value")
        values = [value + by for value in table["value"].to_pylist()]
        table = table.set_column(at, table.schema.field(at), pa.array(values, pa.float64()))
        content = encode(table, footer)
        part.unlink()
        (part.parent / part_name(int(part.name[:20]), content)).write_bytes(content)


def test_the_commands_of_the_workflow_check_and_accept(leaderboard, script):
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    commands = [step["run"] for step in steps if "leaderboard_submission.py" in step.get("run", "")]
    shutil.copytree("submissions", "theirs/submissions")
    for command in commands:
        text = command.replace("$DATASETS", WORKFLOW["env"]["DATASETS"])
        python, file, *words = shlex.split(text)
        assert (python, file) == ("python", "leaderboard_submission.py")
        found = [sorted(Path().glob(word)) if "*" in word else [word] for word in words]
        ran = script(*(word for part in found for word in part))
        assert ran.exit_code == 0, ran.output
    assert [command.split()[2] for command in commands] == ["check", "accept"]
    board = pd.read_csv("public/downloads/leaderboard.csv")
    assert board.groupby("dataset")["method"].agg(list).to_dict() == {
        "Set14": ["swinir", "edsr"],
        "Set5": ["swinir", "edsr"],
    }
    assert "2017-07-10" in Path("public/datasets/set5.html").read_text(encoding="utf-8")
    (version,) = json.loads(Path("public/site.json").read_text("utf-8"))["versions"]
    assert version["note"] == "Accepts edsr, swinir"
    assert set(Path().iterdir()) == {
        Path(name)
        for name in ("data", "datasets.yaml", "submissions", "theirs", "results", "public")
    }


def test_a_leaderboard_grows(leaderboard, script):
    for method in NOISE:
        ran = script("accept", f"submissions/{method}", *OPTIONS, "--site", "public")
        assert ran.exit_code == 0, ran.output
    assert set(iqbench.load_scores("results")["method"]) == set(NOISE)
    text = Path("results/methods.yaml").read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)) == set(NOISE)
    versions = json.loads(Path("public/site.json").read_text("utf-8"))["versions"]
    assert [version["changes"] for version in versions] == [
        ["first version"],
        ["swinir is new on Set5, Set14"],
    ]
    again = script("check", "submissions/edsr", *OPTIONS)
    assert again.exit_code == 1
    assert "'edsr' is in the leaderboard already" in again.output
    assert "iqbench results remove edsr results" in again.output


def forged_values(folder: Path) -> None:
    forge(folder, "Set5")


def forged_values_without_outputs(folder: Path) -> None:
    forge(folder, "Set14")
    shutil.rmtree(folder / "outputs" / "edsr" / "Set14")


def other_outputs(folder: Path) -> None:
    path = folder / "outputs" / "edsr" / "Set5" / "a.png"
    shutil.copyfile("data/Set5/a.png", path)


def imported_values(folder: Path) -> None:
    Path("values.csv").write_text(
        "dataset,method,image,metric,value\nSet5,edsr,a,mine,99\n", encoding="utf-8"
    )
    iqbench.import_values("values.csv", folder)


def published_means(folder: Path) -> None:
    (folder / "published.jsonl").write_text("{}\n")


def a_link(folder: Path) -> None:
    (folder / "outputs" / "edsr" / "Set5" / "x.png").symlink_to("/etc/passwd")


def a_method_without_outputs(folder: Path) -> None:
    shutil.move(folder / "outputs" / "edsr", folder / "outputs" / "other")


def a_script_as_paper(folder: Path) -> None:
    (folder / "methods.yaml").write_text("edsr: {paper: 'javascript:1'}")


def somebody_elses_links(folder: Path) -> None:
    (folder / "methods.yaml").write_text("swinir: {date: 2017-07-10}")


def damage(folder: Path) -> None:
    part = next(folder.glob("scores/*/*/*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (forged_values, "3 values compared, 3 not as stored"),
        (forged_values_without_outputs, "did not attempt dataset 'Set14'"),
        (other_outputs, "other files"),
        (imported_values, "values of 'mine' that cannot be computed again"),
        (published_means, r"published\.jsonl is not part of a submission"),
        (a_link, r"x\.png is a link"),
        (a_method_without_outputs, r"outputs/edsr is not there"),
        (a_script_as_paper, "an address begins with https://"),
        (somebody_elses_links, "unknown method 'swinir'"),
        (damage, "is not the file that was written"),
    ],
)
def test_implausible_values_are_refused_and_change_nothing(leaderboard, script, change, told):
    shutil.copytree("submissions/swinir", "results")
    change(Path("submissions/edsr"))
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    for command in (["check"], ["accept", "--site", "public"]):
        ran = script(command[0], "submissions/edsr", *OPTIONS, *command[1:])
        assert ran.exit_code == 1, ran.output
        assert pd.Series([ran.output]).str.contains(told)[0], ran.output
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert after == before


def test_a_dataset_that_is_not_compared_is_refused(leaderboard, script):
    ran = script("check", "submissions/edsr", *OPTIONS[:2], *OPTIONS[4:])
    assert ran.exit_code == 1
    assert "has values of 'Set14'. Compared are Set5" in ran.output


def test_pull_requests_may_only_read_and_run_nothing_of_their_own():
    assert set(WORKFLOW[True]) == {"pull_request", "push"}  # YAML reads the key `on` so
    assert WORKFLOW["permissions"] == {"contents": "read"}
    check, publish = WORKFLOW["jobs"]["check"], WORKFLOW["jobs"]["publish"]
    assert check["if"] == "github.event_name == 'pull_request'"
    assert publish["if"] == "github.event_name == 'push'"
    assert "permissions" not in check
    own, theirs = (step["with"] for step in check["steps"] if "checkout" in step.get("uses", ""))
    assert "base.sha" in own["ref"]
    assert "path" not in own
    assert theirs["path"] == "theirs"
    assert theirs["persist-credentials"] is False
    runs = [step["run"] for step in check["steps"] if "run" in step]
    # What a pull request brings is an argument of the script, and no text of it gets into a shell.
    assert [line for line in runs if "theirs" in line.partition("check ")[0]] == []
    assert [line for line in runs if "${{" in line] == []
