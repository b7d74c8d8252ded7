"""Networks that are kept: on any machine they teach, or start a run, without being trained."""

from __future__ import annotations

from pathlib import Path

from design import Job
from records import read_record

from edgekd.data.split import write_split
from edgekd.files import write_atomically
from edgekd.lower.shipped.storage import store_student
from edgekd.models import read_card
from edgekd.models.card import CARD, SPLIT, read_own_split
from edgekd.resources import student_folders

__all__ = ["keep", "kept_network"]


def kept_network(results: Path, job: Job) -> Path | None:
    """The folder of a run's network, kept beside its record or shipped; None where there is none.

    Args:
        results: Folder of the records.
        job: The run.
    """
    record = read_record(results, job.table, job.name)
    if record is None or record.recipe_sha256 != job.recipe_sha256:
        return None
    folders = (_folder(results, job), *student_folders().values())
    cards = ((folder, read_card(folder)) for folder in folders if (folder / CARD).is_file())
    weights = record.network.weights_sha256
    return next((folder for folder, card in cards if card.weights_sha256 == weights), None)


def keep(results: Path, job: Job, checkpoint: Path) -> Path:
    """Keep a run's network, in float16 where it is larger than 10 MB; returns its folder.

    Its split is kept with it, which says which lesions it was not trained on. From then on it is
    the run's network: the record is to be written again, of what it computes.

    Raises:
        GateFailedError: It takes more than 10 MB even so.
    """
    folder = _folder(results, job)
    card = store_student(checkpoint, folder)
    split = read_own_split(checkpoint, card, images=False)
    write_atomically(folder / SPLIT, write_split(split, attributes=False))
    return folder


def _folder(results: Path, job: Job) -> Path:
    return results / job.table / job.name
