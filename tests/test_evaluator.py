"""An evaluator gives tensors the scores that `iqbench evaluate` gives the same images in files."""

from __future__ import annotations

import io
import math
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import iqbench
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.images.write import write_png

METRICS = ["psnr", "ssim", "psnr-b", "tv-ratio", "gmsd"]
SIDE = 48


def photographs(count=3, *, height=SIDE, width=SIDE - 5, sigma=0.05, seed=0):
    """Smooth references and noisy outputs, which overshoot a little."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    reference = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    reference = reference.clamp(0, 1)
    return reference, reference + sigma * torch.randn(reference.shape, generator=generator)


def write_images(folder: Path, images, names, *, depth=8):
    """Write what a program would write: cut off and rounded."""
    peak = 2**depth - 1
    kind = np.uint8 if depth == 8 else np.uint16
    for name, image in zip(names, images, strict=True):
        pixels = (image.clamp(0, 1) * peak).round().numpy().astype(kind).transpose(1, 2, 0)
        write_png(folder / f"{name}.png", pixels)


def rows_first(images, *, channels=3):
    """The same images as arrays (N, H, W, C); a fourth channel is the first again."""
    return images.numpy().transpose(0, 2, 3, 1)[..., [0, 1, 2, 0][:channels]]


def evaluated(tmp_path, reference, output, names, *, protocol, metrics=METRICS, depth=8):
    """What `evaluate` gives of the files, one row per image."""
    write_images(tmp_path / "references", reference, names, depth=depth)
    write_images(tmp_path / "outputs", output, names, depth=depth)
    scores = iqbench.evaluate(
        methods=[f"mine={tmp_path / 'outputs'}"],
        reference=tmp_path / "references",
        metrics=metrics,
        protocol=protocol,
        results=tmp_path / "results",
        device="cpu",
    )
    wide = scores.pivot(index="image", columns="metric", values="value")
    return wide.loc[list(names), list(metrics)]


@pytest.fixture(scope="module")
def evaluator():
    return iqbench.Evaluator(METRICS, "sr-y:scale=4", device="cpu")


@pytest.fixture(autouse=True)
def _fresh(evaluator):
    evaluator.reset()


class TestValues:
    @pytest.mark.parametrize(
        "protocol", ["rgb", "sr-y:scale=4", "sr-y-rounded:scale=2", "lowlight-gtmean", "y-full"]
    )
    def test_they_are_those_of_evaluate_to_the_last_digit(self, tmp_path, protocol):
        reference, output = photographs(height=47)
        names = ["one", "two", "three"]
        scorer = iqbench.Evaluator(METRICS, protocol, device="cpu")
        scorer.update(output, reference, ids=names)
        expected = evaluated(tmp_path, reference, output, names, protocol=protocol)
        assert (scorer.scores().to_numpy() == expected.to_numpy()).all()
        assert scorer.compute()["psnr"] == math.fsum(expected["psnr"]) / 3

    def test_sixteen_bits_are_those_of_sixteen_bit_files(self, tmp_path):
        reference, output = photographs()
        scorer = iqbench.Evaluator(["psnr", "ssim"], device="cpu", bits=16)
        scorer.update(output, reference, ids=list("abc"))
        found = scorer.scores()
        expected = evaluated(
            tmp_path, reference, output, "abc", protocol="rgb", metrics=["psnr", "ssim"], depth=16
        )
        assert (found.to_numpy() == expected.to_numpy()).all()

    def test_without_rounding_they_are_the_functions(self):
        reference, output = photographs()
        scorer = iqbench.Evaluator(["psnr"], device="cpu", bits=None)
        expected = iqbench.functional.psnr(reference, output.clamp(0, 1))
        assert scorer(output, reference)["psnr"].tolist() == pytest.approx(expected.tolist())
        assert (
            scorer(output, reference)["psnr"].tolist()
            != iqbench.Evaluator(["psnr"], device="cpu")(output, reference)["psnr"].tolist()
        )

    @pytest.mark.parametrize("kind", [torch.uint8, torch.uint16, torch.float64])
    def test_a_picture_has_one_value_in_every_type(self, evaluator, kind):
        reference, output = ((image.clamp(0, 1) * 255).round() for image in photographs())
        expected = evaluator(output.to(torch.uint8), reference.to(torch.uint8))
        factor = {torch.uint8: 1, torch.uint16: 257, torch.float64: 1 / 255}[kind]
        typed = [(image.double() * factor).to(kind) for image in (output, reference)]
        found = evaluator(*typed)
        for column, values in expected.items():
            assert found[column].tolist() == pytest.approx(values.tolist(), rel=1e-7)

    def test_sizes_may_differ_within_a_list_and_batches_do_not_matter(self, evaluator):
        sizes = [(40, 36), (33, 64), (40, 36)]
        pairs = [photographs(1, height=h, width=w, seed=h) for h, w in sizes]
        references, outputs = ([pair[side][0] for pair in pairs] for side in (0, 1))
        together = evaluator(outputs, references)
        alone = [evaluator(output, reference) for reference, output in pairs]
        for column, values in together.items():
            assert values.tolist() == [one[column].item() for one in alone]

    def test_gray_is_one_channel(self, evaluator):
        reference, output = (image[:, :1] for image in photographs())
        found = evaluator(output, reference)
        same = evaluator(output.expand(-1, 3, -1, -1), reference.expand(-1, 3, -1, -1))
        assert torch.equal(found["psnr"], same["psnr"])

    def test_a_metric_without_reference_needs_none(self):
        _, output = photographs(1, height=200, width=200)
        scorer = iqbench.Evaluator("niqe", device="cpu")
        if scorer(output)["niqe"].isnan().any():
            pytest.fail("there is no value")
        assert scorer(output)["niqe"].item() == scorer(output, output)["niqe"].item()

    @pytest.mark.usefixtures("pretrained_networks")
    def test_networks_are_read_once_for_all_metrics(self, monkeypatch):
        from iqbench.networks.backbone import Backbone

        begun = []
        begin = Backbone.begin
        monkeypatch.setattr(
            Backbone, "begin", lambda self, *rest: begun.append(self.name) or begin(self, *rest)
        )
        reference, output = photographs(1)
        iqbench.Evaluator(["lpips-vgg", "perceptual"], device="cpu")(output, reference)
        assert begun == ["vgg16", "vgg16"]  # the reference, the output


class TestArraysAndFiles:
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(rows_first, id="batch"),
            pytest.param(lambda x: list(rows_first(x)), id="list"),
            pytest.param(lambda x: [x[0], *rows_first(x[1:])], id="tensors and arrays"),
            pytest.param(lambda x: rows_first(x).astype(">f4"), id="big-endian"),
            pytest.param(lambda x: rows_first(x.flip(3))[:, :, ::-1], id="strides below 0"),
            pytest.param(lambda x: frozen(rows_first(x)), id="read-only"),
        ],
    )
    def test_arrays_have_the_values_of_tensors(self, evaluator, change):
        reference, output = photographs()
        expected = evaluator(output, reference)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = evaluator(change(output), change(reference))
        assert {name: values.tolist() for name, values in found.items()} == {
            name: values.tolist() for name, values in expected.items()
        }

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16])
    def test_integers_are_what_files_hold(self, evaluator, kind):
        arrays = [
            (rows_first(x.clamp(0, 1)) * np.iinfo(kind).max).astype(kind) for x in photographs()
        ]
        tensors = [torch.from_numpy(one).permute(0, 3, 1, 2) for one in arrays]
        found, expected = evaluator(*arrays), evaluator(*tensors)
        assert found["psnr"].tolist() == expected["psnr"].tolist()

    def test_a_single_array_is_one_image_and_may_have_two_dimensions(self, evaluator):
        reference, output = (image[0, :1] for image in photographs(1))
        expected = evaluator([output], [reference])["psnr"]
        assert evaluator(output[0].numpy(), reference[0].numpy())["psnr"].tolist() == (
            expected.tolist()
        )
        wide = (image.permute(1, 2, 0).numpy() for image in (output, reference))
        assert evaluator(*wide)["psnr"].tolist() == expected.tolist()

    def test_files_have_the_values_of_evaluate(self, tmp_path, evaluator):
        reference, output = photographs(height=47)
        names = ["one", "two", "three"]
        expected = evaluated(tmp_path, reference, output, names, protocol="sr-y:scale=4")
        paths = [
            [tmp_path / side / f"{n}.png" for n in names] for side in ("outputs", "references")
        ]
        evaluator.update(*paths, ids=names)
        assert (evaluator.scores().to_numpy() == expected.to_numpy()).all()
        one = evaluator(str(paths[0][0]), reference[:1])
        assert one["psnr"].tolist() == [expected["psnr"]["one"]]

    def test_files_that_were_scored_are_current_for_evaluate(self, tmp_path, monkeypatch):
        from iqbench.engine.scorer import Scorer

        reference, output = photographs(2)
        for side, images in (("references", reference), ("outputs", output)):
            write_images(tmp_path / side, images, "ab")
        scorer = iqbench.Evaluator(["psnr"], device="cpu")
        sides = ([tmp_path / side / f"{n}.png" for n in "ab"] for side in ("outputs", "references"))
        scorer.update(*sides, ids=["a", "b"])
        scorer.write(tmp_path / "results", method="mine", dataset="both")
        monkeypatch.setattr(Scorer, "start", lambda *_: pytest.fail("it was scored again"))
        found = iqbench.evaluate(
            methods=[f"mine={tmp_path / 'outputs'}"],
            reference=tmp_path / "references",
            dataset_name="both",
            metrics=["psnr"],
            results=tmp_path / "results",
            device="cpu",
        )
        assert found.set_index("image")["value"].to_dict() == scorer.scores()["psnr"].to_dict()

    def test_a_damaged_file_fails_alone(self, tmp_path, evaluator):
        reference, output = photographs(2)
        write_images(tmp_path, output, "ab")
        broken = tmp_path / "b.png"
        content = bytearray(broken.read_bytes())
        content[len(content) // 2] ^= 255
        broken.write_bytes(content)
        with pytest.warns(IqbenchWarning, match=r"b\.png has no psnr: .*b\.png"):
            evaluator.update([tmp_path / "a.png", broken], reference, ids=["a", "b"])
        assert evaluator.scores().notna().all(axis=1).to_dict() == {"a": True, "b": False}
        assert "b.png" in evaluator.errors()["b", "psnr"]

    def test_transparency_is_refused_or_put_over_white(self, tmp_path):
        from PIL import Image

        pixels = np.zeros((16, 16, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "clear.png")
        white = np.full((16, 16, 3), 255, dtype=np.uint8)
        over = iqbench.Evaluator(["psnr"], device="cpu", alpha="composite")
        assert over(tmp_path / "clear.png", white)["psnr"].item() == math.inf
        strict = iqbench.Evaluator(["psnr"], device="cpu")
        with pytest.warns(IqbenchWarning, match="alpha"):
            assert math.isnan(strict(tmp_path / "clear.png", white)["psnr"].item())

    def test_floating_point_beside_integers_keeps_its_own_white(self):
        scorer = iqbench.Evaluator(["psnr"], device="cpu", bits=None)
        reference = np.full((16, 16, 3), 128 / 255, dtype=np.float64)
        output = np.full((16, 16, 3), 128 * 257, dtype=np.uint16)
        assert scorer(output, reference)["psnr"].item() > 140

    def test_a_protocol_that_says_the_peak_says_it_of_sixteen_bits(self, tmp_path, monkeypatch):
        presets = tmp_path / "protocols.yaml"
        presets.write_text(
            "ten: {version: 1, summary: Ten bits, citation: none, peak: 1023, "
            "fidelity: {colour: rgb}, perception: {colour: rgb}}\n"
        )
        monkeypatch.setenv("IQBENCH_PROTOCOLS", str(presets))
        reference, output = photographs(1)
        ten = iqbench.Evaluator(["psnr"], "ten", device="cpu", bits=16)
        pixels = [rows_first(image.clamp(0, 1) * 1023).round() for image in (output, reference)]
        expected = ten(*(one.astype(np.uint16) for one in pixels))
        assert ten(output, reference)["psnr"].tolist() == expected["psnr"].tolist()


class TestMeasure:
    def test_it_takes_files_arrays_and_tensors(self, tmp_path):
        reference, output = ((image.clamp(0, 1) * 255).round().byte() for image in photographs(1))
        write_images(tmp_path / "r", reference / 255, ["a"])
        write_images(tmp_path / "o", output / 255, ["a"])
        files = tmp_path / "r" / "a.png", tmp_path / "o" / "a.png"
        expected = iqbench.measure(*files, metrics=["psnr", "ssim"], device="cpu")
        arrays = [rows_first(image)[0] for image in (reference, output)]
        for pair in (arrays, (reference[0], output[0]), (files[0], output / 255)):
            found = iqbench.measure(*pair, metrics=["psnr", "ssim"], device="cpu")
            assert found.equals(expected)

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            (torch.zeros(2, 3, 8, 8), "output 0 of the list has 2 images"),
            (torch.full((3, 48, 43), 200.0), "output 0 has values from 200"),
            (3, "output 0 is of type int"),
        ],
    )
    def test_what_is_no_image_is_refused(self, output, message):
        with pytest.raises(IqbenchError, match=message):
            iqbench.measure(photographs(1)[0], output, metrics=["psnr"], device="cpu")


class TestWhatIsKept:
    def test_calling_keeps_nothing(self, evaluator):
        reference, output = photographs()
        values = evaluator(output, reference)
        assert {column: tuple(found.shape) for column, found in values.items()} == dict.fromkeys(
            METRICS, (3,)
        )
        assert len(evaluator) == 0

    def test_compute_is_the_mean_and_does_not_reset(self, evaluator):
        reference, output = photographs(4)
        values = evaluator(output, reference)
        evaluator.update(output[:3], reference[:3])
        evaluator.update(output[3:], reference[3:])
        for _ in range(2):
            means = evaluator.compute()
            for column, found in values.items():
                assert means[column] == pytest.approx(found.mean().item(), rel=1e-14)
        evaluator.reset()
        assert all(math.isnan(mean) for mean in evaluator.compute().values())

    def test_a_repeated_id_counts_once(self, evaluator):
        reference, output = photographs(2)
        evaluator.update(output, reference, ids=["a", "b"])
        means = evaluator.compute()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            evaluator.update(output[:1], reference[:1], ids=["a"])
        with pytest.warns(
            IqbenchWarning, match="'b' was given twice with different pixels: the first"
        ):
            evaluator.update(output[:1], reference[:1], ids=["b"])
        assert len(evaluator) == 2
        assert evaluator.compute() == means

    def test_a_repeated_id_within_a_batch_counts_once(self, evaluator):
        reference, output = photographs(2)
        evaluator.update(output[[0, 1, 0]], reference[[0, 1, 0]], ids=torch.tensor([4, 5, 4]))
        assert list(evaluator.scores().index) == ["4", "5"]

    @pytest.mark.parametrize(
        ("ids", "expected"),
        [
            (["b", None], ["000000", "b"]),
            ([b"b", np.bytes_(b"a")], ["a", "b"]),
            (torch.tensor([[5], [4]]), ["4", "5"]),
            (np.array([5, 4]), ["4", "5"]),
            ((name for name in "ba"), ["a", "b"]),
            ([Path("x/b.png"), 1.5], ["1.5", "x/b.png"]),
        ],
    )
    def test_ids_are_spelt(self, evaluator, ids, expected):
        reference, output = photographs(2)
        evaluator.update(output, reference, ids=ids)
        assert sorted(evaluator.scores().index) == expected

    @pytest.mark.parametrize("one", ["7", b"7", 7, torch.tensor(7)])
    def test_one_id_is_that_of_one_image(self, evaluator, one):
        reference, output = photographs(1)
        evaluator.update(output, reference, ids=one)
        assert list(evaluator.scores().index) == ["7"]

    def test_images_without_ids_among_others_count_each_time(self, evaluator):
        reference, output = photographs(2)
        for _ in range(2):
            evaluator.update(output, reference, ids=[None, "a"])
        assert list(evaluator.scores().index) == ["000000", "a", "000001"]

    @pytest.mark.parametrize(
        ("ids", "message"),
        [
            ({"a", "b"}, "ids are of type set, which does not say whose they are"),
            ({"a": 1, "b": 2}, "ids are of type dict"),
            (["a", ""], "image '' cannot be used as a name: it is empty"),
            (["a", "b\n"], "cannot be used as a name: it holds a control character"),
            ("ab", "there are 2 outputs, but 1 ids"),
        ],
    )
    def test_ids_that_cannot_be_used_are_refused(self, evaluator, ids, message):
        reference, output = photographs(2)
        with pytest.raises(IqbenchError, match=message):
            evaluator.update(output, reference, ids=ids)
        assert len(evaluator) == 0

    def test_images_without_ids_are_numbered_and_count_each_time(self, evaluator):
        reference, output = photographs(2)
        evaluator.update(output, reference)
        evaluator.update(output[:1], reference[:1], ids=["000001"])
        evaluator.update(output[:1], reference[:1])
        assert list(evaluator.scores().index) == ["000000", "000002", "000001", "000003"]

    def test_no_image_is_kept(self, evaluator):
        reference, output = photographs(2)
        evaluator.update(output, reference)
        buffer = io.BytesIO()
        torch.save(evaluator.state_dict(), buffer)
        assert len(buffer.getvalue()) < 6000

    def test_state_survives_saving_and_loading(self, evaluator):
        reference, output = photographs(2)
        evaluator.update(output, reference, ids=["a", "b"])
        buffer = io.BytesIO()
        torch.save(evaluator.state_dict(), buffer)
        buffer.seek(0)
        other = iqbench.Evaluator(METRICS, "sr-y:scale=4", device="cpu")
        other.load_state_dict(torch.load(buffer, weights_only=True))
        assert other.scores().equals(evaluator.scores())
        other.update(output[:1], reference[:1], ids=["a"])
        assert len(other) == 2

    def test_a_state_of_other_metrics_is_refused(self, evaluator):
        other = iqbench.Evaluator(["psnr"], device="cpu")
        with pytest.raises(IqbenchError, match="other metrics, protocol or weights"):
            other.load_state_dict(evaluator.state_dict())
        with pytest.raises(IqbenchError, match="not a state of an Evaluator"):
            other.load_state_dict({"weight": torch.zeros(3)})

    def test_a_state_of_the_same_metrics_in_another_order_is_refused(self):
        reference, output = photographs(1)
        one, other = (
            iqbench.Evaluator(names, device="cpu") for names in (["psnr", "ssim"], ["ssim", "psnr"])
        )
        one.update(output, reference)
        with pytest.raises(IqbenchError, match="in another order"):
            other.load_state_dict(one.state_dict())

    @pytest.mark.parametrize(
        "options", [{"metrics": ["ssim", "psnr"]}, {"protocol": "y-full"}, {"metrics": ["psnr"]}]
    )
    def test_ranks_whose_evaluators_differ_are_refused(self, monkeypatch, options):
        reference, output = photographs(1)
        first, second = (
            iqbench.Evaluator(**{"metrics": ["psnr", "ssim"], "device": "cpu", **one})
            for one in ({}, options)
        )
        for one in (first, second):
            one.update(output, reference)
        monkeypatch.setattr("iqbench.evaluator.gather", lambda mine: [first.state_dict(), mine])
        assert first.compute()["psnr"] > 0
        with pytest.raises(IqbenchError, match="the Evaluator of rank 0 differs from that of"):
            second.compute()

    @pytest.mark.parametrize("state", [None, [], {}, {"format": 1}])
    def test_what_is_no_state_is_refused(self, evaluator, state):
        with pytest.raises(IqbenchError, match=r"state is|not a state"):
            evaluator.load_state_dict(state)

    def test_an_empty_batch_adds_nothing(self, evaluator):
        evaluator.update(torch.zeros(0, 3, 8, 8), torch.zeros(0, 3, 8, 8))
        evaluator.update([], [])
        assert len(evaluator) == 0

    @given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.randoms())
    @settings(max_examples=15)
    def test_the_means_do_not_depend_on_how_images_are_batched(self, sizes, order):
        from iqbench.engine.record import Record, Row

        rows = [
            Row(str(place), None, "d", 1, 1, 3, 8, (), (order.uniform(-1e3, 1e3),), (None,))
            for place in range(sum(sizes))
        ]
        whole = Record(["psnr"], rows).means()
        order.shuffle(rows)
        parts, start = [], 0
        for size in sizes:
            parts.append(Record(["psnr"], rows[start : start + size]))
            start += size
        assert Record.united(parts).means() == whole


def test_a_device_of_torch_is_taken_with_its_number():
    reference, output = photographs(1)
    scorer = iqbench.Evaluator(["psnr"], device=torch.device("cpu:0"))
    assert scorer(output, reference) == iqbench.Evaluator(["psnr"], device="cpu")(output, reference)


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda x: x * 255, r"output 0 has values from .* but images are in \[0, 1\]"),
            (lambda x: (x * 255).long(), "output 0 is int64, whose range is not known"),
            (lambda x: x > 0.5, "output 0 is bool, whose range is not known"),
            (lambda x: x[0, :2], r"output is \(2, 48, 43\), not an image \(C, H, W\) or a batch"),
            (lambda x: x[0, 0], r"output is \(48, 43\), not an image \(C, H, W\) or a batch"),
            (lambda x: x[:, :2], "with C 1 or 3"),
            (lambda x: x.permute(0, 2, 3, 1), "with C 1 or 3"),
            (lambda x: x.numpy(), r"output 0 is an array of \(3, 48, 43\), not \(H, W, 3\)"),
            (lambda x: rows_first(x, channels=4), r"an array of \(48, 43, 4\).* removes alpha"),
            (lambda x: np.array(3.0), r"output 0 is an array of \(\), not \(H, W, 3\)"),
            (lambda x: np.zeros(9), r"output 0 is an array of \(9,\), not \(H, W, 3\)"),
            (lambda x: x[:, :, :0], "output 0 has 43x0 pixels, so there is nothing to score"),
            (lambda x: rows_first(x)[:, :, :0], "output 0 has 0x48 pixels, so there is nothing"),
            (lambda x: rows_first(x) > 0.5, "array of bool, whose range is not known"),
            (lambda x: rows_first(x).astype(np.int64), "array of int64, whose range is not known"),
            (lambda x: rows_first(x) * 255, r"output 0 has values from .* but images are in"),
            (
                lambda x: np.ma.masked_greater(rows_first(x).clip(0, 1), 0.5),
                "output 0 has masked values",
            ),
            (lambda x: [x[0], [x[1]]], "output 1 is of type list, not a tensor, an array or a"),
            (lambda x: [x[:2], x[1]], "output 0 of the list has 2 images"),
            (lambda x: None, "output is of type NoneType, not a tensor, an array, a path"),
            (lambda x: [x[0], "no/such.png"], "no/such.png does not exist"),
            (lambda x: x[:1], "there are 1 outputs, but 2 references"),
            (lambda x: x[..., :-4], "output 0 has 39x48 pixels, its reference 43x48"),
            (lambda x: [x[0], x[1, :, :-4]], "output 1 has 43x44 pixels, its reference 43x48"),
        ],
    )
    def test_what_is_no_image_is_named_and_nothing_is_kept(self, evaluator, change, message):
        reference, output = photographs(2)
        with pytest.raises(IqbenchError, match=message):
            evaluator.update(change(output), reference)
        assert len(evaluator) == 0

    def test_a_reference_in_minus_one_to_one_is_refused(self, evaluator):
        reference, output = photographs(1)
        with pytest.raises(IqbenchError, match="reference 0 has values from"):
            evaluator.update(output, reference * 2 - 1)

    def test_an_output_that_overshoots_far_is_named(self, evaluator):
        reference, _ = photographs(2)
        with pytest.warns(IqbenchWarning, match=r"output 0 \(from -1.* lies far outside \[0, 1\]"):
            evaluator.update(torch.cat([reference[:1] * 2 - 1.2, reference[1:]]), reference)
        assert len(evaluator) == 2

    def test_not_a_number_fails_one_image_and_not_the_others(self, evaluator):
        reference, output = photographs(3)
        output[1, 0, 5, 5] = torch.nan
        with pytest.warns(IqbenchWarning, match=r"output 1 \(b\) has values that are not numbers"):
            evaluator.update(output, reference, ids=["a", "b", "c"])
        assert math.isnan(evaluator.compute()["psnr"])
        scores = evaluator.scores()
        assert scores.loc["b"].isna().all()
        assert scores.loc[["a", "c"]].notna().all(axis=None)
        assert "not numbers" in evaluator.errors()["b", "psnr"]

    def test_a_value_that_does_not_exist_is_left_out_of_the_mean(self, evaluator):
        reference, output = photographs(2)
        reference[1] = 0.5  # a flat reference has no ratio of variations
        evaluator.update(output, reference, ids=["a", "flat"])
        assert evaluator.compute()["tv-ratio"] == evaluator.scores()["tv-ratio"]["a"]
        assert evaluator.errors()["flat", "tv-ratio"].startswith("undefined: ")

    def test_a_missing_reference_is_named(self, evaluator):
        with pytest.raises(IqbenchError, match=r"psnr, .* cannot be computed without a reference"):
            evaluator.update(photographs(1)[1])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"metrics": ["psnrr"]}, "Did you mean 'psnr'"),
            ({"metrics": ["bpp"]}, "bpp reads compressed files"),
            ({"protocol": "sr"}, "unknown protocol 'sr'"),
            ({"bits": 12}, "bits must be 8, 16 or None, not 12"),
            ({"device": "gpu"}, "unknown device 'gpu'"),
            ({"metrics": [["psnr"]]}, "a spec is a text such as .*, not of type list"),
            ({"protocol": ["rgb"]}, "a spec is a text such as .*, not of type list"),
            ({"memory": 0}, "memory is 0, not a positive number of bytes"),
            ({"memory": "1G"}, "memory is '1G', not a positive number"),
        ],
    )
    def test_wrong_options_are_refused(self, options, message):
        with pytest.raises(IqbenchError, match=message):
            iqbench.Evaluator(**{"metrics": ["psnr"], **options})


class TestTables:
    def test_checkpoints_are_methods(self, tmp_path, evaluator):
        from iqbench.boards.board import read_board

        for step, sigma in ((1, 0.1), (2, 0.02)):
            reference, output = photographs(3, sigma=sigma)
            evaluator.reset()
            evaluator.update(output, reference, ids=["a", "b", "c"])
            evaluator.write(tmp_path / "results", method=f"step-{step}", dataset="noisy")
        scores = iqbench.load_scores(tmp_path / "results", wide=True)
        assert scores.loc["noisy", "step-2"].equals(
            evaluator.scores().loc[:, list(scores.columns)].rename_axis("image")
        )
        board = read_board(tmp_path / "results", {}, intervals=False)
        ranked = board.table.frame
        assert list(ranked["method"]) == ["step-2", "step-1"]

    def test_runs_are_compared(self, tmp_path, evaluator):
        for run, sigma in (("before", 0.02), ("after", 0.1)):
            reference, output = photographs(3, sigma=sigma)
            evaluator.reset()
            evaluator.update(output, reference, ids=["a", "b", "c"])
            evaluator.write(tmp_path / run, method="mine")
        checked = iqbench.check(tmp_path / "after", baseline=tmp_path / "before")
        verdicts = checked.rows.set_index("metric")["verdict"]
        assert verdicts["psnr"] == "worse"

    def test_writing_again_replaces_a_method_and_its_images(self, tmp_path, evaluator):
        reference, output = photographs(3)
        evaluator.update(output, reference, ids=["a", "b", "c"])
        evaluator.write(tmp_path, method="mine")
        evaluator.reset()
        evaluator.update(output[:2], reference[:2], ids=["a", "b"])
        evaluator.write(tmp_path, method="mine")
        written = iqbench.load_scores(tmp_path)
        assert sorted(written["image"].unique()) == ["a", "b"]

    def test_values_of_another_reference_are_not_mixed(self, tmp_path, evaluator):
        reference, output = photographs(2)
        evaluator.update(output, reference, ids=["a", "b"])
        evaluator.write(tmp_path, method="first")
        evaluator.reset()
        evaluator.update(output, reference.flip(3), ids=["a", "b"])
        with pytest.raises(IqbenchError, match="'first' on 'validation' whose reference of 'a'"):
            evaluator.write(tmp_path, method="second")
        evaluator.write(tmp_path, method="second", replace=True)
        assert list(iqbench.load_scores(tmp_path)["method"].unique()) == ["second"]

    def test_failed_images_are_written_with_their_reason(self, tmp_path, evaluator):
        reference, output = photographs(2)
        output[1] = torch.nan
        with pytest.warns(IqbenchWarning):
            evaluator.update(output, reference, ids=["a", "b"])
        evaluator.write(tmp_path, method="mine")
        scores = iqbench.load_scores(tmp_path).set_index(["image", "metric"])
        assert "NaN" in scores.loc[("b", "psnr"), "error"]

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            ({"method": 3}, "the name of the method is of type int, not a text"),
            ({"method": " "}, "the name of the method is empty"),
            ({"method": "a\n"}, "method .* cannot be used as a name"),
            ({"method": "a", "dataset": "b\0"}, "dataset .* cannot be used as a name"),
        ],
    )
    def test_names_that_cannot_be_stored_are_refused(self, tmp_path, evaluator, names, message):
        reference, output = photographs(1)
        evaluator.update(output, reference)
        with pytest.raises(IqbenchError, match=message):
            evaluator.write(tmp_path, **names)

    def test_nothing_is_not_written(self, tmp_path, evaluator):
        with pytest.raises(IqbenchError, match="no scores to write"):
            evaluator.write(tmp_path, method="mine")


class TestTheCallersProcess:
    def test_nothing_of_it_changes(self, evaluator):
        def state():
            return (
                torch.is_grad_enabled(),
                torch.is_inference_mode_enabled(),
                torch.get_num_threads(),
                torch.get_float32_matmul_precision(),
                torch.is_autocast_enabled("cpu"),
                torch.get_rng_state().tolist(),
                random.getstate(),
                torch.get_default_dtype(),
            )

        reference, output = photographs(1)
        before = state()
        evaluator.update(output.requires_grad_(), reference)
        evaluator.compute()
        assert state() == before

    @pytest.mark.usefixtures("pretrained_networks")
    @pytest.mark.parametrize("mode", ["autocast", "inference", "no_grad", "default double"])
    def test_the_modes_of_training_change_no_value(self, mode):
        reference, output = photographs(1, height=70, width=66)
        scorer = iqbench.Evaluator(["psnr", "ssim", "lpips-alex", "dists"], device="cpu")
        expected = scorer(output, reference)
        modes = {
            "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
            "inference": torch.inference_mode,
            "no_grad": torch.no_grad,
            "default double": lambda: DefaultType(torch.float64),
        }
        with modes[mode]():
            found = scorer(output, reference)
        for column, values in expected.items():
            assert found[column].dtype == torch.float64
            assert found[column].tolist() == values.tolist()

    @pytest.mark.slow  # torch's compiler takes seconds to import
    @pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's own
    @pytest.mark.parametrize("place", ["beside it", "inside it"])
    def test_a_compiled_model_changes_no_value(self, evaluator, place):
        reference, output = photographs(2)
        model = torch.nn.Conv2d(3, 3, 1)
        expected = evaluator(model(output).sigmoid(), reference)
        if place == "beside it":
            compiled = torch.compile(model, backend="eager")
            evaluator.update(compiled(output).sigmoid(), reference)
        else:

            @torch.compile(backend="eager")
            def validate(batch, target):
                evaluator.update(model(batch).sigmoid(), target)

            validate(output, reference)
        for column, values in expected.items():
            assert evaluator.scores()[column].tolist() == values.tolist()

    def test_outputs_of_a_model_need_not_be_detached(self, evaluator):
        reference, output = photographs(1)
        layer = torch.nn.Conv2d(3, 3, 1)
        values = evaluator(layer(output).sigmoid(), reference)
        assert not values["psnr"].requires_grad


def frozen(array):
    """The same array, which nobody may write to."""
    array = array.copy()
    array.flags.writeable = False
    return array


class DefaultType:
    """Makes another type torch's default for a while."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __enter__(self):
        self.before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)

    def __exit__(self, *_):
        torch.set_default_dtype(self.before)
