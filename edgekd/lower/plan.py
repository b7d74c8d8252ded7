"""A request for bundles, and the plan of each bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.bundle import Bundle, Manifest
from edgekd.errors import EdgekdError, InputError
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import CheckedBackend, check_via
from edgekd.lower.int8.calibration import CalibrationSet
from edgekd.lower.own_images import OwnImages
from edgekd.lower.precision import FINE_TUNED, FLOAT, LADDER
from edgekd.lower.progress import BuildObserver, LineReporter
from edgekd.lower.source import Source
from edgekd.lower.store import code_sha256, providers_of, tool_versions
from edgekd.lower.teacher import Teacher
from edgekd.policy import Policy, load_policy, policy_of_values
from edgekd.recipe import fingerprint
from edgekd.targets import Target

__all__ = [
    "BuildRequest",
    "Plan",
    "check_features",
    "ladder_of",
    "plans_of",
    "policy_of",
    "refuse_idle_fine_tuning",
    "tightened_policy",
]


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        model: The student's checkpoint, or the folder of its run.
        targets: Kinds of devices.
        out: Folder of the bundles.
        precisions: One bundle for each, or None for `auto`: one bundle for each target.
        policy: A policy, its name or its file; None takes the checkpoint's.
        research: Whether a file below a floor of the policy is taken, and its bundle so marked.
        teacher: The teacher's checkpoint; None looks beside the student and in its recipe.
        data_root: Where the images of the checkpoint are now, if not where they were.
        own_images: Labelled images of the user's own, that files are judged on instead.
        calibration_images: Number of calibration images.
        tighten: Limits of the gate and floors to make stricter, by name.
        critical: Further critical classes with their limits; None for the policy's own alone.
            Empty states that the model has no critical class; refused where the policy names one.
        all_rungs: Lower and judge every rung, also those below one that passes.
        quantisation_aware: Fine-tune the student with simulated int8 where int8 fails its gate.
        zipped: Write `.edgekd` files instead of folders.
        list_images: Put hashes of the training and validation images into the bundle.
        via: The library that the device can build its engine via, beside the usual one (see
            `ProgramBackend`); None for the usual one alone.
        features: Put the student's features into the bundle, by which `edgekd enrol` teaches it
            new classes.
        observer: The progress observer.
    """

    model: Path
    targets: Sequence[Target]
    out: Path
    precisions: tuple[str, ...] | None = None
    policy: Policy | str | Path | None = None
    research: bool = False
    teacher: Path | None = None
    data_root: Path | None = None
    own_images: OwnImages | None = None
    calibration_images: int = 512
    tighten: dict[str, float] = field(default_factory=dict)
    critical: dict[str, float] | None = None
    all_rungs: bool = False
    quantisation_aware: bool = False
    zipped: bool = False
    list_images: bool = True
    via: str | None = None
    features: bool = False
    observer: BuildObserver = field(default_factory=LineReporter)


@dataclass(frozen=True)
class Plan:
    """The plan of one bundle.

    Attributes:
        target: The kind of device.
        policy: The policy, with the limits that hold for this build.
        research: Whether a file below a floor is taken.
        ladder: Precisions to try, in this order.
        path: Path of the bundle's folder or `.edgekd` file.
        key: Hash of everything that the bundle is made from.
        via: See `BuildRequest`.
    """

    target: Target
    policy: Policy
    research: bool
    ladder: tuple[str, ...]
    path: Path
    key: str
    via: str | None = None

    @property
    def name(self) -> str:
        """Name of the bundle, for people."""
        return self.path.name.removesuffix(".edgekd")

    def current(self, say: Callable[[str], None] = lambda line: None) -> Manifest | None:
        """The manifest of the bundle at `path` if this plan would build the same one, else None.

        Args:
            say: Gets the reason where the bundle at `path` is damaged.
        """
        if not self.path.exists():
            return None
        try:
            with Bundle.open(self.path) as bundle:
                manifest = bundle.manifest
        except EdgekdError as error:
            say(f"{error.message}; built again")
            return None
        return manifest if manifest.lowering.build_key == self.key else None


