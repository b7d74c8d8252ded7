"""Accuracy alone, of one bundle or checkpoint, in the form of any other result."""

from __future__ import annotations

import csv
import io
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.machine import default_threads, local_facts
from edgekd.bench.result import DeviceFacts, Result
from edgekd.bench.run.answers import Entry, Step, bundle_entry, checkpoint_entry
from edgekd.bench.subjects.data import BenchData, data_facts
from edgekd.bundle import MANIFEST, Bundle
from edgekd.errors import ArtefactError, InputError
from edgekd.files import write_atomically
from edgekd.models.card import CARD, read_card

__all__ = ["Evaluation", "KnownClasses", "classes_of", "evaluate", "is_bundle"]


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    Attributes:
        result: With one row.
        data: The images.
        probabilities: Calibrated probabilities [N, K].
    """

    result: Result
    data: BenchData
    probabilities: NDArray[np.float64]

    def write_predictions(self, path: Path) -> None:
        """CSV with one line an image: path, label, prediction, probability of every class."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        classes = self.data.classes
        writer.writerow(("image", "label", "prediction", *classes))
        for (image, label), row in zip(self.data.images, self.probabilities, strict=True):
            values = (f"{value:.6f}" for value in row)
            writer.writerow((image, classes[label], classes[int(row.argmax())], *values))
        write_atomically(path, buffer.getvalue())


def is_bundle(path: Path) -> bool:
    """Whether there is a bundle at `path`; else it is a checkpoint.

    Raises:
        InputError: There is nothing at `path`.
        ArtefactError: It is neither.
    """
    if not path.exists():
        raise InputError(f"there is nothing at {path}", "give a bundle or a checkpoint's folder")
    if path.is_file() or (path / MANIFEST).is_file():
        return True
    if (path / CARD).is_file():
        return False
    message = f"{path} is neither a bundle ({MANIFEST}) nor a checkpoint ({CARD})"
    raise ArtefactError(message, "give what `edgekd build` or `edgekd distill` wrote")


class KnownClasses(NamedTuple):
    """Class names in the order of the logits, and whether they are grades."""

    names: tuple[str, ...]
    ordered: bool


def classes_of(path: Path) -> KnownClasses:
    """What a bundle or checkpoint tells apart."""
    if not is_bundle(path):
        card = read_card(path)
        return KnownClasses(card.classes, card.ordered)
    with Bundle.open(path, verify=False) as bundle:
        model = bundle.manifest.model
        return KnownClasses(model.classes, model.ordered)


def evaluate(
    path: Path, data: BenchData, *, command: str, step: Step = lambda count: None
) -> Evaluation:
    """Run every image of `data`, on this host.

    Raises:
        InputError: There is nothing at `path`, or its classes are not the data's.
        ArtefactError: It is damaged.
        MissingDependencyError: Its engine is not installed.
    """
    entry = _entry(path, data, step)
    if entry.missing is not None or entry.probabilities is None:
        raise entry.missing or ArtefactError(f"{path} gave no answers", "build it again")
    engine = entry.row.runtime.get("engine", entry.row.backend)
    flags = [
        "latency-not-measured: `edgekd eval` measures accuracy alone",
        f"accuracy-from-host: {engine} on {platform.machine()}",
    ]
    result = Result(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=command,
        device=DeviceFacts(name="host", kind="local", facts=local_facts()),
        data=data_facts(data),
        rows=[msgspec.structs.replace(entry.row, flags=flags)],
    )
    return Evaluation(result, data, entry.probabilities)


def _entry(path: Path, data: BenchData, step: Step) -> Entry:
    if not is_bundle(path):
        return checkpoint_entry(path, read_card(path).role, data, step)
    host, threads = LocalDevice("host"), default_threads()
    return bundle_entry(path, data, on=host, at_home=False, threads=threads, step=step)
