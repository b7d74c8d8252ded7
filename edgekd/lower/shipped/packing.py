"""Making a shipped student of a finished run: its weights, certified files, ranges and card.

The bundles are built as always, from the run's own images: gate, floors and decision are those of
`edgekd build`. What ships are their manifests, as certificates of the very model files.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgekd.errors import GateFailedError
from edgekd.files import pretty_json, whole_folder, write_atomically
from edgekd.lower.backends import get_backend
from edgekd.lower.build import build, build_all
from edgekd.lower.built import BuiltBundle
from edgekd.lower.plan import BuildRequest
from edgekd.lower.shipped.checks import refuse_places, verify_rebuilt
from edgekd.lower.shipped.contents import CHECKPOINT, fill_folder
from edgekd.lower.shipped.forecast import refuse_hopeless
from edgekd.lower.shipped.shipment import Shipment
from edgekd.lower.shipped.storage import store_student
from edgekd.lower.source import Source, find_student, kept_outputs, load_source
from edgekd.lower.teacher import Teacher, find_teacher, teacher_outputs
from edgekd.metrics.task import metrics_task
from edgekd.models import ModelCard
from edgekd.models.card import CARD, METRICS, SPLIT, read_metrics
from edgekd.seals import seal_files, unseal_files

__all__ = ["check_student", "pack_student"]

_EVALUATED = ("validation", "test")


@dataclass(frozen=True)
class _Checked:
    """A student that may ship: as it ships, and its teacher, if that is here."""

    student: Source
    teacher: Teacher


def check_student(shipment: Shipment) -> None:
    """Measure the student as it would ship, and report the floors of its policy.

    Raises:
        InputError: The name is none; or the run or its images are missing.
        GateFailedError: The student does not reach a floor, its images could prove no file, or the
            weights are too large.
        ArtefactError: The run is damaged, or names places on this machine.
    """
    _checked(shipment)
    shipment.say(f"{shipment.name} reaches its floors as a float network; nothing is lowered yet")


def pack_student(shipment: Shipment) -> Path:
    """Ship a student: write its folder, whole or not at all.

    Before anything is lowered it is made sure that the float student reaches the floors. Every
    certified file is built again from the folder alone before it is put in its place.

    Returns:
        The folder.

    Raises:
        InputError: See `check_student`.
        GateFailedError: The student or a file does not pass its gate or a floor of the policy, the
            weights are too large, or a file cannot be built again bit for bit.
        ArtefactError: The run is damaged, or the folder would name places on this machine.
    """
    checked = _checked(shipment)
    bundles = _certified_bundles(shipment, checked)
    beside = shipment.work / "package" / shipment.name
    with whole_folder(beside) as folder:
        fill_folder(shipment, folder, checked.student, bundles)
    refuse_places(beside, _places(shipment, checked.student))
    shipment.say("building every file again, without images")
    number = verify_rebuilt(beside)
    place = shipment.out / shipment.name
    with whole_folder(place) as folder:
        shutil.copytree(beside, folder, dirs_exist_ok=True)
    shipment.say(f"shipped {place}: {number} certified bundles")
    return place


def _checked(shipment: Shipment) -> _Checked:
    shipment.check_name()
    original = load_source(find_student(shipment.run), shipment.data_root)
    policy = shipment.policy_of(original.card)
    student, teacher = _stored(shipment, original), find_teacher(original, shipment.teacher)
    refuse_places(student.folder, _places(shipment, student))
    refuse_hopeless(student, policy, teacher_outputs(original, teacher), shipment.say)
    return _Checked(student, teacher)


def _places(shipment: Shipment, student: Source) -> list[Path]:
    """Folders whose names no text of the student may have."""
    root = Path(student.split.dataset.root).absolute()
    return [Path.home(), Path.cwd(), shipment.work.absolute(), root]


# ---- the student ----


def _stored(shipment: Shipment, original: Source) -> Source:
    """The student as it ships, with the images of the run; measured again where it was rounded."""
    folder = shipment.work / "student"
    unseal_files(folder)
    card = store_student(original.folder, folder)
    if shipment.policy is not None:
        card = msgspec.structs.replace(card, policy=shipment.policy_of(card).values())
        write_atomically(folder / CARD, pretty_json(card))
    shutil.copyfile(original.folder / SPLIT, folder / SPLIT)
    metrics = read_metrics(original.folder)
    if card.weights_sha256 != original.card.weights_sha256:
        shipment.say("the weights ship as float16; measuring the student that they compute")
        metrics |= {part: _measured(folder, card, original, part) for part in _EVALUATED}
    write_atomically(folder / METRICS, pretty_json(metrics))
    seal_files(folder, CHECKPOINT)
    return load_source(folder, original.split.dataset.root)


def _measured(folder: Path, card: ModelCard, original: Source, part: str) -> Any:
    """Metrics of the student on a part of its images; None where it is empty."""
    split, chosen = original.split, original.split.indices(part)
    if not chosen:
        return None
    images = np.asarray(original.pixels[chosen])
    return metrics_task(card.task).evaluate(
        kept_outputs(folder, card, images),
        split.dataset.targets()[chosen],
        card.classes,
        ordered=card.ordered,
        groups=[split.dataset.samples[index].group for index in chosen],
    )


# ---- the certified files ----


def _certified_bundles(shipment: Shipment, checked: _Checked) -> dict[str, BuiltBundle]:
    """The bundles by name, each passed by gate, floors and decision.

    Raises:
        EdgekdError: A target has none.
    """
    request = BuildRequest(
        model=checked.student.folder,
        targets=shipment.targets,
        out=shipment.work / "bundles",
        teacher=checked.teacher.folder,
        data_root=checked.student.split.dataset.root,
        calibration_images=shipment.calibration_images,
        observer=shipment.observer,
    )
    built = build(request)
    for precision in shipment.precisions:
        further = build_all(_of_precision(request, precision))
        for bundle in further:
            if bundle.error is not None:
                shipment.say(f"{bundle.name} is not certified: {bundle.error.message}")
        built += [bundle for bundle in further if bundle.passed]
    for bundle in built:
        _refuse_fine_tuned(bundle)
    return {bundle.name: bundle for bundle in built}


def _of_precision(request: BuildRequest, precision: str) -> BuildRequest:
    """The request for one precision, of the targets that have it."""
    targets = [
        target for target in request.targets if precision in get_backend(target.backend).precisions
    ]
    return replace(request, targets=targets, precisions=(precision,))


def _refuse_fine_tuned(bundle: BuiltBundle) -> None:
    if bundle.manifest is not None and bundle.manifest.lowering.quantisation_aware:
        message = f"{bundle.name} has other weights than the student: it was fine-tuned for int8"
        raise GateFailedError(message, "train with `finish: {quantisation: int8}` and ship that")
