"""MATLAB files are read like by SciPy if they are complete, and refused otherwise."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy.io import savemat

from iqbench.datasets.matlab import reading
from iqbench.datasets.matlab.elements import open_arrays
from iqbench.datasets.matlab.reading import (
    declared_arrays,
    read_bytes_array,
    read_numbers,
    read_texts,
)
from iqbench.errors import IqbenchError

SAMPLES = Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"
"""SciPy's own samples, most written by MATLAB itself, of many versions and two byte orders."""

KINDS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")


def cells(*values: object) -> NDArray[np.object_]:
    made = np.empty((1, len(values)), dtype=object)
    made[0] = values
    return made


def outcomes(path: Path) -> list[str]:
    """Ask everything of a file that layouts ask, and tell what was read and what was refused."""
    found = []
    try:
        declared = declared_arrays(path)
    except IqbenchError as error:
        return [error.message]
    for variable in declared:
        for read in (
            lambda d: read_numbers(path, [d.name]),
            lambda d: read_texts(path, d.name),
            lambda d: read_bytes_array(path, d),
        ):
            try:
                found.append(str(read(variable)))
            except IqbenchError as error:
                found.append(error.message)
    return found


@settings(max_examples=100)
@given(
    array=arrays.arrays(
        st.sampled_from(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8"]),
        arrays.array_shapes(max_dims=4, max_side=5),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    compressed=st.booleans(),
)
def test_numbers_of_every_class_are_read(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[np.generic], compressed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "numbers.mat"
    savemat(path, {"before": "text", "a": array, "after": cells(1, "x")}, do_compression=compressed)
    expected = np.atleast_2d(array)
    np.testing.assert_array_equal(read_numbers(path, ["a"])["a"], expected.ravel(order="F"))
    before, declared, after = declared_arrays(path)
    assert (before.kind, declared.shape, after.kind) == ("char", expected.shape, "cell")
    assert declared.kind in KINDS
    if array.dtype == np.uint8:
        np.testing.assert_array_equal(read_bytes_array(path, declared), expected)


@settings(max_examples=50)
@given(
    texts=st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), min_size=1, max_size=20)
    ),
    compressed=st.booleans(),
)
def test_texts_are_read(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], compressed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "texts.mat"
    savemat(path, {"names": cells(*texts)}, do_compression=compressed)
    assert read_texts(path, "names") == texts


def samples(prefix: str) -> list[Path]:
    return sorted(SAMPLES.glob(f"{prefix}_[67]*.mat"))


@pytest.mark.skipif(not samples("testdouble"), reason="this SciPy comes without its samples")
def test_files_of_matlab_are_read_as_by_scipy() -> None:
    for prefix in ("testdouble", "testmatrix", "testminus", "testmulti", "test3dmatrix"):
        for path in samples(prefix):
            expected = {
                name: value.ravel(order="F")
                for name, value in scipy.io.loadmat(path).items()
                if not name.startswith("__")
            }
            found = read_numbers(path, list(expected))
            assert found.keys() == expected.keys()
            for name, values in expected.items():
                np.testing.assert_array_equal(found[name], values, err_msg=f"{path} {name}")
    for path in samples("testcell"):
        with open_arrays(path, 2**16) as variables:
            (entries,) = (
                [e.text() if e.declared.kind == "char" else len(e.numbers()) for e in array.cells()]
                for array in variables
            )
        text = "This cell contains this string and 3 arrays of increasing length"
        assert entries == [text, 1, 2, 3]
    for path in (SAMPLES / "little_endian.mat", SAMPLES / "big_endian.mat"):
        assert read_texts(path, "strings") == ["hello", "world"]
        np.testing.assert_array_equal(read_numbers(path, ["floats"])["floats"], [2, 3, 3, 4])


@pytest.mark.skipif(not samples("testdouble"), reason="this SciPy comes without its samples")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("corrupted_zlib_checksum", "incorrect data check"),
        ("malformed1", "it ends too early"),
        ("bad_miuint32", "not described as it should be"),
    ],
)
def test_files_that_scipy_calls_damaged_are_refused(name: str, why: str) -> None:
    path = SAMPLES / f"{name}.mat"
    with pytest.raises(IqbenchError, match=rf"{name}\.mat is no MATLAB file, or damaged: .*{why}"):
        read_numbers(path, [declared.name for declared in declared_arrays(path)])


def test_characters_are_read_however_they_are_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"names": cells("grün.bmp")})
    content = path.read_bytes()
    stored = struct.pack("<II", 16, 9) + "grün.bmp".encode() + bytes(7)  # UTF-8, filled up to 16
    assert content.count(stored) == 1
    utf16 = struct.pack("<II", 4, 16) + "grün.bmp".encode("utf-16-le")
    latin = struct.pack("<II", 2, 8) + "grün.bmp".encode("latin-1")
    for other in (utf16, latin):
        changed = bytearray(content.replace(stored, other))
        for place in (132, 188):  # the lengths of the cell array and of its entry
            (count,) = struct.unpack_from("<I", changed, place)
            struct.pack_into("<I", changed, place, count + len(other) - len(stored))
        path.write_bytes(changed)
        assert read_texts(path, "names") == ["grün.bmp"]


def test_a_missing_variable_is_named_with_those_there_are(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"other": [1]})
    for read in (lambda path: read_numbers(path, ["dmos"]), lambda path: read_texts(path, "dmos")):
        with pytest.raises(IqbenchError, match="has no variable 'dmos'") as caught:
            read(tmp_path / "a.mat")
        assert "other" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"MATLAB 7.3 MAT-file" + bytes(200), b"junk" * 50])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(IqbenchError, match="is no MATLAB file, or damaged: it does not begin"):
        read_numbers(path, ["a"])