def plans_of(
    request: BuildRequest,
    source: Source,
    policy: Policy,
    teacher: Teacher,
    calibration: CalibrationSet | None,
) -> list[Plan]:
    """The plans of the bundles of a request.

    Args:
        request: The request.
        source: The student.
        policy: The policy, from `policy_of`.
        teacher: The teacher, with which the student's files are compared too.
        calibration: Images for int8 ranges, or None.

    Raises:
        InputError: A target lacks a precision, or cannot be built via the library.
    """
    made_from = (
        source.card, source.data, source.images_sha256, calibration.sha256 if calibration else None,
        policy, request.research, teacher.sha256, request.all_rungs,
        request.quantisation_aware, request.list_images, request.via, request.features,
        code_sha256(),
    )  # fmt: skip
    plans = []
    for target in request.targets:
        check_via(get_backend(target.backend), request.via)
        check_features(request, target)
        for precision in request.precisions or (None,):
            ladder = ladder_of(target, precision)
            suffix = f"-{precision}" if precision else ""
            ending = ".edgekd" if request.zipped else ""
            path = request.out / f"{target.name}{suffix}{ending}"
            backend = target.backend
            tools = (
                _checkers(target),
                tool_versions(backend),
                providers_of(backend, source.card.task),
            )
            key = fingerprint(made_from, target, ladder, tools)
            plans.append(Plan(target, policy, request.research, ladder, path, key, request.via))
    return plans


def check_features(request: BuildRequest, target: Target) -> None:
    """Raise InputError where features are requested of a target that has no file to run them."""
    backend = get_backend(target.backend)
    if request.features and (backend.completion != "complete" or FLOAT not in backend.precisions):
        message = f"{target.name} builds its engine on the device, and has none for features"
        raise InputError(message, "leave --features out, or build it for another target")


def policy_of(request: BuildRequest, source: Source) -> Policy:
    """The policy of a build, with the limits that the request makes stricter.

    Raises:
        InputError: There is no such policy, a limit would be loosened or dropped, or the model has
            none of the policy's critical classes and the request does not confirm that.
        ArtefactError: The checkpoint's policy is damaged.
    """
    policy = _named_policy(request, source)
    return tightened_policy(policy, source.card.classes, request.tighten, request.critical)


def tightened_policy(
    policy: Policy,
    classes: Sequence[str],
    tighten: Mapping[str, float],
    critical: Mapping[str, float] | None,
) -> Policy:
    """A policy for a model, with the limits that a request makes stricter.

    Args:
        policy: The policy.
        classes: The model's classes.
        tighten: Stricter limits, as in `BuildRequest`.
        critical: Further critical classes, as in `BuildRequest`.

    Raises:
        InputError: As `policy_of`.
    """
    known = ", ".join(policy.critical_of(classes))
    if critical == {} and known:
        message = f"`none` would drop the limit of the policy {policy.name} for {known}"
        raise InputError(message, "leave --critical out, or write a policy file of your own")
    tightened = policy.tightened(tighten, critical)
    unknown = [name for name in critical or {} if name not in classes]
    if unknown:
        message = f"the model has no class {unknown[0]!r}"
        raise InputError(message, f"its classes: {', '.join(classes)}")
    if policy.critical and critical != {} and not tightened.critical_of(classes):
        message = (
            f"the policy {policy.name} names none of the classes {', '.join(classes)} as critical"
        )
        raise InputError(
            message, "name them: --critical CLASS,… ; or --critical none; or another --policy"
        )
    return tightened


def _named_policy(request: BuildRequest, source: Source) -> Policy:
    if request.policy is None:
        return policy_of_values(source.card.policy)
    return request.policy if isinstance(request.policy, Policy) else load_policy(request.policy)


def refuse_idle_fine_tuning(request: BuildRequest, plans: Sequence[Plan]) -> None:
    """Refuse quantisation-aware fine-tuning where no bundle would use its weights.

    Raises:
        InputError: Quantisation-aware fine-tuning is requested, and no plan has a rung for it.
    """
    if not request.quantisation_aware or not plans:
        return
    if not any(FINE_TUNED in plan.ladder for plan in plans):
        tried = ", ".join(dict.fromkeys(name for plan in plans for name in plan.ladder))
        message = (
            f"--quantisation-aware trains the student for {FINE_TUNED}, and this build tries "
            f"{tried} alone"
        )
        hint = f"add {FINE_TUNED} to --precision, or leave --quantisation-aware out"
        raise InputError(message, hint)


def _checkers(target: Target) -> dict[str, str]:
    """Versions of the checking tools; with new ones a bundle is checked and built again."""
    backend = get_backend(target.backend)
    return backend.checkers() if isinstance(backend, CheckedBackend) else {}


def ladder_of(target: Target, precision: str | None) -> tuple[str, ...]:
    """The precisions to try for a target: those of its ladder, or the one that is requested.

    Raises:
        InputError: The target lacks the precision.
    """
    possible = get_backend(target.backend).precisions
    if precision is None:
        rungs = tuple(name for name in target.ladder if name in possible)
    else:
        rungs = (precision,) if precision in possible else ()
    if not rungs:
        known = ", ".join(name for name in LADDER if name in possible)
        message = f"there is no {precision or '/'.join(target.ladder)} for {target.name}"
        raise InputError(message, f"--precision is auto, or of: {known}")
    return rungs
