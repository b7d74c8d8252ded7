"""Each method's loss as training sums it, against the formulas written out in `first_principles`.

The door is the training module's own step, so that what is checked is everything between a batch
and the number that is minimised: which network sees which view, each term's weight, the ramps, the
label smoothing, the sum. Each method's references stand in the test file of its name.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import first_principles as paper
import msgspec
import pytest
import timm
import torch
from tiny_methods import players_of, prepared
from torch import Tensor, nn

from edgekd.data.augment import Augmentation, Draw
from edgekd.distill.losses import class_weights
from edgekd.distill.methods import (
    Labelled,
    Method,
    MethodContext,
    Several,
    Stage,
    resolve_method,
)
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.samples.sample_kinds import SampleKind
from edgekd.distill.training.module import StageModule
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.task import metrics_task
from edgekd.models import NormalisedNetwork
from edgekd.recipe import AugmentSection, FitSection

SIZE, EPOCHS = 64, 10  # maps of 2×2: one position would carry no attention


COUNTS = (40, 20, 10, 5, 5)


LABELS = torch.arange(80) % 5


SUBCLASS_OF = (0, 0, 1, 2, 3, 3, 4)


SUBCLASSES = torch.tensor([0, 2, 3, 4, 6])[LABELS] + (
    torch.isin(LABELS, torch.tensor([0, 3])) & (torch.arange(80) % 2 == 0)
)


INDICES = torch.tensor([0, 21, 2, 13, 34, 5, 16, 47])


BANKS = {"contrast": 0.1, "relation": 1.0, "positives": 20, "negatives": 4096,
         "temperature": 0.07, "embedding": 128, "momentum": 0.5}  # fmt: skip


FOLLOWED = {"consistency": 1.0, "decay": 0.99, "start": 0.25, "ramp": 0.375, "turn": True}


RELATIONS = {"distance": 25.0, "angle": 50.0, "channel": 1000.0}


AUGMENT = msgspec.to_builtins(AugmentSection())


DEFAULT_MODEL = {
    "arch": "resnet10t",
    "pretrained": "none",
    "options": {},
    "mean": None,
    "std": None,
}


LADDER = {"assistants": (DEFAULT_MODEL,), "assistant_fit": None, "chained": False,
          "temperature": 4.0, "weight": 0.7}  # fmt: skip


SMALLER, SMALLEST = (
    {"arch": "resnet10t", "options": {"channels": channels, "stem_width": 4}}
    for channels in ([4, 8, 8, 8], [4, 4, 8, 8])
)


DEFAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "subclass": {},
    "kd": {"temperature": 4.0, "weight": 0.7, "weigh_classes": False, "balance": "none"},
    "skd": {"temperature": 4.0, "weight": 0.7, "hard_label": "subclass"},
    "dkd": {"temperature": 4.0, "ce": 1.0, "alpha": 1.0, "beta": 8.0, "warmup": 20 / 240},
    "fitnet": {"temperature": 4.0, "weight": 0.7, "weigh_classes": False, "balance": "none",
               "hint_epochs": 10},
    "at": {"weight": 1000.0},
    "rkd": {"ce": 1.0, "distance": 25.0, "angle": 50.0},
    "mean_teacher": FOLLOWED,
    "crckd": {**FOLLOWED, "category": BANKS},
    "crckd_cross": {"ce": 1.0, "consistency": 1.0, "category": BANKS},
    "amal": {"of": {"name": "kd", "temperature": 4.0, "weight": 0.9}, "every": 0.05,
             "step": 1500.0, "repeats": 5, "rate": 0.1, "images": 128},
    "ces_kd": LADDER | {"weight": 0.9, "curriculum": 0.5},
    "assistants": LADDER | {"mixture": True, "with_teacher": False},
    "ssl_kd": {"network": None, "contrast_temperature": 0.5, "contrast_fit": None,
               "contrast_augment": AUGMENT | {"crop": 0.2, "colour": 0.4}, "finetune_fit": None,
               "ratio": 3, "temperature": 1.0, "weight": 1.0},
    "born_again": {"generations": 1, "temperature": 4.0, "weight": 0.5},
    "smpl": {"ratio": 7, "feedback": 1.0, "consistency": 8.0, "ramp": 1 / 60,
             "temperature": 0.7, "threshold": 0.6, "weak": AUGMENT | {"colour": 0.0},
             "strong": AUGMENT | {"policy": "trivial", "erase": 0.5}},
    "meta_curriculum": {"weight": 0.5, "start": "image", "classes": "even",
                        "step_of": "last_layer", "rate": 0.1, "change": 0.25, "latent": 16,
                        "width": 16},
    "d_kd": {**RELATIONS, "temperature": 5.0, "weight": 0.5, "balance": "none", "select": "metric"},
    "ssd_kd": {
        "ce": 0.1, "kd": 0.9, "transformed": 2.7, "similarity": 10.0, "relations": 1.0,
        "relation": RELATIONS, "temperature": 4.0, "similarity_temperature": 0.5,
        "transformed_ratio": 1.0, "similarity_ratio": 0.75, "select": "metric",
    },
    "cgdd": {
        "kd": 1.0, "ce": 1.0, "attention": 1000.0, "temperature": 4.0, "one_hot": 1.0,
        "statistics": 1.0, "class_balance": 1.0, "adversarial": 1.0, "steps": 400, "latent": 256,
        "width": 64,
    },
    "fastdfkd": {
        "meta": "fomaml", "iterations": 10, "generator_rate": 2e-3, "latent_rate": 0.01,
        "reptile_scale": 67.0, "statistics": 10.0, "one_hot": 0.5, "adversarial": 1.33,
        "momentum": 0.9, "warmup": 20, "steps": 400, "reset": 120, "pool": 0, "temperature": 20.0,
        "latent": 256, "width": 64,
    },
}  # fmt: skip
"""What each method's options are unless a recipe says otherwise (methods.md, and its docstring)."""


