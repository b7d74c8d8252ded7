"""The training module: one stage of any method, on Lightning."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader

from edgekd.data.augment import augment
from edgekd.distill.methods import Batch, Method, Stage, Terms
from edgekd.distill.samples import EpochSampler, Item, PartDataset, RunSamples
from edgekd.distill.tasks import Task
from edgekd.models import pixels_of
from edgekd.recipe import AugmentSection, FitSection

__all__ = ["StageModule"]


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
        task: Task,
        fit: FitSection,
        augmentation: AugmentSection,
        seed: int,
    ) -> None:
        super().__init__()
        self.method = method
        self.stage = stage
        self.samples = samples
        self.task = task
        self.fit = fit
        self.augmentation = augmentation
        self.seed = seed
        self.automatic_optimization = stage.step is None
        self.strict_loading = False  # a training checkpoint leaves out what is frozen
        self.history: list[dict[str, float]] = []
        self._sums: dict[str, float] = defaultdict(float)
        self._steps = 0
        self._outputs: list[tuple[Tensor, Tensor]] = []
        method.requires_grad_(False)
        for module in stage.trained:
            module.requires_grad_(True)

    # Batches -------------------------------------------------------------------------------

    def train_dataloader(self) -> DataLoader[Item]:
        """The training part, in the order of the epoch."""
        part = PartDataset(self.samples, "train")
        labels = self.samples.labels[self.samples.split.indices("train")]
        counts = self.samples.class_counts()
        sampler = EpochSampler(
            labels, counts, self.fit.class_sampling, self.seed, lambda: self.current_epoch
        )
        # A last batch of one image has no batch statistics.
        drop_last = len(part) > self.fit.batch_size
        return DataLoader(
            part, batch_size=self.fit.batch_size, sampler=sampler, drop_last=drop_last
        )

    def val_dataloader(self) -> DataLoader[Item]:
        """The validation part."""
        part = PartDataset(self.samples, "validation")
        return DataLoader(part, batch_size=2 * self.fit.batch_size)

    # Training ------------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        """Set what is trained to training, the rest to evaluation; seed dropout and the like."""
        torch.manual_seed(self.seed * 100_003 + 50_021 + self.current_epoch)
        self.method.eval()
        for module in self.stage.trained:
            module.train()
        self._sums.clear()
        self._steps = 0

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor | None:
        """One step; the sum of the terms where Lightning is to optimise it."""
        sample = self._augmented(batch, batch_index)
        if self.stage.step is not None:
            self._note(self.stage.step(self, sample))
            return None
        terms = self.stage.objective(sample)
        loss = torch.stack(list(terms.values())).sum()
        self._note({"loss": loss, **terms})
        return loss

    def _augmented(self, batch: list[Tensor], batch_index: int) -> Batch:
        images, targets, indices = batch
        draw = (self.seed, self.current_epoch, batch_index, self.global_rank)
        (state,) = np.random.SeedSequence(draw).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        pixels = augment(pixels_of(images), self.augmentation, generator)
        return Batch(pixels, targets, indices)

    def _note(self, terms: Terms) -> None:
        for name, value in terms.items():
            self._sums[name] += float(value.detach())
        self._steps += 1

    # Validation ----------------------------------------------------------------------------

    def validation_step(self, batch: list[Tensor], batch_index: int) -> None:
        """Collect the evaluated network's outputs."""
        images, targets, _ = batch
        outputs = self.stage.evaluated(pixels_of(images))
        gathered = self.all_gather((outputs.float(), targets))
        flat = [
            tensor.reshape(-1, *part.shape[1:])
            for tensor, part in zip(gathered, (outputs, targets), strict=True)
        ]
        self._outputs.append((flat[0].cpu(), flat[1].cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the selection metric and the means of the terms."""
        outputs = torch.cat([part for part, _ in self._outputs]).numpy()
        targets = torch.cat([part for _, part in self._outputs]).numpy()
        self._outputs.clear()
        if self.trainer.sanity_checking:
            return
        score = self.task.selection(outputs, targets.astype(np.int64))
        means = {name: total / max(self._steps, 1) for name, total in self._sums.items()}
        self.history.append({"epoch": self.current_epoch + 1, **means, "score": score})
        self.log("score", score, sync_dist=False, rank_zero_only=False)

    # Optimisation --------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        """AdamW with one cycle of the learning rate (Smith & Topin 2018), stepped each batch."""
        optimizer = torch.optim.AdamW(
            _decay_groups(self.stage.trained, self.fit.weight_decay), lr=self.fit.learning_rate
        )
        scheduler = OneCycleLR(
            optimizer,
            max_lr=self.fit.learning_rate,
            total_steps=max(int(self.trainer.estimated_stepping_batches), 2),
            pct_start=self.fit.warmup,
        )
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    # Training checkpoints ------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is trained; a frozen teacher is read from its own checkpoint again."""
        kept = {id(tensor) for module in self.stage.trained for tensor in _tensors(module)}
        own = dict(self.state_dict(keep_vars=True))
        checkpoint["state_dict"] = {
            key: value
            for key, value in checkpoint["state_dict"].items()
            if key in own and id(own[key]) in kept
        }
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the history."""
        self.history = list(checkpoint.get("history", []))


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _decay_groups(modules: tuple[nn.Module, ...], decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices and kernels only; biases and norms are left alone."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
