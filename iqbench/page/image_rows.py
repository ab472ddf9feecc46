"""Images on a page: reference and outputs side by side, within a limit of the file's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from iqbench.document.page import embedded_json
from iqbench.document.text import printable
from iqbench.images.picture import Picture
from iqbench.packages import missing_packages
from iqbench.page.difference import MapMaker, as_scored, paint
from iqbench.page.find_pictures import FoundPicture
from iqbench.page.thumbnails import Crop, crop_of, lossless, middle_of, thumbnail

__all__ = ["Budget", "Progress", "Scene", "SceneOutput", "Shown", "show"]

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, how many parts of it are done, and how many there are."""

_PICTURES = ("cv2", "imagecodecs", "simplejpeg")
"""The modules that decode, resize and encode pictures."""

_GALLERY = 1500
"""Bytes of markup that a scene takes, without its texts, thumbnail and data."""


@dataclass
class Budget:
    """The number of bytes by which a file may still grow."""

    left: int

    def take(self, size: int) -> bool:
        """Return whether ``size`` bytes fit, and reserve them if they do."""
        if size > self.left:
            return False
        self.left -= size
        return True


@dataclass(frozen=True)
class SceneOutput:
    """An output of a scene, shown if its file is found.

    Attributes
    ----------
    name
        The label.
    note
        The text beside the label, such as the value of the output.
    find
        Returns the output, or None if the file is gone or has changed.
    protocol
        The protocol that scored it.
    peak
        The sample value of white with which it was scored.
    gray_output
        How gray outputs of colour references were read; see `iqbench.protocols.view.View`.
    """

    name: str
    note: str
    find: Callable[[], FoundPicture | None]
    protocol: str
    peak: int
    gray_output: str


@dataclass(frozen=True)
class Scene:
    """An image with its reference, outputs and values, and the reasons why it is shown.

    Attributes
    ----------
    dataset, image
        Names of the dataset and of the image.
    reasons
        Why the image is shown, each a word and its explanation.
    reference
        Returns the reference, or None if it is not found. None itself if the outputs were scored
        without a reference.
    outputs
        In the order in which they are shown.
    heads, rows
        The table of values; each row begins with a name.
    left
        What is first shown on the left of the divider: the reference, or the name of an output.
    """

    dataset: str
    image: str
    reasons: Sequence[tuple[str, str]]
    reference: Callable[[], FoundPicture | None] | None
    outputs: Sequence[SceneOutput]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: str = "reference"

    @property
    def alone(self) -> bool:
        """Whether there is no reference."""
        return self.reference is None

    @property
    def compared(self) -> bool:
        """Whether the scene has a picture that all others are compared with, by a divider."""
        return not self.alone or any(one.name == self.left for one in self.outputs)


@dataclass
class Shown:
    """A scene whose pictures were found.

    Attributes
    ----------
    number
        The number of the scene on the page.
    scene, crop
        The scene, and the part of its image that is shown.
    width, height
        The size of the whole image.
    thumbnail
        Data URI, width and height.
    pictures
        The pictures, as the script of the page reads them.
    """

    number: int
    scene: Scene
    crop: Crop
    width: int
    height: int
    thumbnail: tuple[str, int, int]
    pictures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def part(self) -> str:
        """Describe the part that is shown; empty for the whole image."""
        crop = self.crop
        if (crop.height, crop.width) == (self.height, self.width):
            return ""
        where = "in the middle" if self.scene.alone else "where the outputs are worst"
        return (
            f"{crop.width}x{crop.height} of {self.width}x{self.height} pixels, from column "
            f"{crop.left} and row {crop.top} on, {where}"
        )

    @property
    def whole(self) -> bool:
        """Whether all outputs of the scene are shown."""
        return len(self.pictures) == len(self.scene.outputs) + (not self.scene.alone)

    def payload(self) -> Any:
        """Return the data for the script of the page, as JSON."""
        return embedded_json(
            {
                "dataset": printable(self.scene.dataset),
                "image": printable(self.scene.image),
                "reasons": [printable(text) for _, text in self.scene.reasons],
                "part": f"{self.part}." if self.part else "",
                "note": "" if self.whole else "Not all outputs are in this file.",
                "crop": [self.crop.left, self.crop.top, self.crop.width, self.crop.height],
                "size": [self.width, self.height],
                "left": printable(self.scene.left),
                "first": 0 if self.scene.alone else 1,  # the first output among the pictures
                "compared": self.scene.compared,
                "pictures": self.pictures,
                "heads": [printable(text) for text in self.scene.heads],
                "rows": [[printable(text) for text in row] for row in self.scene.rows],
            }
        )