OTHERS: dict[str, dict[str, Any]] = {
    "none": {},
    "subclass": {},
    "kd": {"temperature": 2.0, "weight": 0.2, "weigh_classes": True},
    "skd": {"temperature": 2.0, "weight": 0.2, "hard_label": "class"},
    "dkd": {"temperature": 2.0, "ce": 0.6, "alpha": 3.0, "beta": 0.5, "warmup": 0.5},
    "fitnet": {"temperature": 2.0, "weight": 0.2, "weigh_classes": True, "hint_epochs": 3},
    "at": {"weight": 70.0},
    "rkd": {"ce": 0.3, "distance": 7.0, "angle": 2.0},
    "mean_teacher": {"consistency": 3.0, "start": 0.0, "ramp": 0.8, "turn": False},
    "crckd": {
        "consistency": 3.0, "start": 0.1, "ramp": 0.8, "turn": False,
        "category": {"contrast": 0.7, "relation": 0.4, "positives": 3, "negatives": 11,
                     "temperature": 0.2, "embedding": 16, "momentum": 0.9},
    },
    "crckd_cross": {
        "ce": 0.4, "consistency": 2.5,
        "category": {"contrast": 0.7, "relation": 0.4, "positives": 3, "negatives": 11,
                     "temperature": 0.2, "embedding": 16, "momentum": 0.9},
    },
    "amal": {"of": {"name": "kd", "temperature": 2.0, "weight": 0.2, "weigh_classes": True},
             "every": 0.2, "step": 10.0, "repeats": 2, "rate": 0.5, "images": 7},
    "ces_kd": {"assistants": [SMALLER, SMALLEST], "temperature": 2.0, "weight": 0.3,
               "curriculum": 0.0},
    "assistants": {"assistants": [SMALLER, SMALLEST], "temperature": 2.0, "weight": 0.2,
                   "chained": True, "with_teacher": True},
    "ssl_kd": {"network": SMALLER, "contrast_temperature": 0.2, "temperature": 3.0, "weight": 0.3,
               "contrast_augment": {"crop": 0.6}},
    "born_again": {"generations": 2, "temperature": 2.0, "weight": 0.2},
    "smpl": {"ratio": 2, "feedback": 3.0, "consistency": 0.5, "ramp": 0.8, "temperature": 1.5,
             "threshold": 0.1, "strong": {"crop": 0.5}},
    "meta_curriculum": {"weight": 0.3, "start": "noise", "classes": "real", "step_of": "network",
                        "rate": 0.03, "latent": 5, "width": 4},
    "d_kd": {"distance": 3.0, "angle": 9.0, "channel": 200.0, "temperature": 2.0, "weight": 0.2},
    "ssd_kd": {
        "ce": 0.5, "kd": 0.3, "transformed": 0.7, "similarity": 4.0, "relations": 0.6,
        "relation": {"distance": 3.0, "angle": 9.0, "channel": 200.0}, "temperature": 2.0,
        "similarity_temperature": 0.3, "transformed_ratio": 0.5, "similarity_ratio": 0.5,
    },
    "cgdd": {
        "kd": 0.6, "ce": 0.3, "attention": 70.0, "temperature": 2.0, "one_hot": 0.7,
        "statistics": 3.0, "class_balance": 0.2, "adversarial": 0.5,
    },
    "fastdfkd": {
        "statistics": 2.0, "one_hot": 0.9, "adversarial": 0.4, "momentum": 0.5, "temperature": 3.0,
        "generator_rate": 0.01, "latent_rate": 0.05,
    },
}  # fmt: skip
"""Other options, no two weights alike."""


