"""Metrics with a network: few passes, and the same answers as of all conventions on all pairs."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import torch
from made_pairs import measured, write_pair
from needs import SHARED, needs
from PIL import Image
from safetensors.torch import load_file
from skimage import data

from iqbench.errors import IqbenchError
from iqbench.explain import answer, explain, learned, passes
from iqbench.explain.convention import Convention, split_names
from iqbench.explain.files import Pairs, find_pairs
from iqbench.explain.search import _family
from iqbench.explain.threads import in_threads
from iqbench.functional import dists, lpips, niqe
from iqbench.metrics.lpips import NETWORKS
from iqbench.networks.backbone import Backbone
from iqbench.networks.weights import locate

missing = [name for name in ("alexnet", "vgg16", "dists") if locate(name) is None]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"weights are not there: run `iqbench weights fetch {' '.join(missing)}`"
)

FUNCTIONS = {
    "lpips-alex": lambda *images: lpips(*images, net="alex"),
    "lpips-vgg": lambda *images: lpips(*images, net="vgg"),
    "dists": dists,
    "dists-resize=256": lambda *images: dists(*images, resize="256"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Five pairs of 64x64, of photographs of all brightness."""
    root = tmp_path_factory.mktemp("five")
    for place, name in enumerate(("chelsea", "coffee", "astronaut", "rocket", "retina")):
        image = getattr(data, name)()
        middle = [side // 2 for side in image.shape[:2]]
        part = image[middle[0] : middle[0] + 64, middle[1] : middle[1] + 64].copy()
        for path in write_pair(root / name, part):
            folder = root / path.stem
            folder.mkdir(exist_ok=True)
            path.rename(folder / f"{place}.png")
    return root / "ref", root / "out"


@pytest.fixture
def alex_only(monkeypatch):
    """The smallest network is enough."""
    monkeypatch.setattr("iqbench.explain.learned.NETWORKS", {"alex": NETWORKS["alex"]})


@pytest.fixture
def passed(monkeypatch):
    """Count the images that pass through each network."""
    counts = Counter()
    begin = Backbone.begin

    def counted(network, wanted, size):
        counts[network.name] += 1
        return begin(network, wanted, size)

    monkeypatch.setattr(Backbone, "begin", counted)
    return counts


def pairs_of(folders):
    return Pairs(find_pairs(*folders), [1], "error")


def value(pair, metric, convention):
    family = _family(metric)
    with torch.inference_mode():
        return family.close([family.measure(pair, family.sample(convention))], convention)


@pytest.mark.parametrize("column", FUNCTIONS)
@pytest.mark.parametrize("kept", [0, 2**30])
def test_bands_and_kept_features_change_no_value(tmp_path, monkeypatch, column, kept):
    monkeypatch.setattr(passes, "BAND", 64 * 10)
    monkeypatch.setattr(passes, "KEPT", kept)
    paths = write_pair(tmp_path, data.coffee()[50:350, 100:364].copy())
    pair = pairs_of(paths).read(0)
    convention = Convention(column)
    expected = FUNCTIONS[column](*pair.seen(convention)).item()
    metric = column.partition("-")[0]
    for changed in (convention, convention._replace(brightness="reference"), convention):
        found = value(pair, metric, changed)
        if changed == convention:
            assert found == pytest.approx(expected, abs=2e-6)


def test_an_image_that_is_too_small_has_no_value(tmp_path):
    paths = write_pair(tmp_path, data.coffee()[50:64, 100:130].copy())
    pair = pairs_of(paths).read(0)
    with pytest.raises(IqbenchError, match=r"lpips-vgg.*16"):
        value(pair, "lpips", Convention("lpips-vgg"))


def test_the_reference_passes_once_for_all_that_changes_the_output(folders, passed):
    pair = pairs_of(folders).read(0)
    start = Convention("lpips-alex")
    value(pair, "lpips", start)
    assert passed == {"alexnet": 2}
    changed = [
        start._replace(prepared="jpeg-75"),
        start._replace(prepared="jpeg-95"),
        start._replace(brightness="reference"),
    ]
    for convention in sorted(changed, key=_family("lpips").order):
        value(pair, "lpips", convention)
    assert passed == {"alexnet": 5}
    value(pair, "lpips", start._replace(colour="luma-full-rounded"))
    assert passed == {"alexnet": 7}


def test_other_settings_of_the_reference_are_other_references(folders):
    pair = pairs_of(folders).read(0)
    family = _family("lpips")
    conventions = [
        Convention("lpips-alex", prepared=prepared, range=span, colour=colour)
        for prepared in ("as-stored", "output-down", "256x256-bilinear", "jpeg-75")
        for span in ("own", "0..1-as--1..1")
        for colour in ("rgb", "bgr", "luma-full-rounded")
    ]
    shared = [value(pair, "lpips", item) for item in sorted(conventions, key=family.order)]
    alone = [
        value(pairs_of(folders).read(0), "lpips", item)
        for item in sorted(conventions, key=family.order)
    ]
    assert shared == pytest.approx(alone, abs=1e-7)


def values_of(folders, compute):
    """Return what a function gives for each image, as printed."""
    pairs = pairs_of(folders)
    found = {}
    for place, name in enumerate(pairs.names.images):
        images = pairs.read(place).seen(Convention("rgb"))
        with torch.no_grad():
            found[name] = f"{compute(*images).item():.4f}"
    return found


# lpips says of its trunk what torchvision warns of.
@pytest.mark.filterwarnings("ignore:.*(pretrained|weight enum):UserWarning")
@pytest.mark.usefixtures("alex_only")
@pytest.mark.parametrize(
    ("options", "change", "expected"),
    [
        ({"lpips": False}, lambda x: 2 * x - 1, {"metric": "lpips-alex, no trained layers"}),
        ({}, lambda x: 4 * x - 3, {"range": "-1..1-as-0..1"}),
        ({}, lambda x: 2 * 255 * x - 1, {"range": "0..255-as-0..1"}),
        ({}, lambda x: 255 * x, {"range": "0..255-as--1..1"}),
    ],
)
def test_uses_of_the_package_lpips_are_told_apart(folders, options, change, expected):
    package = pytest.importorskip("lpips")
    network = package.LPIPS(net="alex", pnet_rand=True, verbose=False, **options)
    trunk = load_file(locate("alexnet"))
    with torch.no_grad():
        for name, parameter in network.net.named_parameters():
            parameter.copy_(trunk[f"features.{name.partition('.')[2]}"])
    theirs = values_of(folders, lambda *images: network(*map(change, images)))
    frame = explain(*folders, metric="lpips", values=theirs)
    assert answer(frame).verdict == "explained"
    assert frame.iloc[0][list(expected)].to_dict() == expected


@pytest.fixture
def vgg(monkeypatch):
    """Packages get VGG16 and the weights of DISTS from this machine."""
    import torchvision

    torchvision_vgg16 = torchvision.models.vgg16
    weights = load_file(locate("dists"))

    def vgg16(*given, **named):
        network = torchvision_vgg16(weights=None)
        network.load_state_dict(network.state_dict() | load_file(locate("vgg16")))
        return network

    def fetched(address, **named):
        assert "dists" in address
        return {name: weights[name].view(1, -1, 1, 1) for name in ("alpha", "beta")}

    monkeypatch.setattr("torchvision.models.vgg16", vgg16)
    monkeypatch.setattr("piq.perceptual.vgg16", vgg16, raising=False)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fetched)
    return weights


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """One pair of 264x280."""
    return write_pair(tmp_path_factory.mktemp("larger"), data.coffee()[50:314, 100:380].copy())


