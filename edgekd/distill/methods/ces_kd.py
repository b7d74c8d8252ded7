"""`ces_kd`: one expert for each image, by its difficulty (Amara et al. 2022, "CES-KD", ICPR; arXiv
2209.07606). The experts are a ladder of assistants, and the teacher at its top.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import difficulty_of, joined_strata, strata_of
from edgekd.distill.methods.assistant_ladder import LadderConfig, LadderMethod
from edgekd.distill.methods.base import Batch, MethodContext, Stage, Terms
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.task import Trait
from edgekd.errors import InputError

__all__ = ["CurriculumExpertSelection", "CurriculumExpertSelectionConfig"]


class CurriculumExpertSelectionConfig(LadderConfig, frozen=True, kw_only=True):
    """Keys of the method, besides those of the assistants.

    Attributes:
        weight: λ in (1 − λ)·CE + λ·T²·KL.
        curriculum: Share of the epochs over which strata join, from the easiest to the hardest; the
            images of a stratum learn from their label alone until then. 0 begins with all.
    """

    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.9
    curriculum: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5


class CurriculumExpertSelection(LadderMethod):
    """(1 − λ)·CE + λ·mean_i T²·KL(expert of image i ‖ student): easy images from small experts.

    The difficulty of a training image is 1 − p of its class by the teacher, of the image as a
    device sees it; it is taken once, before the student's training, over the whole training part,
    which is divided into as many strata of equal size as there are experts.
    """

    name = "ces_kd"
    Config = CurriculumExpertSelectionConfig
    config: CurriculumExpertSelectionConfig
    requires = LadderMethod.requires | {Trait.EXCLUSIVE_CLASSES}
    strata: Tensor

    def __init__(
        self,
        config: CurriculumExpertSelectionConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        nowhere = torch.full((context.samples,), -1)
        self.register_buffer("strata", nowhere, persistent=False)

    @property
    def experts(self) -> int:
        """Number of experts: the assistants and the teacher."""
        return len(self.assistants) + 1

    def stages(self) -> tuple[Stage, ...]:
        """The assistants, then the student."""
        student = Stage(
            "student", (self.student,), self._objective, self.student, prepare=self._stratify
        )
        return (*self.assistant_stages(), student)

    def _stratify(self, samples: RunSamples) -> None:
        """Give each training image its stratum.

        Raises:
            InputError: There are fewer training images than experts.
        """
        indices = samples.split.indices("train")
        if len(indices) < self.experts:
            message = f"{len(indices)} training images cannot be divided among {self.experts}"
            raise InputError(f"{message} experts", "give more images, or fewer `assistants`")
        outputs = self.teacher_outputs_for(samples.images, indices)
        targets = torch.from_numpy(np.asarray(samples.targets[indices]))
        strata = strata_of(difficulty_of(outputs, targets), self.experts)
        device = self.strata.device
        self.strata[torch.tensor(indices, device=device)] = strata.to(device)

    def _objective(self, batch: Batch) -> Terms:
        config, strata = self.config, self.strata[batch.indices]
        if bool((strata < 0).any()):
            message = "ces_kd knows no difficulty of an image"
            raise InputError(message, "call the stage's `prepare` before its objective")
        student = self.student(batch.pixels)
        length = config.curriculum * self.context.fit.epochs
        joined = strata < joined_strata(batch.epoch, length, self.experts)
        share = joined.to(torch.float32)
        soft = self.softened_loss(
            student, self.expert_outputs(batch, strata), config.temperature, share.clamp(min=1e-12)
        )  # whose weights have a sum above 0
        hard = self.hard_label(student, batch.targets)
        return {"ce": (1 - config.weight) * hard, "kd": config.weight * share.mean() * soft}

    def expert_outputs(self, batch: Batch, strata: Tensor) -> Tensor:
        """The outputs [B, K] of each image's own expert, which alone looks at it."""
        outputs = torch.zeros(len(strata), self.softened_logits, device=strata.device)
        for level in sorted(set(strata.tolist())):
            chosen = (strata == level).nonzero().flatten()
            outputs[chosen] = self._expert(level, batch, chosen).to(outputs)
        return outputs

    def _expert(self, level: int, batch: Batch, chosen: Tensor) -> Tensor:
        """Outputs of an expert, the smallest first, for some images of a batch."""
        if level == self.experts - 1:
            if batch.views is not None:  # they may be in a cache
                return self.teacher_outputs(batch)[chosen]
            return self.teacher_outputs(batch, batch.crops[chosen])
        with torch.no_grad():
            outputs: Tensor = self.assistants[-1 - level](batch.pixels[chosen])
        return outputs
