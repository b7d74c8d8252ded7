"""Which bundles of a shipped student are built, each with the certificate that it can have."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from edgekd.errors import EdgekdError, GateFailedError, InputError
from edgekd.lower.built import BuiltBundle
from edgekd.lower.int8.calibration import MIN_IMAGES, CalibrationSet
from edgekd.lower.plan import BuildRequest, Plan, check_features, ladder_of
from edgekd.lower.precision import MIXED, Variant
from edgekd.lower.shipped.student import ShippedStudent, variant_of
from edgekd.lower.store import code_sha256, providers_of, tool_versions
from edgekd.policy import policy_of_values
from edgekd.recipe import fingerprint
from edgekd.targets import Target

__all__ = ["NotCertifiedError", "RebuildJob", "rebuild_jobs", "remedy_of"]

_SAFEST = "fp32"
"""What a target without a certificate is lowered to, for research."""


class NotCertifiedError(GateFailedError):
    """A file is none of those that were judged where its student was made.

    Args:
        name: Name of the bundle.
        reason: Why it is not certified.
        remedy: The command that judges it on labelled images.
    """

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(
            f"{name} is not certified: {reason}",
            f"judge it on labelled images of yours: {remedy}; or add --research to have it marked, "
            "and judge it where they are: edgekd certify",
        )


@dataclass(frozen=True)
class RebuildJob:
    """One bundle to build.

    Attributes:
        plan: Its plan; the ladder has one rung.
        variant: The variant to lower to.
        certificate: Name of the certificate that its file is compared with; None without one.
    """

    plan: Plan
    variant: Variant
    certificate: str | None

    @property
    def backend(self) -> str:
        """Name of the backend."""
        return self.plan.target.backend


def rebuild_jobs(
    request: BuildRequest, student: ShippedStudent, calibration: CalibrationSet | None = None
) -> tuple[list[RebuildJob], dict[str, BuiltBundle]]:
    """The bundles to build, and those that cannot be, by name.

    Args:
        request: The request.
        student: The student that it names.
        calibration: Images that int8 ranges may be measured on, or None.
    """
    jobs, refused = [], {}
    for target in request.targets:
        for precision in request.precisions or (None,):
            name = f"{target.name}-{precision}" if precision else target.name
            try:
                jobs.append(_job(request, student, target, precision, name, calibration))
            except EdgekdError as error:
                request.observer.line(f"{name}: not built: {error.message}")
                refused[name] = BuiltBundle(target.name, name, None, None, (), error)
    return jobs, refused


def _job(
    request: BuildRequest,
    student: ShippedStudent,
    target: Target,
    precision: str | None,
    name: str,
    calibration: CalibrationSet | None,
) -> RebuildJob:
    """The plan of one bundle.

    Raises:
        InputError: The target has no such precision, or its ranges are not recorded.
        NotCertifiedError: No certificate is for it, and the build is not for research.
        EdgekdError: The target's backend cannot be loaded.
    """
    ladder = ladder_of(target, precision)
    check_features(request, target)
    certificate, variant = _certificate_for(student, target, precision)
    if certificate is None and not request.research:
        what = f"{precision} for {target.name}" if precision else target.name
        reason = f"{student.name} carries no certificate of {what}"
        raise NotCertifiedError(name, reason, remedy_of(request, student, target, precision))
    _refuse_unknown_ranges(student, target, variant, calibration)
    made_from = (
        student.sha256, target, variant, certificate, request.research, ladder, code_sha256(),
        request.list_images, request.features, tool_versions(target.backend),
        providers_of(target.backend, student.card.task), calibration and calibration.sha256,
    )  # fmt: skip
    path = request.out / f"{name}{'.edgekd' if request.zipped else ''}"
    policy = policy_of_values(student.card.policy)
    key = fingerprint("without images", made_from)
    return RebuildJob(
        Plan(target, policy, request.research, (variant.precision,), path, key),
        variant,
        certificate,
    )


def _refuse_unknown_ranges(
    student: ShippedStudent, target: Target, variant: Variant, calibration: CalibrationSet | None
) -> None:
    """Refuse int8 where nothing gives the ranges of its activations.

    Raises:
        InputError: No ranges are recorded, and no images are there to measure them on; or layers
            would have to be chosen, by labelled images.
    """
    if not variant.calibrated or (target.backend, variant) in student.ranges:
        return
    if calibration is None:
        message = f"{student.name} carries no ranges for {variant.label} by {target.backend}"
        if not student.certificates:
            message += f", nor {MIN_IMAGES} synthesised images to measure them on"
        raise InputError(message, "give labelled images with --data, or another --precision")
    if variant.precision == MIXED:
        message = f"{MIXED} leaves as many layers in float as its gate demands, and none judges it"
        raise InputError(message, "take --precision int8, or give labelled images with --data")


def _certificate_for(
    student: ShippedStudent, target: Target, precision: str | None
) -> tuple[str | None, Variant]:
    """The certificate that the bundle can have, with its variant; for `auto` that of the ladder."""
    fitting = list(student.certificates_for(target.name, target.backend))
    if precision is None:  # a bundle of a chosen precision has it in its name
        fitting = [one for one in fitting if one[0] == one[1].lowering.target] or fitting
    for name, manifest in fitting:
        if precision in (None, manifest.lowering.precision):
            return name, variant_of(manifest)
    return None, Variant(precision=precision or _SAFEST)


def remedy_of(
    request: BuildRequest, student: ShippedStudent, target: Target, precision: str | None
) -> str:
    """The command that judges a bundle on labelled images."""
    words = ["edgekd", "build", "--target", target.name, "--model", student.address]
    words += ["--precision", precision] if precision else []
    return f"{shlex.join([*words, '--out', str(request.out)])} --data FILE.csv"
