"""The trained teachers of a run: one, or several that are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from edgekd.data import decoded_images
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.task import TrainingTask, training_task
from edgekd.distill.teachers.averaged import Ensemble, TeacherNetwork, TurnedViews, average_of
from edgekd.distill.teachers.engines.engine import Engine
from edgekd.distill.teachers.weights import fitted_weights
from edgekd.metrics.task import metrics_task
from edgekd.models import Checkpoint, NormalisedNetwork, logits_of
from edgekd.models.card import read_metrics
from edgekd.recipe import RoleSection, TeacherSection, fingerprint

__all__ = ["Teachers", "gather_teachers", "network_of"]


@dataclass(frozen=True)
class Teachers:
    """The teachers of a run.

    Attributes:
        members: The checkpoint of each.
        weights: Their weights, with sum 1.
        section: How their outputs are computed.
        task: Name of the task.
        classes: The classes in the order that the outputs are to have.
        image_size: S, the side in pixels that the student sees.
    """

    members: tuple[Checkpoint, ...]
    weights: tuple[float, ...]
    section: TeacherSection
    task: str
    classes: tuple[str, ...]
    image_size: int

    def network(self) -> TeacherNetwork:
        """Maps pixels in 0…1 to the averaged outputs, in evaluation mode.

        The pixels are [B, 3, S, S], or of another size, where members see a size of their own.
        """
        networks = [
            member.normalised(member.card.own_side(self.image_size), self.classes)
            for member in self.members
        ]
        return network_of(networks, self.weights, self.section, training_task(self.task)).eval()

    @property
    def side(self) -> int:
        """The largest size in pixels that a member sees images at; 0 where it is the student's."""
        sides = [member.card.own_side(self.image_size) or 0 for member in self.members]
        return max(sides, default=0)

    @property
    def sha256(self) -> str:
        """Hash of the weights: that of the only checkpoint, or of all with their weights."""
        hashes = [member.card.weights_sha256 for member in self.members]
        if len(hashes) == 1:
            return hashes[0]
        return fingerprint(hashes, self.weights, self.section.average)

    def identity(self) -> tuple[Any, ...]:
        """Everything about the teachers that a student's weights depend on."""
        section = self.section
        run = (section.views, section.average, section.precision, section.engine, section.cache)
        return (self.sha256, *run, *self._shown())

    def _shown(self) -> tuple[str, ...]:
        """Hashes of how members are shown images, where that is not as edgekd trains networks."""
        return tuple(
            fingerprint(card.network_sha256, card.image_size)
            for card in (member.card for member in self.members)
            if card.own_side(self.image_size) is not None
        )

    def sections(self) -> dict[str, Any]:
        """Sections of a recipe that takes these very teachers with these weights."""
        trained = [RoleSection(checkpoint=str(member.folder)) for member in self.members]
        if len(trained) > 1:
            section = msgspec.structs.replace(self.section, weights=self.weights)
            return {"teacher": section, "teachers": tuple(trained)}
        section = msgspec.structs.replace(
            self.section, model=None, fit=trained[0].fit, checkpoint=trained[0].checkpoint
        )
        return {"teacher": section}

    def facts(self) -> dict[str, Any]:
        """Plain values that the outputs depend on, besides precision."""
        facts: dict[str, Any] = {"sha256": self.sha256, "views": self.section.views}
        if shown := self._shown():
            facts["shown"] = list(shown)
        if len(self.members) == 1 and self.section.views == 1:
            return facts
        return {**facts, "average": self.section.average, **self._members()}

    def provenance(self, engine: Engine | None = None) -> dict[str, Any]:
        """Plain values for a student's card; empty for a single network's plain outputs.

        Args:
            engine: What computed the outputs instead of PyTorch.
        """
        plain = TeacherSection()
        run = {
            name: value
            for name, value in msgspec.to_builtins(self.section).items()
            if name not in ("model", "fit", "checkpoint", "weights")
            and value != msgspec.to_builtins(getattr(plain, name))
        }
        if engine is not None:
            run["engine"] = engine.evidence()
        if imported := [each.card.imported.file for each in self.members if each.card.imported]:
            run["imported"] = imported
        if len(self.members) == 1:
            return run
        return {"average": self.section.average, **self._members(), **run}

    def _members(self) -> dict[str, Any]:
        members = [
            {"sha256": member.card.weights_sha256, "arch": member.card.arch, "weight": weight}
            for member, weight in zip(self.members, self.weights, strict=True)
        ]
        return {"members": members}

    def metrics(self, samples: RunSamples, parts: Sequence[str]) -> dict[str, Any] | None:
        """Metrics by part: those beside a single checkpoint, or measured for averaged outputs.

        Args:
            samples: The images of the run.
            parts: Parts to evaluate on; a run that must not see the test part leaves it out.
        """
        first = self.members[0]
        if len(self.members) == 1 and self.section.views == 1 and first.card.imported is None:
            metrics = read_metrics(first.folder)
            return {part: metrics[part] for part in parts if part in metrics} or None
        return self._measured(samples, parts)

    def _measured(self, samples: RunSamples, parts: Sequence[str]) -> dict[str, Any]:
        return {
            part: metrics_task(self.task).evaluate(
                outputs,
                samples.part(part)[1],
                samples.classes,
                ordered=samples.split.dataset.ordered,
                groups=samples.groups(part),
            )
            for part in parts
            if (outputs := self.outputs(samples, part)) is not None
        }

    def outputs(self, samples: RunSamples, part: str) -> NDArray[np.float32] | None:
        """The averaged outputs [N, …] for a part's images, each member at the size that it sees.

        None for a part without images.
        """
        images = _images_of(samples, part, self.side)
        return logits_of(self.network(), images) if len(images) else None

    def text(self) -> str:
        """One line for logs."""
        shares = zip(self.members, self.weights, strict=True)
        return ", ".join(f"{member.card.arch} {weight:.3f}" for member, weight in shares)


