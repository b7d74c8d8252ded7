"""A search by a supernet, from recipe and plan to the winner's recipe.

With images or without: Liu et al. 2022, "Data-Free Neural Architecture Search via Recursive Label
Calibration" (ECCV; arXiv 2112.02086). The teacher is all that a search without images sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import nn

from edgekd.distill.methods import resolve_method
from edgekd.distill.runs.pipeline import (
    RunRequest,
    distilling_samples,
    make_teachers,
    pin_for_distilling,
)
from edgekd.distill.runs.synthesised import KEPT, write_images
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.synthesis.inversion import Inversion, middle
from edgekd.distill.task import Trait, training_task
from edgekd.distill.training.precision import device_of
from edgekd.errors import InputError
from edgekd.files import make_folder
from edgekd.locks import only_writer
from edgekd.metrics.task import metrics_task
from edgekd.models.mobile import MobileOptions, mobile_macs
from edgekd.recipe import Recipe, fingerprint
from edgekd.tune.job import LOCAL
from edgekd.tune.outcome import cost_text
from edgekd.tune.supernet.evolution import Cost, Evolution, Scored
from edgekd.tune.supernet.images import SearchImages, images_of_samples, images_of_synthesis
from edgekd.tune.supernet.judge import SCORES, Judge
from edgekd.tune.supernet.latency_table import Latencies
from edgekd.tune.supernet.made_images import make_images
from edgekd.tune.supernet.measuring import MeasuringRequest, measured_table
from edgekd.tune.supernet.outcome import (
    Images,
    SupernetResult,
    result_of_search,
    write_supernet_result,
)
from edgekd.tune.supernet.plan import SupernetPlan
from edgekd.tune.supernet.training import SupernetTraining
from edgekd.tune.supernet.weights import Supernet

__all__ = ["SupernetRequest", "search"]

_MAKER = "a search without data"
_INSTEAD = "search with the recipe's images (--data recipe)"
_NEEDS = (Trait.SOFTENED_OUTPUTS, Trait.EXCLUSIVE_CLASSES, Trait.IMAGE_LEVEL)


@dataclass(frozen=True)
class SupernetRequest:
    """What to search.

    Attributes:
        recipe: Its teacher teaches; its student is given the architectures.
        plan: The architectures, and the numbers of the search.
        out: Folder of the search; an interrupted one continues.
        images: `none` makes images of the teacher; `recipe` takes the recipe's.
        max_macs: Most multiply-accumulates of an image; None without a limit.
        latency: File of a table of latencies, measured where it is missing; None counts MACs.
        max_latency: Most milliseconds of an image by that table; None without a limit.
        device: Where the table is measured: `local`, or as in `edgekd bench`.
        lowered: Target that its networks are lowered for; None for PyTorch on this machine.
        seed: Seed of images, supernet and evolution.
        say: Receives lines of progress.
        tick: Receives (done, total) while images are decoded.
    """

    recipe: Recipe
    plan: SupernetPlan
    out: Path
    images: Images = "recipe"
    max_macs: float | None = None
    latency: Path | None = None
    max_latency: float | None = None
    device: str = LOCAL
    lowered: str | None = None
    seed: int = 0
    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] | None = None

    @property
    def limit(self) -> float | None:
        """The most that a network may cost."""
        return self.max_macs if self.latency is None else self.max_latency


@dataclass(frozen=True)
class _Teacher:
    """What a search has of the teacher.

    Attributes:
        network: Maps pixels 0…1 to logits.
        sha256: Hash of its weights.
        samples: The images of the recipe.
        recipe: The recipe with the trained teacher.
        device: Where it runs.
    """

    network: nn.Module
    sha256: str
    samples: RunSamples
    recipe: Recipe
    device: torch.device


def search(request: SupernetRequest) -> SupernetResult:
    """Search, and write the winner's recipe into the folder of the search.

    Writes `winner.yaml`, the recipes of the front (`recipes/1.yaml` …, by ascending cost),
    `supernet.json` with all that was judged, and `supernet.svg`. Without data no image of the
    recipe is shown to a network of the search; with it, none of the test part.

    Raises:
        InputError: The recipe has no teacher that can be searched with, or the limit is too low.
        MissingDependencyError: A package is missing.
        DeviceUnreachableError: The device gave no time.
        KeyboardInterrupt: The user ended the search; the same call continues it.
    """
    _refuse_unsuitable(request)
    make_folder(request.out)
    with only_writer(request.out, "searched"):
        run = RunRequest(request.recipe, request.out.resolve(), request.say, request.tick,
                         evaluated=("validation",))  # fmt: skip
        samples = distilling_samples(run, with_teacher=True)
        latencies = _latencies(request, samples)
        evolution = Evolution(
            request.plan.space, request.plan.evolution,
            _cost(request, latencies, len(samples.classes)), request.limit, request.seed,
            "multiply-accumulates" if latencies is None else "ms",
        )  # fmt: skip
        evolution.refuse_small_limit()  # before a teacher is trained
        teacher = _teacher(run, samples)
        judge = _judge(request, teacher)
        best = evolution.run(
            judge.fitness, lambda *row: request.say(_generation_line(request, *row))
        )
        judge.write()
        result = result_of_search(
            evolution.scored, best, teacher.recipe, len(samples.classes),
            images=request.images,
            metric=_metric(request),
            cost="macs" if latencies is None else "latency",
            limit=request.limit,
            architectures=request.plan.space.architectures,
            device=None if latencies is None else latencies.table.device,
        )  # fmt: skip
        for file in write_supernet_result(result, teacher.recipe, request.out):
            request.say(f"wrote {file}")
    return result


def _refuse_unsuitable(request: SupernetRequest) -> None:
    """Refuse options and recipes that make no search, before anything is read."""
    recipe, task = request.recipe, training_task(request.recipe.task)
    for trait in _NEEDS:
        if trait not in task.traits:
            message = f"--search supernet needs a task with {trait.value}, not {recipe.task}"
            raise InputError(message, "search the recipe's keys: --search recipes")
    if not resolve_method(recipe.method, recipe.task)[0].needs_teacher:
        message = f"--search supernet learns from a teacher, and {recipe.method['name']} has none"
        raise InputError(message, "take a recipe with a teacher, such as one of the method kd")
    if recipe.teacher is not None and recipe.teacher.logits is not None:
        message = "--search supernet shows new images to the teacher, whose outputs are in a file"
        raise InputError(message, "name its network: `teacher: {checkpoint: …}`")
    if recipe.trainer.devices * recipe.trainer.nodes > 1:
        message = "a supernet is trained on one device, and the recipe names several"
        raise InputError(message, "set `trainer.devices` and `trainer.nodes` to 1")
    if request.images == "recipe" and recipe.data.get("source") == "none":
        message = "`--data recipe` searches with the recipe's images, and it has none"
        raise InputError(message, "search with --data none")
    if request.latency is None and request.max_latency is not None:
        message = "--max-latency is a limit of a table of latencies, and there is none"
        raise InputError(message, "add --latency TABLE: it is measured where it is missing")
    if request.latency is not None and request.max_macs is not None:
        message = "--max-macs and --latency are two costs, and a search has one"
        raise InputError(message, "limit the time by --max-latency, or leave --latency out")
    if request.latency is None and (request.device != LOCAL or request.lowered is not None):
        message = "--device and --lowered say what a table of latencies is measured on"
        raise InputError(message, "add --latency TABLE, or leave them out")


def _latencies(request: SupernetRequest, samples: RunSamples) -> Latencies | None:
    if request.latency is None:
        return None
    measuring = MeasuringRequest(
        choices=request.plan.space, classes=samples.classes,
        image_size=request.recipe.image_size, device=request.device, target=request.lowered,
        say=request.say,
    )  # fmt: skip
    latencies = Latencies(measured_table(measuring, request.latency))
    request.say(
        f"latencies of {len(latencies.table.rows)} networks: median error for another one "
        f"{latencies.error:.1%}"
    )
    return latencies


def _cost(request: SupernetRequest, latencies: Latencies | None, classes: int) -> Cost:
    if latencies is not None:
        return latencies.of

    def macs(options: MobileOptions) -> float:
        return float(mobile_macs(options, classes, request.recipe.image_size))

    return macs


def _teacher(run: RunRequest, samples: RunSamples) -> _Teacher:
    """The teacher, trained first where the recipe names no checkpoint."""
    run = pin_for_distilling(run, samples, with_teacher=True)
    teachers = make_teachers(run, samples)
    device = device_of(run.recipe.trainer)
    recipe = msgspec.structs.replace(run.recipe, **teachers.sections())
    network = teachers.network().to(device).requires_grad_(False)
    return _Teacher(network, teachers.sha256, samples, recipe, device)


def _judge(request: SupernetRequest, teacher: _Teacher) -> Judge:
    """The trained supernet with the images that judge."""
    plan, samples = request.plan, teacher.samples
    purpose = fingerprint(
        teacher.sha256, request.images, request.seed, request.recipe.image_size,
        request.recipe.augment, samples.split.sha256() if request.images == "recipe" else "",
        plan.synthesis if request.images == "none" else None, plan.held_out,
    )  # fmt: skip
    images = _images(request, teacher, purpose)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        supernet = Supernet(plan.space, len(samples.classes))
    key = fingerprint(purpose, plan.space, plan.supernet)
    training = SupernetTraining(
        plan.supernet, images, teacher.network, teacher.device, request.seed
    )
    training.run(supernet, request.out, key, lambda *row: request.say(_step_line(plan, *row)))
    return Judge(
        supernet, images, teacher.network, request.recipe.task, teacher.device,
        request.out / SCORES, fingerprint(key, plan.recalibrating),
    )  # fmt: skip


def _images(request: SupernetRequest, teacher: _Teacher, purpose: str) -> SearchImages:
    plan, recipe, samples = request.plan, request.recipe, teacher.samples
    if request.images == "recipe":
        return images_of_samples(samples, recipe.augment, plan.recalibrating)
    inversion = Inversion(
        teacher.network, recipe.image_size, len(samples.classes), plan.synthesis, _MAKER, _INSTEAD
    )
    made = make_images(inversion, request.out, purpose, request.seed, request.say)
    shown = middle(made.canvases[:KEPT], recipe.image_size)
    write_images(shown, made.labels[:KEPT], samples.classes, request.out, request.say)
    return images_of_synthesis(
        made.canvases, made.outputs, recipe.image_size, plan.held_out, recipe.augment,
        plan.recalibrating,
    )  # fmt: skip


def _metric(request: SupernetRequest) -> str:
    if request.images == "none":
        return "agreement"
    return metrics_task(request.recipe.task).selection_metric


def _step_line(plan: SupernetPlan, done: int, loss: float) -> str:
    return f"supernet: step {done}/{plan.supernet.steps}, cross-entropy to the teacher {loss:.4f}"


def _generation_line(request: SupernetRequest, generation: int, best: Scored) -> str:
    cost = cost_text("macs" if request.latency is None else "latency", best.cost)
    return (
        f"generation {generation}/{request.plan.evolution.generations}: "
        f"{_metric(request).replace('_', ' ')} {best.fitness.quality:.3f}, {cost}"
    )