def show(
    scenes: Sequence[Scene],
    budget: Budget,
    maker: Callable[[], MapMaker] | None,
    progress: Progress,
) -> tuple[list[Shown], list[str]]:
    """Find the pictures of a page: of chosen images, then their maps, then of other images.

    Parameters
    ----------
    scenes
        The most important first. Scenes without a reason are shown while they fit.
    budget
        The bytes that are left for the file.
    maker
        Creates the map maker when the first picture was found; None to draw no maps.
    progress
        Called with the name of a step, how many parts of it are done, and how many there are.

    Returns
    -------
    tuple
        The scenes that have pictures, and one sentence for each thing that was left out.
    """
    if scenes and (lacking := missing_packages(*_PICTURES)):
        return [], [_needs("pictures", lacking)]
    if maker is not None and (lacking := missing_packages("torch")):
        maker = None
        unmapped = [_needs("maps", lacking)]
    else:
        unmapped = []
    named = [scene for scene in scenes if scene.reasons]
    others = [scene for scene in scenes if not scene.reasons]
    shown: list[Shown] = []
    gone = full = 0
    for place, scene in enumerate(named):
        progress("Reading pictures", place, len(named))
        missing, unfit, one = _pictures(scene, len(shown), budget)
        gone, full = gone + missing, full + unfit
        if one is not None:
            shown.append(one)
    progress("Reading pictures", len(named), len(named))
    left_out = []
    if gone and not shown and not full:
        left_out.append(
            "pictures: none lies where it was scored and is still the same (--outputs and "
            "--reference say where to look)"
        )
    elif gone:
        left_out += _said(gone)
    if full:
        left_out.append(f"{_count(full, 'picture')} for want of room")
    if shown and maker is not None:
        left_out += _draw_maps(shown, budget, maker(), progress)
    # If no picture of the chosen images was found, the others are not searched.
    if shown:
        left_out += unmapped + _fill(others, shown, budget, progress)
    return shown, left_out


def _fill(
    scenes: Sequence[Scene], shown: list[Shown], budget: Budget, progress: Progress
) -> list[str]:
    """Add pictures of more images until the budget is used."""
    gone = 0
    for place, scene in enumerate(scenes):
        progress("Filling up with pictures", place, len(scenes))
        missing, unfit, one = _pictures(scene, len(shown), budget)
        gone += missing
        if one is not None:
            shown.append(one)
        if unfit:
            rest = len(scenes) - place - (one is not None)
            return _said(gone) + [f"pictures of {_count(rest, 'more image')} for want of room"] * (
                rest > 0
            )
    progress("Filling up with pictures", len(scenes), len(scenes))
    return _said(gone)


def _said(gone: int) -> list[str]:
    if not gone:
        return []
    return [f"{_count(gone, 'picture')} not found, or no longer the one that was scored"]


def _needs(what: str, packages: Sequence[str]) -> str:
    return f"{what}: not installed are {', '.join(packages)} (pip install iqbench)"