def gather_teachers(
    members: Sequence[Checkpoint], section: TeacherSection, samples: RunSamples
) -> Teachers:
    """The teachers with their weights, which are fitted on the validation part where chosen."""
    weights = _weights(members, section, samples)
    return Teachers(
        tuple(members), weights, section, samples.split.dataset.task, samples.classes,
        samples.image_size,
    )  # fmt: skip


def _weights(
    members: Sequence[Checkpoint], section: TeacherSection, samples: RunSamples
) -> tuple[float, ...]:
    if section.weights == "fitted":
        return _fitted(members, section, samples)
    raw = [1.0] * len(members) if section.weights == "equal" else list(section.weights)
    return tuple(float(weight) / sum(map(float, raw)) for weight in raw)


def _fitted(
    members: Sequence[Checkpoint], section: TeacherSection, samples: RunSamples
) -> tuple[float, ...]:
    targets = samples.part("validation")[1]
    outputs = [torch.from_numpy(_alone(each, samples)) for each in members]
    return fitted_weights(
        torch.stack(outputs).double(), torch.from_numpy(targets), len(samples.classes),
        samples.task, average_of(samples.task, section.average),
    )  # fmt: skip


def _alone(member: Checkpoint, samples: RunSamples) -> NDArray[np.float32]:
    """A member's outputs for the validation images, at the size that it sees images at."""
    side = member.card.own_side(samples.image_size)
    images = _images_of(samples, "validation", side or 0)
    return logits_of(member.normalised(side, samples.classes), images)


def _images_of(samples: RunSamples, part: str, side: int) -> NDArray[np.uint8]:
    """The images of a part, with more pixels where a teacher sees more than the student."""
    images, _ = samples.part(part)
    if side <= samples.image_size or not len(images):
        return images
    larger = decoded_images(samples.split.dataset, side)
    return np.asarray(larger[samples.split.indices(part)])


def network_of(
    members: Sequence[NormalisedNetwork],
    weights: Sequence[float],
    section: TeacherSection,
    task: TrainingTask,
) -> TeacherNetwork:
    """One network for all teachers: the only one, an average of several, of several views."""
    average = average_of(task, section.average)
    network = members[0] if len(members) == 1 else Ensemble(members, weights, average)
    return network if section.views == 1 else TurnedViews(network, section.views, average)