def piq_dists(weights):
    package = pytest.importorskip("piq")
    return package.DISTS()


def authors_dists(weights):
    module = pytest.importorskip("DISTS_pytorch.DISTS_pt")
    network = module.DISTS(load_weights=False)
    network.alpha.data, network.beta.data = (
        weights[name].view(1, -1, 1, 1) for name in ("alpha", "beta")
    )
    return network


def shrunk_dists(weights):
    module = pytest.importorskip("DISTS_pytorch.DISTS_pt")
    network = authors_dists(weights)

    def compute(*images):
        files = [
            Image.fromarray((image[0] * 255).round().byte().permute(1, 2, 0).numpy())
            for image in images
        ]
        return network(*(module.prepare_image(file, resize=True) for file in files))

    return compute


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "library"),
    [
        (piq_dists, "piq DISTS"),
        (authors_dists, "dists-pytorch DISTS"),
        (shrunk_dists, "dists-pytorch DISTS of prepare_image(resize=True)"),
    ],
)
def test_a_package_of_dists_is_named(larger, vgg, make, library):
    compute = make(vgg)
    images = pairs_of(larger).read(0).seen(Convention("rgb"))
    with torch.no_grad():
        value = compute(*images).item()
    best = explain(*larger, metric="dists", value=f"{value:.5f}").iloc[0]
    assert best["reproduces"]
    assert library in split_names(best["library"])


BABOON = SHARED / "data/Set14/HR_x2/img_001.png"


