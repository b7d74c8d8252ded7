"""The training module: one stage of any method, on Lightning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from edgekd.data.augment import augment
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.methods import Batch, Method, Stage, Terms
from edgekd.distill.optimisation import (
    Better,
    make_optimizer,
    one_cycle,
    rate_of_epoch,
    stalled,
)
from edgekd.distill.processes import all_rows, mean_of_each
from edgekd.distill.samples import (
    EpochSampler,
    Item,
    OnceEach,
    PartDataset,
    RunSamples,
    Share,
)
from edgekd.errors import InputError
from edgekd.metrics.task import MetricsTask
from edgekd.models import pixels_of
from edgekd.recipe import AugmentSection, FitSection

__all__ = ["StageModule", "refuse_batches_of", "total_of", "trained_state"]


class StageModule(LightningModule):
    """Trains what a stage says, by the sum of its named loss terms.

    Everything random is drawn from the seed, the epoch and the step, so that an interrupted run
    goes on exactly as it would have.
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
        self._sums: dict[str, float] = defaultdict(float)
        self._steps = 0
        self._outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        self._losses: list[Tensor] = []
        self._peaks: list[float] = []
        stage.set_trainable(method)

    @property
    def better(self) -> Better:
        """Whether the highest or the lowest validation score is the best."""
        return "max" if self.stage.criterion is None else "min"

    @property
    def judged_by(self) -> str:
        """What the validation score is."""
        metric = self.metrics.selection_metric.replace("_", " ")
        return metric if self.stage.criterion is None else "objective"

    @property
    def scores(self) -> list[float]:
        """The validation score of every epoch so far."""
        return [row["score"] for row in self.history]

    # Batches -------------------------------------------------------------------------------

    def train_dataloader(self) -> DataLoader[Item]:
        """The training part, in the order of the epoch."""
        part = PartDataset(self.samples, "train")
        weights = self.samples.sampling_weights(self.fit.class_sampling)
        sampler = EpochSampler(
            len(part), weights, self.seed, lambda: self.current_epoch, self._share()
        )
        size = min(self.fit.batch_size, len(sampler))
        refuse_batches_of(size, self.stage, self._share().processes)
        # A shorter last batch could be of one image, which has no batch statistics.
        return DataLoader(part, batch_size=size, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[Item]:
        """The validation part."""
        part = PartDataset(self.samples, "validation")
        self._once_each = OnceEach(len(part), self._share())
        return DataLoader(part, batch_size=2 * self.fit.batch_size, sampler=self._once_each)

    def _share(self) -> Share:
        return Share(self.trainer.global_rank, self.trainer.world_size)

    # Training ------------------------------------------------------------------------------

    def on_train_start(self) -> None:
        """Train no further where the run was interrupted after its early stop."""
        self.trainer.should_stop = stalled(self.fit, self.scores, self.better)

    def on_train_epoch_start(self) -> None:
        """Set what is trained to training, the rest to evaluation; seed dropout and the like."""
        self._set_rate()
        torch.manual_seed(self.seed * 100_003 + 50_021 + self.current_epoch)
        self.method.eval()
        for module in self.stage.changed:
            module.train()
        self._sums.clear()
        self._steps = 0

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor | None:
        """One step; the sum of the terms where Lightning is to optimise it."""
        sample = self._drawn(batch, batch_index)
        if self.stage.step is not None:
            self._note(self.stage.step(self, sample))
            return None
        terms = self.stage.objective(sample)
        loss = total_of(terms, self.stage)
        self._note({"loss": loss, **terms, **self.method.noted()})
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Move what follows the trained modules."""
        if self.stage.after_step is not None:
            self.stage.after_step()

    def _drawn(self, batch: list[Tensor], batch_index: int) -> Batch:
        images, targets, indices = batch
        draw = (self.seed, self.current_epoch, batch_index, self.global_rank)
        (state,) = np.random.SeedSequence(draw).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        # In bfloat16 a position of an image is off by half a pixel and more.
        wide = full_precision(augment)
        change = partial(wide, section=self.augmentation, generator=generator)
        pixels = pixels_of(images)
        return Batch(pixels, targets, indices, self.current_epoch, change, generator)

    def _note(self, terms: Terms) -> None:
        for name, value in terms.items():
            self._sums[name] += float(value.detach())
        self._steps += 1

    # Validation ----------------------------------------------------------------------------

    def validation_step(self, batch: list[Tensor], batch_index: int) -> None:
        """Collect the criterion's loss, or the evaluated network's outputs."""
        images, targets, indices = self._counted(batch, batch_index)
        if not len(targets):
            return
        if self.stage.criterion is None:
            self._collect(pixels_of(images), targets, indices)
            return
        sample = Batch(pixels_of(images), targets, indices, self.current_epoch)
        loss = total_of(self.stage.criterion(sample), self.stage).detach()
        row = torch.stack((loss.double() * len(targets), loss.new_tensor(len(targets)).double()))
        self._losses.append(row[None])

    def _counted(self, batch: list[Tensor], batch_index: int) -> list[Tensor]:
        """Without the repetitions that follow a process's own images."""
        left = self._once_each.counted - batch_index * 2 * self.fit.batch_size
        return [tensor[: max(left, 0)] for tensor in batch]

    def _collect(self, pixels: Tensor, targets: Tensor, indices: Tensor) -> None:
        assert self.stage.evaluated is not None
        self._outputs.append((self.stage.evaluated(pixels).float(), targets, indices))

    def on_validation_epoch_end(self) -> None:
        """Log the score and the means of the terms; stop where the score has long been better.

        Raises:
            InputError: The weights are no numbers any more, and will not be again.
        """
        self._refuse_infinite_weights()
        score = self._mean_loss() if self.stage.criterion else self._metric()
        means = {name: total / max(self._steps, 1) for name, total in self._sums.items()}
        means = mean_of_each(means, self.device)
        self.history.append({"epoch": self.current_epoch + 1, **means, "score": score})
        self.log("score", score, sync_dist=False, rank_zero_only=False)
        if stalled(self.fit, self.scores, self.better):
            self.trainer.should_stop = True

    def _refuse_infinite_weights(self) -> None:
        for name, parameter in self.method.named_parameters():
            if parameter.requires_grad and not torch.isfinite(parameter).all():
                message = (
                    f"{self.stage.name} diverged in epoch {self.current_epoch + 1}: the weights "
                    f"{name} are not finite"
                )
                raise InputError(message, "lower `fit.learning_rate`, or set `trainer.precision`")

    def _metric(self) -> float:
        """The selection metric over the validation images of all processes."""
        columns = zip(*(self._outputs or [self._no_outputs()]), strict=True)
        outputs, targets, indices = (all_rows(torch.cat(column)).cpu() for column in columns)
        self._outputs.clear()
        order = indices.argsort()  # of the data set, however many processes there are
        return self.metrics.selection(outputs[order].numpy(), targets[order].numpy())

    def _no_outputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, targets and indices of no images: a process may have none to validate."""
        assert self.stage.evaluated is not None
        image = torch.from_numpy(np.array(self.samples.images[:1])).to(self.device)
        outputs = self.stage.evaluated(pixels_of(image)).float()[:0]
        targets = torch.from_numpy(self.samples.targets[:0]).to(self.device)
        return outputs, targets, torch.zeros(0, dtype=torch.int64, device=self.device)

    def _mean_loss(self) -> float:
        """Mean over the validation images of all processes."""
        none = torch.zeros(0, 2, dtype=torch.float64, device=self.device)
        rows = all_rows(torch.cat((none, *self._losses)))
        self._losses.clear()
        total, count = rows.sum(dim=0).tolist()
        return float(total / count)

    # Optimisation --------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        """The stage's optimiser; the one cycle is stepped each batch."""
        optimizer = make_optimizer(self.stage.trained, self.fit)
        self._peaks = [group["lr"] for group in optimizer.param_groups]
        if self.fit.schedule != "one_cycle":
            return optimizer
        scheduler = one_cycle(optimizer, self.fit, int(self.trainer.estimated_stepping_batches))
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    def _set_rate(self) -> None:
        """That of the epoch; a group with a peak of its own keeps its share."""
        rate = rate_of_epoch(self.fit, self.scores, self.better)
        if rate is None:
            return
        for optimizer in self.trainer.optimizers:
            for group, peak in zip(optimizer.param_groups, self._peaks, strict=True):
                group["lr"] = rate * (peak / self.fit.learning_rate)

    # Training checkpoints ------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what changes; a frozen teacher is read from its own checkpoint again."""
        checkpoint["state_dict"] = trained_state(self, self.stage.changed)
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the history."""
        self.history = list(checkpoint.get("history", []))


def refuse_batches_of(size: int, stage: Stage, processes: int) -> None:
    """Refuse batches that a stage cannot be trained by.

    Args:
        size: Images of a batch, in each process.
        stage: The stage.
        processes: Their number.

    Raises:
        InputError: They are empty, or of one image, which has no batch statistics.
    """
    if size == 0:
        message = f"there are fewer training images than the {processes} devices"
        raise InputError(message, "give more images, or fewer `trainer.devices`")
    modules = (module for changed in stage.changed for module in changed.modules())
    if size == 1 and any(isinstance(module, _BatchNorm) for module in modules):
        message = f"the stage {stage.name} normalises by batches, and they have one image"
        raise InputError(message, "raise `fit.batch_size`, or give more training images")


def total_of(terms: Terms, stage: Stage) -> Tensor:
    """The sum of a stage's loss terms.

    Raises:
        InputError: One is in half precision, in which a difference of outputs is mostly rounding.
    """
    for name, term in terms.items():
        if torch.finfo(term.dtype).bits < 32:
            kind = str(term.dtype).removeprefix("torch.")
            message = f"the term {name} of the stage {stage.name} is {kind}"
            raise InputError(message, "compute it under `losses.precision.full_precision`")
    return torch.stack(list(terms.values())).sum()


def trained_state(network: nn.Module, modules: Iterable[nn.Module]) -> dict[str, Tensor]:
    """The part of a network's state that belongs to the given modules of it."""
    kept = {id(t) for module in modules for t in (*module.parameters(), *module.buffers())}
    state = network.state_dict(keep_vars=True)
    return {name: tensor.detach() for name, tensor in state.items() if id(tensor) in kept}
