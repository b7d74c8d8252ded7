"""What all contestants of `training.py` train: painted images, decoded, and the networks' weights.

The files of a subject's folder, for contestants without edgekd: `images.npy` (uint8 [N, S, S, 3]),
`targets.npy` (class indices [N]), `train.npy` and `validation.npy` (positions), and
`teacher.safetensors` and `student.safetensors` (under timm's names). edgekd reads the painted JPEGs
by its recipe and the teacher as a checkpoint, and makes the same student from the recipe's seed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.models import (
    DataCard,
    ModelCard,
    TrainingCard,
    build_network,
    count_macs,
    count_params,
    save_checkpoint,
)
from edgekd.recipe import ModelSection, Recipe
from edgekd.recipe.section import convert
from edgekd.runtime.preprocess import RULE

__all__ = ["Setting", "Subject"]

_SEED = 7
_PAINTED = 128  # pixels a side of the painted JPEGs
_COLOUR = 0.1
_CHECKING_RATE = 1e-6
"""Learning rate while losses are compared: after a step at the usual rate a random network's loss
depends on rounding by half a per cent, in fp32 against fp64 of the same loop.
"""
_STILL = {"flip": False, "quarter_turns": False, "colour": 0.0}


@dataclass(frozen=True)
class Setting:
    """What is trained.

    Attributes:
        images: Number of images, of which seven eighths train.
        size: Side of the networks' input in pixels.
        batch: Images of a batch.
        teacher: timm's name of the teacher.
        student: timm's name of the student.
        rate: Learning rate of SGD, constant.
        momentum: Momentum of SGD.
        temperature: T of the softened outputs.
        weight: λ in (1 − λ)·CE + λ·T²·KL.
    """

    images: int = 256
    size: int = 96
    batch: int = 32
    teacher: str = "resnet50"
    student: str = "mobilenetv2_100"
    rate: float = 0.01
    momentum: float = 0.9
    temperature: float = 4.0
    weight: float = 0.7


@dataclass(frozen=True)
class Subject:
    """A setting with its files.

    Attributes:
        setting: The setting.
        folder: Folder of the files.
        classes: Number of classes.
        parts: Images by part.
    """

    setting: Setting
    folder: Path
    classes: int
    parts: dict[str, int]

    @classmethod
    def make(cls, setting: Setting, folder: Path) -> Subject:
        """Paint and decode the images, and make the networks."""
        folder.mkdir(parents=True, exist_ok=True)
        recipe = convert(_recipe(setting, folder), Recipe, "the benchmark's recipe")
        samples = load_samples(recipe)
        _write_samples(samples, folder)
        _write_networks(setting, samples, folder)
        parts = {part: len(samples.split.indices(part)) for part in ("train", "validation")}
        return cls(setting, folder, len(samples.classes), parts)

    def facts(self) -> dict[str, Any]:
        """What is trained, for the result."""
        return {**dataclasses.asdict(self.setting), "classes": self.classes, "parts": self.parts}

    def recipe(
        self, *, mode: str, epochs: int, precision: str, threads: int, device: str,
        teacher: dict[str, Any],
    ) -> dict[str, Any]:  # fmt: skip
        """The recipe for edgekd.

        Args:
            mode: `epoch` augments the images; `step` and `check` do not.
            epochs: Epochs of the run.
            precision: `fp32` or `bf16`.
            threads: CPU threads.
            device: `cpu` or `cuda`.
            teacher: Further keys of the section `teacher`.
        """
        recipe = _recipe(self.setting, self.folder)
        recipe["student"]["fit"] |= {"epochs": epochs, "learning_rate": self._rate(mode)}
        recipe["teacher"] |= teacher
        recipe["augment"] = {"colour": _COLOUR} if mode == "epoch" else _STILL
        recipe["trainer"] = {
            "accelerator": "gpu" if device == "cuda" else device,
            "precision": precision,
            "threads": threads,
        }
        return recipe

    def _rate(self, mode: str) -> float:
        return _CHECKING_RATE if mode == "check" else self.setting.rate

    def spec(self, mode: str) -> dict[str, Any]:
        """The keys of a contestant's `Spec` that the subject gives in a mode."""
        setting = self.setting
        return {
            "folder": str(self.folder), "batch": setting.batch,
            "networks": (setting.teacher, setting.student), "classes": self.classes,
            "normalisation": (0.5, 0.5), "rate": self._rate(mode), "momentum": setting.momentum,
            "temperature": setting.temperature, "weight": setting.weight, "colour": _COLOUR,
        }  # fmt: skip


def _recipe(setting: Setting, folder: Path) -> dict[str, Any]:
    fit = {
        "batch_size": setting.batch, "optimizer": "sgd", "schedule": "steps", "weight_decay": 0.0,
        "learning_rate": setting.rate, "momentum": setting.momentum, "class_weights": "none",
    }  # fmt: skip
    return {
        "name": "peers-training",
        "seed": _SEED,
        "image_size": setting.size,
        "data": {
            "source": "synthetic", "images": setting.images, "size": _PAINTED,
            "root": str(folder / "painted"),
        },
        "split": {"validation": 0.125, "test": 0.0},
        "teacher": {"checkpoint": str(folder / "teacher")},
        "student": {"model": {"arch": setting.student}, "fit": fit},
        "method": {"name": "kd", "temperature": setting.temperature, "weight": setting.weight},
    }  # fmt: skip


def _write_samples(samples: RunSamples, folder: Path) -> None:
    np.save(folder / "images.npy", samples.images)
    np.save(folder / "targets.npy", samples.targets)
    for part in ("train", "validation"):
        np.save(folder / f"{part}.npy", np.array(samples.split.indices(part)))


def _write_networks(setting: Setting, samples: RunSamples, folder: Path) -> None:
    """The student as edgekd initialises it by the seed, and a teacher with outputs that differ."""
    student = _network(setting.student, samples, _SEED)
    teacher = _network(setting.teacher, samples, _SEED + 1)
    nn.init.normal_(teacher.get_classifier().weight, std=0.2)  # type: ignore[operator]
    for name, network in (("student", student), ("teacher", teacher)):
        save_file(network.state_dict(), folder / f"{name}.safetensors")
    save_checkpoint(folder / "teacher", teacher, _card(setting, samples, teacher))


def _network(arch: str, samples: RunSamples, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(ModelSection(arch=arch), len(samples.classes)).network


def _card(setting: Setting, samples: RunSamples, network: nn.Module) -> ModelCard:
    data = DataCard(name="none", root="", sha256="", images={})
    training = TrainingCard(
        method="none", seed=_SEED + 1, recipe_sha256="", stage_sha256="", epochs=0, best_epoch=0
    )
    return ModelCard(
        role="teacher", arch=setting.teacher, classes=samples.classes, image_size=setting.size,
        mean=(0.5,) * 3, std=(0.5,) * 3, resize=RULE, params=count_params(network),
        macs=count_macs(network, setting.size), pretrained="none", data=data, training=training,
    )  # fmt: skip
