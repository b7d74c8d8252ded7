"""Networks that are kept beside their records, and teach on any machine without being trained."""

from __future__ import annotations

from pathlib import Path

from design import Job
from records import read_record

from edgekd.data.split import write_split
from edgekd.files import write_atomically
from edgekd.lower.shipped.storage import store_student
from edgekd.models import read_card
from edgekd.models.card import CARD, SPLIT, read_own_split

__all__ = ["keep", "kept_network"]


def kept_network(results: Path, job: Job) -> Path | None:
    """The folder of a run's kept network; None where there is none of its recipe.

    Args:
        results: Folder of the records.
        job: The run.
    """
    folder, record = _folder(results, job), read_record(results, job.table, job.name)
    if record is None or not (folder / CARD).is_file():
        return None
    wanted = (job.recipe_sha256, read_card(folder).weights_sha256)
    return folder if wanted == (record.recipe_sha256, record.network.weights_sha256) else None


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
