"""The training module: one stage of any method, on Lightning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgekd.data.augment import Augmentation
from edgekd.distill.losses.precision import refuse_half_precision
from edgekd.distill.methods import Method, Stage, Terms
from edgekd.distill.samples.batches import Batch, StepContext
from edgekd.distill.samples.loading import BatchLoader, Loader, StepNumbers, WaitingShare
from edgekd.distill.samples.mixing import Mixing
from edgekd.distill.samples.run_samples import OnceEach, RunSamples, Share
from edgekd.distill.samples.sample_kinds import LoaderSetup
from edgekd.distill.training.early_stop import Better, stop_reason
from edgekd.distill.training.moving_average import WeightAverage
from edgekd.distill.training.optimisation import ScheduledOptimizer
from edgekd.distill.training.players import Players
from edgekd.distill.training.processes import gather_rows, mean_of_each, of_every_process
from edgekd.distill.training.term_means import TermMeans
from edgekd.errors import InputError
from edgekd.metrics.task import MetricsTask
from edgekd.models import pixels_of
from edgekd.models.own_size import resized
from edgekd.recipe import AugmentSection, FitSection, OptimiserSection

__all__ = ["WAITING", "StageModule", "refuse_batches_of", "total_of", "trained_state"]

WAITING = "waiting"
"""Column of the history: the share of the epoch's training that was spent waiting for images."""


