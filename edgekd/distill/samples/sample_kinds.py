"""The samples of a stage: labelled, unlabelled, synthesised, none, or several kinds at once.

A kind builds the loader of the training epochs and turns what the loader yields into the batch that
the stage's objective or step receives. Validation always runs over the labelled validation part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgekd.distill.samples.batches import Batch, StepContext, SynthesisedBatch, UnlabelledBatch
from edgekd.distill.samples.loading import BatchLoader, Loader, LoadersTogether, StepNumbers
from edgekd.distill.samples.run_samples import EpochSampler, RunSamples, Share
from edgekd.distill.teachers.fixed_views import EpochViews, WholeImages
from edgekd.models import pixels_of
from edgekd.recipe import FitSection

__all__ = [
    "Continued",
    "Labelled",
    "LoaderSetup",
    "NoSamples",
    "Redrawn",
    "SampleKind",
    "Several",
    "Synthesised",
    "Unlabelled",
    "UnlabelledPool",
]

_OTHER_ORDER = 50_021
"""Distance of the seeds of two draws of the same images."""


@dataclass(frozen=True)
class LoaderSetup:
    """What the loader of a stage depends on.

    Attributes:
        samples: The images of the run.
        fit: How the stage is trained.
        seed: The stage's seed.
        epoch: Gives the current epoch, counted from 0.
        share: The part of every epoch that this process sees.
        done: Batches to leave out of the first epoch: an interrupted run has trained on them.
        workers: Threads that gather batches ahead of the training.
        pin: Gather into page-locked memory, for a GPU.
    """

    samples: RunSamples
    fit: FitSection
    seed: int
    epoch: Callable[[], int]
    share: Share
    done: int = 0
    workers: int = 1
    pin: bool = False

    @property
    def training_images(self) -> int:
        """Number of images in the training part."""
        return len(self.samples.split.indices("train"))


class SampleKind(ABC):
    """Which samples a stage runs over."""

    def batch_size(self, fit: FitSection, training_images: int, processes: int) -> int:
        """Images of a batch in each process.

        Args:
            fit: How the stage is trained.
            training_images: Number of images in the training part.
            processes: Number of processes that share an epoch.
        """
        return fit.batch_size

    @abstractmethod
    def loader(self, setup: LoaderSetup) -> Loader:
        """The loader of the training epochs; its order is a function of seed and epoch alone."""

    @abstractmethod
    def batch(self, loaded: Any, context: StepContext) -> Any:
        """What the objective or the step receives, made of what the loader yielded."""


class Labelled(SampleKind):
    """The training part with its targets; the objective receives a `Batch`."""

    def batch_size(self, fit: FitSection, training_images: int, processes: int) -> int:
        """`fit.batch_size`, but at most what one process sees of an epoch."""
        return min(fit.batch_size, training_images // processes)

    def loader(self, setup: LoaderSetup) -> BatchLoader:
        """Batches of the training part; classes are drawn by `fit.class_sampling`."""
        samples, fit = setup.samples, setup.fit
        size = self.batch_size(fit, setup.training_images, setup.share.processes)
        done = _done_draws(setup, setup.training_images, size)
        sampler = EpochSampler(
            setup.training_images, self._weights(samples, fit), self._seed(setup), setup.epoch,
            setup.share, done,
        )  # fmt: skip
        return BatchLoader(
            samples.training_images, samples.split.indices("train"), sampler, size,
            targets=[samples.targets], workers=setup.workers, pin=setup.pin,
        )  # fmt: skip

    def _weights(self, samples: RunSamples, fit: FitSection) -> Tensor | None:
        """How often each training image is drawn; None where each is drawn once."""
        return samples.sampling_weights(fit.class_sampling)

    def _seed(self, setup: LoaderSetup) -> int:
        """Seed of the order."""
        return setup.seed

    def batch(self, loaded: list[Tensor], context: StepContext) -> Batch:
        """The images with targets and positions."""
        images, targets, indices = loaded
        batch = Batch(
            pixels_of(images), targets, indices, context.epoch, context.augment, context.generator,
            context.augment_both, context.mixing, side=context.side,
        )  # fmt: skip
        return batch if context.views is None else _in_fixed_views(batch, context.views)


@dataclass(frozen=True, eq=False)
class Redrawn(Labelled):
    """The training part in a draw of its own, beside another kind; the step receives a `Batch`.

    Attributes:
        draws: How often each training image is drawn, relative to the others [N], of the images of
            the run; None where each is drawn once an epoch.
    """

    draws: Callable[[RunSamples], Tensor | None]

    def _weights(self, samples: RunSamples, fit: FitSection) -> Tensor | None:
        return self.draws(samples)

    def _seed(self, setup: LoaderSetup) -> int:
        return setup.seed + _OTHER_ORDER


@dataclass(frozen=True, eq=False)
class Unlabelled(SampleKind):
    """Images without targets; the objective receives an `UnlabelledBatch`.

    Every image is drawn once an epoch: `fit.class_sampling` would need the labels.

    Attributes:
        images: uint8 [N, S, S, 3]; None for those of the training part, whose targets are withheld.
    """

    images: NDArray[np.uint8] | None = None

    def batch_size(self, fit: FitSection, training_images: int, processes: int) -> int:
        """`fit.batch_size`, but at most what one process sees of an epoch."""
        images = training_images if self.images is None else len(self.images)
        return min(fit.batch_size, images // processes)

    def loader(self, setup: LoaderSetup) -> BatchLoader:
        """Batches of the images; every image is drawn once."""
        if self.images is None:
            images, indices = setup.samples.training_images, setup.samples.split.indices("train")
        else:
            images, indices = self.images, list(range(len(self.images)))
        size = self.batch_size(setup.fit, setup.training_images, setup.share.processes)
        done = _done_draws(setup, len(indices), size)
        sampler = EpochSampler(len(indices), None, setup.seed, setup.epoch, setup.share, done)
        return BatchLoader(images, indices, sampler, size, workers=setup.workers, pin=setup.pin)

    def batch(self, loaded: list[Tensor], context: StepContext) -> UnlabelledBatch:
        """The images with their positions."""
        return _unlabelled(loaded, context)


@dataclass(frozen=True)
class UnlabelledPool(SampleKind):
    """The images of the recipe's `data.unlabelled`; the objective receives an `UnlabelledBatch`.

    Attributes:
        images: Their number (`MethodContext.unlabelled_images`).
        ratio: Images of a batch for each of `fit.batch_size`.
    """

    images: int
    ratio: int = 1

    def batch_size(self, fit: FitSection, training_images: int, processes: int) -> int:
        """`ratio` times `fit.batch_size`, but at most what one process sees of an epoch."""
        return min(self.ratio * fit.batch_size, self.images // processes)

    def loader(self, setup: LoaderSetup) -> BatchLoader:
        """Batches of the images; every image is drawn once."""
        images = setup.samples.unlabelled
        assert images is not None  # whose number the method has
        size = self.batch_size(setup.fit, setup.training_images, setup.share.processes)
        done = _done_draws(setup, self.images, size)
        sampler = EpochSampler(self.images, None, setup.seed, setup.epoch, setup.share, done)
        return BatchLoader(
            images, range(self.images), sampler, size, workers=setup.workers, pin=setup.pin
        )

    def batch(self, loaded: list[Tensor], context: StepContext) -> UnlabelledBatch:
        """The images with their positions among the unlabelled ones."""
        return _unlabelled(loaded, context)


@dataclass(frozen=True)
class Synthesised(SampleKind):
    """Images that the method makes; the objective receives a `SynthesisedBatch`.

    Attributes:
        make: Makes the images of a step, `context.size` of them, with gradients of what makes them:
            `lambda context: context.batch(self.generator(…))`.
        steps: Steps of an epoch; 0 for as many as the training part would give.
    """

    make: Callable[[StepContext], SynthesisedBatch]
    steps: int = 0

    def loader(self, setup: LoaderSetup) -> StepNumbers:
        """Yields the numbers of the steps."""
        return _numbered_steps(self.steps, setup)

    def batch(self, loaded: int, context: StepContext) -> SynthesisedBatch:
        """What the method makes."""
        return self.make(context)


@dataclass(frozen=True)
class NoSamples(SampleKind):
    """No samples: the step draws what it needs, and receives a `StepContext`.

    Attributes:
        steps: Steps of an epoch; 0 for as many as the training part would give.
    """

    steps: int = 0

    def loader(self, setup: LoaderSetup) -> StepNumbers:
        """Yields the numbers of the steps."""
        return _numbered_steps(self.steps, setup)

    def batch(self, loaded: int, context: StepContext) -> StepContext:
        """The context itself."""
        return context


@dataclass(frozen=True)
class Several(SampleKind):
    """Several kinds in every step, as in semi-supervised training.

    The objective receives their batches by the names of the kinds. An epoch is as long as that of
    the kind with the most batches; the others are repeated in it, augmented differently.

    Attributes:
        kinds: Kinds by name, such as `{"labelled": Labelled(), "unlabelled": Unlabelled(images)}`.
    """

    kinds: Mapping[str, SampleKind]

    def batch_size(self, fit: FitSection, training_images: int, processes: int) -> int:
        """The smallest batch size of the kinds."""
        return min(kind.batch_size(fit, training_images, processes) for kind in self.kinds.values())

    def loader(self, setup: LoaderSetup) -> LoadersTogether:
        """Yields what the loaders of the kinds yield, by their names."""
        return LoadersTogether({name: kind.loader(setup) for name, kind in self.kinds.items()})

    def batch(self, loaded: dict[str, Any], context: StepContext) -> dict[str, Any]:
        """The batch of each kind."""
        return {name: kind.batch(loaded[name], context) for name, kind in self.kinds.items()}


@dataclass(frozen=True)
class Continued(SampleKind):
    """Another kind's samples in a stage that continues an earlier one.

    Attributes:
        kind: The kind.
        epochs: Epochs of the earlier stage, from which the batches' epochs count on.
    """

    kind: SampleKind
    epochs: int

    def batch_size(self, fit: FitSection, training_images: int, processes: int) -> int:
        """That of the kind."""
        return self.kind.batch_size(fit, training_images, processes)

    def loader(self, setup: LoaderSetup) -> Loader:
        """That of the kind."""
        return self.kind.loader(setup)

    def batch(self, loaded: Any, context: StepContext) -> Any:
        """The kind's batch in the later epoch."""
        return self.kind.batch(loaded, replace(context, epoch=self.epochs + context.epoch))


