"""The precision of a run, and whether it is compiled, pinned when it begins: resumed runs, reused
ones and other processes take both from the run's folder.

The keys of a run contain what was chosen, so that `auto` never stands for two.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import torch

from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.training.allocator import keep_freed_memory
from edgekd.distill.training.compiling import CompileTrial, refuse_uncompiled
from edgekd.distill.training.precision import (
    PrecisionChoice,
    choose_precision,
    device_of,
    refuse_unsupported,
)
from edgekd.distill.training.processes import is_rank_zero
from edgekd.distill.training.step_trial import Precision, StepSeconds, StepTrial
from edgekd.distill.training.trainer import set_threads
from edgekd.errors import ArtefactError, InputError
from edgekd.files import pretty_json, write_atomically
from edgekd.models import NormalisedNetwork, create_network
from edgekd.recipe import (
    FitSection,
    ModelSection,
    Recipe,
    TeacherSection,
    TrainerSection,
    fingerprint,
)
from edgekd.seals import read_checked

__all__ = ["PRECISION", "TrialPlan", "kept_choice", "pin_precision", "pinned", "plan_of"]

PRECISION = "precision.json"
_ROLES = ("student", "teacher")
_HALF = (0.5, 0.5, 0.5)
_PATIENCE = 600.0  # seconds that other processes wait for process 0
_PAUSE = 0.2


@dataclass(frozen=True)
class TrialPlan:
    """What a run trains, as far as its precision depends on it.

    Attributes:
        trained: The network that is trained for most of the steps.
        teachers: The networks that teach it.
        outputs: Number of their outputs.
        image_size: S in pixels.
        batch_size: Images of a step.
        steps: Training steps of the whole run.
    """

    trained: ModelSection
    teachers: tuple[ModelSection, ...]
    outputs: int
    image_size: int
    batch_size: int
    steps: int

    def networks_sha256(self) -> str:
        """Hash of the networks and of what they are given."""
        models = (self.trained, *self.teachers)
        architectures = [(model.arch, model.options) for model in models]
        return fingerprint(architectures, self.image_size, self.batch_size)


def plan_of(
    recipe: Recipe,
    samples: RunSamples,
    networks: Sequence[ModelSection],
    fits: Sequence[FitSection],
) -> TrialPlan:
    """The plan of a run.

    Args:
        recipe: The recipe.
        samples: The images of the run.
        networks: What is trained for most of the steps, then what teaches it.
        fits: How each training of the run is done, that of the first of `networks` first.
    """
    trained, *teachers = networks
    images = len(samples.split.indices("train")) // (recipe.trainer.devices * recipe.trainer.nodes)
    return TrialPlan(
        trained=trained,
        teachers=tuple(teachers),
        outputs=samples.task.outputs(samples.classes),
        image_size=recipe.image_size,
        batch_size=fits[0].batch_size,
        steps=sum(fit.epochs * max(images // fit.batch_size, 1) for fit in fits),
    )


def pin_precision(out: Path, section: TrainerSection, plan: TrialPlan) -> PrecisionChoice:
    """The precision of a run: the recipe's, the one that is pinned in `out`, or a new choice.

    Process 0 measures and writes `out/precision.json`; the others read it.

    Raises:
        InputError: The device does not train in the recipe's precision, the network cannot be
            compiled though the recipe insists, or another process has waited for the file of
            process 0 in vain.
    """
    refuse_unsupported(section)
    if section.precision != "auto" and section.compile == "never":
        return PrecisionChoice(precision=section.precision, reason="the recipe's")
    choice = kept_choice(out, plan)
    if choice is not None and not _is_of(section, choice):
        choice = None
    if choice is None and not is_rank_zero():
        return _wait_for(out, plan)
    if choice is None:
        choice = _choose(section, plan)
    if is_rank_zero() and _choice_in(out) != choice:
        write_atomically(out / PRECISION, pretty_json(choice))
    return choice


def _is_of(section: TrainerSection, choice: PrecisionChoice) -> bool:
    """Whether a choice is what the recipe says, as far as it does not leave it open."""
    compiled = {"never": False, "always": True}.get(section.compile, choice.compiled)
    return section.precision in ("auto", choice.precision) and compiled == choice.compiled


def _choose(section: TrainerSection, plan: TrialPlan) -> PrecisionChoice:
    if section.precision == "auto":
        choice = choose_precision(section, plan.steps, partial(_measured, section, plan))
    else:
        choice = PrecisionChoice(precision=section.precision, reason="the recipe's")
    if section.compile != "never":
        choice = _with_compiling(choice, section, plan)
    return msgspec.structs.replace(choice, networks=plan.networks_sha256())


def _with_compiling(
    choice: PrecisionChoice, section: TrainerSection, plan: TrialPlan
) -> PrecisionChoice:
    """The choice, with that of `torch.compile`, which is tried in its precision."""
    trial = _trial(section, plan, teachers=())

    def step() -> float:
        return trial.seconds([choice.precision])[choice.precision].student

    if section.compile == "always":
        refuse_uncompiled(trial.student, step)
        return msgspec.structs.replace(choice, compiled=True)
    tried = CompileTrial.of(trial.student, step, plan.steps)
    reason = f"{choice.reason}; {tried.reason}"
    return msgspec.structs.replace(choice, compiled=tried.compiled, reason=reason)


def pinned(recipe: Recipe, choice: PrecisionChoice) -> Recipe:
    """The recipe with what was chosen."""
    trainer = msgspec.structs.replace(
        recipe.trainer,
        precision=choice.precision,
        compile="always" if choice.compiled else "never",
    )
    recipe = msgspec.structs.replace(recipe, trainer=trainer)
    teacher = recipe.teacher or TeacherSection()
    if choice.teacher in (None, choice.precision) or teacher.precision != "auto":
        return recipe
    teacher = msgspec.structs.replace(teacher, precision=choice.teacher)
    return msgspec.structs.replace(recipe, teacher=teacher)


def kept_choice(out: Path, plan: TrialPlan) -> PrecisionChoice | None:
    """The choice that is kept in a run's folder, or beside one of its networks.

    None where there is none, it is damaged, or it was made for other networks.
    """
    for folder in (out, *(out / role for role in _ROLES)):
        choice = _choice_in(folder)
        if choice is not None and choice.networks == plan.networks_sha256():
            return choice
    return None


def _choice_in(folder: Path) -> PrecisionChoice | None:
    """The choice that a folder keeps; None where it has none, or a damaged one."""
    try:
        return msgspec.json.decode(read_checked(folder / PRECISION), type=PrecisionChoice)
    except (OSError, ArtefactError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _wait_for(out: Path, plan: TrialPlan) -> PrecisionChoice:
    """The choice of process 0, once it is written."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if (choice := kept_choice(out, plan)) is not None:
            return choice
        time.sleep(_PAUSE)
    message = f"{out / PRECISION} was not written by process 0 within {_PATIENCE:.0f} s"
    raise InputError(message, "give --out on a file system of all nodes, or `trainer.precision`")


def _measured(
    section: TrainerSection, plan: TrialPlan, precisions: Sequence[Precision]
) -> dict[str, StepSeconds]:
    """Seconds of a step in each precision."""
    return _trial(section, plan, plan.teachers).seconds(precisions)


def _trial(section: TrainerSection, plan: TrialPlan, teachers: Sequence[ModelSection]) -> StepTrial:
    """A trial of the run's networks; the state of the random generators is left as it was."""
    set_threads(section)
    keep_freed_memory()
    device = device_of(section)
    with torch.random.fork_rng(devices=[]):
        trained, *taught_by = (_network(model, plan, device) for model in (plan.trained, *teachers))
    return StepTrial(trained, taught_by, plan.image_size, plan.batch_size, device)


def _network(model: ModelSection, plan: TrialPlan, device: torch.device) -> NormalisedNetwork:
    """The network with random weights, which take as long as others."""
    network = create_network(model.arch, plan.outputs, model.options)
    normalised = NormalisedNetwork(network, _HALF, _HALF).to(memory_format=torch.channels_last)
    return normalised.to(device)
