"""The gate of an engine on its device: the host's validation images and the student's outputs.

The host cannot run the engine, so the evidence accompanies the bundle: `<bundle>.evidence.npz`
beside it, identified by its hash in the manifest. It is never inside: a bundle goes to every
device, and these are patients' images.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import GateRecord, Manifest
from edgekd.bundle.policy import PolicyRecord, PolicyWords
from edgekd.errors import ArtefactError, GateFailedError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.files import atomic_write, sha256_of
from edgekd.lower.evidence.decision import DecisionRequirements, requirements_of
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.evidence.non_inferiority import TeacherOutputs
from edgekd.lower.evidence.policy_check import checked_record
from edgekd.lower.task import evidence_task
from edgekd.policy import DecisionRule, Floors, GateLimits, Policy, TeacherMargin
from edgekd.runtime.sessions.base import Facts

if TYPE_CHECKING:
    from edgekd.lower.source import Source

__all__ = [
    "IMAGES",
    "Evidence",
    "Terms",
    "evidence_beside",
    "lacks_evidence",
    "leave_evidence",
    "read_evidence",
    "terms_of",
]

IMAGES = "images.npy"
"""Name of the images in the file, and where they were unpacked."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and requirements that an engine is held to.

    Attributes:
        classes: The K class names.
        limits: What the engine may lose.
        critical: Limits of the critical classes, by name.
        rule: What the engine's decision is fitted to.
        floors: What the engine must reach by itself; evidence that was written before there
            were floors demands nothing.
        margin: By how much the engine may stay behind the teacher.
        teacher_missing: Why the teacher's outputs are not among the arrays.
        exact: Whether the engine has the student's own precision.
        fitted_on: Description of the images, for the manifest.
        ordered: Whether the classes are grades.
        task: Name of the task; evidence that was written before there were several has none.
        task_limits: The policy's keys for this task.
        words: The policy's words.
    """

    classes: tuple[str, ...]
    limits: GateLimits
    critical: dict[str, float]
    rule: DecisionRule
    floors: Floors = Floors(beyond_chance=False)
    margin: TeacherMargin = TeacherMargin()
    teacher_missing: str = "the evidence was written before teachers were compared"
    exact: bool
    fitted_on: dict[str, Any]
    ordered: bool = False
    task: str = DEFAULT_TASK
    task_limits: dict[str, Any] = {}
    words: PolicyWords = PolicyWords()


@dataclass(frozen=True)
class Evidence:
    """Labelled images with the limits that an engine is held to on them.

    Attributes:
        images: uint8 [N, S, S, 3].
        student: Outputs [N, …] of the float student.
        targets: Targets of the images [N, …].
        terms: Limits and requirements.
        groups: A number for the lesion or patient of each image [N]; None in evidence that was
            written before they were known.
        teacher: Outputs [N, …] of the teacher; None where there are none.
    """

    images: NDArray[np.uint8]
    student: NDArray[np.float32]
    targets: NDArray[Any]
    terms: Terms
    groups: NDArray[np.int64] | None = None
    teacher: NDArray[np.float32] | None = None

    @property
    def requirements(self) -> DecisionRequirements:
        """What the decision of the engine is fitted to."""
        terms = self.terms
        critical = tuple(terms.critical)
        return DecisionRequirements(
            terms.rule, terms.classes, critical, self.targets, terms.fitted_on, terms.ordered,
            self.groups, terms.task,
        )  # fmt: skip

    def judge(self, logits: NDArray[np.float32], runtime: Facts) -> GateRecord:
        """The host's gate on the engine's outputs [N, …]."""
        terms = self.terms
        reference = GateReference(
            self.student, self.targets, terms.classes, terms.limits, terms.critical, self.groups,
            terms.task, terms.task_limits, terms.words,
        )  # fmt: skip
        task = evidence_task(terms.task)
        return task.judge(reference, logits, runtime=runtime, exact=terms.exact)

    def check_policy(
        self,
        record: PolicyRecord,
        decision: Any,
        outputs: NDArray[np.float32],
        retaken: NDArray[np.bool_],
    ) -> PolicyRecord:
        """The bundle's record of its policy, with what the engine reaches; see `checked_record`.

        Args:
            record: The record that the host wrote.
            decision: Decision that was fitted to the engine.
            outputs: Outputs of the engine [N, …].
            retaken: Whether each image [N] would have to be taken again.

        Raises:
            FloorNotMetError: The engine does not reach a floor, and is not for research.
        """
        terms = self.terms
        teacher = TeacherOutputs(self.teacher, terms.teacher_missing)
        return checked_record(
            record, terms.floors, terms.margin, self.requirements, decision, outputs, retaken,
            teacher,
        )  # fmt: skip

    def save(self, file: Path) -> str:
        """Write the file, readable by its owner alone; returns its hash.

        The same evidence gives the same bytes.
        """
        terms = np.frombuffer(msgspec.json.encode(self.terms, order="sorted"), np.uint8)
        optional = {"groups": self.groups, "teacher": self.teacher}
        present: dict[str, Any] = {k: v for k, v in optional.items() if v is not None}
        with atomic_write(file, mode=0o600) as beside:
            with beside.open("wb") as stream:
                np.savez(
                    stream, images=self.images, student=self.student, targets=self.targets,
                    terms=terms, **present,
                )  # fmt: skip
            return sha256_of(beside)


def evidence_beside(bundle: Path) -> Path:
    """The file beside a bundle that holds its evidence, unless it was moved."""
    bundle = bundle.absolute()
    return bundle.with_name(f"{bundle.name.removesuffix('.edgekd')}.evidence.npz")


def terms_of(
    policy: Policy,
    *,
    task: str,
    classes: Sequence[str],
    ordered: bool,
    fitted_on: dict[str, Any],
    exact: bool,
    teacher_missing: str,
) -> Terms:
    """The limits and requirements of a policy for one file; the arguments are those of `Terms`."""
    return Terms(
        classes=tuple(classes),
        limits=policy.gate,
        critical=policy.critical_of(classes),
        rule=policy.decision,
        floors=policy.floors,
        margin=policy.teacher,
        teacher_missing=teacher_missing,
        exact=exact,
        fitted_on=fitted_on,
        ordered=ordered,
        task=task,
        task_limits=policy.tasks.get(task, {}),
        words=policy.words,
    )


def leave_evidence(
    source: Source, policy: Policy, teacher: TeacherOutputs, manifest: Manifest, bundle: Path
) -> Manifest:
    """Write the evidence beside a bundle that a device has to finish.

    Args:
        source: The student and its validation images.
        policy: Policy with the limits of this build.
        teacher: The teacher's outputs for these images.
        manifest: Manifest of the bundle.
        bundle: Path of the bundle.

    Returns:
        The manifest, with the hash of the evidence; as it was where the bundle is complete.
    """
    lowering = manifest.lowering
    if lowering.completion != "finish-on-device":
        return manifest
    requirements = requirements_of(source, policy)
    terms = terms_of(
        policy,
        task=requirements.task,
        classes=requirements.classes,
        ordered=requirements.ordered,
        fitted_on=requirements.fitted_on,
        exact=lowering.precision == "fp32",
        teacher_missing=teacher.reason,
    )
    evidence = Evidence(
        source.images, source.outputs, source.targets, terms, source.groups, teacher.outputs
    )
    sha256 = evidence.save(evidence_beside(bundle))
    lowering = msgspec.structs.replace(lowering, evidence_sha256=sha256)
    return msgspec.structs.replace(manifest, lowering=lowering)


def lacks_evidence(manifest: Manifest, bundle: Path) -> bool:
    """Whether a device has to finish the bundle, and its evidence is missing or damaged."""
    if manifest.lowering.completion != "finish-on-device":
        return False
    file = evidence_beside(bundle)
    return not file.is_file() or sha256_of(file) != manifest.lowering.evidence_sha256


def read_evidence(file: Path, sha256: str | None, work: Path) -> Evidence:
    """The evidence of a bundle.

    Args:
        file: The evidence file.
        sha256: Hash of the file in the bundle's manifest.
        work: Folder that the images are unpacked into and mapped from, so that a small device's
            memory is left to the engine.

    Raises:
        GateFailedError: There is no evidence; without it no engine is accepted.
        ArtefactError: The evidence is another bundle's, or damaged.
    """
    if sha256 is None:
        message = "the bundle's manifest names no evidence for an engine"
        hint = "where there are labelled images: `edgekd certify`, or `edgekd build --data`"
        raise GateFailedError(message, hint)
    if not file.is_file():
        message = f"no evidence for the engine: {file} is missing"
        raise GateFailedError(
            message, f"copy {file.name} from the host to the board, or give --evidence FILE"
        )
    if sha256_of(file) != sha256:
        message = f"{file} is damaged, or the evidence of another bundle"
        raise ArtefactError(message, "copy the one that was written beside this very bundle")
    return _read(file, work)


def _read(file: Path, work: Path) -> Evidence:
    """The evidence of a file whose hash was checked."""
    try:
        with (
            zipfile.ZipFile(file) as archive,
            archive.open(IMAGES) as packed,
            (work / IMAGES).open("wb") as unpacked,
        ):
            shutil.copyfileobj(packed, unpacked)
        with np.load(file, allow_pickle=False) as arrays:
            terms = msgspec.json.decode(arrays["terms"].tobytes(), type=Terms)
            images = np.load(work / IMAGES, mmap_mode="r", allow_pickle=False)
            return Evidence(
                images, arrays["student"], arrays["targets"], terms, arrays.get("groups"),
                arrays.get("teacher"),
            )  # fmt: skip
    except (
        zipfile.BadZipFile,
        LookupError,
        ValueError,
        msgspec.MsgspecError,
        RecursionError,
    ) as error:
        message = f"{file} cannot be read: {error}"
        raise ArtefactError(message, "build the bundle again with this edgekd") from error
