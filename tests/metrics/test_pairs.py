"""Images that every function and loss accepts, and images that all of them refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from iqbench import functional
from iqbench.errors import IqbenchError
from iqbench.losses import LPIPSLoss, PerceptualLoss, TVLoss
from iqbench.metrics.lpips import NETWORKS
from iqbench.networks.weights import locate

PAIRWISE = (
    "psnr",
    "psnr_b",
    "ssim",
    "ms_ssim",
    "tv_ratio",
    "tv_residual",
    "perceptual",
    "lpips",
    "gmsd",
    "dists",
    "absolute_error_map",
    "ssim_map",
    "perceptual_map",
    "lpips_map",
    "PerceptualLoss",
    "LPIPSLoss",
    "ciede2000",
    "ciede2000_map",
    "flip",
    "flip_map",
    "fsim",
    "fsimc",
    "haarpsi",
    "iw_ssim",
    "mdsi",
    "ms_gmsd",
    "nlpd",
    "psnr_hvs",
    "psnr_hvsm",
    "ssimulacra2",
    "vifp",
    "vsi",
)
NETWORKED = tuple(
    name for name in PAIRWISE if "erceptual" in name or "lpips" in name.lower() or name == "dists"
)
LOSSES = ("PerceptualLoss", "LPIPSLoss")
OF_ONE_IMAGE = ("total_variation", "total_variation_map")
WITHOUT_REFERENCE = ("brisque", "niqe", "piqe", "inception_features")
OF_FEATURES = ("frechet_distance", "kernel_distance")
SIZE = {"iw_ssim": 161, "ms_ssim": 176, "vifp": 48}


@pytest.fixture
def named(random_network):
    """Return a function or loss by name, called as (reference, output)."""

    def find(name):
        if name == "PerceptualLoss":
            loss = PerceptualLoss("alexnet", backbone=random_network("alexnet"), reduction="none")
            return lambda reference, output: loss(output, reference)
        if name == "LPIPSLoss":
            loss = LPIPSLoss("alex", backbone=random_network("alexnet"), reduction="none")
            return lambda reference, output: loss(output, reference)
        function = getattr(functional, name)
        if name not in NETWORKED:
            return function
        if name == "dists" and locate("dists") is None:
            pytest.skip("the weights of DISTS are not there: run `iqbench weights fetch dists`")
        known = {"perceptual": "squeezenet1_1", "lpips": "alexnet", "dists": "vgg16"}
        network = known[name.removesuffix("_map")]
        options = {"backbone": random_network(network)}
        if name.startswith("perceptual"):
            options |= {"net": network, "layers": ("relu1", "fire5")}
        return lambda reference, output: function(reference, output, **options)

    return find


@pytest.fixture(params=PAIRWISE)
def name(request):
    return request.param


@pytest.fixture
def function(named, name):
    return named(name)


def images(name, count=1, channels=3, **options):
    """Make a reference and an output that differ by little."""
    side = SIZE.get(name, 40)
    reference = torch.rand(count, channels, side, side, **options)
    noise = torch.rand(reference.shape, **options)
    return reference, (reference * 0.9 + noise * 0.1).clamp(0, 1)


def test_every_function_is_tested():
    others = {*OF_ONE_IMAGE, *WITHOUT_REFERENCE, *OF_FEATURES}
    assert {*PAIRWISE, *others} == {*functional.__all__, *LOSSES}


@pytest.mark.parametrize("name", WITHOUT_REFERENCE)
class TestWithoutReference:
    @pytest.fixture(autouse=True)
    def _weights(self, name):
        named = {"inception_features": "inception", "piqe": None}
        weights = named.get(name, name)
        if weights is not None and locate(weights) is None:
            pytest.skip(f"weights are not there: run `iqbench weights fetch {weights}`")

    def test_integers_stand_for_unit_range(self, name):
        function = getattr(functional, name)
        pixels = torch.from_numpy(data.astronaut()[:192, :192]).permute(2, 0, 1)[None]
        assert torch.equal(function(pixels.contiguous()), function(pixels.float() / 255))

    def test_an_empty_batch_has_no_values(self, name):
        function, image = getattr(functional, name), torch.rand(1, 3, 192, 192)
        assert function(image[:0]).shape == (0, *function(image).shape[1:])

    def test_autocast_changes_nothing(self, name):
        function, image = getattr(functional, name), torch.rand(1, 3, 192, 192)
        with torch.autocast("cpu"):
            found = function(image)
        assert torch.equal(found, function(image))

    @pytest.mark.parametrize("scale", [255.0, -1.0])
    def test_other_ranges_are_refused(self, name, scale):
        with pytest.raises(IqbenchError, match="the image has values from"):
            getattr(functional, name)(torch.rand(1, 3, 192, 192) * scale)

    def test_images_have_a_batch_and_one_or_three_channels(self, name):
        with pytest.raises(IqbenchError, match=r"expected \(N, C, H, W\) with C 1 or 3"):
            getattr(functional, name)(torch.rand(3, 192, 192))


class TestShapes:
    def test_shapes_must_be_equal(self, function):
        with pytest.raises(IqbenchError, match=r"differ in shape: \(1, 3, 16, 16\) and \(1, 3, 16"):
            function(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 17))

    def test_nothing_is_broadcast(self, function):
        with pytest.raises(IqbenchError, match="differ in shape"):
            function(torch.rand(1, 1, 16, 16), torch.rand(1, 3, 16, 16))

    @pytest.mark.parametrize("shape", [(3, 16, 16), (1, 4, 16, 16), (1, 2, 16, 16)])
    def test_images_have_a_batch_and_one_or_three_channels(self, function, shape):
        with pytest.raises(IqbenchError, match=r"expected \(N, C, H, W\) with C 1 or 3") as caught:
            function(torch.rand(shape), torch.rand(shape))
        assert "unsqueeze" in caught.value.hint

    @pytest.mark.parametrize(("shape", "size"), [((1, 3, 0, 16), "16x0"), ((2, 1, 9, 0), "0x9")])
    def test_images_have_pixels(self, function, shape, size):
        with pytest.raises(IqbenchError, match=f"has {size} pixels, so there is nothing to score"):
            function(torch.rand(shape), torch.rand(shape))

    def test_devices_must_be_equal(self, function):
        here = torch.rand(1, 3, 40, 40)
        with pytest.raises(
            IqbenchError, match=r"the (reference|target) is on cpu, the output on meta"
        ):
            function(here, here.to("meta"))

    @pytest.mark.parametrize("name", NETWORKED, indirect=True)
    def test_the_network_must_be_where_the_images_are(self, function):
        there = torch.rand(1, 3, 40, 40, device="meta")
        with pytest.raises(IqbenchError, match=r"the network .* is on cpu, the images on meta"):
            function(there, there)


class TestTypes:
    @pytest.mark.parametrize(("dtype", "peak"), [(torch.uint8, 255), (torch.uint16, 65535)])
    def test_integers_of_files_are_divided_by_their_peak(self, function, name, dtype, peak):
        floats = [image.mul(peak).round() for image in images(name)]
        found = function(*(image.to(dtype) for image in floats))
        expected = function(*(image / peak for image in floats))
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)

    def test_an_integer_reference_serves_an_output_in_floats(self, function, name):
        reference, output = images(name)
        stored = reference.mul(255).round()
        expected = function(stored / 255, output)
        found = function(stored.to(torch.uint8), output)
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)

    @pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
    def test_integers_of_no_known_range_are_refused(self, function, dtype):
        image = torch.zeros(1, 3, 40, 40, dtype=dtype)
        message = f"the (reference|target) is {str(dtype)[6:]}, whose range is not known"
        with pytest.raises(IqbenchError, match=message) as caught:
            function(image, image)
        assert "image / 255" in caught.value.hint

    @pytest.mark.parametrize("image", [np.zeros((40, 40, 3)), [[0.0]], None, 0.5])
    def test_values_that_are_not_tensors_are_refused(self, function, image):
        with pytest.raises(IqbenchError, match=f"the output is of type {type(image).__name__}"):
            function(torch.rand(1, 3, 40, 40), image)

    @pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
    @pytest.mark.parametrize(
        "made",
        [
            torch.Tensor.to_sparse,
            lambda image: image + 0j,
            lambda image: torch.nested.nested_tensor(list(image)),
        ],
        ids=["sparse", "complex", "nested"],
    )
    def test_tensors_that_are_not_dense_and_real_are_refused(self, function, made):
        image = made(torch.rand(1, 3, 40, 40))
        with pytest.raises(
            IqbenchError, match=r"the (reference|target) is not a dense tensor of real numbers"
        ):
            function(image, image)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_computed_in_float32(self, function, name, dtype):
        half = [image.to(dtype) for image in images(name)]
        found = function(*half)
        assert found.dtype in (torch.float32, torch.float64)
        expected = function(*(image.float() for image in half))
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)

    @pytest.mark.parametrize("name", [*PAIRWISE[:6], "absolute_error_map", "ssim_map"])
    def test_float64_is_kept(self, named, name):
        reference, output = images(name)
        assert named(name)(reference.double(), output).dtype == torch.float64

    @pytest.mark.parametrize("name", NETWORKED, indirect=True)
    def test_a_network_computes_in_the_type_of_its_weights(self, function, name):
        pair = images(name, dtype=torch.float64)
        expected = function(*(image.float() for image in pair))
        torch.testing.assert_close(function(*pair), expected, check_dtype=False)

    def test_autocast_changes_no_metric(self, function, name):
        reference, output = images(name)
        expected = function(reference, output)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = function(reference, output)
        assert found.dtype == expected.dtype
        tolerance = 0.05 if name in LOSSES else 0  # whose networks follow autocast
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=0, equal_nan=True)


class TestRange:
    @pytest.mark.parametrize(
        ("convert", "values"),
        [
            (lambda x: 2 * x - 1, "from -1 to 1,"),
            (lambda x: x - 0.5, "from -0.5 to 0.5,"),
            (lambda x: 255 * x, "from 0 to 255,"),
            (lambda x: 65535 * x, r"from 0 to 6.554e\+04,"),
            (lambda x: (x - 0.45) / 0.225, "from -2 to 2.444,"),
            (lambda x: torch.full_like(x, math.inf), "from inf to inf,"),
        ],
        ids=["[-1, 1]", "centred", "0..255", "0..65535", "normalised", "infinite"],
    )
    def test_another_range_is_refused_with_what_to_do(self, function, name, convert, values):
        reference, output = images(name)
        reference[0, :, 0, :2] = torch.tensor([0.0, 1.0])
        with pytest.raises(
            IqbenchError, match=f"the (reference|target) has values {values}"
        ) as caught:
            function(convert(reference), output)
        assert "(x + 1) / 2 from [-1, 1], x / 255" in caught.value.hint

    @pytest.mark.parametrize("photo", ["astronaut", "coffee", "chelsea", "rocket", "camera"])
    def test_photographs_in_minus_one_to_one_are_found_out(self, photo):
        pixels = torch.from_numpy(np.atleast_3d(getattr(data, photo)())).permute(2, 0, 1) / 255
        image = pixels.unsqueeze(0)
        with pytest.raises(IqbenchError, match=r"the output has values from -(1|0\.\d+) to "):
            functional.psnr(image, 2 * image - 1)

    def test_one_image_of_a_batch_is_enough(self, function, name):
        reference, output = images(name, count=3)
        reference[1] = 2 * reference[1] - 1
        with pytest.raises(
            IqbenchError, match=r"the (reference|target) has values from -(1|0\.99)"
        ):
            function(reference, output)

    def test_one_value_of_0_to_255_is_enough(self, function, name):
        reference, output = images(name)
        output[0, 0, 3, 3] = 255
        with pytest.raises(IqbenchError, match=r"the output has values from .* to 255, "):
            function(reference, output)

    def test_overshoot_is_taken_as_it_is(self, function, name):
        reference, output = images(name)
        output = output * 1.2 - 0.1
        output[0, 0, :5] += 1.5 * torch.rand(output.shape[3])
        found = function(reference, output)
        assert not torch.equal(found, function(reference, output.clamp(0, 1)))

    def test_overshoot_has_finite_gradients(self, function, name):
        reference, output = images(name)
        output = (
            output
            + 1.5 * (torch.rand(output.shape) < 0.01)
            - 0.4 * (torch.rand(output.shape) < 0.03)
        )
        output.requires_grad_()
        function(reference, output).nansum().backward()
        assert output.grad.isfinite().all()

    def test_unclipped_noise_has_its_psnr(self):
        clean = torch.rand(1, 3, 200, 200)
        noisy = clean + 75 / 255 * torch.randn(clean.shape)
        expected = 20 * math.log10(255 / 75)
        assert functional.psnr(clean, noisy).item() == pytest.approx(expected, abs=0.05)

    @pytest.mark.parametrize("name", LOSSES, indirect=True)
    def test_a_network_that_begins_to_learn_may_give_anything_small(self, function, name):
        target, _ = images(name)
        output = torch.randn(target.shape).requires_grad_()
        function(target, output).sum().backward()
        assert output.grad.isfinite().all()
        with pytest.raises(IqbenchError, match=r"the (reference|target) has values"):
            function(output, target)

    @given(low=st.floats(-3, 3), high=st.floats(-3, 3))
    @settings(max_examples=60)
    def test_within_the_range_nothing_is_refused_and_far_outside_all(self, low, high):
        ramp = torch.linspace(low, high, 64, dtype=torch.float64).view(1, 1, 8, 8)
        outside = (ramp - ramp.clamp(0, 1)).abs()
        if outside.mean() > 0.06 or outside.max() > 2:
            with pytest.raises(IqbenchError, match="images are in"):
                functional.psnr(ramp, ramp)
        else:
            assert functional.psnr(ramp, ramp).item() == math.inf

    def test_an_image_with_nan_has_no_value_and_the_others_theirs(self, function, name):
        reference, output = images(name, count=2)
        expected = function(reference, output)
        output[0, 0, 20, 20] = math.nan
        found = function(reference, output)
        assert found[0].isnan().any()
        torch.testing.assert_close(found[1], expected[1], rtol=0, atol=0, equal_nan=True)


class TestTotalVariation:
    """It is defined for any range, and in the unit of the values."""

    @pytest.mark.parametrize("form", ["aniso", "iso", "sq"])
    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    @pytest.mark.parametrize(
        "dtype", [torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64]
    )
    def test_integers_do_not_wrap(self, form, reduction, dtype):
        limits = torch.iinfo(dtype)
        low, high = (max(limits.min, -(2**40)), min(limits.max, 2**40))
        image = torch.tensor([low, high, high, low, low, high], dtype=torch.int64).view(1, 1, 3, 2)
        found = functional.total_variation(image.to(dtype), form=form, reduction=reduction)
        exact = functional.total_variation(image.double(), form=form, reduction=reduction)
        assert found.item() == pytest.approx(exact.item(), rel=1e-6)
        drawn = functional.total_variation_map(image.to(dtype), form=form)
        exact = functional.total_variation_map(image.double(), form=form)
        torch.testing.assert_close(drawn.double(), exact, rtol=1e-6, atol=0, equal_nan=True)
        assert TVLoss(form)(image.to(dtype)).item() > 0

    def test_of_a_mask_it_is_the_length_of_the_edge(self):
        mask = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
        mask[..., 3:6, 3:6] = True
        assert functional.total_variation(mask, reduction="sum").item() == 12

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_neither_overflows_nor_drifts(self, dtype):
        image = torch.rand(1, 3, 256, 256).to(dtype)
        found = functional.total_variation(image, reduction="sum")
        exact = functional.total_variation(image.double(), reduction="sum")
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(exact.item(), rel=1e-6)

    def test_it_scales_with_the_values(self):
        image = torch.rand(1, 3, 9, 9, dtype=torch.float64)
        for scale in (-1, 2, 255, 1e6):
            scaled = functional.total_variation(scale * image)
            assert scaled.item() == pytest.approx(
                abs(scale) * functional.total_variation(image).item()
            )

    @pytest.mark.parametrize("function", [functional.total_variation, TVLoss(), *OF_ONE_IMAGE[1:]])
    @pytest.mark.parametrize(
        "image", [np.zeros((1, 1, 4, 4)), torch.zeros(1, 1, 4, 4, dtype=torch.complex64)]
    )
    def test_what_is_no_real_tensor_is_refused(self, function, image):
        function = getattr(functional, function) if isinstance(function, str) else function
        with pytest.raises(IqbenchError, match="the image is"):
            function(image)


class TestTransforms:
    """Compilers, tracers and transforms of torch meet no check that needs the values."""

    @pytest.mark.filterwarnings("ignore")  # of the compiler, about what it cannot compile
    @pytest.mark.parametrize(
        "name",
        # The compiler takes ten seconds for a network.
        [
            "psnr",
            "ssim",
            "tv_ratio",
            *(pytest.param(one, marks=pytest.mark.slow) for one in LOSSES),
        ],
    )
    def test_a_compiled_function_gives_the_same(self, named, name):
        function = named(name)
        reference, output = images(name)
        output.requires_grad_()
        torch._dynamo.reset()
        compiled = torch.compile(function, backend="aot_eager")
        found = compiled(reference, output)
        torch.testing.assert_close(found, function(reference, output))
        found.sum().backward()
        assert output.grad.isfinite().all()

    @pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
    @pytest.mark.parametrize("name", ["psnr", "ssim", "perceptual", "ssimulacra2", "gmsd"])
    def test_a_function_is_mapped_over_a_batch(self, named, name):
        function = named(name)
        pairs = [images(name) for _ in range(3)]
        batches = (torch.stack([pair[side] for pair in pairs]) for side in (0, 1))
        found = torch.vmap(function)(*batches)
        torch.testing.assert_close(found, torch.stack([function(*pair) for pair in pairs]))

    def test_shapes_are_found_without_values(self):
        image = torch.rand(2, 3, 40, 40, device="meta")
        assert functional.ssim(image, image).shape == (2,)
        assert functional.ssim(image, image).device.type == "meta"

    def test_subclasses_of_tensors_are_checked_as_tensors_are(self):
        class Photo(torch.Tensor):
            pass

        image = torch.rand(1, 3, 16, 16)
        photo = image.as_subclass(Photo)
        assert functional.psnr(photo, image).item() == math.inf
        with pytest.raises(IqbenchError, match=r"the (reference|target) has values"):
            functional.psnr(255 * photo, image)


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float64])
def test_the_default_type_of_the_program_changes_nothing(function, name, default):
    pair = images(name)
    expected = function(*pair)
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        found = function(*pair)
    finally:
        torch.set_default_dtype(before)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6, equal_nan=True)


def test_an_empty_batch_has_no_values(function, name):
    reference, output = images(name)
    known = function(reference, output)
    output.requires_grad_()
    found = function(reference[:0], output[:0])
    assert found.shape == (0, *known.shape[1:])
    assert found.dtype == known.dtype
    found.sum().backward()
    assert (output.grad == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_of_a_batch_has_a_value_of_its_own(function, name, channels):
    reference, output = images(name, count=3, channels=channels)
    values = function(reference, output)
    assert values.shape[0] == 3
    alone = torch.cat([function(reference[[i]], output[[i]]) for i in range(3)])
    torch.testing.assert_close(values, alone, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_gradients_reach_the_output_whatever_its_type(function, name):
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        reference, output = (image.to(dtype) for image in images(name))
        output.requires_grad_()
        function(reference, output).nansum().backward()
        assert output.grad.dtype == dtype
        assert output.grad.isfinite().all()
        assert output.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["psnr", "psnr_b"])
def test_an_image_that_is_equal_leaves_the_gradients_of_the_others(named, name):
    reference, output = images(name, count=2)
    output[0] = torch.full_like(output[0], 0.5)
    reference[0] = output[0]
    scale = torch.ones(()).requires_grad_()
    values = named(name)(reference, output * scale)
    assert values[0].item() == math.inf
    values.sum().backward()
    (alone,) = torch.autograd.grad(named(name)(reference[1:], output[1:] * scale).sum(), scale)
    assert scale.grad.item() == pytest.approx(alone.item())
    assert math.isfinite(alone.item())


@pytest.mark.parametrize("net", NETWORKS)
def test_gradients_of_half_precision_are_those_of_float32(net, random_network):
    loss = LPIPSLoss(net, backbone=random_network(NETWORKS[net]))
    target, output = (image.bfloat16() for image in images("lpips"))
    slopes = []
    for dtype in (torch.bfloat16, torch.float32):
        x = output.to(dtype, copy=True).requires_grad_()
        loss(x, target).backward()
        slopes.append(x.grad.bfloat16())
    assert torch.equal(*slopes)
