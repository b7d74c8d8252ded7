"""The labelled images that a measurement runs on: a CSV, or the test part of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.bench.subjects.data import BenchData
from edgekd.data.dataset import Dataset, Sample
from edgekd.data.groups import grouped
from edgekd.data.image_files import ImageFiles
from edgekd.data.labelled_rows import LabelledTable, labelled_rows
from edgekd.data.task import data_task
from edgekd.data.text import clean
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.models.card import ModelCard, read_own_split

__all__ = ["data_of_csv", "data_of_run"]


def data_of_csv(
    file: Path,
    classes: tuple[str, ...],
    *,
    task: str = DEFAULT_TASK,
    ordered: bool = False,
    image_column: str = "image",
    label_column: str | Sequence[str] = "label",
    group_column: str | None = None,
    root: Path | None = None,
) -> BenchData:
    """The images of a CSV, labelled in the model's class order.

    Args:
        file: The table.
        classes: The model's classes; the table may lack some of them.
        task: The model's task, which says what a label is.
        ordered: The classes are grades, each one worse than the one before.
        image_column: Paths relative to `root`; the suffix may be left out.
        label_column: Column of the labels; or several, where the task has one for each finding.
        group_column: Lesion or patient; an image whose cell is blank is a group of its own. None:
            each image is.
        root: Folder of the images; by default that of the table.

    Raises:
        InputError: The table or a column is missing, a label cannot be read or names an unknown
            class, or an image is listed twice.
        ImageError: Images are missing.
    """
    folder = root or file.parent
    rows = labelled_rows(
        file,
        ImageFiles(folder),
        image_column=image_column,
        label_column=label_column,
        columns=[group_column] if group_column else [],
        classes=classes,
        hint="correct the line, or give the folder with --image-root",
        task=task,
    )
    layer = data_task(task)
    images = [(folder / row.image, layer.canonical(row.label, classes)) for row in rows]
    groups = _groups(rows, clean(group_column)) if group_column else None
    return BenchData(file.stem, "csv", classes, images, ordered, groups, task, rows.notes)


def _groups(rows: LabelledTable, column: str) -> list[str]:
    """Lesion or patient of each image, by the same rules as in training."""
    samples = (Sample(row.image, row.label, row.row.written[column]) for row in rows)
    dataset = grouped(Dataset("", Path(), (), tuple(samples)))
    return [sample.group for sample in dataset.samples]


def data_of_run(
    student: Path, card: ModelCard, root: Path | None = None, *, part: str = "test"
) -> BenchData:
    """A part of the split that a student was trained with.

    Args:
        student: The student's folder.
        card: Its model card.
        root: Folder of the images, if they were moved.
        part: The part.

    Raises:
        InputError: The images are gone, or the part is empty.
        ArtefactError: The split is not the one that the student was trained with.
    """
    split = read_own_split(student, card, root)
    chosen = split.indices(part)
    paths, samples = split.dataset.paths(), split.dataset.samples
    images = [(paths[index], samples[index].label) for index in chosen]
    groups = [samples[index].group for index in chosen]
    return BenchData(card.data.name, part, card.classes, images, card.ordered, groups, card.task)
