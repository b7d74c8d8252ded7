"""A data set of synthetic dermoscopy on disk, in the layout of HAM10000."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from edgekd.data.synthetic.catalogue import CLASSES
from edgekd.data.synthetic.painter import MINIMUM_SIZE, paint
from edgekd.errors import InputError
from edgekd.files import is_occupied

__all__ = ["GENERATOR_VERSION", "PREVALENCE", "class_counts", "write_dataset"]

GENERATOR_VERSION = 1
"""To be raised with every change of the images: folders of another version are not reused."""

PREVALENCE: dict[str, float] = {
    "akiec": 0.09,
    "bcc": 0.11,
    "bkl": 0.16,
    "df": 0.05,
    "mel": 0.17,
    "nv": 0.35,
    "vasc": 0.07,
}
"""Shares of the classes: the order of HAM10000, softened so that the rare ones can be learned."""

_MARKER = "synthetic.json"
_JPEG_QUALITY = 92
_TWO_VIEWS = 0.2  # share of lesions that were photographed twice
_SEED_SPACE = 2**32

_SITES: dict[str, tuple[str, ...]] = {
    "akiec": ("face", "scalp", "hand", "neck"),
    "bcc": ("face", "back", "neck", "upper extremity"),
    "bkl": ("back", "face", "trunk", "chest"),
    "df": ("lower extremity", "upper extremity"),
    "mel": ("back", "lower extremity", "upper extremity", "face"),
    "nv": ("trunk", "back", "abdomen", "lower extremity"),
    "vasc": ("trunk", "abdomen", "chest"),
}
_MEAN_AGE = {"akiec": 66, "bcc": 66, "bkl": 64, "df": 50, "mel": 60, "nv": 46, "vasc": 51}


@dataclass(frozen=True)
class _Row:
    """One line of metadata.csv; the names are the official columns, in their order."""

    lesion_id: str
    image_id: str
    dx: str
    dx_type: str
    age: str
    sex: str
    localization: str


@dataclass(frozen=True)
class _Shot:
    """One image to paint: its lesion, its view, and its row of metadata."""

    row: _Row
    lesion_seed: int
    view: int


def write_dataset(
    folder: Path,
    *,
    images: int,
    seed: int,
    size: int,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Paint a data set whole or not at all; a folder that already holds this very set is reused.

    It holds `images/<image_id>.jpg` (RGB, size x size, quality 92) and `metadata.csv` with the
    columns of HAM10000. About a fifth of the lesions have two images, so split by `lesion_id`.

    Args:
        folder: Where the set goes; it must be absent, empty, or hold this very set.
        images: How many to paint, 7 or more.
        seed: Another seed gives other lesions.
        size: Pixels a side.
        progress: Called after each image with how many are done and how many there are.

    Returns:
        `folder`.

    Raises:
        InputError: Too few images, a negative seed, too small a size, or a folder that holds
            something else.
    """
    folder = Path(folder)
    recipe = {"version": GENERATOR_VERSION, "images": images, "seed": seed, "size": size}
    _check(images, seed, size)
    if _is_complete(folder, recipe):
        return folder
    _refuse_occupied(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    try:
        _fill(partial, _plan(images, seed), size, progress)
        (partial / _MARKER).write_text(json.dumps(recipe) + "\n", encoding="utf-8")
        _publish(partial, folder, recipe)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def class_counts(images: int) -> dict[str, int]:
    """Images of each class among `images`, by largest remainder, no class left empty.

    Raises:
        InputError: Fewer images than classes.
    """
    if images < len(CLASSES):
        raise InputError(f"{images} images cannot show {len(CLASSES)} classes", "ask for 7 or more")
    exact = {label: images * PREVALENCE[label] for label in CLASSES}
    counts = {label: int(exact[label]) for label in CLASSES}
    by_remainder = sorted(CLASSES, key=lambda label: counts[label] - exact[label])
    for label in by_remainder[: images - sum(counts.values())]:
        counts[label] += 1
    for label in CLASSES:
        if counts[label] == 0:
            counts[max(counts, key=lambda name: counts[name])] -= 1
            counts[label] = 1
    return counts


def _check(images: int, seed: int, size: int) -> None:
    class_counts(images)
    if seed < 0:
        raise InputError(f"the seed {seed} is negative", "use 0 or more")
    if size < MINIMUM_SIZE:
        raise InputError(f"{size} px is too small to paint", f"use {MINIMUM_SIZE} px or more")


def _is_complete(folder: Path, recipe: dict[str, int]) -> bool:
    try:
        marker = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(marker == recipe)


def _refuse_occupied(folder: Path) -> None:
    if is_occupied(folder):
        raise InputError(f"{folder} exists and holds something else", "delete it or name another")


def _publish(partial: Path, folder: Path, recipe: dict[str, int]) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()  # not every system renames onto an empty folder
    try:
        partial.rename(folder)
    except OSError:
        # Another process may have finished the same set meanwhile, which is then used.
        if not _is_complete(folder, recipe):
            raise


def _plan(images: int, seed: int) -> list[_Shot]:
    """Every image of the set, the lesions in an order that is independent of their class."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    lesions = [
        (label, views) for label, n in class_counts(images).items() for views in _views_of(n)
    ]
    shots: list[_Shot] = []
    for number, place in enumerate(rng.permutation(len(lesions))):
        label, views = lesions[place]
        lesion_seed = int(rng.integers(_SEED_SPACE))
        facts = _draw_facts(label, rng)
        for view in range(views):
            row = _Row(f"SYN_{number:07d}", f"SYNI_{len(shots):07d}", label, *facts)
            shots.append(_Shot(row, lesion_seed, view))
    return shots


def _views_of(images: int) -> list[int]:
    """How many views each lesion of a class has, so that they add up to `images`."""
    twice = round(images * _TWO_VIEWS / (1 + _TWO_VIEWS))
    return [2] * twice + [1] * (images - 2 * twice)


def _draw_facts(label: str, rng: np.random.Generator) -> tuple[str, str, str, str]:
    """dx_type, age in steps of five years, sex, localization."""
    ways = ("follow_up", "histo", "consensus") if label == "nv" else ("histo",)
    age = int(np.clip(round(rng.normal(_MEAN_AGE[label], 14) / 5) * 5, 5, 85))
    sex = str(rng.choice(["male", "female"], p=[0.55, 0.45]))
    return str(rng.choice(ways)), f"{age}.0", sex, str(rng.choice(_SITES[label]))


def _fill(
    folder: Path, shots: list[_Shot], size: int, progress: Callable[[int, int], None] | None
) -> None:
    (folder / "images").mkdir(parents=True)
    for done, shot in enumerate(shots, start=1):
        image = paint(shot.row.dx, shot.lesion_seed, size, view=shot.view)
        _, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        (folder / "images" / f"{shot.row.image_id}.jpg").write_bytes(code.tobytes())
        if progress is not None:
            progress(done, len(shots))
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(_Row)])
        writer.writerows(astuple(shot.row) for shot in shots)
