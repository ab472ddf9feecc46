"""Units are consecutive images, bounded by outputs and bytes; large images are split."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from threading import Barrier

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from made_folders import picture

from iqbench.datasets.layouts.sidd import BlocksFile, BlockSource
from iqbench.datasets.matching.bitstreams import Bitstream
from iqbench.datasets.sample import OutputImage
from iqbench.datasets.storage.stored_file import StoredFile
from iqbench.engine import units as module
from iqbench.engine.executors.executor import outputs_at_once
from iqbench.engine.reading import Job
from iqbench.engine.units import MOST_OUTPUTS, Unit, units_of_jobs
from iqbench.images.source import FileSource
from iqbench.images.write import write_png
from iqbench.metrics._registry import Request, metric_classes, resolve_metrics
from iqbench.results.store import Current


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> FileSource:
    path = tmp_path_factory.mktemp("units") / "a.png"
    write_png(path, picture())
    return FileSource(path)


def job(source: FileSource, number: int, outputs: int) -> Job:
    images = [OutputImage("mine", f"{number}-{place}", source) for place in range(outputs)]
    return Job(source, images)


def cut(jobs: list[Job], **options) -> list[Unit]:
    given = {"known": {}, "bitstreams": {}} | options
    return list(units_of_jobs("data", jobs, **given))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 150), max_size=12), st.integers(1, 100))
def test_units_have_all_outputs_in_their_order(source, sizes, most):
    jobs = [job(source, number, size) for number, size in enumerate(sizes)]
    units = cut(jobs, most_outputs=most)
    assert [one.key for one in units] == [("data", number) for number in range(len(units))]
    assert [image for one in units for image in one.outputs] == [
        image for one in jobs for image in one.outputs
    ]
    for one in units:
        assert one.size == len(one.outputs) <= MOST_OUTPUTS
        assert one.size <= most or len(one.items) == 1
    items = [item for one in units for item in one.items]
    for number, size in enumerate(sizes):
        mine = [item for item in items if item.number == number]
        assert len(mine) == -(-size // MOST_OUTPUTS)
        starts = [None] if size <= MOST_OUTPUTS else list(range(0, size, MOST_OUTPUTS))
        assert [item.start for item in mine] == starts


def test_units_are_bounded_by_bytes(source, monkeypatch):
    one = cut([job(source, 0, 1)])[0].items[0].cost
    monkeypatch.setattr(module, "MOST_BYTES", 2 * one)
    assert [unit.size for unit in cut([job(source, number, 1) for number in range(5)])] == [2, 2, 1]
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    assert [unit.size for unit in cut([job(source, number, 1) for number in range(2)])] == [1, 1]


def test_units_know_what_the_tables_have_of_their_outputs_alone(source):
    marks = {"0-0": {("psnr", "s"): "m0"}, "1-0": {("psnr", "s"): "m1", ("ssim", "t"): "m2"}}
    jobs = [job(source, number, 1) for number in range(3)]
    units = cut(
        jobs,
        known={"mine": Current({}, marks), "other": Current({}, {})},
        bitstreams={"mine": {"1-0": Bitstream(None, 7)}},
        most_outputs=1,
    )
    assert [one.known for one in units] == [
        {("mine", "0-0"): {("psnr", "s"): "m0"}},
        {("mine", "1-0"): {("psnr", "s"): "m1", ("ssim", "t"): "m2"}},
        {},
    ]
    assert [one.bitstreams["mine"] for one in units] == [{}, {"1-0": Bitstream(None, 7)}, {}]


def test_a_unit_is_taken_apart_into_units_of_one_output(source):
    (unit,) = cut([job(source, 0, 2), job(source, 1, 1)])
    singles = unit.singles()
    assert [one.outputs for one in singles] == [[image] for image in unit.outputs]
    assert {one.key for one in singles} == {unit.key}


def test_every_worker_gets_many_units_and_none_is_too_large():
    assert outputs_at_once(10**6, 1) == MOST_OUTPUTS
    assert outputs_at_once(10**6, 8) == MOST_OUTPUTS
    assert outputs_at_once(640, 4) == 5
    assert outputs_at_once(3, 4) == 1


@pytest.mark.parametrize("name", metric_classes())
def test_requests_of_every_metric_travel(name):
    requests = resolve_metrics([name])
    found = pickle.loads(pickle.dumps(requests))
    assert found == requests
    assert all(isinstance(one, Request) for one in found)
    assert {one.metric: 1 for one in found} == {one.metric: 1 for one in requests}


def test_units_travel(source):
    (unit,) = cut([job(source, 0, 2)])
    assert pickle.loads(pickle.dumps(unit)) == unit


def test_blocks_travel_without_their_array_which_is_read_once(tmp_path):
    file = BlocksFile(tmp_path / "a.mat", "Blocks", (1, 2, 8, 8, 3))
    first, second = (
        pickle.loads(pickle.dumps(BlockSource(file, 0, number))) for number in range(2)
    )
    assert first.name == BlockSource(file, 0, 0).name
    assert first.file is second.file
    assert first.file.shape == file.shape


@dataclass(frozen=True)
class Meeting:
    """Bytes that come only when several are asked for at a time."""

    data: bytes
    together: Barrier
    size: int = 1
    identity: None = None

    def load(self) -> bytes:
        self.together.wait(timeout=60)
        return self.data


def test_headers_in_a_storage_are_read_many_at_a_time(source):
    together = Barrier(4)
    extent = Meeting(source.path.read_bytes(), together)
    jobs = [job(StoredFile(f"{n}.png", extent), n, 1) for n in range(8)]
    (unit,) = cut(jobs)
    assert [item.number for item in unit.items] == [*range(8)]
    assert {item.cost for item in unit.items} == {3 * source.probe().height * 32 * 3 + 2}
