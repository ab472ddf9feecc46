"""A short, seeded run of mutated images: damage is refused or read as a second decoder reads it."""

from __future__ import annotations

from dataclasses import replace

import images
import pytest

from iqbench.errors import IqbenchError
from iqbench.images.source import EncodedImage

COUNT = 1500


@pytest.fixture
def judged(tmp_path):
    with (tmp_path / "printed").open("w+b") as stream:
        yield lambda data: images.judge(data, stream)[0]


@pytest.mark.parametrize("label", sorted(images.files()))
def test_sound_files_are_read_as_the_second_decoder_reads_them(label, judged):
    assert judged(images.files()[label]) == "alike"


def test_no_mutation_becomes_another_picture():
    wrong: list[str] = []
    counts = images.run(seed=1, count=COUNT, tell=wrong.append)
    assert wrong == []
    assert not any(counts[outcome] for outcome in images.WRONG)
    assert counts["refused"] > COUNT // 2
    assert counts["alike"] > COUNT // 10
    assert counts["tried"] == counts["refused"] + counts["alike"] == COUNT


def test_a_mutation_can_be_made_again_by_its_number():
    sound = images.files()
    assert images.mutated(5, 17, sound) == images.mutated(5, 17, sound)
    assert images.mutated(5, 17, sound) != images.mutated(6, 17, sound)


def raising(error):
    def decode(self, *, alpha):
        raise error

    return decode


def test_every_fault_is_seen(monkeypatch, judged, capfd):
    data = images.files()["png"]
    right = EncodedImage.decode

    def inverted(self, *, alpha):
        picture = right(self, alpha=alpha)
        return replace(picture, pixels=255 - picture.pixels)

    def talking(self, *, alpha):
        images.os.write(2, b"libpng warning: something")
        return right(self, alpha=alpha)

    faults = {
        "wrong": inverted,
        "crashed": raising(RuntimeError("a decoder's own error")),
        "unnamed": raising(IqbenchError("something is wrong")),
        "printed": talking,
    }
    for fault, decode in faults.items():
        monkeypatch.setattr(EncodedImage, "decode", decode)
        assert judged(data) == fault
    monkeypatch.setattr(EncodedImage, "decode", right)
    monkeypatch.setattr(images, "SECONDS", 0)
    assert judged(data) == "slow"


def test_what_the_second_decoder_complains_of_is_wrong(monkeypatch, judged):
    monkeypatch.setattr(images, "_second", lambda data: None)
    assert judged(images.files()["png"]) == "wrong"
