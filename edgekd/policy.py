"""Clinical policies: what a domain demands of a lowered file, and the words it uses.

A policy is a TOML file: edgekd's own in `edgekd/policies/`, third parties' through entry points of
the group `edgekd.policies` (each the path of such a file), or any file of the user's. A recipe
names one, checkpoints and bundles carry it, and `edgekd build --policy` replaces it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from edgekd.bundle.policy import CAPTURE_CODES, UNLIKE, PolicyWords, Sentence
from edgekd.errors import ArtefactError, InputError
from edgekd.extensions.registry import Registry
from edgekd.resources import policy_files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "DEFAULT_POLICY",
    "POLICIES",
    "CaptureRules",
    "DecisionRule",
    "Floors",
    "GateLimits",
    "Policy",
    "TeacherMargin",
    "Words",
    "load_policy",
    "policy_of_values",
]

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
CriticalLimit = Annotated[float, Meta(gt=0.0, le=1.0)]

POLICIES = Registry("policy", "edgekd.policies", policy_files())
"""Names of policies; each stands for the path of a TOML file."""

DEFAULT_POLICY = "dermoscopy"
"""The policy of recipes that name none, and of checkpoints made before there were policies."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section: immutable, by keyword, no unknown keys."""


class GateLimits(_Section, frozen=True, kw_only=True):
    """What a lowered file may lose against the float student, on validation images.

    A limit "of evidence" is compared with the upper one-sided 95 % bound of the loss, since a loss
    that cannot be excluded counts as one; a limit "as measured" with the measured loss.

    Attributes:
        max_flips: Share of images whose answer may change.
        max_balanced_accuracy_drop: Of evidence; for the balanced accuracy, 0.01 being one point.
        max_sensitivity_drop: As measured; for the sensitivity of each class that is not critical.
            A class of so few images that a single image exceeds the limit may lose one.
        max_ece_increase: As measured; for the expected calibration error, where student and file
            have each a temperature of their own.
        min_images: Least number of images; with fewer the gate fails for lack of evidence.
    """

    max_flips: Share
    max_balanced_accuracy_drop: Share
    max_sensitivity_drop: Share
    max_ece_increase: Share
    min_images: Annotated[int, Meta(ge=1)] = 50


class DecisionRule(_Section, frozen=True, kw_only=True):
    """What the decision of each lowered file is fitted to, on validation images.

    Attributes:
        refer_coverage: Share of the images that get an answer; the least certain rest is referred.
        refer_sensitivity: Replaces `refer_coverage`: the sensitivity for every critical class
            among the answered images; less certain images are referred.
        critical_sensitivity: Share of the images of a critical class in which it is noticed:
            answered, or the patient referred because it cannot be excluded. 0 fits no threshold.
        conformal_coverage: Share of images whose true class is in the conformal set.
        energy_kept: Share of the images whose energy counts as in distribution.
        capture_kept: Share of the images whose photo counts as good enough; worse ones are to be
            taken again. 0 fits no limits, and every photo passes.
    """

    refer_coverage: Share = 1.0
    refer_sensitivity: Share | None = None
    critical_sensitivity: Share = 0.0
    conformal_coverage: Share = 0.9
    energy_kept: Share = 0.98
    capture_kept: Share = 0.985


class Floors(_Section, frozen=True, kw_only=True):
    """What a lowered file must reach by itself, whatever the float student reaches.

    Attributes:
        beyond_chance: Whether the lower end of the 95 % interval of balanced accuracy must lie
            above that of a constant answer, 1/K for K classes. Tasks without balanced accuracy
            name another score.
        noticed: Least share of the images of each critical class in which the decision notices
            it: answers it, or refers the patient.
        answered: Least share of the images that get an answer, so that referring everybody does
            not pass for sensitivity.
        specificity: Least share of the images without a critical class that are answered, and
            whose answer names no critical class.
    """

    beyond_chance: bool = True
    noticed: Share = 0.0
    answered: Share = 0.0
    specificity: Share = 0.0


class TeacherMargin(_Section, frozen=True, kw_only=True):
    """By how much a lowered file may stay behind the teacher (non-inferiority margin).

    Attributes:
        metric: A key of `Metrics` or of its `measures`; higher is better.
        margin: The margin, in units of that metric.
        required: Whether a file that is not shown to keep the margin is refused. Without it the
            comparison is reported and decides nothing.
    """

    metric: str = "balanced_accuracy"
    margin: CriticalLimit = 0.05
    required: bool = False


class CaptureRules(_Section, frozen=True, kw_only=True):
    """Which measures of a photo make sense in a domain, and the sentences about them.

    Attributes:
        measures: Keys of `edgekd.bundle.policy.CAPTURE_CODES`; without any no photo has to be
            taken again.
        sentences: One for each reason code of these measures, and one for `unlike`.
    """

    measures: tuple[str, ...] = ()
    sentences: dict[str, Sentence] = {}

    def __post_init__(self) -> None:
        """Refuse unknown measures, and sentences that do not fit their reason codes."""
        unknown = [name for name in self.measures if name not in CAPTURE_CODES]
        if unknown:
            known = ", ".join(CAPTURE_CODES)
            raise ValueError(f"there is no measure {unknown[0]!r} of a photo; known: {known}")
        codes = {code for name in self.measures for code in CAPTURE_CODES[name] if code}
        needed = codes | {UNLIKE} if codes else set()
        if needed != set(self.sentences):
            odd = ", ".join(sorted(needed ^ set(self.sentences)))
            raise ValueError(f"the sentences do not fit the measures; missing or needless: {odd}")


