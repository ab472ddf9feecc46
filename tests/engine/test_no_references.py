"""Outputs without references: matched with each other, and tied to their own digests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_folders import Made, noisy, picture

from iqbench.errors import IqbenchError
from iqbench.images.write import write_png
from iqbench.results.schema import output_mark, pair_digest

LEVEL = {"metrics": ("mean-level",), "reference": None}


@pytest.fixture(autouse=True)
def _level(level_metrics):
    """Metrics that need no reference and no weights."""


def rewrite(folder, image, seed=77, **form):
    write_png(folder / f"{image}.png", noisy(picture(seed, **form), seed))


class TestOutputsAlone:
    def test_values_are_those_of_each_output_at_its_own_size(self, made):
        mine = made.method("mine", images=("a",))
        rewrite(mine, "b", height=40, width=50)
        assert made.evaluate(**LEVEL).scored == 2
        pixels = noisy(picture(77, height=40, width=50), 77)
        assert made.values("mean-level")["mine", "b"] == pytest.approx(pixels.mean() / 255)
        assert set(made.scores()["dataset"]) == {"outputs"}

    def test_a_second_run_computes_nothing(self, made):
        made.method()
        made.evaluate(**LEVEL)
        again = made.evaluate(**LEVEL)
        assert (again.scored, again.current) == (0, 3)

    def test_a_method_lacks_what_another_has(self, made):
        made.method("mine", images=("a", "b"))
        made.method("other", images=("b", "c"))
        made.evaluate(**LEVEL)
        assert made.errors().keys() == {("mine", "c"), ("other", "a")}

    def test_names_are_compared_as_asked_for(self, made):
        made.method("mine", images=("a", "b"), template="IMG_{}")
        made.method("other", images=("a", "b"), template="img_{}")
        made.evaluate(**LEVEL, match="case")
        assert made.errors() == {}
        assert {image for _, image in made.values("mean-level")} == {"IMG_a", "IMG_b"}

    def test_the_id_is_in_the_name_where_a_template_says_so(self, made):
        made.method("mine", template="{}_x4")
        made.evaluate(**LEVEL, output_name="{id}_x4")
        assert made.values("mean-level").keys() == {("mine", image) for image in "abc"}

    def test_an_output_that_vanished_is_missing_not_removed(self, made):
        mine = made.method()
        made.evaluate(**LEVEL)
        (mine / "c.png").unlink()
        made.evaluate(**LEVEL)
        assert "missing output" in made.errors()["mine", "c"]
        assert made.values("mean-level")["mine", "c"] is None

    def test_a_run_of_one_method_lacks_what_an_earlier_one_scored(self, made):
        made.method("mine")
        made.evaluate(**LEVEL)
        other = made.method("other", images=("a", "b"))
        made.evaluate(other, **LEVEL)
        assert made.errors().keys() == {("other", "c")}
        assert made.values("mean-level")["mine", "c"] is not None

    def test_a_dataset_of_that_name_with_references_is_refused(self, made):
        made.references()
        made.method()
        made.evaluate()
        before = made.files()
        with pytest.raises(IqbenchError, match=r"another dataset 'hr'.* has no references"):
            made.evaluate(**LEVEL, dataset_name="hr")
        assert made.files() == before

    def test_a_metric_that_needs_a_reference_is_refused_by_name(self, made):
        made.method()
        with pytest.raises(IqbenchError, match=r"^psnr needs a reference, .* 'outputs' has none"):
            made.evaluate(reference=None, metrics=("psnr", "mean-level"))
        assert not made.results.exists()

    def test_nothing_said_is_answered_with_a_metric(self, made):
        made.method()
        with pytest.raises(IqbenchError) as caught:
            made.evaluate(reference=None, metrics=())
        assert "--metric niqe" in caught.value.hint


class TestMixed:
    BOTH = ("psnr", "mean-level")

    def test_an_output_that_does_not_fit_keeps_its_own_values(self, made):
        made.references()
        mine = made.method()
        rewrite(mine, "b", height=40, width=50)
        summary = made.evaluate(metrics=self.BOTH)
        assert made.values("mean-level")["mine", "b"] is not None
        assert made.values("psnr")["mine", "b"] is None
        (failure,) = summary.failures
        assert "40" in failure.error
        assert "its reference" in failure.error

    def test_an_output_with_an_unreadable_reference_gets_an_error_too(self, made):
        references = made.references()
        made.method()
        (references / "b.png").write_bytes(b"no image")
        made.evaluate(metrics=self.BOTH)
        assert made.values("mean-level")["mine", "b"] is not None
        assert made.values("psnr")["mine", "b"] is None

    def test_references_that_are_added_leave_values_current(self, made, computed):
        made.method()
        made.evaluate(**LEVEL)
        made.references()
        computed.clear()
        made.evaluate(metrics=self.BOTH, dataset_name="outputs")
        assert {columns for _, columns in computed} == {frozenset({"psnr"})}
        assert None not in made.values("mean-level").values()


class TestMarks:
    @given(st.text("0123456789abcdef", min_size=64, max_size=64), st.text(min_size=64, max_size=64))
    def test_an_output_never_has_the_name_of_a_pair(self, output, reference):
        assert output_mark(output) != pair_digest(reference, output)

    def test_two_missing_files_have_no_name(self):
        assert output_mark(None) is None
        assert pair_digest(None, "a") is None

    @settings(max_examples=5)
    @given(st.sets(st.sampled_from("abc"), max_size=2), st.sets(st.sampled_from("abc")))
    def test_values_follow_the_files_that_they_read(self, tmp_path_factory, outputs, references):
        """After any files changed, only what read them is computed again."""
        made = Made(tmp_path_factory.mktemp("changes"))
        where, mine = made.references(), made.method()
        made.evaluate(metrics=TestMixed.BOTH)
        before = made.values("mean-level")
        for image in outputs:
            rewrite(mine, image)
        for image in references:
            rewrite(where, image, seed=78)
        made.evaluate()  # of the metric that needs references
        after = made.values("mean-level")
        assert after == {key: value for key, value in before.items() if key[1] not in outputs}
        assert made.evaluate(metrics=TestMixed.BOTH).scored == len(outputs)
