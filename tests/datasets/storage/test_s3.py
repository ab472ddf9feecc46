"""References and outputs on a local S3 server that fails like real ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
from made_archives import files_below, write_parquet, write_tar
from made_folders import Made, noisy, picture
from PIL import Image
from s3_server import Fault, Proxy, running_proxy

from iqbench.blobs import cache
from iqbench.datasets.dataset import reference_folder
from iqbench.errors import IqbenchError
from iqbench.results.read import load_scores

pytestmark = [
    pytest.mark.s3,
    # Of the libraries.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with running_proxy() as found:
        yield found


@pytest.fixture
def s3(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": proxy.address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",  # of botocore, so that the tries counted are iqbench's
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    proxy.reset()
    filesystem = s3fs.S3FileSystem()
    filesystem.mkdir("bucket")
    yield filesystem
    proxy.reset()
    filesystem.invalidate_cache()
    filesystem.rm("bucket", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def put(s3: Any, folder: str, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        s3.pipe(f"{folder}/{name}", data)
    return f"s3://{folder}"


class FirstTries:
    """The first requests of each object fail, each in the way that is next."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        self.seen: Counter[str] = Counter()

    def __call__(self, method: str, path: str) -> Fault:
        if method != "GET" or not path.endswith(".png"):
            return ""
        tried = self.seen[path]
        self.seen[path] += 1
        return self.faults[tried] if tried < len(self.faults) else ""


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """References and outputs in folders, and their values in `results`."""
    made = Made(tmp_path)
    made.references()
    made.method()
    made.evaluate(dataset_name="x")
    return made


def values_from(made: Made, reference: str, output: str) -> tuple[Any, Any]:
    made.results = made.root / "from-s3"
    summary = made.evaluate(f"mine={output}", reference=reference, dataset_name="x")
    return summary, made.values()


@pytest.mark.parametrize(
    "faults",
    [(), ("500",), ("503", "cut"), ("cut", "cut"), ("slow",), ("500", "503", "cut", "slow")],
)
def test_values_equal_those_of_folders_despite_temporary_failures(
    faults: tuple[Fault, ...], made: Made, s3: Any, proxy: Proxy
) -> None:
    expected = made.values()
    reference = put(s3, "bucket/hr", files_below(made.root / "hr"))
    output = put(s3, "bucket/mine", files_below(made.root / "out/mine"))
    proxy.fault = FirstTries(*faults)
    summary, values = values_from(made, reference, output)
    assert values == expected
    assert (summary.scored, summary.failures) == (3, [])


def test_any_name_of_an_object_is_the_name_of_its_image(s3: Any) -> None:
    names = ["a b", "50%", "\xe4", "x#y", "q?", "a+b", "[1]", "{x}", "deep/er/a", "~", "a=b&c"]
    place = put(s3, "bucket/odd", {f"{name}.png": name.encode() for name in names})
    samples = reference_folder(place).samples
    assert {one.image: one.needed_reference.read().data.decode() for one in samples} == {
        name: name for name in names
    }


def test_a_permanent_failure_is_the_error_of_its_image(made: Made, s3: Any, proxy: Proxy) -> None:
    output = put(s3, "bucket/mine", files_below(made.root / "out/mine"))
    proxy.fault = lambda method, path: (
        "500" if (method, path) == ("GET", "/bucket/mine/b.png") else ""
    )
    summary, _ = values_from(made, str(made.root / "hr"), output)
    (failure,) = summary.failures
    assert (failure.image, summary.scored) == ("b", 2)
    assert "s3://bucket/mine/b.png cannot be read after 5 tries" in failure.error
    proxy.reset()
    assert made.evaluate(f"mine={output}", dataset_name="x").scored == 1


