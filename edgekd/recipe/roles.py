"""The sections `teacher`, `teachers` and `student`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgekd.extensions.teacher_engines import TeacherEngine
from edgekd.recipe.fit import FitSection
from edgekd.recipe.section import Positive, Rate, Section, Seed

__all__ = ["CacheSection", "ModelSection", "RoleSection", "TeacherSection"]


class ModelSection(Section, frozen=True, kw_only=True):
    """A network.

    Attributes:
        arch: Name of the architecture in timm; `torchvision:NAME`; `transformers:CLASS`;
            `edgekd:mobile`, whose `options` write out stages of inverted residuals; or a class of
            yours as `package.module:Class`, where `--trust-code` or the environment variable
            EDGEKD_TRUST_CODE allows it.
        pretrained: `none`, `package`, `hub`, or the path of a safetensors file or of a checkpoint,
            whose head is used where it has as many outputs.
        options: Further arguments of the architecture's constructor.
        mean: Mean of each channel that the pretrained weights expect; by default their source's.
        std: Standard deviation of each channel that they expect; by default their source's.
    """

    arch: str
    pretrained: str = "none"
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    mean: tuple[float, float, float] | None = None
    std: tuple[Rate, Rate, Rate] | None = None


class RoleSection(Section, frozen=True, kw_only=True):
    """A teacher or a student: a network and its training, or an existing checkpoint.

    `checkpoint` is its folder, or the name of a shipped student.
    """

    model: ModelSection | None = None
    fit: FitSection = FitSection()
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        """Refuse a trained network in the place of an architecture."""
        if self.model is not None and self.model.arch.startswith("checkpoint:"):
            raise ValueError(
                "model.arch is an architecture; a trained network is `checkpoint` (of a teacher) "
                "or `model.pretrained`"
            )


class CacheSection(Section, frozen=True, kw_only=True):
    """Outputs of the teacher that are computed once, for fixed views of the training images.

    Attributes:
        views: K, augmented views of each training image. An epoch shows one of each image, and K
            epochs show all; without a cache every epoch shows a new one.
        seed: Seed of the views, which runs of other seeds share.
    """

    views: Positive
    seed: Seed = 0


class TeacherSection(RoleSection, frozen=True, kw_only=True):
    """The teacher, and how its outputs are computed.

    Where the recipe has `teachers`, this section has no network of its own.

    Attributes:
        average: How outputs of several teachers, or of several views, are averaged: as
            `probabilities`, or as `logits`.
        weights: Weights of the recipe's `teachers`: `equal`; `fitted`, by the likelihood of the
            validation labels; or numbers, one for each, which are scaled to sum 1.
        views: Views of each image whose outputs are averaged: the image itself; also mirrored (2);
            by quarter turns (4); by quarter turns, each also mirrored (8).
        precision: Precision of the teacher's outputs; `auto` is that of the run.
        engine: What computes the outputs: `torch`, or `openvino` on a CPU, to which the teacher is
            lowered in memory and compared with PyTorch first.
        cache: Keep the outputs for some fixed views of each training image, instead of computing
            them in every step; shared by all methods, seeds and students.
        logits: Outputs in a file (`.npz`, `.csv`, `.parquet`) that `edgekd logits` or another
            program wrote, instead of a network.
        trust_logits: Take a file that does not say how it was made, such as a table of another
            program: that its numbers are of these very images is then your word.
    """

    average: Literal["probabilities", "logits"] = "probabilities"
    weights: Literal["equal", "fitted"] | tuple[Annotated[float, Meta(ge=0.0)], ...] = "equal"
    views: Literal[1, 2, 4, 8] = 1
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    engine: TeacherEngine = "torch"
    cache: CacheSection | None = None
    logits: str | None = None
    trust_logits: bool = False

    def __post_init__(self) -> None:
        """Refuse weights without any weight, and a network beside a file of outputs."""
        RoleSection.__post_init__(self)
        if self.logits is not None:
            self._refuse_network()
        elif self.trust_logits:
            raise ValueError("`trust_logits` is of a file in `logits`, and there is none")
        if not isinstance(self.weights, str) and not sum(self.weights) > 0:
            raise ValueError("the weights of the teachers are all 0")

    def _refuse_network(self) -> None:
        of_files = ("logits", "trust_logits")
        for field in msgspec.structs.fields(TeacherSection):
            if field.name not in of_files and getattr(self, field.name) != field.default:
                raise ValueError(f"`logits` are in a file: nothing would read `{field.name}`")

    @property
    def runs_before(self) -> bool:
        """Whether the outputs are there before the training, and no teacher runs in it."""
        return self.cache is not None or self.logits is not None

    def network(self) -> RoleSection:
        """The network and its training alone."""
        return RoleSection(model=self.model, fit=self.fit, checkpoint=self.checkpoint)
