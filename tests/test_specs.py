"""The grammar of specs: ``name:key=value,key=value``, lists joined by ``+``."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, field_validator

from iqbench.errors import IqbenchError
from iqbench.specs import build, format_value, parse_spec, validate


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    net: str = "vgg16"
    layers: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    distance: Literal["l1", "l2"] = "l1"
    size: int = 11
    flag: bool = False

    @field_validator("size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("must be odd")
        return size


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("psnr", "psnr", {}),
        ("psnr:", "psnr", {}),
        ("lpips:net=alex", "lpips", {"net": "alex"}),
        ("sr-y:scale=4,", "sr-y", {"scale": "4"}),
        (
            " perceptual : net = vgg19 , layers = relu2_2+relu5_4 ",
            "perceptual",
            {"net": "vgg19", "layers": "relu2_2+relu5_4"},
        ),
        ("path:file=a:b=c", "path", {"file": "a:b=c"}),
    ],
)
def test_a_spec_is_a_name_and_options(text, name, options):
    assert parse_spec(text) == (name, options)


@pytest.mark.parametrize("text", ["a:b", "a:b=", "a:=c", "a:b=1,c", "a:b c"])
def test_an_option_is_a_key_and_a_value(text):
    with pytest.raises(IqbenchError, match="is not of the form key=value") as caught:
        parse_spec(text)
    assert "name:key=value" in caught.value.hint


def test_an_option_is_given_once():
    with pytest.raises(IqbenchError, match="'net' is given twice in 'lpips:net=alex,net=vgg'"):
        parse_spec("lpips:net=alex,net=vgg")


def test_options_become_a_validated_model():
    options = {"layers": "relu2_2+relu5_4", "weights": ".1+2", "size": "7", "flag": "true"}
    made = build(Options, options, where="metric 'x'")
    assert made == Options(layers=("relu2_2", "relu5_4"), weights=(0.1, 2.0), size=7, flag=True)
    assert build(Options, {}, where="metric 'x'") == Options()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nett": "vgg16"}, "unknown option of metric 'x' 'nett'. Did you mean 'net'?"),
        ({"distance": "l3"}, "distance of metric 'x': Input should be 'l1' or 'l2'"),
        ({"size": "8"}, "size of metric 'x': must be odd"),
        ({"weights": "1+y"}, "weights of metric 'x': Input should be a valid number, unable"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(options, message):
    with pytest.raises(IqbenchError) as caught:
        build(Options, options, where="metric 'x'")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_values_from_python_are_refused_likewise():
    with pytest.raises(IqbenchError, match="distance of the call: Input should be"):
        validate(Options, {"distance": "l3"}, where="the call")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("relu1_2", "relu1_2"),
        (4, "4"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (1e6, "1000000"),
        (1e22, "1e22"),
        (True, "true"),
        (("a", "b"), "a+b"),
        ((0.1, 0.1, 1.0), "0.1+0.1+1"),
        ((), ""),
    ],
)
def test_values_are_written_as_a_spec_has_them(value, text):
    assert format_value(value) == text


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_what_is_written_is_read_back_as_the_same_numbers(numbers):
    text = format_value(tuple(numbers))
    assert build(Options, {"weights": text}, where="x").weights == tuple(numbers)