class StageModule(LightningModule):
    """Trains one stage: by the sum of its objective's terms, or by the step that it takes itself.

    Random numbers are functions of the seed, the epoch, the step and the process, so that an
    interrupted run continues exactly as it would have.

    Args:
        method: The method, which owns all modules.
        stage: What is trained, and how.
        samples: The images of the run.
        metrics: The metrics layer of the task, which gives the selection metric.
        fit: How the stage is trained.
        augmentation: The recipe's `augment` section.
        seed: The stage's seed, from which all of its random numbers follow.

    Attributes:
        workers: Threads that gather batches ahead of the training (`trainer.workers`).
    """

    def __init__(
        self,
        method: Method,
        stage: Stage,
        samples: RunSamples,
        metrics: MetricsTask,
        fit: FitSection,
        augmentation: AugmentSection,
        seed: int,
    ) -> None:
        super().__init__()
        self.method = method
        self.stage = stage
        self.samples = samples
        self.metrics = metrics
        self.fit = fit
        self.augmentation = augmentation
        self.seed = seed
        self.automatic_optimization = stage.step is None
        self.strict_loading = False  # a training checkpoint leaves out what is frozen
        self.history: list[dict[str, float]] = []
        self.workers = 1
        self._waiting = WaitingShare()
        self._means = TermMeans()
        self._outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        self._losses: list[Tensor] = []
        self._scheduled: dict[str, ScheduledOptimizer] = {}
        self._players: Players | None = None
        self._average: WeightAverage | None = None
        self._average_state: dict[str, Any] | None = None
        stage.set_trainable(method)

    @property
    def better(self) -> Better:
        """Whether the highest or the lowest validation score is the best."""
        return "max" if self.stage.criterion is None else "min"

    @property
    def score_name(self) -> str:
        """Name of the validation score, for people."""
        if not self._validates:
            return "epoch"
        metric = self.metrics.selection_metric.replace("_", " ")
        return metric if self.stage.criterion is None else "objective"

    @property
    def scores(self) -> list[float]:
        """The validation score of every epoch so far."""
        return [row["score"] for row in self.history]

    @property
    def stop_reason(self) -> str | None:
        """Why the training stops early, in words; None while it goes on."""
        return stop_reason(self.fit, self.scores, self.better)

    @property
    def steps(self) -> int:
        """Training steps of the current epoch so far; 0 once it is validated."""
        return self._means.steps

    # Batches -------------------------------------------------------------------------------

    def train_dataloader(self) -> Loader:
        """The stage's samples, in the order of the epoch."""
        share, samples = self._share(), self.stage.samples
        images = len(self.samples.split.indices("train"))
        size = samples.batch_size(self.fit, images, share.processes)
        refuse_batches_of(size, self.stage, share.processes)
        self._loader = samples.loader(
            LoaderSetup(
                self.samples,
                self.fit,
                self.seed,
                lambda: self.current_epoch,
                share,
                self.steps,
                self.workers,
                self._pins,
            )
        )
        return self._loader

    def val_dataloader(self) -> Loader:
        """The validation part, as a device sees it; one empty step where there are no images."""
        if not self._validates:
            return StepNumbers(1)
        indices = self.samples.split.indices("validation")
        self._once_each = OnceEach(len(indices), self._share())
        images = self.samples.training_images if self._validates_crops else self.samples.images
        return BatchLoader(
            images, indices, self._once_each, 2 * self.fit.batch_size,
            targets=[self.samples.targets], drop_last=False, workers=self.workers, pin=self._pins,
        )  # fmt: skip

    @property
    def _validates(self) -> bool:
        """Whether there are images to validate on; else the last epoch counts as the best."""
        return self.samples.split.dataset.has_images

    @property
    def _validates_crops(self) -> bool:
        """Whether the criterion compares with a teacher that sees more pixels than the student."""
        larger = self.method.context.teacher.side > self.method.context.image_size
        return larger and self.stage.criterion is not None

    @property
    def _pins(self) -> bool:
        return self.device.type == "cuda"

    def _share(self) -> Share:
        return Share(self.trainer.global_rank, self.trainer.world_size)

    # Training ------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Prepare the stage; begin the average of the weights, or continue it.

        The modules are on their device now.
        """
        if self.stage.prepare is not None:
            self.stage.prepare(self.samples)
        if self.fit.average:
            self._average = WeightAverage(self.stage.optimised, self.fit.average)
            if self._average_state is not None:
                self._average.load_state_dict(self._average_state)

    def on_train_start(self) -> None:
        """Stop at once where the run was interrupted after its early stop."""
        self.trainer.should_stop = self.stop_reason is not None
        if self.stage.step is not None:
            self._players = Players(self.stage.players, self)
        if self.steps:  # resumed in the middle of an epoch, whose start is not announced again
            self._prepare_epoch()

    def on_train_epoch_start(self) -> None:
        """Set learning rates and the networks' modes."""
        self._prepare_epoch()
        self._means.clear()

    def _prepare_epoch(self) -> None:
        for scheduled in self._scheduled.values():
            scheduled.set_rate(self.scores, self.better)
        self.method.eval()
        for module in self.stage.updated:
            module.train()
        self._waiting.start(self._loader)

    def training_step(self, batch: Any, batch_index: int) -> Tensor | None:
        """One step; returns the loss, or None where the stage takes its steps itself."""
        sample = self.stage.samples.batch(batch, self._step_context(batch_index))
        if self.stage.objective is None:
            self._means.add({**self._own_step(sample), **self.method.logged_values()})
            return None
        terms = self.stage.objective(sample)
        loss = total_of(terms, self.stage)
        self._means.add({"loss": loss, **terms, **self.method.logged_values()})
        return loss

    def _own_step(self, sample: Any) -> Terms:
        assert self.stage.step is not None
        assert self._players is not None
        return self.stage.step(sample, self._players)

    def on_train_batch_end(self, *_: Any) -> None:
        """Advance the players' schedules (Lightning does it for an objective) and the followers."""
        if self.stage.step is not None:
            for scheduled in self._scheduled.values():
                if scheduled.scheduler is not None:
                    scheduled.scheduler.step()
        if self.stage.after_step is not None:
            self.stage.after_step()
        if self._average is not None:
            self._average.update()

    def _step_context(self, batch_index: int) -> StepContext:
        draw = (self.seed, self.current_epoch, batch_index, self.global_rank)
        states = np.random.SeedSequence(draw).generate_state(2, np.uint64) >> np.uint64(1)
        generator = torch.Generator().manual_seed(int(states[0]))
        torch.manual_seed(int(states[1]))  # for dropout and the like
        side, larger = self._training_side(), self._crop_side()
        augmentation = Augmentation(self.augmentation, side)
        cropping = Augmentation(self.augmentation, larger)
        views = self.method.context.teacher.fixed_views
        return StepContext(
            self.fit.batch_size, self.device, self.current_epoch,
            partial(augmentation, generator=generator), generator,
            partial(self._augmented, augmentation=cropping, generator=generator),
            Mixing.of(self.augmentation),
            views.in_epoch(self.seed, self.current_epoch) if views else None,
            None if side == larger else side, training_side=side, step=batch_index,
        )  # fmt: skip

    def _training_side(self) -> int:
        """Side of the training images of this epoch in pixels."""
        return self.fit.training_side(self.current_epoch, self.method.context.image_size)

    def _crop_side(self) -> int:
        """Side of what teacher and student see of an image in this epoch, in pixels."""
        return max(self._training_side(), self.method.context.teacher.side)

    def _augmented(
        self, pixels: Tensor, targets: Tensor, *, augmentation: Augmentation,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The images and targets by a draw of the generator."""
        draw = augmentation.draw(len(pixels), generator)
        return self.method.context.task.augmented(pixels, targets, augmentation, draw)

    # Validation ----------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """The training of the epoch is over; validate the average of the weights, if any."""
        self._waiting.stop()
        if self._average is not None:
            self._average.exchange()

    def validation_step(self, batch: Any, batch_index: int) -> None:
        """Collect the criterion's loss, or the evaluated network's outputs."""
        if not self._validates:
            return
        images, targets, indices = self._counted(batch, batch_index)
        if not len(targets):
            return
        if self.stage.criterion is None:
            self._collect(pixels_of(images), targets, indices)
            return
        sample = Batch(pixels_of(images), targets, indices, self.current_epoch)
        if self._validates_crops:
            crops = resized(sample.raw, self.method.context.teacher.side)
            sample = replace(sample, raw=crops, side=self.method.context.image_size)
        loss = total_of(self.stage.criterion(sample), self.stage).detach()
        row = torch.stack((loss.double() * len(targets), loss.new_tensor(len(targets)).double()))
        self._losses.append(row[None])

    def _counted(self, batch: list[Tensor], batch_index: int) -> list[Tensor]:
        """The batch without the images that are repeated at the end of this process's share."""
        left = self._once_each.counted - batch_index * 2 * self.fit.batch_size
        return [tensor[: max(left, 0)] for tensor in batch]

    def _collect(self, pixels: Tensor, targets: Tensor, indices: Tensor) -> None:
        assert self.stage.evaluated is not None
        self._outputs.append((self.stage.evaluated(pixels).float(), targets, indices))

    def on_validation_epoch_end(self) -> None:
        """Record the score and the means of the terms; decide about the early stop.

        Raises:
            InputError: The training diverged: weights are not finite.
        """
        self._refuse_infinite_weights()
        score = self._score()
        means = {**self._means.means(), WAITING: self._waiting.share}
        means = mean_of_each(means, self.device)
        self._means.clear()
        self.history.append({"epoch": self.current_epoch + 1, **means, "score": score})
        self.log("score", score, sync_dist=False, rank_zero_only=False, logger=False)
        if self._average is not None:
            self._average.exchange()
        if self.stop_reason is not None:
            self.trainer.should_stop = True

    def _score(self) -> float:
        """The validation score; without images the number of the epoch, so that the last is best.

        A criterion is the better the lower it is.
        """
        if not self._validates:
            number = self.current_epoch + 1
            return float(number if self.better == "max" else -number)
        return self._mean_loss() if self.stage.criterion else self._metric()

    def _refuse_infinite_weights(self) -> None:
        trained = {n: p.detach() for n, p in self.method.named_parameters() if p.requires_grad}
        finite = torch.stack([torch.isfinite(p).all() for p in trained.values()]).tolist()
        if not all(finite):
            message = (
                f"{self.stage.name} diverged in epoch {self.current_epoch + 1}: the weights "
                f"{list(trained)[finite.index(False)]} are not finite"
            )
            raise InputError(message, "lower `fit.learning_rate`, or set `trainer.precision`")

    def _metric(self) -> float:
        """The selection metric over the validation images of all processes."""
        columns = zip(*(self._outputs or [self._no_outputs()]), strict=True)
        outputs, targets, indices = (gather_rows(torch.cat(column)).cpu() for column in columns)
        self._outputs.clear()
        order = indices.argsort()  # the data set's order, for any number of processes
        return self.metrics.selection(outputs[order].numpy(), targets[order].numpy())

    def _no_outputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, targets and indices of no images: a process may have none to validate."""
        assert self.stage.evaluated is not None
        image = torch.from_numpy(np.array(self.samples.images[:1])).to(self.device)
        outputs = self.stage.evaluated(pixels_of(image)).float()[:0]
        targets = torch.from_numpy(self.samples.targets[:0]).to(self.device)
        return outputs, targets, torch.zeros(0, dtype=torch.int64, device=self.device)

    def _mean_loss(self) -> float:
        """Mean loss over the validation images of all processes."""
        none = torch.zeros(0, 2, dtype=torch.float64, device=self.device)
        rows = gather_rows(torch.cat((none, *self._losses)))
        self._losses.clear()
        total, count = rows.sum(dim=0).tolist()
        return float(total / count)

    # Optimisation --------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        """One optimiser for the objective, or one for each player, in the order of the players."""
        steps = int(self.trainer.estimated_stepping_batches)
        self._scheduled = {
            name: ScheduledOptimizer(modules, section, steps)
            for name, (modules, section) in self._optimised().items()
        }
        scheduled = self._scheduled.values()
        schedulers = [
            {"scheduler": s.scheduler, "interval": "step"} for s in scheduled if s.scheduler
        ]
        return [each.optimizer for each in scheduled], schedulers

    def _optimised(self) -> Mapping[str, tuple[tuple[nn.Module, ...], OptimiserSection]]:
        """What each optimiser updates, and how."""
        if self.stage.step is None:
            return {self.stage.name: (self.stage.trained, self.fit)}
        players = self.stage.players.items()
        return {name: (player.modules, player.optimiser or self.fit) for name, player in players}

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Clip the gradient; the gradient scaler has unscaled it by now."""
        for name, scheduled in self._scheduled.items():
            if scheduled.optimizer is optimizer:
                player = self.stage.players.get(name)
                scheduled.clip_gradient(player.clip if player else None)

    # Training checkpoints ------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the stage changes; a frozen teacher has a checkpoint of its own."""
        checkpoint["history"] = self.history
        checkpoint["means"] = of_every_process(self._means.state_dict())
        if self._average is None:
            checkpoint["state_dict"] = trained_state(self, self.stage.updated)
            return
        with self._average.withdrawn():
            state = trained_state(self, self.stage.updated)
            checkpoint["state_dict"] = {name: tensor.clone() for name, tensor in state.items()}
            checkpoint["average"] = self._average.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the history, the position in the epoch, and this process's sums of its terms.

        The average of the weights follows when they are on their device.
        """
        self.history = list(checkpoint.get("history", []))
        self._means.load_state_dict(checkpoint["means"][self.global_rank], self.device)
        self._average_state = checkpoint.get("average")

    def restore_validated(self, checkpoint: dict[str, Any]) -> None:
        """Load the weights that an epoch was validated with from its training checkpoint."""
        self.load_state_dict(checkpoint["state_dict"], strict=False)
        if "average" in checkpoint:
            average = WeightAverage(self.stage.optimised, self.fit.average)
            average.load_state_dict(checkpoint["average"])
            average.exchange()


def refuse_batches_of(size: int, stage: Stage, processes: int) -> None:
    """Refuse a batch size that a stage cannot be trained with.

    Args:
        size: Images of a batch, in each process.
        stage: The stage.
        processes: Their number.

    Raises:
        InputError: Batches are empty, or have one image where batch norm needs statistics.
    """
    if size == 0:
        message = f"there are fewer training images than the {processes} devices"
        raise InputError(message, "give more images, or fewer `trainer.devices`")
    modules = (module for changed in stage.updated for module in changed.modules())
    if size == 1 and any(isinstance(module, _BatchNorm) for module in modules):
        message = f"the stage {stage.name} normalises by batches, and they have one image"
        raise InputError(message, "raise `fit.batch_size`, or give more training images")


def total_of(terms: Terms, stage: Stage) -> Tensor:
    """The sum of a stage's loss terms.

    Raises:
        InputError: A term is in half precision, where differences of outputs are mostly rounding.
    """
    for name, term in terms.items():
        refuse_half_precision(term, f"the term {name} of the stage {stage.name}")
    return torch.stack(list(terms.values())).sum()


def trained_state(network: nn.Module, modules: Iterable[nn.Module]) -> dict[str, Tensor]:
    """The part of a network's state that belongs to the given modules of it."""
    kept = {id(t) for module in modules for t in (*module.parameters(), *module.buffers())}
    state = network.state_dict(keep_vars=True)
    return {name: tensor.detach() for name, tensor in state.items() if id(tensor) in kept}
