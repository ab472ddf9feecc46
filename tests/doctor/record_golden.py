"""Record what ``iqbench doctor`` compares with: files, their pixels, and values of metrics.

Run it from the top of the repository, with the weights of the default metrics at hand::

    python tests/doctor/record_golden.py

It writes ``iqbench/doctor/golden``. Every value comes from an implementation other than iqbench's,
in float64: scikit-image (PSNR, SSIM), numpy (luma of BT.601, total variation), torchvision's VGG16
(perceptual distances), the authors' package ``lpips``. Pixels of JPEG files are what Pillow
decodes, those of PNG files what was encoded. The versions that were used stand in ``golden.yaml``.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from functools import cache
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
import yaml
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from iqbench.images.degrade import gaussian_blur, gaussian_noise
from iqbench.images.resize import imresize_uint8
from iqbench.networks.weights import load

FOLDER = Path(__file__).parents[2] / "iqbench" / "doctor" / "golden"
PACKAGES = ("scikit-image", "numpy", "torch", "torchvision", "lpips", "pillow")

PERCEPTUAL = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29}
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

# Which families of metrics are recorded, for which pair, under which protocol.
EVERYTHING = ("fidelity", "tv", "perceptual", "lpips-alex", "lpips-vgg")
RECORDED = (
    ("astronaut", "rgb", EVERYTHING),
    ("coffee", "rgb", ("fidelity", "tv", "lpips-alex")),
    ("chelsea", "rgb", EVERYTHING),
    ("astronaut", "sr-y:scale=4", ("fidelity", "tv", "lpips-alex")),
    ("astronaut", "sr-y-rounded:scale=4", ("fidelity",)),
    ("coffee", "sr-y:scale=4", ("fidelity",)),
    ("coffee", "sr-y-rounded:scale=4", ("fidelity",)),
)


def pairs():
    """Pairs of reference and output, uint8 or uint16; sides are odd, so that crops matter."""
    astronaut = data.astronaut()[90:145, 190:261]
    small = imresize_uint8(astronaut, scale=1 / 4)
    coffee = data.coffee()[60:121, 250:321]
    gray = np.rint(data.chelsea()[100:153, 140:209] @ [0.299, 0.587, 0.114])
    gray = gray.astype(np.uint8)[..., np.newaxis]
    noise = np.random.default_rng(2).normal(0, 300, gray.shape)
    blurred = gaussian_blur(gray, 1.2).astype(np.float64) * 257 + noise
    return {
        "astronaut": (astronaut, imresize_uint8(small, size=astronaut.shape[:2])),
        "coffee": (coffee, gaussian_noise(coffee, 20, seed=1)),
        "chelsea": (
            gray.astype(np.uint16) * 257,
            np.clip(np.rint(blurred), 0, 65535).astype(np.uint16),
        ),
    }


def encoded():
    """Files of every kind that is proven: name to the bytes and to the pixels they stand for."""
    color = data.astronaut()[380:405, 140:175]
    gray = color[..., 1:2]
    fine = np.random.default_rng(3).integers(0, 257, color.shape)
    deep = (color * np.uint16(255) + fine).astype(np.uint16)
    files = {
        "rgb-8.png": (png(color), color),
        "rgb-16.png": (png(deep), deep),
        "gray-8.png": (png(gray), gray),
        "gray-16.png": (png(deep[..., :1]), deep[..., :1]),
    }
    for name, pixels, options in (
        ("rgb-420.jpg", color, {"subsampling": "4:2:0"}),
        ("rgb-444.jpg", color, {"subsampling": "4:4:4"}),
        ("rgb-420-progressive.jpg", color, {"subsampling": "4:2:0", "progressive": True}),
        ("gray.jpg", gray, {}),
    ):
        stream = io.BytesIO()
        Image.fromarray(pixels.squeeze()).save(stream, "JPEG", quality=80, **options)
        decoded = np.asarray(Image.open(stream))
        files[name] = (stream.getvalue(), decoded.reshape(pixels.shape))
    return files


def png(pixels):
    """Encode without loss; RGB is BGR to OpenCV."""
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def seen(pixels, protocol):
    """What PSNR and SSIM see, and what networks and total variation see, float64 in [0, 1]."""
    image = pixels / np.iinfo(pixels.dtype).max
    if protocol == "rgb":
        return image, image
    scale = 4
    height, width = (side - side % scale for side in image.shape[:2])
    image = image[scale : height - scale, scale : width - scale]
    luma = image @ np.array([65.481, 128.553, 24.966]) + 16  # MATLAB's rgb2ycbcr, in 0..255
    if protocol.startswith("sr-y-rounded"):
        luma = np.floor(luma + 0.5)
    return luma[..., np.newaxis] / 255, image


def fidelity(reference, output):
    """PSNR, and the SSIM of Wang et al. 2004, by scikit-image."""
    ssim = structural_similarity(
        reference,
        output,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
    )
    return {"psnr": peak_signal_noise_ratio(reference, output, data_range=1), "ssim": ssim}


def variation(image):
    """Total variation per pixel and channel in its three forms, by numpy."""
    dx, dy = np.diff(image, axis=1), np.diff(image, axis=0)
    return {
        "aniso": np.abs(dx).mean() + np.abs(dy).mean(),
        "iso": np.sqrt(dx[:-1] ** 2 + dy[:, :-1] ** 2).mean(),
        "sq": (dx**2).mean() + (dy**2).mean(),
    }


def tv(reference, output):
    """All columns of the metric ``tv``."""
    sides = {"output": variation(output), "reference": variation(reference)}
    found = {
        f"tv-{form}-{side}": values[form]
        for form in ("aniso", "iso", "sq")
        for side, values in sides.items()
    }
    found["tv-ratio"] = sides["output"]["aniso"] / sides["reference"]["aniso"]
    found["tv-residual"] = variation(output - reference)["aniso"]
    return found


def tensor(image):
    """(1, 3, H, W) float64; gray is replicated."""
    image = np.repeat(image, 3 // image.shape[2], axis=2)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].double()


@cache
def vgg16_features():
    """torchvision's VGG16 without its classifier, with the pretrained weights, in float64."""
    import torchvision

    with torch.device("meta"):
        model = torchvision.models.vgg16()
    unused = model.load_state_dict(load("vgg16").tensors, strict=False, assign=True)
    assert not unused.unexpected_keys
    assert all(key.startswith("classifier.") for key in unused.missing_keys)
    return model.features.eval().double()


