"""Photos on the page: decisions of a demo, and images whose answer changed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.marked_rows import Mark, MarkedRow
from edgekd.bench.task import ReportTask, report_task
from edgekd.errors import ImageError

__all__ = ["ChangedImage", "GalleryItem", "Resolver", "changed_images", "images_below", "thumbnail"]

_THUMBNAIL = 176
_CLASSES_SHOWN = 3

Resolver = Callable[[str], "Path | None"]
"""The file of an image by its name in the data set; None where there is none."""


@dataclass(frozen=True)
class GalleryItem:
    """One photo with the decision on it.

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
    """One image whose answer is not the float student's in some artefacts.

    Attributes:
        name: Name in the data set.
        label: Its label as text.
        data: A small JPEG in base64; None where the image was not found.
        truth: The names that the label stands for.
        student: Scores of the float student by name.
        artefacts: Mark, label and scores of each artefact.
        answers: The names that the student and each artefact answer with, in this order.
        classes: The names shown, in one order for all.
        lost: Whether the student was right and an artefact is not.
    """

    name: str
    label: str
    data: str | None
    truth: frozenset[str]
    student: dict[str, float]
    artefacts: tuple[tuple[Mark, str, dict[str, float]], ...]
    answers: tuple[frozenset[str], ...]
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
    """A small square JPEG in base64, cropped as for the model.

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
    """Images of all `flips`, each once; first those whose right answer was lost.

    Among these, images of the classes that the policy names first come before others.
    """
    carriers: dict[str, list[MarkedRow]] = {}
    for entry in entries:
        for flip in entry.row.flips:
            carriers.setdefault(flip.image, []).append(entry)
    if not carriers:
        return []
    result = entries[0].result
    first = {name.casefold() for name in policy_of(result).first}
    task = report_task(result.task)
    changed = [_changed_image(name, each, task, find) for name, each in carriers.items()]

    def rank(image: ChangedImage) -> tuple[bool, bool]:
        return not image.lost, not any(name.casefold() in first for name in image.truth)

    return sorted(changed, key=rank)


def _changed_image(
    name: str, carriers: Sequence[MarkedRow], task: ReportTask, find: Resolver | None
) -> ChangedImage:
    flips = [next(f for f in entry.row.flips if f.image == name) for entry in carriers]
    student, label = flips[0].student, flips[0].label
    pairs = zip(carriers, flips, strict=True)
    artefacts = tuple((entry.mark, entry.label, flip.artefact) for entry, flip in pairs)
    scores = [student, *(flip.artefact for flip in flips)]
    answers = tuple(task.answer(each) for each in scores)
    truth = task.label_names(label)
    lost = answers[0] == truth and any(answer != truth for answer in answers[1:])
    classes = _classes(truth.union(*answers), scores)
    data = _data_of(name, find)
    return ChangedImage(name, label, data, truth, student, artefacts, answers, classes, lost)


def _classes(always: frozenset[str], scores: Iterable[Mapping[str, float]]) -> tuple[str, ...]:
    """At least three names: those of label and answers, then those with the highest scores."""
    highest: dict[str, float] = {}
    for each in scores:
        for name, value in each.items():
            highest[name] = max(value, highest.get(name, 0.0))
    ordered = sorted(highest, key=lambda name: (name not in always, -highest[name]))
    return tuple(ordered[: max(_CLASSES_SHOWN, len(always & set(highest)))])


def _data_of(name: str, find: Resolver | None) -> str | None:
    path = find(name) if find is not None else None
    if path is None:
        return None
    try:
        return thumbnail(path)
    except ImageError:
        return None  # the numbers still stand; the page says that the picture is missing