class Words(PolicyWords, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words of a domain for reports and cards; a bundle carries them as `PolicyWords`."""


class Policy(_Section, frozen=True, kw_only=True):
    """What a domain demands of a lowered file, and the words it uses.

    Attributes:
        name: Name for messages and records, as the file states it.
        title: Name for people.
        critical: Classes that are most dangerous to miss (upper and lower case are the same), each
            with a limit of evidence for the drop of its sensitivity; a model need not have all of
            them. A limit of L needs log 0.05 / log(1 − L) independent images of the class, 59 for
            5 points: with fewer a larger drop cannot be excluded, even for a file that loses none
            of them (Clopper, Pearson 1934).
        gate: What a lowered file may lose, in any precision.
        decision: What the decision of a lowered file is fitted to.
        floors: What a lowered file must reach by itself.
        teacher: By how much a lowered file may stay behind the teacher.
        capture: Which measures of a photo make sense, and the sentences about them.
        words: Words of the domain.
        tasks: Further keys that only some tasks know, by name of the task.
    """

    name: str
    title: str
    critical: dict[str, CriticalLimit] = {}
    gate: GateLimits
    decision: DecisionRule = DecisionRule()
    floors: Floors = Floors()
    teacher: TeacherMargin = TeacherMargin()
    capture: CaptureRules = CaptureRules()
    words: Words = Words()
    tasks: dict[str, dict[str, Any]] = {}

    def critical_of(self, classes: Sequence[str]) -> dict[str, float]:
        """The critical classes of a model with their limits, in the model's order."""
        limits = self._critical_limits()
        return {name: limits[name.casefold()] for name in classes if name.casefold() in limits}

    def values(self) -> dict[str, Any]:
        """The whole policy as plain values, as checkpoints keep it; see `policy_of_values`."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    def sha256(self) -> str:
        """Hash of the whole policy."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    def tightened(
        self, limits: Mapping[str, float], critical: Mapping[str, float] | None = None
    ) -> Policy:
        """This policy with stricter limits, and with further critical classes.

        Args:
            limits: New values by name, of the gate (`max_flips`) or of the floors (`noticed`).
            critical: Further critical classes with their limits, or stricter limits of known ones.

        Raises:
            InputError: There is no such limit, or a value would loosen one.
        """
        gate = msgspec.structs.asdict(self.gate)
        floors = msgspec.structs.asdict(self.floors)
        for name, value in limits.items():
            if name in gate:
                _refuse_looser(name, value, gate[name], least=name.startswith("min_"))
            elif name in floors:
                _refuse_looser(name, value, floors[name], least=True)
            else:
                known = ", ".join((*gate, *floors))
                raise InputError(f"there is no limit {name!r}", f"known: {known}")
        known_critical = self._critical_limits()
        for name, value in (critical or {}).items():
            _refuse_looser(name, value, known_critical.get(name.casefold(), 1.0))
        added = {name.casefold(): value for name, value in (critical or {}).items()}
        raw = self.values()
        raw["gate"] = gate | {name: limits[name] for name in gate if name in limits}
        raw["floors"] = floors | {
            name: type(value)(limits[name]) for name, value in floors.items() if name in limits
        }
        raw["critical"] = known_critical | added
        try:
            return msgspec.convert(raw, Policy, strict=False)
        except msgspec.ValidationError as error:
            raise InputError(f"the limits are wrong: {error}", "shares lie in 0…1") from error

    def _critical_limits(self) -> dict[str, float]:
        return {name.casefold(): limit for name, limit in self.critical.items()}


def _refuse_looser(name: str, value: float, present: float, *, least: bool = False) -> None:
    if value < present if least else value > present:
        message = f"{name}={value:g} is looser than the policy's {present:g}"
        raise InputError(message, "looser limits belong in a policy file of your own")


def load_policy(name_or_path: str | Path) -> Policy:
    """A policy by its name, or from a file.

    Args:
        name_or_path: A name that `POLICIES` knows; or a path, recognised by its suffix `.toml` or
            by a slash.

    Raises:
        InputError: There is no such policy or file, or the file is wrong.
        MissingDependencyError, ArtefactError: A third party's policy cannot be loaded.
    """
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text or "\\" in text:
        return _read(Path(text).expanduser())
    try:
        place = POLICIES.load(text, lambda path: isinstance(path, str | Path))
    except InputError as error:
        raise InputError(error.message, f"{error.hint}; or give the path of a .toml file") from None
    return _read(Path(place))


def policy_of_values(values: Mapping[str, Any] | None) -> Policy:
    """The policy that a checkpoint keeps.

    Args:
        values: From `Policy.values`; None for a checkpoint made before there were policies, which
            gets `DEFAULT_POLICY`.

    Raises:
        ArtefactError: The values are not a valid policy.
    """
    if values is None:
        return load_policy(DEFAULT_POLICY)
    try:
        return msgspec.convert(values, Policy)
    except msgspec.ValidationError as error:
        message = f"the checkpoint's policy is damaged: {error}"
        raise ArtefactError(message, "give --policy, or train again") from error


def _read(file: Path) -> Policy:
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Policy)
    except OSError as error:
        _refuse(file, error.strerror or str(error), "give the name of a policy or a readable file")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        _refuse(file, str(error), "correct it")


def _refuse(file: Path, why: str, hint: str) -> NoReturn:
    raise InputError(f"the policy {file} is wrong: {why}", hint) from None
