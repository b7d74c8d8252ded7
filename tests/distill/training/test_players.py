"""Stages that take their steps themselves, by two methods: alternating players, and a gradient
through an update. Each is held against a plain loop that knows nothing of edgekd's training.
"""

from __future__ import annotations

import copy
import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import manual_methods
import method_share
import msgspec
import numpy as np
import players_share
import pytest
import torch
import torch.nn.functional as F
from manual_methods import LATENT, SECTIONS
from method_share import EPOCHS, FIT, outcome, samples
from pair import Outcome, trained_in_pair
from players_share import CASES, QUICK
from safetensors.torch import load_file
from small_runs import history
from torch import Tensor, nn
from torch.func import functional_call

from edgekd.distill.methods import Method, Player, Players
from edgekd.distill.runs import pipeline
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.training.fit import fit_stage
from edgekd.distill.training.module import StageModule
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.task import metrics_task
from edgekd.recipe import AugmentSection, OptimiserSection, Recipe, TrainerSection

VALIDATED = 21
Terms = dict[str, float]


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> str:
    return manual_methods.install(tmp_path_factory.mktemp("methods") / "site")


@pytest.fixture(autouse=True)
def _methods(distribution: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(distribution)
    for label, section in SECTIONS.items():
        monkeypatch.setitem(method_share.SECTIONS, label, section)


# Against a plain loop --------------------------------------------------------------------------


def generator_of(epoch: int, step: int) -> torch.Generator:
    (state,) = np.random.SeedSequence((0, epoch, step, 0)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def decayed(module: nn.Module) -> list[dict[str, Any]]:
    """Weight decay on matrices and kernels alone."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def one_cycle(optimizer: torch.optim.Optimizer, peak: float, steps: int, warmup: float) -> Any:
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=peak, total_steps=steps, pct_start=warmup
    )


def kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the batch of Σ p·(log p − log q)."""
    p, log_q = teacher.softmax(1), student.log_softmax(1)
    return (p * (teacher.log_softmax(1) - log_q)).sum(1).mean()


def alternating(method: Any, data: RunSamples) -> list[tuple[Terms, dict[str, Tensor]]]:
    """Terms and state of each epoch."""
    steps = method.config.steps
    made, student, teacher = method.generator, method.student, method.teacher
    maker = torch.optim.AdamW(decayed(made), lr=0.01)
    cycle = one_cycle(maker, 0.01, EPOCHS * steps, 0.5)
    learner = torch.optim.SGD(decayed(student), lr=0.05, momentum=0.9)
    epochs = []
    for epoch in range(EPOCHS):
        sums = dict.fromkeys(("agrees", "differs", "student"), 0.0)
        for group in learner.param_groups:
            group["lr"] = 0.05 * 0.1 ** (epoch >= 1)
        for step in range(steps):
            drawn = generator_of(epoch, step)
            latent = torch.randn(FIT.batch_size, LATENT, generator=drawn)
            labels = torch.randint(len(data.classes), (FIT.batch_size,), generator=drawn)
            images = made(latent, labels)
            agrees = F.cross_entropy(teacher(images), labels)
            differs = kl(student(images), teacher(images))
            maker.zero_grad()
            (agrees - differs).backward()
            nn.utils.clip_grad_norm_(made.parameters(), 1.0)
            maker.step()
            learner.zero_grad()
            loss = kl(student(images.detach()), teacher(images.detach()).detach())
            loss.backward()
            learner.step()
            cycle.step()
            for name, term in (("agrees", agrees), ("differs", differs), ("student", loss)):
                sums[name] += float(term.detach()) / steps
        epochs.append((sums, copy.deepcopy(method.state_dict())))
    return epochs


def mixture(logits: Tensor, targets: Tensor, soft: Tensor, weight: Tensor) -> Tensor:
    return (1 - weight) * F.cross_entropy(logits, targets) + weight * kl(logits, soft)


def mixing(method: Any, data: RunSamples) -> list[tuple[Terms, dict[str, Tensor]]]:
    """Terms and state of each epoch; the student's schedule is that of `FIT`."""
    student, teacher, mixed = method.student, method.teacher, method.mixing["weight"]
    chosen = np.array(data.split.indices("train"))
    steps = len(chosen) // FIT.batch_size
    learner = torch.optim.AdamW(decayed(student), lr=FIT.learning_rate)
    cycle = one_cycle(learner, FIT.learning_rate, EPOCHS * steps, FIT.warmup)
    velocity, epochs = torch.zeros(()), []
    for epoch in range(EPOCHS):
        order = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(epoch))
        sums = dict.fromkeys(("outer", "student", "weight"), 0.0)
        for step in range(steps):
            rows = chosen[order[step * FIT.batch_size : (step + 1) * FIT.batch_size].numpy()]
            images = torch.from_numpy(data.images[rows]).permute(0, 3, 1, 2) / 255
            targets = torch.from_numpy(data.targets[rows])
            half = len(rows) // 2
            with torch.no_grad():
                soft = teacher(images[:half])
            rate = learner.param_groups[0]["lr"]
            names, before = zip(*student.named_parameters(), strict=True)
            aims = (targets[:half], soft)
            inner = mixture(student(images[:half]), *aims, mixed.sigmoid())
            slopes = torch.autograd.grad(inner, before, create_graph=True)
            after = {n: p - rate * g for n, p, g in zip(names, before, slopes, strict=True)}
            outer = F.cross_entropy(functional_call(student, after, images[half:]), targets[half:])
            (slope,) = torch.autograd.grad(outer, mixed)
            velocity = 0.5 * velocity + slope
            with torch.no_grad():  # epoch 2 has the same rate: the plateau's patience is 1
                mixed -= 20.0 * velocity
            weight = mixed.sigmoid().detach()
            learner.zero_grad()
            loss = mixture(student(images[:half]), *aims, weight)
            loss.backward()
            learner.step()
            cycle.step()
            for name, term in (("outer", outer), ("student", loss), ("weight", weight)):
                sums[name] += float(term.detach()) / steps
        epochs.append((sums, copy.deepcopy(method.state_dict())))
    return epochs


def in_training(label: str, data: RunSamples) -> Method:
    """The method as it is in its stage."""
    method = method_share.made(label, data)
    (stage,) = method.stages()
    stage.set_trainable(method)
    method.eval()
    for module in stage.updated:
        module.train()
    return method


@pytest.mark.parametrize("by_hand", [alternating, mixing], ids=list(SECTIONS))
def test_a_step_of_its_own_is_a_plain_loop(by_hand: Callable[..., Any], tmp_path: Path) -> None:
    data, label = samples(False), by_hand.__name__
    reached = outcome(label, "fp32", tmp_path)
    epochs = by_hand(in_training(label, data), data)
    history = reached.histories["student"]
    for row, (terms, _) in zip(history, epochs, strict=True):
        assert {name: row[name] for name in terms} == pytest.approx(terms, rel=1e-4)
    best = max(range(EPOCHS), key=lambda epoch: history[epoch]["score"])
    for name, tensor in epochs[best][1].items():
        torch.testing.assert_close(reached.state[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


# What the losses come to -----------------------------------------------------------------------


def trained(method: Method, work: Path, epochs: int, images: RunSamples) -> list[Terms]:
    (stage,) = method.stages()
    fit = msgspec.structs.replace(FIT, epochs=epochs)
    module = StageModule(
        method, stage, images, metrics_task(DEFAULT_TASK), fit, AugmentSection(), 0
    )
    trainer = TrainerSection(accelerator="cpu", precision="fp32", threads=1)
    return fit_stage(module, trainer, work, "key").history


@pytest.mark.parametrize("learner", ["generator", "student"])
def test_each_player_lowers_its_own_loss(learner: str, tmp_path: Path) -> None:
    """With the other one at rest."""
    method: Any = method_share.made("alternating", samples(False))
    resting = OptimiserSection(learning_rate=1e-9)
    players = {"generator": resting, "student": resting}
    players[learner] = OptimiserSection(learning_rate=3e-3)
    method.config = msgspec.structs.replace(method.config, steps=10, **players)
    history = trained(method, tmp_path, 3, samples(False))
    student = [row["student"] for row in history]
    generator = [row["agrees"] - row["differs"] for row in history]
    if learner == "student":
        assert student[-1] < 0.7 * student[0]
    else:
        assert generator[-1] < generator[0] - 0.01


def test_the_gradient_through_an_update_turns_away_from_a_wrong_teacher(tmp_path: Path) -> None:
    weights = {}
    for teacher in ("right", "wrong"):
        data = samples(False)
        method: Any = method_share.made("mixing", data)
        method.teacher = Oracle(data, shift=int(teacher == "wrong"))
        history = trained(method, tmp_path / teacher, 3, data)
        weights[teacher] = [row["weight"] for row in history]
    assert weights["wrong"][-1] < weights["wrong"][0] < 0.5
    assert weights["wrong"][-1] < weights["right"][-1]


class Oracle(nn.Module):
    """Knows the label of each image by its mean colour; names another class where shifted."""

    def __init__(self, data: RunSamples, shift: int) -> None:
        super().__init__()
        pixels = torch.from_numpy(data.images.copy()).permute(0, 3, 1, 2) / 255
        self.keys = pixels.mean(dim=(2, 3))
        self.answers = (torch.from_numpy(data.targets) + shift) % len(data.classes)
        self.classes = len(data.classes)

    def forward(self, pixels: Tensor) -> Tensor:
        nearest = torch.cdist(pixels.mean(dim=(2, 3)), self.keys).argmin(dim=1)
        return 4.0 * F.one_hot(self.answers[nearest], self.classes).float()


# Through the pipeline --------------------------------------------------------------------------


def run(recipe: Recipe, out: Path) -> dict[str, Tensor]:
    pipeline.distill(pipeline.RunRequest(recipe, out))
    return load_file(out / "student" / "model.safetensors")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("teacher")


@pytest.mark.parametrize("label", SECTIONS)
def test_an_interrupted_run_comes_to_the_same_weights(
    label: str, recipe: Callable[..., Recipe], teacher: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """Optimisers and schedules of all players are taken up where they were."""
    if not (teacher / "model.json").is_file():
        pipeline.train(pipeline.RunRequest(recipe(), teacher))
    # A best epoch that is the last one: what is compared went through the resumption.
    monkeypatch.setattr(StageModule, "_metric", lambda self: float(self.current_epoch))
    fit = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3}
    student = {"model": msgspec.to_builtins(recipe().student.model), "fit": fit}
    whole = recipe(teacher={"checkpoint": str(teacher)}, student=student, method=SECTIONS[label])
    expected = run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        interrupt(broken, epoch=2)
        with pytest.raises(KeyboardInterrupt):
            run(whole, tmp_path / "broken")
    begun = record_epochs(monkeypatch)
    resumed = run(whole, tmp_path / "broken")
    assert begun == [2]
    assert all(expected[name].equal(tensor) for name, tensor in resumed.items())
    histories = [history(tmp_path / name / "student") for name in ("whole", "broken")]
    assert histories[0] == histories[1]


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    begin = StageModule.on_train_epoch_start

    def interrupted(self: StageModule) -> None:
        if self.current_epoch == epoch:
            raise KeyboardInterrupt
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_epoch_start", interrupted)


def record_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    epochs: list[int] = []
    begin = StageModule.on_train_epoch_start

    def recorded(self: StageModule) -> None:
        epochs.append(self.current_epoch)
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_epoch_start", recorded)
    return epochs


# In either precision, by one process and by two ------------------------------------------------

Case = tuple[str, str]
TrainInPair = Callable[[Case], list[dict[Case, Outcome]]]


@pytest.fixture(scope="module")
def train_in_pair(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    cache: Path,
    distribution: str,
) -> TrainInPair:
    """Both processes' outcomes of the cases that run with a case, trained together once."""

    @functools.cache
    def train(quick: bool) -> list[dict[Case, Outcome]]:
        if quick:
            return [each["players_share"] for each in request.getfixturevalue("pair")]
        cases = [case for case in CASES if case not in QUICK]
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("EDGEKD_CACHE", str(cache))
            patched.setenv("WORK", str(tmp_path_factory.mktemp("work")))
            patched.setenv("METHODS", distribution)
            patched.setenv("CASES", json.dumps(cases))
            samples(False)  # decoded once
            return trained_in_pair(players_share.__file__, tmp_path_factory.mktemp("pair"))

    return lambda case: train(case in QUICK)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id="-".join(case), marks=() if case in QUICK else pytest.mark.slow)
        for case in CASES
    ],
)
def test_players_in_either_precision_by_one_process_and_by_two(
    case: Case, processes: int, tmp_path: Path, train_in_pair: TrainInPair
) -> None:
    if processes == 1:
        outcomes = [outcome(*case, tmp_path)]
    else:
        outcomes = [each[case] for each in train_in_pair(case)]
    first = outcomes[0]
    assert not first.error, first.error
    (history,) = first.histories.values()
    assert [row["epoch"] for row in history] == list(range(1, EPOCHS + 1))
    assert all(math.isfinite(value) for row in history for value in row.values())
    assert sum(each.judged["student"] for each in outcomes) == EPOCHS * VALIDATED
    for each in outcomes[1:]:
        assert not each.error, each.error
        assert each.histories == first.histories
        assert each.norms == first.norms
        assert all(tensor.equal(each.state[name]) for name, tensor in first.state.items())