def _pictures(scene: Scene, number: int, budget: Budget) -> tuple[int, int, Shown | None]:
    """Return how many pictures were not found, how many do not fit, and the scene if any does."""
    reference = scene.reference() if scene.reference else None
    if reference is None and not scene.alone:
        return len(scene.outputs) + 1, 0, None
    original = None if reference is None else reference.picture
    found = [(output, output.find()) for output in scene.outputs]
    there = [
        (output, *as_scored(original, one.picture, output.peak))
        for output, one in found
        if one is not None
    ]
    missing = len(found) - len(there)
    if not there:
        return missing, 0, None
    output, whole, first = there[0]
    crop = middle_of(whole) if scene.alone else crop_of(whole, [seen for _, _, seen in there])
    small = thumbnail(whole.pixels, whole.peak)
    least = [] if scene.alone else [_picture("reference", "", whole, crop)]
    least.append(_picture(output.name, output.note, first, crop))
    shown = Shown(number, scene, crop, whole.width, whole.height, small)
    around = _GALLERY + len(small[0]) + 2 * _size(shown.payload())
    if not budget.take(around + sum(map(_size, least))):
        return missing, len(there) + len(least) - 1, None
    shown.pictures += least
    unfit = 0
    for output, _, picture in there[1:]:
        one = _picture(output.name, output.note, picture, crop)
        if budget.take(_size(one)):
            shown.pictures.append(one)
        else:
            unfit += 1
    return missing, unfit, shown


def _picture(name: str, note: str, picture: Picture, crop: Crop) -> dict[str, Any]:
    part = crop.of(picture.pixels)
    return {
        "name": printable(name),
        "note": printable(note),
        "width": int(part.shape[1]),
        "height": int(part.shape[0]),
        "source": lossless(part, picture.peak),
        "maps": [],
    }


def _size(value: Any) -> int:
    """Return the bytes that a value takes in the data of the page."""
    text = value if isinstance(value, str) else embedded_json(value)
    return len(text.encode()) + 1


def _draw_maps(
    shown: Sequence[Shown], budget: Budget, maker: MapMaker, progress: Progress
) -> list[str]:
    full = 0
    for place, one in enumerate(shown):
        progress("Drawing maps", place, len(shown))
        full += _maps_of(one, budget, maker)
    progress("Drawing maps", len(shown), len(shown))
    left_out = [f"{_count(full, 'map')} for want of room"] if full else []
    left_out += [f"maps: {problem}" for problem in maker.problems]
    if maker.left_out:
        left_out.append(
            f"maps of {', '.join(maker.left_out)}: their weights are not on this machine "
            "(iqbench weights fetch)"
        )
    return left_out


def _maps_of(one: Shown, budget: Budget, maker: MapMaker) -> int:
    """Add maps to the outputs of a scene; each kind of map is added to all outputs or to none."""
    if one.scene.reference is None:
        return 0
    reference = one.scene.reference()
    drawn: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    by_name = {picture["name"]: picture for picture in one.pictures[1:]}
    for output in one.scene.outputs:
        picture = by_name.get(printable(output.name))
        found = output.find() if picture is not None else None
        if reference is not None and found is not None:
            for made in maker.maps(
                reference.picture,
                found.picture,
                output.protocol,
                peak=output.peak,
                gray_output=output.gray_output,
            ):
                drawn.setdefault(made.name, []).append((picture or {}, made))
    full = 0
    for of_outputs in drawn.values():
        painted = paint([made for _, made in of_outputs], one.crop)
        entries: list[dict[str, Any]] = [
            {
                "name": each.name,
                "legend": each.legend,
                "summary": each.summary,
                "low": f"{each.low:.3g}",
                "high": f"{each.high:.3g}",
                "colours": each.colours,
                "source": lossless(each.pixels),
            }
            for each in painted
        ]
        if budget.take(sum(map(_size, entries))):
            for (picture, _), entry in zip(of_outputs, entries, strict=True):
                picture["maps"].append(entry)
        else:
            full += len(entries)
    return full


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
