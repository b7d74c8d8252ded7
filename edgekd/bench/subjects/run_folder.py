"""Teacher, student, bundles and test part in the folder of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.devices import target_of
from edgekd.bench.result import Result
from edgekd.bench.subjects.data import BenchData
from edgekd.bench.subjects.labelled import data_of_run
from edgekd.bundle import MANIFEST, Bundle
from edgekd.errors import ArtefactError, EdgekdError, InputError
from edgekd.models.card import CARD, read_card
from edgekd.targets import target_names

__all__ = ["RunSubjects", "images_of_runs", "subjects_of_run"]


@dataclass(frozen=True)
class RunSubjects:
    """The models and images of a run.

    Attributes:
        folder: Folder of the run.
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
        """The bundles that run on a device, by the targets in their manifests.

        Args:
            device: A target, or a section of devices.toml.

        Raises:
            InputError: There are none.
            ArtefactError: A bundle that is named after the target is damaged.
        """
        target = target_of(device)
        bundles = tuple(path for path in self.bundles if _is_for(target, path))
        if not bundles:
            message = f"{self.folder} has no bundle for {_named(device, target)}"
            hint = (
                f"edgekd build --target {target} --model {self.folder} --out {self.folder}/bundles"
            )
            raise InputError(message, hint)
        return bundles


def _is_for(target: str, bundle: Path) -> bool:
    try:
        with Bundle.open(bundle, verify=False) as opened:
            return opened.manifest.lowering.target == target
    except ArtefactError:
        if _called_after(bundle) == target:
            raise
        return False  # of another target by its name; the others can be measured


def _called_after(bundle: Path) -> str:
    """The target that a bundle's name begins with; the longest of several (cpu, cpu-onnx)."""
    name = bundle.name.removesuffix(".edgekd")
    known = [one for one in target_names() if name == one or name.startswith(f"{one}-")]
    return max(known, key=len, default="")


def _named(device: str, target: str) -> str:
    return device if device == target else f"{device}, whose target is {target}"


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


def images_of_runs(results: Sequence[tuple[Path, Result]]) -> Callable[[str], Path | None]:
    """A function that finds images of results by name, in the folder of their run.

    Args:
        results: Each with its file.

    Returns:
        The path of an image by its name in the data set; None where its run is elsewhere, has no
        such image, or was measured on other images.
    """
    datas = [data for file, result in results if (data := _data_beside(file, result)) is not None]

    def find(name: str) -> Path | None:
        paths = {path for data in datas if (path := data.find(name)) is not None}
        return paths.pop() if len(paths) == 1 else None  # none rather than that of another run

    return find


def _data_beside(file: Path, result: Result) -> BenchData | None:
    """The test part of the run whose folder holds a result, if those images were measured."""
    for folder in file.resolve().parents:
        student = folder / "student"
        if (student / CARD).is_file():
            data = _data_below(folder)
            measured = result.data
            known = data and (data.name, data.split, list(data.classes))
            expected = (measured.name, measured.split, measured.classes)
            return data if known == expected else None
    return None


def _data_below(run: Path) -> BenchData | None:
    """The test part of a run; None where its images are gone.

    They are at the path that the student's card records, or in the run's folder under its name:
    the path may be relative to the folder where training was started.
    """
    try:
        card = read_card(run / "student")
    except EdgekdError:  # a report needs no student
        return None
    for root in (None, run / Path(card.data.root).name):
        try:
            return data_of_run(run / "student", card, root)
        except EdgekdError:  # the images are gone: the page says which pictures are missing
            continue
    return None