# The players alone -----------------------------------------------------------------------------


class Bare:
    """What `Players` needs of a training module: optimisers, and a precision without a scaler."""

    def __init__(self, players: dict[str, Player]) -> None:
        self._optimizers = [
            torch.optim.SGD(player.parameters(), lr=0.5) for player in players.values()
        ]
        self.trainer = type("T", (), {"precision_plugin": None})

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return self._optimizers


class Scaled:
    """An optimiser whose gradients are scaled, as in float16."""

    def __init__(self, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> None:
        self.optimizer, self.scaler = optimizer, scaler

    def step(self) -> None:
        self.scaler.step(self.optimizer)
        self.scaler.update()


def two_players() -> tuple[nn.Linear, nn.Linear, Players]:
    torch.manual_seed(0)
    maker, learner = nn.Linear(2, 2), nn.Linear(2, 2)
    players = {"maker": Player((maker,)), "learner": Player((learner,))}
    return maker, learner, Players(players, Bare(players))  # type: ignore[arg-type]


def test_a_loss_through_another_player_leaves_nothing_there() -> None:
    maker, learner, players = two_players()
    before = copy.deepcopy(learner.state_dict())
    players.update("maker", learner(maker(torch.ones(3, 2))).sum())
    assert all(tensor.equal(before[name]) for name, tensor in learner.state_dict().items())
    assert all(p.grad is None for p in (*maker.parameters(), *learner.parameters()))


def test_gradients_that_the_method_computed() -> None:
    maker, _, players = two_players()
    before = [p.detach().clone() for p in players.parameters("maker")]
    players.apply("maker", [torch.full_like(p, 2.0) for p in before])
    for parameter, old in zip(maker.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old - 0.5 * 2.0)
    assert players.rate("maker") == 0.5


def test_scaled_gradients_take_the_same_steps() -> None:
    """Of a loss, and of gradients that the method computed."""
    plain, scaled = two_players(), two_players()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizers = {name: Scaled(each, scaler) for name, each in scaled[2]._optimizers.items()}
    scaled[2]._scaler, scaled[2]._optimizers = scaler, optimizers
    for maker, learner, players in (plain, scaled):
        players.update("maker", learner(maker(torch.ones(3, 2))).square().sum())
        players.apply("learner", [torch.full_like(p, 0.25) for p in learner.parameters()])
    for expected, network in zip(plain[:2], scaled[:2], strict=True):
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(tensor, expected.state_dict()[name])


def test_two_losses_on_one_graph() -> None:
    maker, learner, players = two_players()
    loss = learner(maker(torch.ones(3, 2))).square().sum()
    players.update("learner", loss, retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        players.update("maker", loss)  # the learner has moved since


def test_what_a_step_does_wrong_is_told() -> None:
    maker, _, players = two_players()
    with pytest.raises(InputError, match="no player 'generator'") as caught:
        players.update("generator", maker(torch.ones(1, 2)).sum())
    assert "maker, learner" in caught.value.hint
    with pytest.raises(InputError, match=r"depend on 1 of its parameters \(weight first\)"):
        players.update("maker", maker.bias.sum())
    with pytest.raises(InputError, match="the loss of the player maker is bfloat16"):
        players.update("maker", maker(torch.ones(1, 2)).sum().bfloat16())
