"""The sample value of white: records of a depth, samples that agree with them, a given peak."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.errors import IqbenchError
from iqbench.images.formats.reader import ImageHeader
from iqbench.images.peaks import Peaks, check_peak, peaks_of_headers, settle_peaks
from iqbench.images.picture import Picture

BITS = st.integers(9, 15)


def image(samples, noted=None, *, peak=0, name="output.png"):
    pixels = np.asarray(samples)
    if pixels.ndim < 3:
        pixels = pixels.reshape(1, -1, 1)
    return Picture(pixels, "", name, 0, peak=peak, noted_bits=noted)


def deep(*samples, noted=None, peak=0):
    return image(np.array(samples, np.uint16), noted, peak=peak)


def shallow(*samples):
    return image(np.array(samples, np.uint8))


def settled(reference, output, given=None):
    first, second, remarks = settle_peaks(reference, output, given)
    return (first.peak, second.peak), [remark.text for remark in remarks]


def scaled(samples, bits):
    """Scale up to 16 bits as the PNG specification does: by repeating the leading bits."""
    wide = np.asarray(samples, np.uint32)
    return (wide << (16 - bits) | wide >> (2 * bits - 16)).astype(np.uint16)


class TestNotes:
    @pytest.mark.parametrize("bits", [8, 10, 12, 14])
    @pytest.mark.parametrize("noted", ["reference", "output", "both"])
    def test_unscaled_samples_are_relative_to_the_noted_depth(self, bits, noted):
        white = 2**bits - 1
        first = deep(3, 7, white, noted=None if noted == "output" else bits)
        second = deep(5, 9, white - 2, noted=None if noted == "reference" else bits)
        peaks, texts = settled(first, second)
        assert peaks == (white, white)
        (text,) = texts
        assert f"the peak is {white}, not 65535: a file notes {bits} bits per sample" in text

    @given(BITS, st.booleans())
    def test_one_sample_above_the_noted_depth_in_either_image_keeps_16_bits(self, bits, swapped):
        white = 2**bits - 1
        pair = [deep(3, 7, white, noted=bits), deep(3, 7, white + 1)]
        peaks, texts = settled(*(pair[::-1] if swapped else pair))
        assert peaks == (65535, 65535)
        assert f"the peak is 65535 although a file notes {bits} bits per sample" in texts[0]
        assert f"samples exceed {white}" in texts[0]

    @pytest.mark.parametrize("bits", [10, 12])
    def test_conforming_files_are_scaled_and_keep_16_bits(self, bits):
        samples = np.arange(2**bits)
        reference, output = (image(scaled(part, bits), bits) for part in (samples, samples[::-1]))
        assert settled(reference, output)[0] == (65535, 65535)

    @pytest.mark.parametrize("bits", [10, 12, 14])
    @pytest.mark.parametrize("way", ["repeated bits", "shift", "product"])
    def test_dark_conforming_files_keep_16_bits_and_that_is_said(self, bits, way):
        white = 2**bits - 1
        # No sample of the files exceeds what unscaled samples could be.
        source = np.arange(1 << 2 * bits - 16)
        samples = {
            "repeated bits": scaled(source, bits),
            "shift": (source << (16 - bits)).astype(np.uint16),
            "product": np.round(source * 65535 / white).astype(np.uint16),
        }[way]
        assert samples.max() <= white
        peaks, texts = settled(image(samples, bits), image(samples[::-1].copy(), bits))
        assert peaks == (65535, 65535)
        assert f"`--peak {white}` says otherwise" in texts[0]

    def test_a_sample_that_scaling_never_gives_shows_that_samples_are_not_scaled(self):
        reference = deep(16, 32, 48, noted=12)
        assert settled(reference, deep(16, 32, 48, noted=12))[0] == (65535, 65535)
        assert settled(reference, deep(16, 33, 48, noted=12))[0] == (4095, 4095)

    def test_black_has_no_sign_of_scaling(self):
        assert settled(deep(0, 0, noted=12), deep(0, 0, noted=12))[0] == (4095, 4095)

    def test_the_least_noted_depth_that_holds_all_samples_is_taken(self):
        assert settled(deep(5, 1000, noted=10), deep(5, 1000, noted=12))[0] == (1023, 1023)
        assert settled(deep(5, 1000, noted=10), deep(5, 4001, noted=12))[0] == (4095, 4095)

    def test_eight_bits_keep_their_peak_despite_any_record(self):
        plain = image(np.array([1, 2, 3], np.uint8))
        assert settled(plain, plain) == ((255, 255), [])
        peaks, texts = settled(deep(5, 4001, noted=12), shallow(0, 249))
        assert peaks == (4095, 255)
        assert any("white is 4095 in the reference and 255 in the output" in t for t in texts)

    def test_a_formats_own_maximum_is_no_matter_of_samples(self):
        first, second = deep(5, 900, peak=4095), deep(5, 910, peak=4095)
        assert settled(first, second) == ((4095, 4095), [])
        # It also tells what an output of the same samples means that has no note.
        assert settled(first, deep(5, 911))[0] == (4095, 4095)


class TestGiven:
    def test_it_overrides_notes_and_formats(self):
        assert settled(deep(5, 900, noted=12), deep(5, 901), 1023)[0] == (1023, 1023)
        assert settled(deep(5, 900, noted=12), deep(5, 901), 65535)[0] == (65535, 65535)
        assert settled(deep(5, 900, peak=4095), deep(5, 901, peak=4095), 1023)[0] == (1023, 1023)

    def test_it_says_nothing_of_files_that_cannot_hold_it(self):
        assert settled(deep(5, 4000), shallow(0, 250), 4095)[0] == (4095, 255)

    def test_samples_above_it_are_refused(self):
        with pytest.raises(IqbenchError, match=r"output.png has samples up to 4001, above .* 4000"):
            settle_peaks(deep(5, 4000), deep(5, 4001), 4000)

    def test_it_is_refused_of_8_bits(self):
        with pytest.raises(
            IqbenchError, match=r"have 8 bits per sample, too few for the peak 4095"
        ):
            settle_peaks(shallow(1, 2), shallow(1, 2), 4095)
        assert settled(shallow(1, 2), shallow(1, 2), 255)[0] == (255, 255)

    @pytest.mark.parametrize("peak", [0, -1, 65536, 4095.0, "4095", True])
    def test_it_is_a_sample_of_16_bits(self, peak):
        with pytest.raises(IqbenchError, match="the peak must be a whole number from 1 to 65535"):
            check_peak(peak)


def test_numpys_integers_are_whole_numbers():
    check_peak(np.uint16(4095))


class TestDoubts:
    def test_dark_16_bits_without_a_note(self):
        _, (text,) = settled(deep(5, 4095), deep(6, 4090))
        assert "no sample of the 16-bit files exceeds 4095" in text
        assert "`--peak` must say" in text
        assert settled(deep(5, 4096), deep(6, 4090))[1] == []
        assert settled(deep(0, 0), deep(0, 0))[1] == []
        assert settled(deep(5, 4095), deep(6, 4090), 4095)[1] == []

    @pytest.mark.parametrize(("bits", "factor"), [(10, "64"), (12, "16"), (14, "4")])
    def test_one_side_is_scaled_and_the_other_is_not(self, bits, factor):
        samples = np.random.default_rng(0).integers(0, 2**bits, (8, 8, 3), dtype=np.uint16)
        pair = image(samples, bits), image(scaled(samples, bits))
        assert any(f"about {factor} times as bright" in text for text in settled(*pair)[1])
        assert any(f"about 1/{factor} times" in text for text in settled(*pair[::-1])[1])

    def test_depths_that_mean_the_same_are_only_named(self):
        samples = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        _, (text,) = settled(image(samples), image(samples.astype(np.uint16) * 257))
        assert "white is 255 in the reference and 65535 in the output" in text


class TestHeaders:
    """What needs no samples is known before anything is decoded."""

    def facts(self, bits=16, noted=None, maximum=0):
        return ImageHeader("png", 4, 4, 3, bits, maximum=maximum, noted_bits=noted)

    def test_files_without_a_note_have_the_peak_of_their_depth(self):
        assert peaks_of_headers(self.facts(8), self.facts(16)) == Peaks(255, 65535)

    def test_notes_need_samples(self):
        assert peaks_of_headers(self.facts(), self.facts(noted=12)) is None
        assert peaks_of_headers(self.facts(maximum=4095), self.facts()) is None

    def test_a_maximum_or_a_given_peak_needs_none(self):
        assert peaks_of_headers(*[self.facts(maximum=4095)] * 2) == Peaks(4095, 4095)
        assert peaks_of_headers(self.facts(noted=12), self.facts(8), 1023) == Peaks(1023, 255)


@pytest.mark.parametrize(
    ("peaks", "label"),
    [
        ((255, 255), ""),
        ((65535, 65535), ""),
        ((65535, 255), ""),
        ((4095, 4095), "4095"),
        ((4095, 255), "4095"),
        ((4095, 1023), "4095/1023"),
        ((255, 4095), "255/4095"),
    ],
)
def test_signatures_name_peaks_that_are_not_the_containers(peaks, label):
    assert Peaks(*peaks).label == label
