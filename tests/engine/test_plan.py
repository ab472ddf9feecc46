"""The plan of a run, and input that is refused before anything is computed."""

from __future__ import annotations

import pytest

from iqbench.datasets.dataset import reference_folder
from iqbench.datasets.matching.methods import resolve_methods
from iqbench.engine.plan import plan_run
from iqbench.errors import IqbenchError
from iqbench.metrics._registry import DEFAULT_METRICS, resolve_metrics


def plan(made, *methods, references=("hr",), **options):
    datasets = [reference_folder(made.root / folder) for folder in references]
    names = [str(made.root / "out" / method) for method in methods]
    return plan_run(datasets, resolve_methods(names), **options)


def test_a_job_is_a_reference_with_all_methods_outputs(made):
    made.references()
    made.method("one")
    made.method("two", images=("a", "c"))
    made.method("three", images=("a",))
    (found,) = plan(made, "one", "two", "three").datasets
    assert [
        (job.outputs[0].image, [item.method for item in job.outputs]) for job in found.jobs()
    ] == [
        ("a", ["one", "two", "three"]),
        ("b", ["one"]),
        ("c", ["one", "two"]),
    ]
    assert sum(found.sizes.values()) == 6


def test_an_image_that_no_method_has_is_no_job(made):
    made.references()
    made.method("one", images=("a",))
    (found,) = plan(made, "one").datasets
    assert [job.outputs[0].image for job in found.jobs()] == ["a"]
    assert set(found.assignments["one"].problems) == {"b", "c"}


def test_no_image_is_opened(made, monkeypatch):
    made.references()
    for path in made.method("one").iterdir():
        path.write_bytes(b"")
    (found,) = plan(made, "one").datasets
    assert sum(found.sizes.values()) == 3


def test_metrics_are_the_default_ones_unless_said_otherwise(made):
    made.references()
    made.method("one")
    (found,) = plan(made, "one").datasets
    assert found.requests == resolve_metrics(DEFAULT_METRICS)
    assert found.protocol.spec == "rgb"
    (found,) = plan(made, "one", metrics=["ssim"], protocol="sr-y:scale=2").datasets
    assert [request.column.name for request in found.requests] == ["ssim"]
    assert found.protocol.spec == "sr-y:scale=2"


def test_columns_say_how_tables_show_them(made):
    made.references()
    made.method("one")
    columns = plan(made, "one", metrics=["psnr", "tv"]).columns
    assert (columns["psnr"].direction, columns["psnr"].decimals) == ("higher", 2)
    assert columns["psnr"].headline
    assert columns["tv-aniso-output"].direction == "none"
    assert columns["tv-ratio"].target == 1


def test_a_method_that_did_not_attempt_a_dataset_is_one_line(made):
    made.references()
    made.references(folder="other")
    made.method("one", folder="one/hr")
    made.method("two", folder="two/hr")
    made.method("two", folder="two/other")
    found = plan(made, "one", "two", references=("hr", "other"))
    assert [(item.dataset.name, list(item.assignments)) for item in found.datasets] == [
        ("hr", ["one", "two"]),
        ("other", ["two"]),
    ]
    assert found.warnings == [
        "method 'one' did not attempt dataset 'other': there is no folder "
        f"{made.root / 'out/one/other'}"
    ]


def test_a_dataset_that_no_method_attempted_is_left_out(made):
    made.references()
    made.references(folder="other")
    made.method("one", folder="one/hr")
    found = plan(made, "one", references=("hr", "other"))
    assert [item.dataset.name for item in found.datasets] == ["hr"]


def test_where_nothing_was_attempted_there_is_no_plan(made):
    made.references()
    made.references(folder="other")
    made.method("one", folder="one/stuff")
    with pytest.raises(IqbenchError, match=r"'one' did not attempt dataset 'hr'.*'other'") as error:
        plan(made, "one", references=("hr", "other"))
    assert "METHOD/DATASET/" in error.value.hint


def test_no_datasets_no_plan():
    with pytest.raises(IqbenchError, match="there is no dataset to score"):
        plan_run([], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["pnsr"]}, "unknown metric 'pnsr'. Did you mean 'psnr'?"),
        ({"metrics": ["lpips:net=alx"]}, "net of metric 'lpips'"),
        (
            {"metrics": ["perceptual:nett=vgg16"]},
            "unknown option of metric 'perceptual' 'nett'. Did you mean 'net'?",
        ),
        ({"metrics": ["perceptual:net=vgg16,layers=relu2_9"]}, "Did you mean 'relu2_"),
        ({"metrics": ["psnr", ""]}, "unknown metric ''"),
        ({"protocol": "sr_y"}, "unknown protocol 'sr_y'. Did you mean 'sr-y'?"),
        ({"protocol": "sr-y"}, "protocol 'sr-y' needs its parameter 'scale'. Write sr-y:scale=4"),
        ({"protocol": "sr-y:scale=0"}, "scale of protocol 'sr-y' must be a positive integer"),
        ({"protocol": "rgb:scale=2"}, "protocol 'rgb' takes no parameters, and 'scale' is given"),
        ({"output_name": "x4"}, "output name 'x4' must hold {id} once"),
        ({"output_name": "../{id}"}, "leads out of the method's folder"),
    ],
)
def test_misspelt_names_are_refused(made, options, message):
    made.references()
    made.method("one")
    with pytest.raises(IqbenchError) as caught:
        plan(made, "one", **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