class Epoch(StageModule):
    """The training module in an epoch of our choice."""

    current_epoch = 3


APPLY, DRAW = Augmentation.apply, Augmentation.draw


class Views:
    """Stands for the recipe's augmentation: each call makes another view, known by its number.

    Methods' own changes stay what they are.
    """

    def __init__(self) -> None:
        self.calls = 0

    def apply(self, augmentation: Augmentation, pixels: Tensor, draw: Draw) -> Tensor:
        if augmentation.section != AugmentSection():
            return APPLY(augmentation, pixels, draw)
        self.calls += 1
        return view(pixels, self.calls)


def draw_of_methods(augmentation: Augmentation, count: int, generator: Any) -> Draw | None:
    """Draws for methods' own changes; a numbered view takes nothing from the generator."""
    if augmentation.section == AugmentSection():
        return None
    return DRAW(augmentation, count, generator)


def view(pixels: Tensor, number: int) -> Tensor:
    """Darker and shifted by as many pixels as the number says."""
    return 0.8**number * pixels.roll(3 * number, dims=3)


def network(seed: int, channels: tuple[int, ...], subclass_of: tuple[int, ...]) -> Any:
    torch.manual_seed(seed)
    outputs = len(subclass_of) or len(COUNTS)
    plain = timm.create_model("resnet10t", num_classes=outputs, channels=channels, stem_width=4)
    with torch.no_grad():
        plain.fc.weight.normal_(0.0, 1.0)
        plain.fc.bias.normal_(0.0, 0.3)
    return NormalisedNetwork(plain, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), subclass_of)


def made(name: str, fit: FitSection, options: dict[str, Any]) -> Method:
    kind, config = resolve_method({"name": name, **options})
    divided = SUBCLASS_OF if kind.learns_subclasses else ()
    teacher = network(1, (4, 8, 8, 16), divided) if kind.needs_teacher else None
    context = MethodContext(
        COUNTS, class_weights(COUNTS, "full"), 80, SIZE, fit, training_labels=LABELS,
        subclasses=Subclasses(SUBCLASS_OF, SUBCLASSES), unlabelled_images=40,
    )  # fmt: skip
    method = kind(config, network(0, (4, 4, 8, 8), divided), teacher, context)
    for assistant in getattr(method, "assistants", ()):  # whose first answers are nearly even
        torch.nn.init.normal_(assistant.network.fc.weight)
    if hasattr(getattr(method, "generator", None), "last"):  # which would change nothing at first
        torch.nn.init.normal_(method.generator.last.weight)
    for generation in getattr(method, "earlier", ()):  # which would agree with the student at first
        torch.nn.init.normal_(generation.network.fc.weight)
    if hasattr(method, "labeller"):
        torch.nn.init.normal_(method.labeller.network.fc.weight)
    if hasattr(method, "average"):  # which would agree with the student at first
        with torch.no_grad():
            for parameter in method.average.network.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
    return method


class Step:
    """One training step of a stage: what the module noted, and what went into it."""

    def __init__(self, method: Method, stage: Stage, fit: FitSection, epoch: int) -> None:
        task, section = metrics_task(DEFAULT_TASK), AugmentSection()
        module = Epoch(method, stage, None, task, fit, section, seed=5)  # type: ignore[arg-type]
        module.current_epoch = epoch
        method.eval()
        for part in stage.updated:
            part.train()
        stage.set_trainable(method)
        module._players = players_of(stage) if stage.step else None
        images = torch.randint(
            0, 256, (len(INDICES), SIZE, SIZE, 3), dtype=torch.uint8,
            generator=torch.Generator().manual_seed(2),
        )  # fmt: skip
        self.before = copy.deepcopy(method)
        self.pixels = images.permute(0, 3, 1, 2) / 255
        self.targets, self.epoch, self.fit = LABELS[INDICES], epoch, fit
        self.images = images
        self.drawn = module._step_context(0).generator  # as it is when the step begins
        total = module.training_step(self.loaded(stage.samples), 0)
        self.total = None if total is None else total.detach()
        means, logged = module._means.means(), method.logged_values()
        self.terms = {n: torch.tensor(value) for n, value in means.items() if n not in logged}
        if self.total is not None:
            assert self.terms.pop("loss") == pytest.approx(float(self.total), rel=1e-5)

    def loaded(self, kind: SampleKind) -> Any:
        """What the loader of a stage gives; unlabelled images are others."""
        if isinstance(kind, Several):
            return {name: self.loaded(each) for name, each in kind.kinds.items()}
        if isinstance(kind, Labelled):
            return [self.images, self.targets, INDICES]
        return [255 - self.images, INDICES]

    def see(self, net: nn.Module, number: int = 1) -> paper.Seen:
        with torch.no_grad():
            return paper.see(net, view(self.pixels, number))

    def hard(self, outputs: Tensor) -> Tensor:
        weights = self.before.class_weights
        return paper.cross_entropy(outputs, self.targets, weights, self.fit.label_smoothing)