@torch.no_grad()
def perceptual(reference, output):
    """Mean absolute difference of VGG16's features, layer by layer, and their sum."""
    mean, deviation = (torch.tensor(x).double().view(1, 3, 1, 1) for x in (MEAN, DEVIATION))
    pair = (torch.cat([tensor(reference), tensor(output)]) - mean) / deviation
    layers = {index: layer for layer, index in PERCEPTUAL.items()}
    found = {}
    for index, step in enumerate(vgg16_features()):
        pair = step(pair)
        if index in layers:
            distance = (pair[0] - pair[1]).abs().mean().item()
            found[f"perceptual-vgg16-{layers[index]}-l1"] = distance
    return found | {"perceptual-vgg16-sum-l1": sum(found.values())}


@cache
def lpips_model(net):
    """Build the authors' model, with the pretrained weights in its trunk, in float64."""
    import lpips

    # Every weight of the trunk is replaced below: to draw them at random takes seconds.
    drawn = dict.fromkeys(
        ("kaiming_normal_", "kaiming_uniform_", "normal_", "trunc_normal_"),
        lambda weight, *_, **__: weight,
    )
    with warnings.catch_warnings(), patch.multiple(torch.nn.init, **drawn):
        warnings.simplefilter("ignore")  # of torchvision: it is asked for no weights
        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
    trunk = load({"alex": "alexnet", "vgg": "vgg16"}[net]).tensors
    with torch.no_grad():
        for name, parameter in model.net.named_parameters():
            parameter.copy_(trunk["features." + name.split(".", 1)[1]])
    return model.double()


@torch.no_grad()
def lpips_distance(net, reference, output):
    """LPIPS by the authors' package."""
    return lpips_model(net)(tensor(reference), tensor(output), normalize=True).item()


RECORDED_BY = {
    "psnr": "scikit-image",
    "ssim": "scikit-image",
    "tv": "numpy",
    "perceptual": "torchvision",
    "lpips": "lpips",
}


def record(name, protocol, families):
    """Value of every column of some families for a pair under a protocol."""
    views = [seen(side, protocol) for side in pairs()[name]]
    pixels, colors = zip(*views, strict=True)
    functions = {
        "fidelity": lambda: fidelity(*pixels),
        "tv": lambda: tv(*colors),
        "perceptual": lambda: perceptual(*colors),
        "lpips-alex": lambda: {"lpips-alex": lpips_distance("alex", *colors)},
        "lpips-vgg": lambda: {"lpips-vgg": lpips_distance("vgg", *colors)},
    }
    found = {}
    for family in families:
        found |= functions[family]()
    return {column: float(value) for column, value in found.items()}


def entry(name, protocol, columns):
    """What is kept of a pair under a protocol: its values, and which package gave each."""
    by = {column: RECORDED_BY[column.partition("-")[0]] for column in columns}
    return {"pair": name, "protocol": protocol, "columns": columns, "by": by}


def write_files():
    """Write pairs and encoded files; give the digest of each."""
    contents = {f"decoder/{name}": content for name, (content, _) in encoded().items()}
    for name, (reference, output) in pairs().items():
        contents[f"reference/{name}.png"] = png(reference)
        contents[f"output/{name}.png"] = png(output)
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name: pixels for name, (_, pixels) in encoded().items()})
    contents["decoder/pixels.npz"] = stream.getvalue()
    for name, content in contents.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def main():
    """Write everything again."""
    golden = {
        "recorded_with": {name: version(name) for name in PACKAGES},
        "files": write_files(),
        "values": [
            entry(name, protocol, record(name, protocol, families))
            for name, protocol, families in RECORDED
        ],
    }
    heading = "# Written by tests/doctor/record_golden.py; see README.md beside this file.\n"
    text = yaml.safe_dump(golden, sort_keys=False)
    (FOLDER / "golden.yaml").write_text(heading + text, encoding="utf-8")


if __name__ == "__main__":
    main()
