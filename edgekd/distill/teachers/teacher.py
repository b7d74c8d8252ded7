"""The teacher in a training step: without gradient, in a precision of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from edgekd.distill.teachers.cached import CachedOutputs
from edgekd.distill.teachers.engines.engine import Engine
from edgekd.distill.teachers.fixed_views import FixedViews, WholeImages
from edgekd.errors import InputError
from edgekd.models.features import Features, features_of

__all__ = ["Teacher", "TeacherBy", "TeacherPrecision", "TeacherSetup", "in_precision"]

TeacherBy = Literal["outputs", "pooled", "maps", "gradients"]
"""What a method takes from its teacher: outputs alone, pooled vectors too, feature maps too, or
gradients through its layers.
"""

TeacherPrecision = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class TeacherSetup:
    """How a run computes its teacher's outputs.

    Attributes:
        precision: Precision of the teacher; `auto` is that of the run.
        fixed_views: The views that training batches show, where they are fixed, or
            `WHOLE_IMAGES`, where the outputs are those of the images themselves.
        cache: The outputs for the fixed views, where they are kept.
        engine: Computes the outputs instead of PyTorch.
        side: The largest size in pixels that a teacher sees images at; 0 where it is the student's.
    """

    precision: TeacherPrecision = "auto"
    fixed_views: FixedViews | WholeImages | None = None
    cache: CachedOutputs | None = None
    engine: Engine | None = None
    side: int = 0


class Teacher:
    """Computes what a method takes from its teacher.

    No gradient is recorded, by `torch.no_grad` and not by `torch.inference_mode`: autograd refuses
    to save inference tensors for a backward pass, and methods apply trained layers to them.

    Args:
        network: Maps pixels in 0…1 to outputs, at the size that it sees images at.
        setup: How the run computes the outputs.
        head: Whether outputs are subclass logits of the network's head instead of the task's.
    """

    def __init__(self, network: nn.Module, setup: TeacherSetup, *, head: bool = False) -> None:
        self._network = network
        self._setup = setup
        self._forward = head_of(network) if head else network

    def outputs(self, batch: Any, pixels: Tensor | None = None) -> Tensor:
        """Outputs [B, …] for a batch.

        Args:
            batch: The batch.
            pixels: Other images [B′, 3, S, S] than the batch's augmented ones.
        """
        if (cache := self._cache_of(batch, pixels)) is not None:
            return cache.outputs(batch.indices, batch.views)
        # Outside of the block: pixels of a generator keep their graph, for the student's pass.
        pixels = batch.crops if pixels is None else pixels
        if self._setup.engine is not None:
            return self._setup.engine.outputs(pixels)
        with torch.no_grad(), in_precision(self._setup.precision, pixels.device):
            return self._forward(pixels)

    def features(self, batch: Any, pixels: Tensor | None = None) -> Features:
        """Feature maps, pooled vectors and outputs for a batch; see `outputs`.

        A cache keeps no maps: [B, 0, 0, 0].
        """
        if (cache := self._cache_of(batch, pixels)) is not None:
            return cache.features(batch.indices, batch.views)
        pixels = batch.crops if pixels is None else pixels
        if self._setup.engine is not None:
            return self._setup.engine.features(pixels)
        with torch.no_grad(), in_precision(self._setup.precision, pixels.device):
            return features_of(self._network, pixels)

    def _cache_of(self, batch: Any, pixels: Tensor | None) -> CachedOutputs | None:
        """The cache, if it has what the batch shows: not in validation, nor for other images."""
        in_cache = pixels is None and getattr(batch, "views", None) is not None
        return self._setup.cache if in_cache else None


def head_of(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The function from pixels to the subclass logits [B, S] of a network.

    Raises:
        InputError: The network predicts classes.
    """
    if not getattr(network, "subclass_of", ()):
        message = f"{type(network).__name__} predicts classes, not subclasses"
        raise InputError(message, "train it on data with subclasses")
    outputs: Callable[[Tensor], Tensor] = network.outputs  # type: ignore[assignment]
    return outputs


@contextmanager
def in_precision(precision: TeacherPrecision, device: torch.device) -> Iterator[None]:
    """Compute the block in a precision; `auto` keeps that of the surrounding code."""
    if precision == "auto":
        yield
        return
    enabled = precision != "fp32"
    kind = _DTYPES[precision] if enabled else None
    with torch.autocast(device.type, dtype=kind, enabled=enabled):
        yield