def subclass_ce(method: Any, step: Step, outputs: Tensor) -> Tensor:
    smoothing, weights = step.fit.label_smoothing, method.class_weights[list(SUBCLASS_OF)]
    return paper.cross_entropy(outputs, SUBCLASSES[INDICES], weights, smoothing)


def kd_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student).outputs, step.see(method.teacher).outputs
    rows = c.temperature**2 * paper.divergence(own / c.temperature, guide / c.temperature)
    soft = rows.mean()
    if c.weigh_classes:
        weights = method.class_weights[step.targets].double()
        soft = (weights * rows).sum() / weights.sum()
    return {"ce": (1 - c.weight) * step.hard(own), "kd": c.weight * soft}


def other_view(step: Step, turn: bool) -> Tensor:
    """The average's own view; turned, also flipped along both axes and by quarters, by chance."""
    pixels = view(step.pixels, 2)
    if not turn:
        return pixels
    chances = torch.rand(2, len(pixels), generator=step.drawn)
    quarters = torch.randint(4, (len(pixels),), generator=step.drawn)
    images = []
    for image, across, down, quarter in zip(pixels, *chances, quarters, strict=True):
        image = image.flip(2) if across < 0.5 else image
        image = image.flip(1) if down < 0.5 else image
        images.append(torch.rot90(image, int(quarter), (1, 2)))
    return torch.stack(images)


def averaged(method: Any, step: Step, c: Any) -> paper.Seen:
    with torch.no_grad():
        return paper.see(method.average.network, other_view(step, c.turn))


def consistency(step: Step, c: Any, own: Tensor, average: Tensor) -> Tensor:
    assert step.epoch >= c.start * EPOCHS
    rise = paper.ramp(step.epoch, c.ramp * EPOCHS)
    return rise * c.consistency * paper.divergence(own, average).mean()


def category(method: Any, step: Step, c: Any, own: Tensor, guide: Tensor) -> dict[str, Tensor]:
    config = SimpleNamespace(**c.category)
    banks, networks = method.category.banks, method.category.embeddings
    rows = banks.rows(INDICES)
    drawn = banks.draw(rows, config.positives, config.negatives, step.drawn)
    kept = paper.Banks(banks.student.double(), banks.teacher.double(), LABELS, rows, drawn)
    terms = paper.category_terms(networks, own, guide, kept, config)
    return {name: c.category[name] * term for name, term in terms.items()}


@contextmanager
def numbered_views() -> Iterator[None]:
    """Every augmentation makes another view."""
    with pytest.MonkeyPatch.context() as patched:
        views = Views()
        patched.setattr(Augmentation, "apply", lambda *args: views.apply(*args))
        patched.setattr(Augmentation, "draw", draw_of_methods)
        yield


Reference = Callable[[Any, Step, SimpleNamespace], dict[str, Tensor]]
"""From a method, a step of its stage and its options to the terms."""

ALL_OPTIONS = pytest.mark.parametrize("options", ["default", "other"])


def check(name: str, stage_name: str, reference: Reference, options: str) -> None:
    """With the default options, or with others, smoothed labels and another epoch."""
    varied = options == "other"
    fit = FitSection(epochs=EPOCHS, label_smoothing=0.2 if varied else 0.0)
    method = made(name, fit, OTHERS[name] if varied else {})
    stage = next(stage for stage in method.stages() if stage.name == stage_name)
    prepared(stage, SIZE)
    with numbered_views():
        step = Step(method, stage, fit, epoch=1 if varied else 3)
    numbers = SimpleNamespace(**DEFAULTS[name] | (OTHERS[name] if varied else {}))
    with torch.no_grad():
        expected = reference(step.before, step, numbers)
    assert step.terms.keys() == expected.keys()
    for term, value in expected.items():
        assert abs(value) > 1e-4, f"{term} is next to nothing: the comparison would be empty"
        torch.testing.assert_close(step.terms[term].double(), value, rtol=2e-4, atol=0.0, msg=term)
    if step.total is None:  # a step logs what it likes
        return
    total = torch.stack(list(expected.values())).sum()
    torch.testing.assert_close(step.total.double(), total, rtol=2e-4, atol=0.0)