def test_an_object_that_changed_is_the_error_of_its_image(made: Made, s3: Any) -> None:
    reference = put(s3, "bucket/hr", files_below(made.root / "hr"))
    samples = reference_folder(reference).samples
    s3.pipe("bucket/hr/b.png", (made.root / "hr/a.png").read_bytes())
    assert samples[0].needed_reference.read().bytes
    with pytest.raises(IqbenchError, match=r"s3://bucket/hr/b.png was changed after it was"):
        samples[1].needed_reference.read()
    s3.rm("bucket/hr/c.png")
    with pytest.raises(IqbenchError, match=r"s3://bucket/hr/c.png does not exist"):
        samples[2].needed_reference.read()


@pytest.mark.parametrize("write", [write_tar, write_parquet])
def test_shards_are_read_by_ranges_and_checked(
    write: Any, tmp_path: Path, s3: Any, proxy: Proxy
) -> None:
    files = {f"{n}.png": Random(n).randbytes(2**20) for n in range(8)}
    path = tmp_path / f"x.{write.__name__[6:]}"
    write(path, files, **({"rows": 1} if write is write_parquet else {}))
    place = put(s3, "bucket/shards", {path.name: path.read_bytes()})
    samples = reference_folder(f"{place}/{path.name}").samples
    assert proxy.sent[f"/bucket/shards/{path.name}"] < path.stat().st_size / 3
    proxy.reset()
    assert samples[5].needed_reference.load() == files["5.png"]
    assert proxy.sent[f"/bucket/shards/{path.name}"] < 1.5 * 2**20
    s3.pipe(f"bucket/shards/{path.name}", bytes(reversed(path.read_bytes())))
    with pytest.raises(IqbenchError, match=r"was changed after it was listed"):
        samples[2].needed_reference.load()


def images_sent(proxy: Proxy) -> list[str]:
    return sorted(path for path in proxy.sent if path.endswith((".png", ".bmp")))


def forget_blocks(tmp_path: Path) -> None:
    """Start the next run as another process would that has no block of any object."""
    shutil.rmtree(tmp_path / "cache/storage", ignore_errors=True)
    cache._opened.cache_clear()


def test_a_second_run_downloads_nothing_even_without_the_blocks(
    made: Made, s3: Any, proxy: Proxy, tmp_path: Path
) -> None:
    reference = put(s3, "bucket/hr", files_below(made.root / "hr"))
    output = put(s3, "bucket/mine", files_below(made.root / "out/mine"))
    _, values = values_from(made, reference, output)
    proxy.reset()
    forget_blocks(tmp_path)
    summary, again = values_from(made, reference, output)
    assert (summary.scored, summary.current, summary.warnings) == (0, 3, [])
    assert images_sent(proxy) == []
    assert again == values


@pytest.mark.parametrize("side", ["hr", "mine"])
def test_an_object_that_changed_to_the_same_size_is_scored_again(
    side: str, made: Made, s3: Any, proxy: Proxy, tmp_path: Path
) -> None:
    places = {"hr": made.root / "hr", "mine": made.root / "out/mine"}
    for number, folder in enumerate(places.values()):
        for image in "abc":
            (folder / f"{image}.png").unlink()
            Image.fromarray(noisy(picture(number), number)).save(folder / f"{image}.bmp")
    reference, output = (
        put(s3, f"bucket/{name}", files_below(folder)) for name, folder in places.items()
    )
    values_from(made, reference, output)
    changed = places[side] / "b.bmp"
    size = changed.stat().st_size
    Image.fromarray(noisy(picture(5), 5)).save(changed)
    assert changed.stat().st_size == size
    s3.pipe(f"bucket/{side}/b.bmp", changed.read_bytes())
    proxy.reset()
    forget_blocks(tmp_path)
    summary, values = values_from(made, reference, output)
    assert (summary.scored, summary.current) == (1, 2)
    assert images_sent(proxy) == ["/bucket/hr/b.bmp", "/bucket/mine/b.bmp"]
    made.results = made.root / "local"
    made.evaluate(dataset_name="x")
    assert values == made.values()