# BasicSR's documentation: 5.72957338 (MATLAB R2021a); MMagic's test: gray, and cropped by 6.
@needs(BABOON)
@pytest.mark.parametrize(
    ("value", "scale", "libraries"),
    [
        ("5.7296", None, ("BasicSR calculate_niqe", "MMagic NIQE (convert_to='y')")),
        ("5.7315", None, ("BasicSR calculate_niqe (convert_to='gray')", "MMagic NIQE")),
        ("6.1007", 6, ("BasicSR calculate_niqe (crop_border)",)),
    ],
)
def test_published_values_of_niqe_name_their_library(value, scale, libraries):
    best = explain(BABOON, BABOON, metric="niqe", value=value, scale=scale).iloc[0]
    assert best["reproduces"]
    assert set(libraries) <= set(split_names(best["library"]))


def test_niqe_that_is_not_rounded_is_of_an_older_library(tmp_path):
    paths = write_pair(tmp_path, data.astronaut()[:200, :200].copy())
    image = pairs_of(paths).read(0).seen(Convention("niqe"))[1]
    value = niqe(image, rounded=False).item()
    best = explain(*paths, metric="niqe", value=f"{value:.5f}").iloc[0]
    assert best["library"] == "BasicSR calculate_niqe (before it rounded)"


@pytest.fixture(scope="module")
def all_values(folders):
    """Value of every convention of AlexNet on every pair."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iqbench.explain.learned.NETWORKS", {"alex": NETWORKS["alex"]})
        survey, grid, _ = measured(*folders, "lpips", None)
    names = pairs_of(folders).names.images
    return {
        item: dict(zip(names, survey.images(item, range(len(names))).tolist(), strict=True))
        for item in grid.conventions
    }


@pytest.mark.slow
@pytest.mark.usefixtures("alex_only")
def test_no_convention_is_lost(folders, all_values, monkeypatch):
    """Values of images, then the mean, of each convention: it is among those that fit."""
    by_pixels = {}
    places = pairs_of(folders).names.images

    def recorded(family, pair, convention):
        key = pair.reference.name
        return {
            item.metric: values[by_pixels[key]]
            for item, values in all_values.items()
            if family.sample(item) == convention
        }

    for place, name in enumerate(places):
        by_pixels[pairs_of(folders).read(place).reference.name] = name
    assert len(by_pixels) == len(places)
    monkeypatch.setattr(learned.LpipsFamily, "measure", recorded)
    mean = {item: sum(values.values()) / len(values) for item, values in all_values.items()}
    assert len(all_values) > 60
    for convention, values in all_values.items():
        images = {name: f"{number:.4f}" for name, number in values.items()}
        for given in ({"values": images}, {"value": f"{mean[convention]:.5f}"}):
            frame = explain(*folders, metric="lpips", **given)
            best = frame.iloc[0]
            assert best["reproduces"], (convention, given)
            # Before a mistake, something more plausible may fit the digits.
            assert best["value"] == pytest.approx(mean[convention], abs=4e-4)


@pytest.mark.usefixtures("alex_only")
def test_values_that_nothing_meets_need_a_fraction_of_all_passes(folders, all_values, passed):
    own = all_values[Convention("lpips-alex")]
    factors = (1.11, 0.9, 1.08, 0.93, 1.05)
    values = {name: f"{own[name] * by:.4f}" for name, by in zip(own, factors, strict=True)}
    frame = explain(*folders, metric="lpips", values=values)
    assert answer(frame).verdict == "nothing"
    assert passed["alexnet"] < 2 * len(all_values) * len(own) / 3
    # The nearest was measured on all images, so its difference is the largest of all.
    nearest = frame.iloc[frame["difference"].abs().argmin()]
    assert nearest["images"] == len(own)
    worst = {
        item: max(abs(found[name] - float(values[name])) for name in own)
        for item, found in all_values.items()
    }
    assert abs(nearest["difference"]) == pytest.approx(min(worst.values()), abs=1e-6)


class Recorder:
    def __init__(self):
        self.parts = []

    def begin(self, what, total):
        self.parts.append([what, total, 0])

    def advance(self, done):
        self.parts[-1][2] += done


@pytest.mark.usefixtures("alex_only")
def test_the_reporter_hears_what_may_still_come(folders):
    reporter = Recorder()
    explain(*folders, metric="lpips", value="0.123456", reporter=reporter)
    parts = reporter.parts[1:]
    assert all(total == done for _, total, done in parts)
    assert "more if none fits" in parts[0][0]
    assert "more" not in parts[-1][0]


def test_after_an_interruption_nothing_more_begins():
    begun = []

    def work(item):
        begun.append(item)
        if item == 0:
            raise KeyboardInterrupt
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt):
        in_threads(work, range(200), workers=2)
    assert len(begun) < 20
