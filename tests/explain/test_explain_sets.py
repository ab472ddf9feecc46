"""FID and KID: explain tells their resizers apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_pairs import pixels
from PIL import Image
from skimage import data

from iqbench.errors import IqbenchError
from iqbench.explain import explain, sets
from iqbench.explain.convention import split_names
from iqbench.images import degrade
from iqbench.images.write import write_png
from iqbench.metrics import _inception_features

SIDE = 299


@pytest.fixture(autouse=True)
def inception(monkeypatch):
    """Means of parts of the image in place of the network: what is tested is what it is fed."""
    monkeypatch.setattr(sets, "need_weights", lambda *names: None)
    monkeypatch.setattr(_inception_features, "load_inception", lambda *given: small_network)


def small_network(image):
    return F.adaptive_avg_pool2d(image, 3).flatten(1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    for seed in range(4):
        # Larger than Inception's input, so that antialiasing makes a difference.
        reference = data.astronaut()[40 * seed : 40 * seed + 320, 100:464].copy()
        write_png(root / "hr" / f"{seed}.png", reference)
        output = degrade.gaussian_noise(degrade.gaussian_blur(reference, 1.5), 12, seed)
        write_png(root / "sr" / f"{seed}.png", output)
    return root / "hr", root / "sr"


def clean(image):
    planes = [
        Image.fromarray(plane).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        for plane in image.astype(np.float32).transpose(2, 0, 1)
    ]
    return torch.from_numpy(np.stack([np.asarray(plane).clip(0, 255) for plane in planes]))[None]


def pytorch(image):
    tensor = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    return F.interpolate(tensor, (SIDE, SIDE), mode="bilinear", align_corners=False)


def antialiased(image):
    """As torchmetrics since 1.9; torch-fidelity has no antialiasing."""
    tensor = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    size = (SIDE, SIDE)
    return F.interpolate(tensor, size, mode="bilinear", align_corners=False, antialias=True)


def tensorflow(image):
    """TensorFlow 1's ResizeBilinear: place i reads i * old / new, no pixel centres."""
    for axis in (0, 1):
        side = image.shape[axis]
        place = np.arange(SIDE) * (side / SIDE)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, side - 1)
        share = np.expand_dims(place - low, 1 - axis)[..., None]
        image = image.take(low, axis) * (1 - share) + image.take(high, axis) * share
    return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]


def features(folder, resize):
    # pytorch-fid makes 2 x - 1 of x in [0, 1], the others (x - 128) / 128 of x in [0, 255].
    middle = 127.5 if resize is pytorch else 128
    images = [resize(pixels([path])[0]) for path in sorted(folder.iterdir())]
    return np.concatenate(
        [small_network((image - middle) / middle).double().numpy() for image in images]
    )


def fid(first, second):
    step = first.mean(0) - second.mean(0)
    covariances = [np.cov(side, rowvar=False) for side in (first, second)]
    roots = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).astype(complex)).real.sum()
    return step @ step + sum(map(np.trace, covariances)) - 2 * roots


def kid(first, second):
    """The unbiased estimate of all images at once."""

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    count = len(first)
    own = sum(kernel(a, a).sum() - np.trace(kernel(a, a)) for a in (first, second))
    return own / (count * (count - 1)) - 2 * kernel(first, second).mean()


@pytest.mark.parametrize(
    ("metric", "resize", "column", "library"),
    [
        ("fid", clean, "fid", "clean-fid compute_fid"),
        ("fid", pytorch, "fid-resizer=pytorch", "pytorch-fid calculate_fid_given_paths"),
        ("fid", tensorflow, "fid-resizer=tensorflow", "the FID authors' fid.py (TensorFlow)"),
        (
            *("fid", antialiased, "fid, bilinear with antialiasing"),
            "torchmetrics FrechetInceptionDistance",
        ),
        ("kid", clean, "kid", "clean-fid compute_kid (at most 1000 images)"),
        ("kid", antialiased, "kid, bilinear with antialiasing", ""),
    ],
)
def test_a_resizer_is_told_by_its_value(folders, metric, resize, column, library):
    sides = (features(folder, resize) for folder in folders)
    value = {"fid": fid, "kid": kid}[metric](*sides)
    best = explain(*folders, metric=metric, value=f"{value:.6f}").iloc[0]
    assert best["reproduces"]
    assert best["metric"] == column
    assert not library or library in split_names(best["library"])
    assert best["images"] == 4


def test_a_single_pair_has_no_value_of_a_set(folders):
    pair = folders[0] / "0.png", folders[1] / "0.png"
    with pytest.raises(IqbenchError, match="fid is a value of many images"):
        explain(*pair, metric="fid", value="20.1")


def test_single_images_have_no_value_of_a_set(folders):
    with pytest.raises(IqbenchError, match="none of single ones"):
        explain(*folders, metric="fid", values={"0": 20.1})
