"""The statements of docs/datasets.md about datasets are true."""

import re
import shlex

import pytest
from documents import ROOT, blocks, command_lines
from test_readme import parse

from iqbench.datasets.layouts.csv_paths import COLUMNS
from iqbench.datasets.layouts.folder import FolderLayout
from iqbench.datasets.load import PACKAGED_FILE, load_datasets

DOCUMENT = "docs/datasets.md"
TEXT = (ROOT / DOCUMENT).read_text(encoding="utf-8")


def test_every_command_has_the_options_that_are_written():
    lines = [line for line in command_lines(DOCUMENT) if line.startswith("iqbench ")]
    assert len(lines) == 5
    for line in lines:
        parse(shlex.split(line)[1:])


@pytest.mark.parametrize("block", blocks(DOCUMENT, "yaml"))
def test_every_block_is_valid(block, tmp_path):
    (tmp_path / "datasets.yaml").write_text(block, encoding="utf-8")
    (spec,) = load_datasets(tmp_path / "datasets.yaml").values()
    assert spec.fetch


def test_every_dataset_in_folders_is_in_the_table_under_its_protocol():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    for name, spec in load_datasets(PACKAGED_FILE).items():
        if spec.data.layout in {"folder", "sidd"}:
            short = name.rpartition("-x")[0] or name
            (row,) = [
                row
                for row in rows
                if re.search(rf"\b{re.escape(short)}\b", row.split("|")[1])
                and (spec.scale is None or f"x{spec.scale}" in row.split("|")[1])
            ]
            assert f"`{spec.protocol.partition(':')[0]}`" in row
            assert spec.data.places()[0].split("/")[0] in TEXT


def test_keys_and_columns_are_all_explained():
    keys = set(FolderLayout.model_fields) - {"layout"}
    cells = {word for line in TEXT.splitlines() for word in re.findall(r"`(\w+)`", line[:40])}
    assert keys | set(COLUMNS) <= cells
