"""What to ship: a finished run's student, its name, and the targets whose files are certified."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.errors import InputError
from edgekd.lower.progress import BuildObserver, LineReporter
from edgekd.models import ModelCard
from edgekd.policy import Policy, load_policy, policy_of_values
from edgekd.targets import Target

__all__ = ["Shipment"]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Shipment:
    """What to ship.

    Attributes:
        run: The finished run, or its student's checkpoint.
        name: Name of the shipped student.
        out: Folder of shipped students.
        work: Folder for the student as it ships, and its certified bundles.
        targets: Kinds of devices whose files are certified.
        policy: A policy, its name or file; None takes the checkpoint's.
        precisions: Precisions that are certified beside those that the ladders take.
        teacher: The checkpoint of a teacher that the student is compared with; None takes the one
            of its run.
        data_root: Where the images of the run are now, if not where they were.
        calibration_images: Number of calibration images.
        observer: The progress observer of the builds.
        say: Takes one line for each step.
    """

    run: Path
    name: str
    out: Path
    work: Path
    targets: Sequence[Target]
    policy: str | Path | None = None
    precisions: tuple[str, ...] = ()
    teacher: Path | None = None
    data_root: Path | None = None
    calibration_images: int = 512
    observer: BuildObserver = field(default_factory=LineReporter)
    say: Callable[[str], None] = lambda line: None

    def check_name(self) -> None:
        """Raise InputError where the name is none that a folder and a command can have."""
        if not _NAME.fullmatch(self.name):
            message = f"{self.name!r} is no name of a student"
            raise InputError(
                message, "lower-case letters, digits and single hyphens, as in ham10000-a"
            )

    def policy_of(self, card: ModelCard) -> Policy:
        """The policy that its files are judged by.

        Raises:
            InputError: There is no such policy.
            ArtefactError: The checkpoint's policy is damaged.
        """
        return policy_of_values(card.policy) if self.policy is None else load_policy(self.policy)
