"""Photos on the page: decisions of a demo, and images whose decision changed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.report.marked_rows import Mark, MarkedRow
from edgekd.bench.report.words import MELANOMA
from edgekd.errors import ImageError

__all__ = ["ChangedImage", "GalleryItem", "Resolver", "changed_images", "images_below", "thumbnail"]

_THUMBNAIL = 176
_CLASSES_SHOWN = 3

Resolver = Callable[[str], "Path | None"]
"""The file of an image by its name in the data set; None where there is none."""


@dataclass(frozen=True)
class GalleryItem:
    """One photo with what was decided on it.

    Attributes:
        image: The photo, a path or encoded bytes.
        caption: A few words below it.
        good: Whether the decision was right; None where that is not known.
    """

    image: Path | bytes
    caption: str
    good: bool | None = None


@dataclass(frozen=True)
class ChangedImage:
    """One image whose top class is not the float student's in some artefacts.

    Attributes:
        name: In the data set.
        label: Its class.
        data: A small JPEG in base64; None where the image was not found.
        student: Class and probability of the float student, the most probable first.
        artefacts: Mark, label and the same for each artefact, with whether it is right.
        classes: The classes shown, in one order for all.
        lost: Whether the student was right and an artefact is not.
    """

    name: str
    label: str
    data: str | None
    student: dict[str, float]
    artefacts: tuple[tuple[Mark, str, dict[str, float]], ...]
    classes: tuple[str, ...]
    lost: bool


def images_below(folder: Path) -> Resolver:
    """Find images in a folder by their name in the data set, or by their bare file name.

    A name that leads out of the folder finds nothing: result files come from elsewhere.
    """
    root = folder.resolve()

    def find(name: str) -> Path | None:
        for candidate in (root / name, root / Path(name).name):
            resolved = candidate.resolve()
            if resolved.is_relative_to(root) and resolved.is_file():
                return resolved
        return None

    return find


def thumbnail(image: Path | bytes) -> str:
    """A small square JPEG in base64, seen as the model sees it.

    Raises:
        ImageError: It cannot be read.
    """
    import cv2

    from edgekd.runtime.preprocess import load_image

    pixels = load_image(image, _THUMBNAIL)
    quality = [int(cv2.IMWRITE_JPEG_QUALITY), 82]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
    return base64.b64encode(encoded.tobytes()).decode()


def changed_images(entries: Sequence[MarkedRow], find: Resolver | None) -> list[ChangedImage]:
    """Images of all `flips`, each once: lost melanomas first, then whatever was lost."""
    found: dict[str, list[MarkedRow]] = {}
    for entry in entries:
        for flip in entry.row.flips:
            found.setdefault(flip.image, []).append(entry)
    changed = [_changed_image(name, carriers, find) for name, carriers in found.items()]
    return sorted(changed, key=lambda each: (not each.lost, each.label != MELANOMA))


def _changed_image(name: str, carriers: Sequence[MarkedRow], find: Resolver | None) -> ChangedImage:
    flips = [next(f for f in entry.row.flips if f.image == name) for entry in carriers]
    student, label = flips[0].student, flips[0].label
    pairs = zip(carriers, flips, strict=True)
    artefacts = tuple((entry.mark, entry.label, flip.artefact) for entry, flip in pairs)
    every = [student, *(flip.artefact for flip in flips)]
    lost = _top(student) == label and any(_top(flip.artefact) != label for flip in flips)
    return ChangedImage(
        name, label, _data_of(name, find), student, artefacts, _classes(label, every), lost
    )


def _top(probabilities: dict[str, float]) -> str:
    return max(probabilities, key=lambda name: probabilities[name], default="")


def _classes(label: str, every: Iterable[dict[str, float]]) -> tuple[str, ...]:
    """The label, every winner, and the most probable others."""
    highest: dict[str, float] = {}
    winners = {label}
    for probabilities in every:
        winners.add(_top(probabilities))
        for name, value in probabilities.items():
            highest[name] = max(value, highest.get(name, 0.0))
    ordered = sorted(highest, key=lambda name: (name not in winners, -highest[name]))
    return tuple(ordered[: max(_CLASSES_SHOWN, len(winners & set(highest)))])


def _data_of(name: str, find: Resolver | None) -> str | None:
    path = find(name) if find is not None else None
    if path is None:
        return None
    try:
        return thumbnail(path)
    except ImageError:
        return None  # the numbers still stand; the page says that the picture is missing