def test_a_file_of_version_7_3_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(IqbenchError, match=r"a\.mat is .* version 7\.3 .*'-v7'\)"):
        read_numbers(path, ["a"])


def test_a_variable_that_unpacks_to_gigabytes_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.mat"
    savemat(path, {"dmos": np.zeros(300_000), "names": cells("a" * 2**21)}, do_compression=True)
    assert path.stat().st_size < 10_000
    assert len(read_numbers(path, ["dmos"])["dmos"]) == 300_000
    monkeypatch.setattr(reading, "MAXIMUM_BYTES", 2**20)
    for read in (lambda: read_numbers(path, ["dmos"]), lambda: read_texts(path, "names")):
        with pytest.raises(IqbenchError, match=r"bomb\.mat is too large: .* 1,048,576 bytes"):
            read()


def test_sides_of_any_size_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"names": cells("a", "b"), "dmos": [1.0, 2.0]})
    content = path.read_bytes()
    assert content.count(struct.pack("<II", 1, 2)) == 2
    path.write_bytes(content.replace(struct.pack("<II", 1, 2), struct.pack("<II", 2**30, 2**30)))
    with pytest.raises(IqbenchError, match="not as many values as the sides say"):
        read_numbers(path, ["dmos"])
    with pytest.raises(IqbenchError, match="damaged"):
        read_texts(path, "names")


def test_a_cell_array_of_other_than_texts_is_refused(tmp_path: Path) -> None:
    content = {
        "mixed": cells(np.zeros(3), "a"),
        "nested": cells("a", cells("b")),
        "empty": cells(np.zeros((0, 0)), "a"),
        "rows": cells(np.array(["ab", "cd"])),
        "numbers": [1.0, 2.0],
        "text": "abc",
    }
    savemat(tmp_path / "a.mat", content)
    for name in content:
        with pytest.raises(IqbenchError, match=f"{name!r} is not a cell array of texts"):
            read_texts(tmp_path / "a.mat", name)


@pytest.mark.parametrize("value", ["text", [float("nan")], [float("inf")], [1j], cells(1.0)])
def test_other_than_finite_numbers_are_refused(tmp_path: Path, value: object) -> None:
    savemat(tmp_path / "a.mat", {"dmos": value})
    with pytest.raises(IqbenchError, match="'dmos' does not hold finite numbers"):
        read_numbers(tmp_path / "a.mat", ["dmos"])


def test_two_variables_of_one_name_are_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"dmos": [1.0]})
    content = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(content + content[128:])
    with pytest.raises(IqbenchError, match="it has two variables 'dmos'"):
        read_numbers(tmp_path / "a.mat", ["dmos"])


def test_a_change_in_packed_values_is_seen_by_their_check_sum(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"dmos": np.arange(50.0)}, do_compression=False)
    matrix = path.read_bytes()[128:]
    packed = bytearray(zlib.compress(matrix, 0))  # stored, so that the change is one of a value
    packed[-30] ^= 1
    head = path.read_bytes()[:128] + struct.pack("<II", 15, len(packed))
    path.write_bytes(head + packed)
    with pytest.raises(IqbenchError, match="incorrect data check"):
        read_numbers(path, ["dmos"])


CONTENT = {
    "dmos": np.arange(20.0),
    "orgs": np.array([[1, 0, 1]], np.uint8),
    "names": cells("a.bmp", "womanhat.bmp", "ü"),
    "blocks": np.arange(24, dtype=np.uint8).reshape(1, 2, 2, 2, 3),
}


def mutate_bytes(content: bytes, generator: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for place in generator.integers(124, len(content), generator.integers(1, 5)):
        changed[place] = generator.choice([0, 1, 255, generator.integers(256)])
    return bytes(changed)


def mutate_words(content: bytes, generator: np.random.Generator) -> bytes:
    """Change what the format is made of: types, lengths and sides."""
    changed = bytearray(content)
    for place in generator.integers(32, len(content) // 4, generator.integers(1, 3)):
        word = generator.choice([0, 1, 5, 14, 15, 2**16, 2**31 - 1, 2**32 - 1])
        struct.pack_into("<I", changed, 4 * int(place), int(word))
    return bytes(changed)


def cut(content: bytes, generator: np.random.Generator) -> bytes:
    start, end = sorted(generator.integers(128, len(content), 2))
    return content[:start] + content[end:]


def mutate_packed(content: bytes, generator: np.random.Generator) -> bytes:
    """Damage what will be packed, and pack it well."""
    parts, position = [content[:128]], 128
    while position + 8 <= len(content):
        kind, count = struct.unpack_from("<II", content, position)
        element = content[position : position + 8 + count]
        position += 8 + count
        if kind == 15:
            element = zlib.decompress(element[8:])
        packed = zlib.compress(mutate_words(bytes(128) + element, generator)[128:], 1)
        parts.append(struct.pack("<II", 15, len(packed)) + packed)
    return b"".join(parts)


@pytest.mark.parametrize("mutate", [mutate_bytes, mutate_words, cut, mutate_packed])
@pytest.mark.parametrize("compressed", [True, False])
def test_any_content_of_a_file_is_read_or_refused(
    tmp_path: Path, mutate: Callable[[bytes, np.random.Generator], bytes], compressed: bool
) -> None:
    """SciPy's reader crashes on some of these."""
    path = tmp_path / "changed.mat"
    savemat(path, CONTENT, do_compression=compressed)
    whole = path.read_bytes()
    whole += bytes(-len(whole) % 4)
    assert not any("damaged" in outcome for outcome in outcomes(path))
    generator = np.random.default_rng(0)
    damaged = 0
    for _ in range(500):
        path.write_bytes(mutate(whole, generator))
        damaged += any("damaged" in outcome for outcome in outcomes(path))
    assert damaged > 100
