"""What the folder of a run offers to measure: teacher, student, bundles and the test part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.labelled import data_of_run
from edgekd.bench.request import BenchData
from edgekd.bundle import MANIFEST
from edgekd.errors import InputError
from edgekd.models.card import CARD, read_card

__all__ = ["RunSubjects", "subjects_of_run"]


@dataclass(frozen=True)
class RunSubjects:
    """The subjects of a run.

    Attributes:
        folder: Of the run.
        teacher: The teacher's checkpoint, or None.
        student: The student's checkpoint.
        bundles: All bundles in `bundles/`.
        data: The test part.
    """

    folder: Path
    teacher: Path | None
    student: Path
    bundles: tuple[Path, ...]
    data: BenchData

    def bundles_for(self, device: str) -> tuple[Path, ...]:
        """The bundles of one target.

        Raises:
            InputError: There are none.
        """
        found = tuple(path for path in self.bundles if path.name.split("-")[0] == device)
        if not found:
            message = f"{self.folder} has no bundle for {device}"
            hint = (
                f"edgekd build --target {device} --model {self.folder} --out {self.folder}/bundles"
            )
            raise InputError(message, hint)
        return found


def subjects_of_run(folder: Path, data_root: Path | None = None) -> RunSubjects:
    """Look through a run's folder.

    Raises:
        InputError: There is no run, or the images of its student are gone.
    """
    student = folder / "student"
    if not (student / CARD).is_file():
        message = f"{folder} is not the folder of a run: student/{CARD} is missing"
        raise InputError(message, "give what `edgekd distill --out` wrote")
    teacher = folder / "teacher"
    bundles = sorted(
        path
        for path in (folder / "bundles").glob("*")
        if path.suffix == ".edgekd" or (path / MANIFEST).is_file()
    )
    return RunSubjects(
        folder,
        teacher if (teacher / CARD).is_file() else None,
        student,
        tuple(path for path in bundles if not path.name.startswith(".")),
        data_of_run(student, read_card(student), data_root),
    )
