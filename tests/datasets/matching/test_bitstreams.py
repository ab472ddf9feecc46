"""Sizes of bitstreams: from files or from a table, never from the decoded picture."""

from hashlib import sha256

import pytest

from iqbench.datasets.matching.bitstreams import find_bitstreams
from iqbench.errors import IqbenchError


def sizes(outputs):
    return {image: found.read().bytes for image, found in find_bitstreams(outputs).items()}


def test_each_file_is_the_bitstream_of_its_stem(tmp_path):
    for name, size in {"a.bin": 10, "sub/b.jxl": 20, ".hidden": 5}.items():
        path = tmp_path / "bitstreams" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    assert sizes(tmp_path) == {"a": 10, "sub/b": 20}


def test_a_table_names_image_and_bytes(tmp_path):
    (tmp_path / "bitstreams.csv").write_text("image,bytes,codec\na,10,x\nsub/b,20,x\n")
    assert sizes(tmp_path) == {"a": 10, "sub/b": 20}


def test_a_table_may_begin_with_a_byte_order_mark_and_names_keep_their_zeros(tmp_path):
    text = "\ufeffimage,bytes\n0001,10\n1,20\n"
    (tmp_path / "bitstreams.csv").write_text(text, encoding="utf-8")
    assert sizes(tmp_path) == {"0001": 10, "1": 20}


def test_without_files_and_a_table_there_are_no_sizes(tmp_path):
    assert sizes(tmp_path) == {}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,size\na,10\n", "must have the columns image and bytes"),
        ("image,bytes\na,ten\n", "line 2: bytes is 'ten', not a positive integer"),
        ("image,bytes\na,0\n", "line 2: bytes is '0', not a positive integer"),
        ("image,bytes\na\n", "line 2: bytes is '', not a positive integer"),
        ("image,bytes\na,1\na,2\n", "line 3: 'a' is named twice"),
        ("", "must have the columns image and bytes"),
    ],
)
def test_a_wrong_table_is_named(tmp_path, table, message):
    (tmp_path / "bitstreams.csv").write_text(table)
    with pytest.raises(IqbenchError) as caught:
        sizes(tmp_path)
    assert message in str(caught.value)
    assert "bitstreams.csv" in str(caught.value)


def test_two_bitstreams_of_an_image_are_refused(tmp_path):
    (tmp_path / "bitstreams").mkdir()
    for name in ("a.bin", "a.jxl"):
        (tmp_path / "bitstreams" / name).write_bytes(b"1")
    with pytest.raises(IqbenchError, match="image 'a' has two bitstreams"):
        sizes(tmp_path)


def test_a_file_is_known_by_its_digest_and_a_stated_size_by_itself(tmp_path):
    (tmp_path / "bitstreams").mkdir()
    (tmp_path / "bitstreams/a.bin").write_bytes(b"stream")
    assert find_bitstreams(tmp_path)["a"].read().digest == sha256(b"stream").hexdigest()
    digests = set()
    for size in (10, 10, 11):
        (tmp_path / "bitstreams.csv").write_text(f"image,bytes\na,{size}\n")
        digests.add(find_bitstreams(tmp_path)["a"].read().digest)
    assert len(digests) == 2


def test_a_file_that_is_gone_is_named(tmp_path):
    (tmp_path / "bitstreams").mkdir()
    file = tmp_path / "bitstreams/a.bin"
    file.write_bytes(b"stream")
    found = find_bitstreams(tmp_path)["a"]
    file.unlink()
    with pytest.raises(IqbenchError, match=r"a\.bin"):
        found.read()
