"""`iqbench results verify --rescore` finds values that the files do not give."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_folders import noisy, picture

from iqbench.images.write import write_png
from iqbench.results.part_file import encode, open_part, part_name


@pytest.fixture
def scored(folders):
    folders.evaluate(metrics=("psnr", "ssim"))
    return folders


def forge(folder, change, kind="scores", method="one"):
    """Write the rows of a part as a forger does: with a checksum that is right."""
    (part,) = folder.glob(f"{kind}/*/{method}/*.parquet")
    with open_part(part, kind) as (_, footer):
        table = change(pq.read_table(part))
    content = encode(table, footer)
    part.unlink()
    (part.parent / part_name(int(part.name[:20]), content)).write_bytes(content)


def raised(table, by=3.0, rows=None):
    """The values of all rows, or of the first ones, raised."""
    values = table["value"].to_pylist()
    rows = len(values) if rows is None else rows
    values = [value + by * (place < rows) for place, value in enumerate(values)]
    at = table.schema.get_field_index("value")
    return table.set_column(at, table.schema.field(at), pa.array(values, pa.float64()))


RESCORE = ("results", "verify", "--rescore", "--methods-in", "out", "--reference", "hr")


def states(iqbench, *arguments):
    ran = iqbench(*RESCORE, "--device", "cpu", "--format", "json", *arguments)
    return ran.code, json.loads(ran.out)


def test_honest_values_are_equal(scored, iqbench):
    before = scored.files()
    ran = iqbench(*RESCORE)
    assert ran.code == 0
    assert "12 values compared, 0 not as stored" in ran.out
    assert scored.files() == before


def test_forged_values_are_named_the_worst_first(scored, iqbench):
    forge(scored.results, lambda table: raised(raised(table), 50.0, rows=1))
    assert iqbench("results", "verify").code == 0  # the checksums are right
    code, rows = states(iqbench)
    assert code == 1
    assert len(rows) == 6
    assert {row["state"] for row in rows} == {"differs"}
    assert {row["method"] for row in rows} == {"one"}
    apart = [row["stored"] - row["computed"] for row in rows]
    assert sorted(apart) == pytest.approx([3.0] * 5 + [53.0])
    deviations = [row["deviation"] for row in rows]  # in what each metric tolerates
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[-1] > 100
    ran = iqbench(*RESCORE)
    assert ran.code == 1
    assert "12 values compared, 6 not as stored" in ran.out


def test_a_single_forged_value_is_found(scored, iqbench):
    forge(scored.results, lambda table: raised(table, 0.5, rows=1))
    code, rows = states(iqbench)
    assert (code, len(rows)) == (1, 1)


def test_values_of_other_files(scored, iqbench):
    write_png(scored.root / "out/two/b.png", noisy(picture(1), 99))
    code, rows = states(iqbench)
    assert code == 1
    assert {(row["image"], row["state"], row["why"]) for row in rows} == {
        ("b", "other files", "the stored value is of another output")
    }


def test_images_that_were_left_out_are_missed(scored, iqbench):
    for kind in ("scores", "images"):
        forge(
            scored.results,
            lambda table: table.filter(pa.compute.not_equal(table["image"], "c")),
            kind,
        )
    code, rows = states(iqbench)
    assert code == 1
    assert {(row["image"], row["state"]) for row in rows} == {("c", "not stored")}


def test_a_signature_that_cannot_be_computed_is_not_believed(scored, iqbench):
    def renewed(table):
        texts = [text.replace("version=", "version=9") for text in table["signature"].to_pylist()]
        at = table.schema.get_field_index("signature")
        field = table.schema.field(at)
        return table.set_column(at, field, pa.array(texts).dictionary_encode().cast(field.type))

    forge(scored.results, renewed)
    code, rows = states(iqbench)
    assert code == 1
    assert {row["state"] for row in rows} == {"not computed", "not stored"}


def test_errors_are_compared_too(scored, iqbench):
    (scored.root / "out/one/a.png").write_bytes(b"no image")
    scored.evaluate(metrics=("psnr", "ssim"))
    assert states(iqbench) == (0, [])


def test_imported_values_are_reported(scored, iqbench):
    values = scored.root / "values.csv"
    values.write_text("dataset,method,image,metric,value\nhr,one,a,mine,1.5\n")
    assert iqbench("import", values).code == 0
    ran = iqbench(*RESCORE)
    assert ran.code == 0
    assert "1 value not checked: they were imported, or are times" in ran.out


def test_each_protocol_is_computed_as_it_was(scored, iqbench):
    scored.evaluate(metrics=("psnr",), protocol="sr-y:scale=2")
    ran = iqbench(*RESCORE)
    assert ran.code == 0
    assert "18 values compared, 0 not as stored" in ran.out


def test_a_single_method(scored, iqbench):
    forge(scored.results, raised, method="two")
    chosen = ("results", "verify", "--rescore", "--reference", "hr", "--method")
    assert iqbench(*chosen, "out/one").code == 0
    assert iqbench(*chosen, "two=out/two").code == 1


def test_what_was_not_compared_is_counted_and_with_whole_is_not_accepted(scored, iqbench):
    chosen = ("results", "verify", "--rescore", "--reference", "hr", "--device", "cpu")
    one = ("--method", "out/one")
    ran = iqbench(*chosen, *one)
    told = "6 values not compared, as no outputs were given: two on hr (6)"
    assert ran.code == 0
    assert told in ran.out
    assert iqbench(*chosen, *one, "--whole").code == 1
    ran = iqbench(*chosen, *one, "--whole", "--format", "json")
    assert (ran.code, json.loads(ran.out)) == (1, [])
    assert told in ran.err
    assert iqbench(*chosen, *one, "--method", "out/two", "--whole").code == 0
    shutil.copytree(scored.root / "hr", scored.root / "other")
    scored.evaluate(metrics=("psnr",), reference=scored.root / "other")
    assert iqbench(*chosen, *one, "--method", "out/two", "--whole").code == 1  # datasets count too


def test_a_method_that_the_folder_lacks_is_refused(scored, iqbench):
    shutil.copytree(scored.root / "out/one", scored.root / "out/three")
    chosen = ("results", "verify", "--rescore", "--reference", "hr", "--method")
    ran = iqbench(*chosen, "out/three")
    assert ran.code == 2
    assert "unknown method 'three'" in ran.err


def test_a_dataset_that_the_folder_lacks_is_refused(scored, iqbench):
    shutil.copytree(scored.root / "hr", scored.root / "other")
    ran = iqbench(*RESCORE[:-1], "other")
    assert ran.code == 2
    assert "other" in ran.err


def test_its_options_belong_to_it(scored, iqbench):
    ran = iqbench("results", "verify", "--reference", "hr")
    assert ran.code == 2
    assert "--reference belongs to --rescore" in ran.err
    assert "--whole belongs to --rescore" in iqbench("results", "verify", "--whole").err


def test_a_damaged_folder_is_not_rescored(scored, iqbench):
    (part,) = scored.results.glob("scores/*/one/*.parquet")
    part.write_bytes(part.read_bytes()[:-9])
    ran = iqbench(*RESCORE)
    assert ran.code == 1
    assert ran.out.startswith("differs: ")
