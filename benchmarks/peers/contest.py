"""The contestants, and the processes that run them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from child import Child
from environments import Environments, UnavailableError
from photos import Photo

from edgekd.bundle import Bundle
from edgekd.errors import InputError

__all__ = ["EDGEKD", "FLOOR", "PEERS", "ROWS", "TUTORIAL", "Player", "Row", "Subject", "players"]

_SCRIPTS = Path(__file__).parent / "contestants"
_ALL = frozenset({"speed", "cold", "memory"})


@dataclass(frozen=True)
class Row:
    """A contestant.

    Attributes:
        name: Name in the tables.
        what: What it is, in a few words.
        script: File in `contestants/`.
        environment: File in `requirements/`.
        backend: Backend of the bundle whose model it runs.
        options: Keyword arguments of `Classifier.open`, for edgekd.
        passes: Passes that it takes part in.
    """

    name: str
    what: str
    script: str
    environment: str
    backend: str = "tflite"
    options: dict[str, bool] = field(default_factory=dict)
    passes: frozenset[str] = _ALL


FLOOR, EDGEKD, TUTORIAL = "floor", "edgekd", "tutorial"
PEERS = ("model-api", "mediapipe", TUTORIAL)
_OURS, _OURS_OPENVINO = ("edgekd_bundle", "edgekd-tflite"), ("edgekd_bundle", "edgekd-openvino")
ROWS = (
    Row(
        FLOOR,
        "OpenCV and a bare LiteRT invoke, told the photo's size",
        *("litert_floor", "litert-floor"),
    ),
    Row("edgekd, quality off", "`quality=False`", *_OURS, options={"quality": False}),
    Row(EDGEKD, "as it comes, with quality checks, self-test and hashes", *_OURS),
    Row(
        "edgekd, self-test off",
        "`selftest=False`",
        *_OURS,
        options={"selftest": False},
        passes=frozenset({"cold"}),
    ),
    Row(
        TUTORIAL,
        "Pillow, numpy and LiteRT; the whole photo, squeezed to a square",
        *("pillow_tutorial", "pillow-tutorial"),
    ),
    Row(
        "mediapipe",
        "MediaPipe Tasks' ImageClassifier on the same file, no metadata added; the whole photo, "
        "squeezed; decodes by OpenCV from memory, by itself from a file",
        *("mediapipe_tasks", "mediapipe-tasks"),
    ),
    Row("edgekd (openvino)", "as it comes, OpenVINO", *_OURS_OPENVINO, backend="openvino"),
    Row(
        "model-api",
        "OpenVINO Model API's ClassificationModel on the OpenVINO bundle's file (OpenVINO cannot "
        "read the LiteRT one); centre crop; decodes by OpenCV",
        *("openvino_model_api", "openvino-model-api"),
        backend="openvino",
    ),
)


@dataclass(frozen=True)
class Subject:
    """A bundle, with the facts that contestants need."""

    folder: Path
    model: Path
    backend: str
    size: int
    classes: tuple[str, ...]
    facts: dict[str, object]

    @classmethod
    def of(cls, folder: Path) -> Subject:
        """Read a bundle's folder.

        Raises:
            InputError: It is a `.edgekd` file: other tools need the model file on the disk.
        """
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder", "give the folder that `edgekd build` wrote")
        with Bundle.open(folder) as bundle:
            manifest = bundle.manifest
            suffix = {"tflite": "*.tflite", "openvino": "*.xml"}[manifest.lowering.backend]
            facts: dict[str, object] = {
                "model": manifest.model.name,
                "image_size": manifest.model.image_size,
                "backend": manifest.lowering.backend,
                "precision": manifest.lowering.precision,
                "bytes": bundle.size_bytes,
                "quality_checks": manifest.capture is not None,
                "files": manifest.files,
            }
            return cls(
                folder.resolve(), next(folder.resolve().glob(suffix)), manifest.lowering.backend,
                manifest.model.image_size, manifest.model.classes, facts,
            )  # fmt: skip


@dataclass(frozen=True)
class Player:
    """An installed contestant, with the bundle that it runs."""

    row: Row
    python: Path
    subject: Subject
    environment: dict[str, str]

    def command(self, mode: str, *arguments: str) -> list[str]:
        """Command line of its process."""
        ours = self.row.script == "edgekd_bundle"
        model = self.subject.folder if ours else self.subject.model
        options = ",".join(f"{key}={value:d}" for key, value in self.row.options.items())
        return [
            str(self.python), str(_SCRIPTS / f"{self.row.script}.py"), mode, str(model),
            str(self.subject.size), "\t".join(self.subject.classes), options, *arguments,
        ]  # fmt: skip

    def start(self, mode: str, *arguments: str) -> Child:
        """Its process."""
        return Child(self.command(mode, *arguments), self.environment)

    def memory(self, photo: Photo, count: int) -> int:
        """Peak resident memory in bytes."""
        arguments = (str(photo.path), str(photo.shorter), str(count))
        with self.start("memory", *arguments) as child:
            return int(child.answer()) * 1024

    def cold_start(self, photo: Photo) -> dict[str, float]:
        """Milliseconds from the start of the process to its first answer, total and by step.

        `interpreter` lasts until the contestant's first line runs, `open` includes all imports, and
        `photo` is the first decision.
        """
        begin = time.perf_counter_ns()
        with self.start("cold", str(photo.path), str(photo.shorter)) as child:
            child.answer()
            end = time.perf_counter_ns()
            # perf_counter is one clock for all processes on Linux (CLOCK_MONOTONIC).
            began, opened = map(int, child.answer().split())
        stamps = (begin, began, opened, end)
        steps = [(after - before) / 1e6 for before, after in pairwise(stamps)]
        return {"total": sum(steps), "interpreter": steps[0], "open": steps[1], "photo": steps[2]}


def players(
    environments: Environments, subjects: Sequence[Subject], photo: Photo, only: Sequence[str]
) -> tuple[list[Player], dict[str, str]]:
    """The contestants that can take part, each tried once, and why the others cannot."""
    ready, reasons = [], {}
    for row in ROWS:
        if only and row.name not in only:
            continue
        try:
            player = _player(row, environments, subjects)
            player.cold_start(photo)
            ready.append(player)
        except UnavailableError as error:
            reasons[row.name] = error.message
    return ready, reasons


def _player(row: Row, environments: Environments, subjects: Sequence[Subject]) -> Player:
    subject = next((one for one in subjects if one.backend == row.backend), None)
    if subject is None:
        raise UnavailableError(f"no {row.backend} bundle was given", "give --openvino-bundle")
    python = environments.python(row.environment)
    variables = environments.child_environment()
    return Player(row, python, subject, variables)
