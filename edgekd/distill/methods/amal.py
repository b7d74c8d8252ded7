"""`amal`: a weight for each image and loss, learnt on held-out images (Sivasubramanian et al. 2023,
"Adaptive Mixing of Auxiliary Losses in Supervised Learning", AAAI; arXiv 2202.03250).

It mixes the terms of any other method: the class that a recipe's `method` stands for is made of
that method's and of `AdaptiveMixing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, cast

import numpy as np
import torch
from msgspec import Meta, field
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.distill.losses import mixed_weights
from edgekd.distill.losses.precision import at_least_float32, full_precision
from edgekd.distill.methods.base import (
    Batch,
    Labelled,
    Method,
    MethodContext,
    Stage,
    TeacherBy,
    Terms,
)
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.task import Trait
from edgekd.distill.training.processes import gather_equal_rows
from edgekd.errors import InputError
from edgekd.extensions.methods import METHODS, method_name
from edgekd.models import classifier_of, pixels_of
from edgekd.recipe import Section, convert

__all__ = ["AdaptiveMixing", "AdaptiveMixingConfig", "ImageWeights"]

_CODE_BATCH = 128
"""Images of a batch in the released code, for whose gradients its step of 1500 was chosen."""


class AdaptiveMixingConfig(Section, frozen=True, kw_only=True):
    """Keys of the method; defaults of the released code, but for `images`.

    Attributes:
        of: The method whose terms are mixed, as a recipe names it: `{name: kd, …}`. Its weights are
            those that every image begins with; the terms on logits are mixed, others stay as they
            are.
        every: Interval between epochs that learn the weights, as a share of all epochs: with 0.05
            of 200 they are epochs 10, 20, and so on.
        step: Length of a step of the weights, for batches of 128; it grows with the batch, whose
            gradients are means.
        repeats: Steps of the weights of each batch.
        rate: η, learning rate of the virtual step of the last layer (the code: that of its SGD).
        images: Held-out images that judge a batch's virtual step, drawn from the validation part
            (the code: 1000), of classes as often as `fit.class_sampling` draws them.
    """

    of: dict[str, Any] = field(
        default_factory=lambda: {"name": "kd", "temperature": 4.0, "weight": 0.9}
    )
    every: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.05
    step: Annotated[float, Meta(gt=0.0)] = 1500.0
    repeats: Annotated[int, Meta(ge=1)] = 5
    rate: Annotated[float, Meta(gt=0.0)] = 0.1
    images: Annotated[int, Meta(ge=1)] = 128


class ImageWeights(nn.Module):
    """λ of each image of the data set and each mixed term.

    With several processes each receives what all have learnt, so that the weights stay equal.

    Args:
        images: Number of images in the data set.
        start: The weight of each term in the mixed method, by name.
    """

    weights: Tensor
    start: Tensor
    most: Tensor

    def __init__(self, images: int, start: dict[str, float]) -> None:
        super().__init__()
        self.names = tuple(start)
        initial = torch.tensor(list(start.values()))
        self.register_buffer("weights", initial.repeat(images, 1))
        self.register_buffer("start", initial, persistent=False)
        # 2 in the code, whose weights begin below 1.
        self.register_buffer("most", (2.0 * initial).clamp(min=2.0), persistent=False)

    @torch.no_grad()
    def remember(self, indices: Tensor, weights: Tensor) -> None:
        """Write the weights [B, M] of images [B], of all processes; the mean of repeated ones."""
        rows, learnt = gather_equal_rows(indices), gather_equal_rows(weights)
        times = torch.bincount(rows, minlength=len(self.weights))[:, None]
        sums = torch.zeros_like(self.weights).index_add_(0, rows, learnt.to(self.weights))
        self.weights.copy_(torch.where(times > 0, sums / times.clamp(min=1), self.weights))


@dataclass
class _Seen:
    """Inputs [B′, D] and outputs [B′, K] of the last layer in one pass."""

    pooled: Tensor
    logits: Tensor


class AdaptiveMixing(Method):
    """Σ_m mean_i λ_im · ℓ_im over the terms m of another method, with λ learnt on held-out images.

    A term's share of an image is the row of the term's gradient at the image's logits: of a mean
    over images it is the gradient of that image's loss, and a term that compares images has one,
    too. The logged terms are the mixed method's own; the mean weights are logged beside them.

    The released code learns the weights in a pass of its own before an epoch; here each batch of
    such an epoch learns them before it is trained on, by the same features.
    """

    name = "amal"
    Config = AdaptiveMixingConfig
    requires = frozenset({Trait.IMAGE_LEVEL})
    mixes = False

    @classmethod
    def specialised(cls, config: AdaptiveMixingConfig) -> type[Method]:
        """The mixture of `config.of`.

        Raises:
            InputError: There is no such method, or it cannot be mixed.
        """
        return _mixture_of(cls, _mixed_kind(config))

    @classmethod
    def teacher_by(cls, config: AdaptiveMixingConfig) -> TeacherBy:
        """What the mixed method takes."""
        return _mixed_kind(config).teacher_by(_mixed_config(config))

    def __init__(
        self,
        config: AdaptiveMixingConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(_mixed_config(config), student, teacher, context)
        self.mixing = config
        start = {name: weight for name, weight in self.term_weights().items() if weight > 0.0}
        if not start:
            message = f"amal mixes terms with a weight, and the method {config.of['name']} has none"
            raise InputError(message, "name another method in `method.of`, or raise its weights")
        self.image_weights = ImageWeights(context.samples, start)
        self._held_out: RunSamples | None = None
        self._learnt: tuple[Tensor, Tensor] | None = None
        self._means: Terms = {}
        self._last_layer()

    def stages(self) -> tuple[Stage, ...]:
        """Those of the mixed method; the terms of the last one are mixed.

        Raises:
            InputError: The last stage takes its steps itself, or has images without labels.
        """
        *earlier, last = super().stages()  # type: ignore[safe-super]
        if last.objective is None or not isinstance(last.samples, Labelled):
            message = f"the method {self.mixing.of['name']} has no terms that amal could mix"
            raise InputError(message, "name another method in `method.of`, such as kd")
        mixed = replace(
            last, objective=lambda batch: self._mixed(last, batch),
            followers=(*last.followers, self.image_weights),
            after_step=lambda: self._after_step(last), prepare=lambda run: self._prepare(last, run),
        )  # fmt: skip
        return (*earlier, mixed)

    def logged_values(self) -> Terms:
        """The mean weight of each term over the latest batch, beside the mixed method's values."""
        return {**super().logged_values(), **self._means}

    def learns(self, epoch: int) -> bool:
        """Whether the weights are learnt in an epoch, counted from 0."""
        length = max(round(self.mixing.every * self.context.fit.epochs), 1)
        return (epoch + 1) % length == 0

    def _prepare(self, last: Stage, samples: RunSamples) -> None:
        if last.prepare is not None:
            last.prepare(samples)
        if not samples.split.indices("validation"):
            raise InputError(
                "amal learns its weights on the validation part, which is empty",
                "raise `split.validation`",
            )
        self._held_out = samples

    def _after_step(self, last: Stage) -> None:
        if last.after_step is not None:
            last.after_step()
        if self._learnt is not None:
            self.image_weights.remember(*self._learnt)
            self._learnt = None

    # The mixture -----------------------------------------------------------------------------

    def _mixed(self, last: Stage, batch: Batch) -> Terms:
        """The terms, whose gradients at the logits of each image count by its weights."""
        assert last.objective is not None
        passes: list[_Seen] = []
        with self._observed(passes):
            terms = last.objective(batch)
        last_pass = _only(passes)
        names = [name for name in self.image_weights.names if name in terms]
        columns = [self.image_weights.names.index(name) for name in names]
        slopes = [_slope(terms[name], last_pass.logits) for name in names]
        weights = self.image_weights.weights[batch.indices][:, columns]
        if self.learns(batch.epoch) and names:
            weights = self._learn(batch, last_pass, slopes, weights, columns)
        self._means = {
            f"weight_{name}": mean for name, mean in zip(names, weights.mean(dim=0), strict=True)
        }
        factors = weights / self.image_weights.start[columns]
        mixed = {
            name: _reweighted(terms[name], slope, last_pass.logits, factor)
            for name, slope, factor in zip(names, slopes, factors.T, strict=True)
        }
        return {**terms, **mixed}

    def _learn(
        self,
        batch: Batch,
        last_pass: _Seen,
        slopes: list[Tensor],
        weights: Tensor,
        columns: list[int],
    ) -> Tensor:
        """New weights [B, M] of the batch's images, which are written after the step."""
        start = self.image_weights.start[columns]
        held_out, targets = self._judges(batch)
        # Several views of an image act together: their gradients at the last layer are summed.
        views = len(last_pass.logits) // len(batch.indices)
        gradients = torch.stack(slopes, dim=1) / start[:, None]
        learnt = mixed_weights(
            weights.repeat_interleave(views, dim=0), gradients, last_pass.pooled.detach(),
            held_out.pooled, held_out.logits, lambda logits: self._held_out_slope(logits, targets),
            rate=self.mixing.rate, step=self.mixing.step * len(batch.indices) / _CODE_BATCH,
            most=self.image_weights.most[columns], repeats=self.mixing.repeats,
        )  # fmt: skip
        learnt = learnt.reshape(len(weights), views, -1).mean(dim=1).to(weights)
        every = self.image_weights.weights[batch.indices].clone()
        every[:, columns] = learnt
        self._learnt = (batch.indices, every)
        return learnt

    def _held_out_slope(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Gradient of the hard-label loss at logits of the last layer [V, K]."""
        with torch.enable_grad():
            after = logits.detach().requires_grad_()
            outputs = cast("Any", self.student).class_logits(after)
            loss = self.label_loss(outputs, targets, self.class_weights, self.adjustment)
            (slope,) = torch.autograd.grad(loss, after)
        return slope

    def _judges(self, batch: Batch) -> tuple[_Seen, Tensor]:
        """The last layer's view of held-out images, as a device sees them, and their targets."""
        if self._held_out is None:
            message = "amal was given no held-out images"
            raise InputError(message, "call the stage's `prepare` before its objective")
        samples = self._held_out
        rows = self._drawn(samples, batch.generator)
        device = batch.raw.device
        pixels = pixels_of(torch.from_numpy(np.asarray(samples.images[rows])).to(device))
        modes = {module: module.training for module in self.student.modules()}
        self.student.eval()
        passes: list[_Seen] = []
        with torch.no_grad(), self._observed(passes):
            self.student(pixels)
        for module, training in modes.items():
            module.training = training
        return _only(passes), torch.from_numpy(np.asarray(samples.targets[rows])).to(device)

    def _drawn(self, samples: RunSamples, generator: torch.Generator) -> NDArray[np.int64]:
        """Held-out images, of classes as often as training draws them.

        Judges of their own frequencies would learn weights that undo `fit.class_sampling`.
        """
        part = np.array(samples.split.indices("validation"))
        weights = samples.sampling_weights(self.context.fit.class_sampling, "validation")
        count = min(self.mixing.images, len(part))
        if weights is None:
            order = torch.randperm(len(part), generator=generator)[:count]
        else:
            order = torch.multinomial(weights, count, replacement=True, generator=generator)
        return np.asarray(part[order.numpy()])

    @contextmanager
    def _observed(self, passes: list[_Seen]) -> Iterator[None]:
        """Note what the student's last layer receives and gives, in float32 at least."""

        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            logits = at_least_float32(output)
            passes.append(_Seen(at_least_float32(inputs[0]), logits))
            return logits

        handle = self._last_layer().register_forward_hook(note)
        try:
            yield
        finally:
            handle.remove()

    def _last_layer(self) -> nn.Linear:
        layer = classifier_of(cast("Any", self.student).network)
        if not isinstance(layer, nn.Linear):
            message = f"amal needs a student whose last layer is linear, not {type(layer).__name__}"
            raise InputError(message, "choose another `student.model`")
        return layer


@cache
def _mixture_of(mixing: type[AdaptiveMixing], kind: type[Method]) -> type[Method]:
    """The class of a method whose terms are mixed."""
    facts = {"requires": kind.requires | mixing.requires}
    return type(f"{mixing.__name__}Of{kind.__name__}", (mixing, kind), facts)


def _mixed_kind(config: AdaptiveMixingConfig) -> type[Method]:
    """The method whose terms are mixed."""
    name = method_name(config.of)
    if name == AdaptiveMixing.name:
        raise InputError("amal cannot mix the terms of amal", "name another method in `of`")
    kind: type[Method] = METHODS.load(name, lambda loaded: issubclass(loaded, Method))
    return kind


def _mixed_config(config: AdaptiveMixingConfig) -> Section:
    """The config of the mixed method."""
    kind = _mixed_kind(config)
    options = {key: value for key, value in config.of.items() if key != "name"}
    return convert(options, kind.Config, f"method {kind.name}")


def _only(passes: list[_Seen]) -> _Seen:
    """The last layer's only pass in a step."""
    if len(passes) != 1:
        message = f"amal saw {len(passes)} passes of the student's last layer in one step"
        hint = "set `trainer.compile` to never, or mix a method that runs its student once"
        raise InputError(message, hint)
    return passes[0]


def _slope(term: Tensor, logits: Tensor) -> Tensor:
    """Gradient of a term at the logits [B′, K], 0 where it does not depend on them."""
    if not term.requires_grad:
        return torch.zeros_like(logits)
    (slope,) = torch.autograd.grad(term, logits, retain_graph=True, allow_unused=True)
    return torch.zeros_like(logits) if slope is None else slope.detach()


@full_precision
def _reweighted(term: Tensor, slope: Tensor, logits: Tensor, factors: Tensor) -> Tensor:
    """The term, with its gradient at the logits of each image times the image's factor [B]."""
    rows = factors.repeat_interleave(len(logits) // len(factors))
    change = ((rows - 1.0)[:, None] * slope * logits).sum()
    return term + (change - change.detach())
