"""Label bits: the information in a teacher's subclass outputs beyond the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgekd.distill.samples.run_samples import RunSamples
from edgekd.metrics import label_bits
from edgekd.models import logits_of
from edgekd.models.card import read_metrics
from edgekd.models.normalised import PixelNetwork

__all__ = ["KEY", "LabelBits", "label_bits_of", "recorded_label_bits"]

KEY = "label_bits"
"""Key of the label bits in a student's `metrics.json`."""


class LabelBits(msgspec.Struct, frozen=True, kw_only=True):
    """Label bits, measured on the training images.

    Attributes:
        bits: Label bits per training image, see `edgekd.metrics.label_bits`.
        temperature: T of the student's distillation; 1 where T is learnt.
        plain: Label bits at T = 1, without the effect of softening.
        images: Number of training images.
    """

    bits: float
    temperature: float
    plain: float
    images: int

    def text(self) -> str:
        """One line for logs and reports."""
        plain = f", {self.plain:.4f} at T = 1" if self.temperature != 1.0 else ""
        return f"{self.bits:.4f} label bits per training sample at T = {self.temperature:g}{plain}"


def label_bits_of(teacher: PixelNetwork, samples: RunSamples, options: dict[str, Any]) -> LabelBits:
    """Label bits of a teacher on the training images without augmentation.

    Args:
        teacher: The teacher's network, which predicts the subclasses of the samples.
        samples: All images and their parts.
        options: Options of the student's method.
    """
    images, _ = samples.part("train")
    outputs = logits_of(teacher, images, raw=True)
    option = options.get("temperature")
    temperature = float(option) if isinstance(option, int | float) else 1.0
    bits, plain = (label_bits(outputs, samples.subclass_of, t) for t in (temperature, 1.0))
    return LabelBits(bits=bits, temperature=temperature, plain=plain, images=len(images))


def recorded_label_bits(student: Path) -> LabelBits | None:
    """Label bits in a student's folder; None for a student that was not taught subclasses."""
    known = read_metrics(student)
    return msgspec.convert(known[KEY], LabelBits) if KEY in known else None
