"""Methods that are functions are scored on a dataset's inputs, with the values of files."""

from __future__ import annotations

import re
import shutil
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import iqbench
from iqbench.cli.main import main
from iqbench.datasets.load import load_datasets, select
from iqbench.errors import IqbenchError, IqbenchWarning
from iqbench.results.signature import parse_signature

NAMES = ("a", "b", "c")
NOISE = "noise:sigma=10"


@pytest.fixture
def references(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    (tmp_path / "hr").mkdir()
    for number, name in enumerate(NAMES):
        pixels = generator.integers(40, 200, (24, 16 + 8 * number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "hr" / f"{name}.png")
    return tmp_path


def evaluate(methods, **options):
    given = {"reference": "hr", "degradation": NOISE, "metrics": ["psnr"], "device": "cpu"}
    return iqbench.evaluate(methods=methods, **{**given, **options})


def read(name):
    return np.array(Image.open(f"hr/{name}.png"))


def values(frame, metric="psnr", method="mine"):
    rows = frame[(frame["metric"] == metric) & (frame["method"] == method)]
    return rows.set_index("image")["value"].to_dict()


def command(*arguments):
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 0


@pytest.mark.usefixtures("references")
class TestValues:
    def test_they_are_those_of_the_files(self):
        found = evaluate({"mine": lambda image: image // 2}, seed=3)
        command("degrade", NOISE, "hr", "-o", "noisy", "--seed", "3")
        Path("files").mkdir()
        for name in NAMES:
            pixels = np.asarray(Image.open(f"noisy/{name}.png")) // 2
            Image.fromarray(pixels).save(f"files/{name}.png")
        expected = evaluate("mine=files", degradation=None, results="of files")
        assert values(found) == values(expected)

    def test_a_dataset_of_super_resolution_makes_its_own_inputs(self):
        seen = []

        def enlarge(image):
            seen.append(image.shape)
            return image.repeat(4, axis=0).repeat(4, axis=1)

        found = iqbench.evaluate(
            methods={"nearest": enlarge}, dataset="demo-sr-x4", metrics="psnr", device="cpu"
        )
        assert len(seen) == 8
        assert set(found["dataset"]) == {"demo-sr-x4"}
        scores = values(found, method="nearest")
        assert len(scores) == 8
        assert all(15 < value < 40 for value in scores.values())

    @pytest.mark.parametrize(
        "turn",
        [
            pytest.param(lambda image: image, id="array"),
            pytest.param(lambda image: image / 255, id="floating point"),
            pytest.param(lambda image: torch.from_numpy(image).permute(2, 0, 1), id="tensor"),
            pytest.param(
                lambda image: torch.from_numpy(image / 255).permute(2, 0, 1)[None],
                id="batch of one",
            ),
        ],
    )
    def test_outputs_are_arrays_or_tensors(self, turn):
        assert values(evaluate({"mine": turn})) == values(evaluate({"mine": lambda x: x}))

    def test_outputs_may_be_given_without_a_function(self):
        made = {}
        expected = values(evaluate({"mine": lambda image: made.setdefault(len(made), image)}))
        outputs = [made[number] for number in range(3)]
        for number, given in enumerate(
            [outputs, iter(outputs), dict(zip(NAMES, outputs, strict=True))]
        ):
            found = evaluate({"mine": given}, degradation=None, results=f"results{number}")
            assert values(found) == expected

    def test_several_methods_and_folders_stand_beside_each_other(self):
        dark = [read(name) // 2 for name in NAMES]
        Path("files").mkdir()
        for name, pixels in zip(NAMES, dark, strict=True):
            Image.fromarray(pixels).save(f"files/{name}.png")
        found = evaluate({"memory": dark, "disk": "files"}, degradation=None)
        assert values(found, method="memory") == values(found, method="disk")
        assert len(values(found, method="disk")) == 3


@pytest.mark.usefixtures("references")
class TestFailures:
    def test_an_exception_is_the_error_of_its_image_alone(self):
        def fragile(image):
            if image.shape[1] == 24:
                raise ZeroDivisionError("no such luck")
            return image

        with pytest.warns(IqbenchWarning, match="no such luck"):
            found = evaluate({"mine": fragile, "other": lambda image: image})
        rows = found[found["metric"] == "psnr"].set_index(["method", "image"])
        assert (
            "method mine on b failed: ZeroDivisionError: no such luck"
            in rows.loc[("mine", "b"), "error"]
        )
        assert rows["value"].notna().sum() == 5
        assert set(values(found, "runtime")) == {"a", "c"}

    @pytest.mark.parametrize(
        ("output", "error"),
        [
            (lambda image: None, "is of type NoneType"),
            (lambda image: image[:-4], "20 pixels, its reference"),
            (lambda image: image.astype(np.int64), "int64, whose range is not known"),
            (lambda image: image.astype(float), r"but images are in [0, 1]"),
            (lambda image: image * np.nan, "not numbers"),
        ],
    )
    def test_what_is_no_image_is_an_error_of_its_image(self, output, error):
        with pytest.warns(IqbenchWarning):
            found = evaluate({"mine": output})
        rows = found[found["metric"] == "psnr"]
        assert rows["value"].isna().all()
        assert all(error in text for text in rows["error"])

    def test_too_few_and_too_many_outputs_are_reported(self):
        image = np.zeros((24, 16, 3), dtype=np.uint8)
        with pytest.raises(IqbenchError, match="has 2 outputs, but hr has 3 images"):
            evaluate({"mine": [image, image]}, degradation=None)
        with pytest.raises(IqbenchError, match="not an image of hr: d"):
            evaluate({"mine": {"d": image}}, degradation=None)
        with pytest.warns(IqbenchWarning, match="missing output"):
            found = evaluate({"mine": iter([image])}, degradation=None)
        assert found["value"].notna().sum() == 2  # psnr and the runtime of the first
        images = (read(name) // 2 for name in (*NAMES, "a"))
        with pytest.warns(IqbenchWarning, match="more outputs than the 3 images of hr"):
            evaluate({"mine": images}, degradation=None, results="more")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"degradation": None}, "nothing says how the inputs of hr are made"),
            ({"degradation": "noize:sigma=1"}, "Did you mean 'noise'"),
            ({"methods": "hr"}, "a degradation is given, and no method that is a function"),
            ({"reference": None}, "nothing says on which images mine is to be run"),
        ],
    )
    def test_what_cannot_be_run_is_refused(self, options, message):
        with pytest.raises(IqbenchError, match=message):
            evaluate(**{"methods": {"mine": lambda image: image}, **options})


@pytest.mark.usefixtures("references")
class TestTables:
    def test_the_runtime_is_a_column(self):
        found = evaluate({"mine": lambda image: image})
        runtimes = values(found, "runtime")
        assert runtimes.keys() == set(NAMES)
        assert all(0 < seconds < 60 for seconds in runtimes.values())
        board = iqbench.load_scores("results", wide=True)
        assert {"psnr", "runtime"} <= set(board.columns)

    def test_the_pair_of_dataset_and_degradation_is_signed(self):
        frames = [
            evaluate({"mine": lambda image: image}),
            evaluate({"mine": lambda image: image}, seed=1),
            evaluate({"mine": lambda image: image}, degradation="blur:sigma=1.2"),
        ]
        assert [set(frame["dataset"]) for frame in frames] == [
            {"hr noise:sigma=10"},
            {"hr noise:sigma=10,seed=1"},
            {"hr blur:sigma=1.2"},
        ]
        signed = [
            parse_signature(frame[frame["metric"] == "runtime"]["signature"].iloc[0])["input"]
            for frame in frames
        ]
        assert signed == [
            "noise:sigma=10.0,seed=0",
            "noise:sigma=10.0,seed=1",
            "blur:sigma=1.2,noise=0.0",
        ]

    def test_equal_outputs_are_not_scored_again(self, monkeypatch):
        from iqbench.engine.scorer import Scorer

        first = evaluate({"mine": lambda image: image})
        monkeypatch.setattr(Scorer, "start", lambda *_: pytest.fail("it was scored again"))
        assert values(evaluate({"mine": lambda image: image})) == values(first)

    def test_a_method_of_files_is_not_replaced_unasked(self):
        Path("files").mkdir()
        for name in NAMES:
            Image.fromarray(read(name) // 3).save(f"files/{name}.png")
        evaluate("mine=files", degradation=None)
        given = {"mine": [read(name) // 2 for name in NAMES]}
        with pytest.raises(IqbenchError, match=r"another method 'mine'.*a function computes"):
            evaluate(given, degradation=None)
        assert values(evaluate(given, degradation=None, replace=True))["a"] < 20


@pytest.fixture
def inputs(references) -> Path:
    """A folder with an input of every reference, not what a degradation would give."""
    folder = references / "LR"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(read(name) // (2 + number)).save(folder / f"{name}.png")
    return folder


def demo_samples(name):
    (spec,) = select(load_datasets(None), [name])
    return spec.open().samples


def pixels_of(folder, names):
    return [np.array(Image.open(f"{folder}/{name}.png")) for name in names]


def run(methods=None, **options):
    """Evaluate a function over a folder of inputs; also return what it was given."""
    seen = []

    def method(image):
        seen.append(image)
        return image

    given = {"degradation": None, "inputs": "LR", **options}
    return evaluate(methods or {"mine": method}, **given), seen


@pytest.mark.usefixtures("inputs")
class TestInputFiles:
    def test_functions_are_given_the_files(self):
        found, seen = run()
        expected = pixels_of("LR", NAMES)
        assert all(np.array_equal(a, b) for a, b in zip(seen, expected, strict=True))
        files = evaluate("mine=LR", degradation=None, results="of files")
        assert values(found) == values(files)

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("{}x4.png", {"input_name": "{id}x4"}),
            ("{}.PNG", {}),
            ("lr/{}_noisy.png", {"input_name": "lr/{id}_noisy.png"}),
            ("hr/{}.png", {}),  # a sub-folder that is named as the dataset
            ("sub/{}.png", {"match": "flat"}),
        ],
    )
    def test_files_are_matched_by_name_as_outputs_are(self, inputs, name, options):
        expected = pixels_of("LR", NAMES)
        for one in NAMES:
            target = inputs / name.format(one)
            target.parent.mkdir(exist_ok=True)
            (inputs / f"{one}.png").rename(target)
        found, seen = run(**options)
        assert all(np.array_equal(a, b) for a, b in zip(seen, expected, strict=True))
        assert found["value"].notna().all()

    def test_files_of_16_bits_are_given_as_they_are(self, inputs):
        cv2 = pytest.importorskip("cv2")
        for one in NAMES:
            cv2.imwrite(str(inputs / f"{one}.png"), read(one).astype(np.uint16) * 100)
        seen = []
        run({"mine": lambda image: seen.append(image) or (image // 100).astype(np.uint8)})
        assert [image.dtype for image in seen] == [np.uint16] * 3

    @pytest.mark.parametrize(
        ("harm", "message"),
        [
            (lambda path: path.unlink(), "missing input: no b.* in LR"),
            (lambda path: path.write_bytes(b""), "b.png is empty"),
            (lambda path: path.write_bytes(path.read_bytes()[:-30]), "b.png"),
            (lambda path: (path.parent / "b.bmp").write_bytes(b"x"), "ambiguous input in LR"),
        ],
    )
    def test_a_bad_input_is_the_error_of_its_image_alone(self, inputs, harm, message):
        harm(inputs / "b.png")
        with pytest.warns(IqbenchWarning):
            found, seen = run()
        rows = found[found["metric"] == "psnr"].set_index("image")
        assert message in rows.loc["b", "error"]
        assert rows["value"].notna().to_dict() == {"a": True, "b": False, "c": True}
        assert set(values(found, "runtime")) == {"a", "c"}
        assert len(seen) == 2

    def test_files_of_no_image_are_named(self, inputs):
        shutil.copy(inputs / "b.png", inputs / "other.png")
        with pytest.warns(IqbenchWarning, match="left out: other.png"):
            run()

    def test_the_dataset_and_the_signature_say_what_the_inputs_were(self, inputs):
        def signed(**options):
            found, _ = run(**options)
            text = found[found["metric"] == "runtime"]["signature"].iloc[0]
            return set(found["dataset"]), parse_signature(text)["input"]

        names, first = signed()
        assert names == {"hr inputs:LR"}
        assert first.startswith("files:")
        inputs.rename(inputs.parent / "moved")
        assert signed(inputs="moved") == ({"hr inputs:moved"}, first)
        Image.fromarray(read("a") // 9).save("moved/a.png")
        assert signed(inputs=Path("moved"), results="again")[1] != first

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"inputs": "nowhere"}, "folder of inputs nowhere does not exist"),
            ({"inputs": "hr/a.png"}, "is a file, not a folder"),
            ({"input_name": "{id}x2"}, "no input of 'hr' was found in LR, which holds a.png"),
            ({"input_name": "x2"}, "must hold {id} once"),
            ({"degradation": NOISE}, "a degradation and a folder of inputs are given"),
            ({"inputs": None, "input_name": "{id}"}, "without a folder of inputs"),
            ({"methods": "hr"}, "a folder of inputs is given, and no method that is a function"),
            ({"match": "sound"}, "sound"),
        ],
    )
    def test_what_cannot_be_run_is_refused(self, options, message):
        with pytest.raises(IqbenchError, match=re.escape(message)):
            run(**options)

    def test_several_datasets_have_a_sub_folder_each(self, inputs):
        names = ["demo-sr-x4", "demo-denoise"]
        options = {"reference": None, "datasets": names}
        with pytest.raises(IqbenchError, match=f"folder of inputs LR/{names[0]} does not exist"):
            run(**options)
        for name, number in zip(names, (8, 16), strict=True):
            for sample in demo_samples(name):
                pixels = np.asarray(sample.needed_reference.read().decode().pixels)
                path = inputs / name / f"{sample.image}.png"
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(np.squeeze(pixels // number)).save(path)
        found, seen = run(**options)
        assert set(found["dataset"]) == {f"{name} inputs:LR" for name in names}
        assert len(seen) == found[found["metric"] == "psnr"]["value"].notna().sum() > 0

    def test_outputs_without_a_function_say_what_they_were_made_of(self):
        given = iter([read(name) // 2 for name in NAMES])
        found, _ = run({"mine": given})
        _, seen = run(results="of a function")
        assert set(found["dataset"]) == {"hr inputs:LR"}
        signed = iqbench.load_scores("of a function").query("metric == 'runtime'")["signature"]
        assert set(found.query("metric == 'runtime'")["signature"]) == set(signed)
        assert len(seen) == 3

    def test_inputs_in_two_places_are_refused(self, inputs):
        shutil.copytree("LR", "LR/hr")
        with pytest.raises(IqbenchError, match="there are inputs of dataset 'hr' in LR/hr and in"):
            run()

    def test_transparency_is_composited_where_it_is_asked_for(self, inputs):
        clear = np.dstack([read("a"), np.zeros((24, 16), dtype=np.uint8)])
        Image.fromarray(clear).save(inputs / "a.png")
        _, seen = run(alpha="composite")
        assert (seen[0] == 255).all()


@pytest.mark.usefixtures("references")
def test_functions_are_called_in_the_callers_thread_and_modes():
    seen = []

    def method(image):
        seen.append((threading.get_ident(), torch.is_grad_enabled(), image.flags.writeable))
        return image

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate({"mine": method})
    assert seen == [(threading.get_ident(), False, True)] * 3