def _unlabelled(loaded: list[Tensor], context: StepContext) -> UnlabelledBatch:
    images, indices = loaded
    return UnlabelledBatch(
        pixels_of(images), indices, context.epoch, context.augment, context.generator,
        context.training_side,
    )  # fmt: skip


def _done_draws(setup: LoaderSetup, images: int, size: int) -> int:
    """Draws of the batches that were trained on before an interruption.

    A kind with fewer batches than another is repeated beside it: only its last round counts.
    """
    batches = images // setup.share.processes // size if size else 0
    return setup.done % batches * size if batches else 0


def _in_fixed_views(batch: Batch, views: EpochViews | WholeImages) -> Batch:
    """The batch whose pixels are the fixed views of this epoch, where there are any."""
    if isinstance(views, WholeImages):
        return replace(batch, views=views.of(batch.indices))
    augmented = partial(views.augmented, indices=batch.indices)
    return replace(batch, augment_both=augmented, views=views.of(batch.indices))


def _numbered_steps(steps: int, setup: LoaderSetup) -> StepNumbers:
    """Numbers of `steps` steps; for 0, of as many full batches as a process has of the part."""
    in_part = setup.training_images // setup.share.processes // setup.fit.batch_size
    return StepNumbers(steps or max(in_part, 1))