def test_a_second_run_reads_the_cache(
    made: Made, s3: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = put(s3, "bucket/hr", files_below(made.root / "hr"))
    output = put(s3, "bucket/mine", files_below(made.root / "out/mine"))
    values_from(made, reference, output)
    proxy.reset()
    monkeypatch.setenv("IQBENCH_STORAGE_DIGESTS", "0")
    summary, _ = values_from(made, reference, output)
    assert (summary.scored, summary.current) == (0, 3)
    assert not [path for path in proxy.sent if path.endswith(".png")]


def test_denied_access_is_reported_at_once(made: Made, s3: Any, proxy: Proxy) -> None:
    reference = put(s3, "bucket/hr", files_below(made.root / "hr"))
    (sample, *_) = reference_folder(reference).samples
    proxy.fault = lambda method, path: "403"
    before = sum(proxy.requests.values())
    with pytest.raises(IqbenchError, match=r"s3://bucket/hr/a.png: access is denied"):
        sample.needed_reference.read()
    assert sum(proxy.requests.values()) - before <= 2
    with pytest.raises(IqbenchError, match=r"s3://bucket/hr: access is denied"):
        reference_folder(reference)


def test_no_credentials_are_said_with_where_they_come_from(
    s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    type(s3).clear_instance_cache()
    with pytest.raises(IqbenchError, match=r"access is denied .*redentials") as caught:
        reference_folder("s3://bucket/hr")
    assert "AWS_PROFILE" in str(caught.value)
    monkeypatch.undo()


@pytest.mark.parametrize("faults", [(), ("500", "503"), ("503", "500", "slow")])
def test_results_are_written_and_read_whole(
    faults: tuple[Fault, ...], made: Made, s3: Any, proxy: Proxy
) -> None:
    expected = load_scores(made.results)
    failing = FirstTries(*faults)
    proxy.fault = lambda method, path: failing("GET", f"{path}{method}.png")
    summary = made.evaluate(dataset_name="x", results="s3://bucket/results")
    assert (summary.scored, summary.failures) == (3, [])
    type(s3).clear_instance_cache()
    assert list(load_scores("s3://bucket/results")["value"]) == list(expected["value"])
    assert made.evaluate(dataset_name="x", results="s3://bucket/results").current == 3


def test_a_killed_run_leaves_whole_parts_and_goes_on(made: Made, s3: Any) -> None:
    expected = load_scores(made.results)
    address = "s3://bucket/results"
    command = [
        *(sys.executable, "-c", "from iqbench.cli.entry import main; main()", "evaluate"),
        *("--device", "cpu", "--metric", "psnr"),
        *("--method", str(made.root / "out/mine"), "--reference", str(made.root / "hr")),
        *("--dataset-name", "x", "--results", address),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not s3.find("bucket/results", refresh=True) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        s3.invalidate_cache()
    process.kill()
    process.wait()
    assert s3.find("bucket/results")
    for part in s3.find("bucket/results"):
        if part.endswith(".parquet"):
            assert sha256(s3.cat_file(part)).hexdigest() in part
    assert made.evaluate(dataset_name="x", results=address).failures == []
    assert list(load_scores(address)["value"]) == list(expected["value"])


def test_results_that_cannot_be_uploaded_stay_here(made: Made, s3: Any, proxy: Proxy) -> None:
    proxy.fault = lambda method, path: "403" if method == "PUT" else ""
    with pytest.raises(IqbenchError, match="not all results could be uploaded") as caught:
        made.evaluate(dataset_name="x", results="s3://bucket/results")
    folder = Path(caught.value.hint.removeprefix("They are in ").partition(". Copy")[0])
    assert len(load_scores(folder)) == 3
    assert not s3.find("bucket/results")


def test_what_is_not_there_is_missing(s3: Any) -> None:
    for place in ("s3://bucket/none", "s3://no-bucket/none"):
        with pytest.raises(IqbenchError, match=f"reference folder {place} does not exist"):
            reference_folder(place)
