"""All stages of every method on a few painted images, and one of two processes that train them."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
import torch
from pair import Outcome, take_part
from torch import Tensor

from edgekd.distill.losses import class_weights
from edgekd.distill.methods import (
    Batch,
    Method,
    MethodContext,
    Stage,
    Terms,
    method_names,
    resolve_method,
)
from edgekd.distill.methods.base import Objective, Subclasses
from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.distill.training.fit import fit_stage
from edgekd.distill.training.module import StageModule
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.task import metrics_task
from edgekd.models import NormalisedNetwork, logits_of
from edgekd.recipe import AugmentSection, FitSection, Recipe, TrainerSection, convert

PRECISIONS = ("fp32", "bf16")
SIDE, EPOCHS = 64, 2
FIT = FitSection(epochs=EPOCHS, batch_size=8, learning_rate=1e-3)
ASSISTANT = {"arch": "resnet10t", "options": {"channels": [4, 8, 8, 8], "stem_width": 4}}
# What would make a method's first stage longer than it has to be here.
BRIEF: dict[str, dict[str, Any]] = {
    "fitnet": {"hint_epochs": EPOCHS},
    "cgdd": {"steps": 3, "latent": 16, "width": 8},
    "fastdfkd": {"iterations": 2, "warmup": 1, "steps": 3, "reset": 1, "latent": 16, "width": 8},
    "smpl": {"ratio": 1},
    "ssl_kd": {"ratio": 1},
    "meta_curriculum": {"width": 4},
    "ces_kd": {"assistants": [ASSISTANT]},
    "assistants": {"assistants": [ASSISTANT], "with_teacher": True},
    "ssd_kd": {"teacher_head": {"epochs": EPOCHS, "batch_size": 8, "stop_after": 0}},
}
SECTIONS = {
    **{name: {"name": name, **BRIEF.get(name, {})} for name in method_names()},
    "kd-global": {"name": "kd", "temperature": {"curriculum": "global"}},
    "kd-instance": {"name": "kd", "temperature": {"curriculum": "instance"}},
}
CASES = [(label, precision) for label in SECTIONS for precision in PRECISIONS]
# One precision of each method, either one in turn.
QUICK = [(label, PRECISIONS[number % 2]) for number, label in enumerate(SECTIONS)]
DATA = {"source": "synthetic", "images": 70, "size": SIDE, "seed": 1}
DIVIDED = {
    **DATA,
    "merge": {"benign": ["bkl", "df", "nv", "vasc"], "malignant": ["akiec", "bcc", "mel"]},
    "subclasses": "label",
}


def samples(divided: bool) -> RunSamples:
    """Of an odd validation part: two processes cannot share it evenly."""
    raw = {
        "name": "share", "image_size": SIDE, "data": DIVIDED if divided else DATA,
        "split": {"validation": 0.28, "test": 0.2},
    }  # fmt: skip
    data = load_samples(convert(raw, Recipe, "the test's recipe"))
    return replace(data, unlabelled=data.images[data.split.indices("test")])


def made(label: str, data: RunSamples) -> Method:
    """The method between two tiny networks."""
    torch.manual_seed(0)
    kind, config = resolve_method(SECTIONS[label])
    of = data.subclass_of if kind.learns_subclasses else ()

    def network(*channels: int) -> NormalisedNetwork:
        plain = timm.create_model(
            "resnet10t", num_classes=len(of) or len(data.classes), channels=channels, stem_width=4
        )
        return NormalisedNetwork(plain, (0.5,) * 3, (0.5,) * 3, of)

    counts = data.class_counts
    subclasses = Subclasses(of, torch.from_numpy(data.subclass_labels()))
    context = MethodContext(
        counts, class_weights(counts, "sqrt"), len(data.targets), SIDE, FIT,
        training_labels=torch.from_numpy(data.training_labels()),
        subclasses=subclasses if of else None, unlabelled_images=len(data.unlabelled),
    )  # fmt: skip
    teacher = network(4, 8, 8, 16) if kind.needs_teacher else None
    return kind(config, network(4, 4, 8, 8), teacher, context).to(memory_format=torch.channels_last)


class Watched(StageModule):
    """Notes what a stage was to train and did not reach, and by what it was judged."""

    def __init__(self, method: Method, stage: Stage, *rest: Any) -> None:
        if stage.criterion is not None:
            stage = replace(stage, criterion=self.counted(stage.criterion))
        super().__init__(method, stage, *rest)
        self.judged = 0
        self.compared: list[tuple[float, float]] = []
        self.norms: list[float] = []

    def counted(self, criterion: Objective) -> Objective:
        def judge(batch: Batch) -> Terms:
            self.judged += len(batch.targets)
            return criterion(batch)

        return judge

    def _collect(self, pixels: Tensor, *rest: Tensor) -> None:
        self.judged += len(pixels)
        super()._collect(pixels, *rest)

    def _metric(self) -> float:
        images, labels = self.samples.part("validation")
        alone = self.metrics.selection(logits_of(self.stage.evaluated, images), labels)
        self.compared.append((super()._metric(), alone))
        return self.compared[-1][0]

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        trained = [p.detach().flatten() for p in self.method.parameters() if p.requires_grad]
        self.norms.append(float(torch.cat(trained).double().norm()))

    def on_train_batch_end(self, *_: Any) -> None:
        super().on_train_batch_end()
        trained = {n: p for n, p in self.method.named_parameters() if p.requires_grad}
        assert trained
        # A player's gradients are gone after its update, which refuses what no loss reaches.
        players = self.stage.step is not None
        self.unreached = {n for n, p in trained.items() if p.grad is None and not players}


def outcome(label: str, precision: str, work: Path, processes: int = 1) -> Outcome:
    """Train all stages of a method, as one of some processes."""
    kind, _ = resolve_method(SECTIONS[label])
    data = samples(kind.learns_subclasses)
    method = made(label, data)
    trainer = TrainerSection(accelerator="cpu", devices=processes, precision=precision, threads=1)
    found = Outcome("", {}, set(), {}, [], {}, [])
    for stage in method.stages():
        module = Watched(
            method, stage, data, metrics_task(DEFAULT_TASK), stage.fit or FIT, AugmentSection(), 0
        )
        found.histories[stage.name] = fit_stage(module, trainer, work / stage.name, "key").history
        found.unreached |= module.unreached
        found.judged[stage.name] = module.judged
        found.scores += module.compared
        found.norms += module.norms
    return replace(found, state=dict(method.state_dict()))


def all_outcomes(
    work: Path, processes: int, cases: Sequence[tuple[str, str]] = CASES
) -> dict[tuple[str, str], Outcome]:
    """Of every case, up to one that fails: after that the processes are out of step."""
    found = {}
    for case in cases:
        try:
            found[case] = outcome(*case, work / "-".join(case), processes)
        except Exception:
            found[case] = Outcome(traceback.format_exc(), {}, set(), {}, [], {}, [])
            break
    return found


if __name__ == "__main__":
    work = Path(os.environ["WORK"])
    cases = [(label, precision) for label, precision in json.loads(os.environ["CASES"])]
    take_part(lambda rank, processes: all_outcomes(work, processes, cases))
