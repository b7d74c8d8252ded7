"""Curriculum temperature: the released code's trajectory, what it must and must not move."""

from __future__ import annotations

import csv
import math
from typing import Any

import msgspec
import pytest
import torch
from curriculum_share import batch, flat_method, learnt
from small_runs import history
from torch import Tensor, nn

from edgekd.distill.losses import (
    bounded_temperature,
    non_target_kl,
    reversal,
    softened_kl,
    target_kl,
    transformed_kl,
)
from edgekd.distill.methods import resolve_method
from edgekd.distill.methods.temperature import (
    CurriculumTemperature,
    GlobalTemperature,
    InstanceTemperature,
)
from edgekd.distill.runs import pipeline
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.optimisation import make_optimizer
from edgekd.distill.training.schedules import one_cycle
from edgekd.errors import InputError
from edgekd.recipe import FitSection, load_recipe

GLOBAL = CurriculumTemperature(curriculum="global")


TERMS = {
    "kd": (lambda s, t, y, temperature: softened_kl(s, t, temperature)),
    "target": target_kl,
    "others": non_target_kl,
    "transformed": (lambda s, t, y, temperature: transformed_kl(s, t, y, temperature, 0.5)),
}


def logits(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    student, teacher = (
        torch.randn(6, 5, generator=drawn, dtype=torch.float64) * 3 for _ in range(2)
    )
    return student, teacher, torch.arange(6) % 5


@pytest.mark.parametrize("students", ["sgd", "adamw"])
def test_the_trajectory_of_the_golden(golden, agree, precision, students):
    g = golden("ctkd")
    section = CurriculumTemperature(curriculum="global", weight_decay=5e-4)
    softening = GlobalTemperature(section).to(precision)
    student = nn.Linear(2, 2)
    fit = FitSection(optimizer=students, weight_decay=0.3, momentum=0.5)
    optimizer = make_optimizer([student, softening], fit)
    for step in range(12):
        agree(softening.theta, g["raw_tau_before_each_step"][step])
        temperature = softening(g["logits_s"], g["logits_t"], step)
        agree(temperature, g["tau_each_step"][step])
        loss = softened_kl(g["logits_s"], g["logits_t"], temperature)
        agree(loss, g["kd_loss_each_step"][step])
        optimizer.zero_grad()
        loss.backward()
        agree(softening.theta.grad, g["grad_raw_tau_each_step"][step])
        optimizer.step()
    agree(softening.theta, g["final_raw_tau"][0])


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("curriculum", ["global", "instance"])
def test_theta_climbs_what_the_student_descends(term, curriculum):
    student, teacher, targets = logits()
    student.requires_grad_()
    section = CurriculumTemperature(curriculum=curriculum)
    made = GlobalTemperature(section) if curriculum == "global" else InstanceTemperature(section, 5)
    made = made.double()
    last = list(made.parameters())[-1]
    plain = bounded_temperature(made.raw(student, teacher))
    forward = torch.autograd.grad(
        TERMS[term](student, teacher, targets, plain), (last, student), retain_graph=True
    )
    loss = TERMS[term](student, teacher, targets, made(student, teacher, 9))  # λ = −1
    against = torch.autograd.grad(loss, (last, student))
    assert forward[0].abs().sum() > 0
    torch.testing.assert_close(against[0], -forward[0])
    torch.testing.assert_close(against[1], forward[1])


def test_the_temperature_stays_within_its_bounds():
    raw = torch.tensor([-1e4, 0.0, 1e4])
    assert bounded_temperature(raw, 2.0, 6.0).tolist() == [2.0, 5.0, 8.0]
    start = GlobalTemperature(GLOBAL)(*logits()[:2], 0).detach()
    assert float(start) == pytest.approx(1 + 20 / (1 + math.exp(-1)))


@pytest.mark.parametrize("term", TERMS)
def test_one_temperature_for_all_images_is_that_temperature(term):
    student, teacher, targets = logits()
    wanted = TERMS[term](student, teacher, targets, 3.0)
    for temperature in (torch.tensor(3.0).double(), torch.full((6,), 3.0).double()):
        torch.testing.assert_close(TERMS[term](student, teacher, targets, temperature), wanted)


def test_images_of_their_own_temperatures_are_weighed_by_their_squares():
    student, teacher, _ = logits()
    temperatures = torch.arange(1.0, 7.0).double()
    single = [
        softened_kl(student[[row]], teacher[[row]], float(temperatures[row])) for row in range(6)
    ]
    found = softened_kl(student, teacher, temperatures)
    torch.testing.assert_close(found, torch.stack(single).mean())


def test_weighed_images_of_their_own_temperatures():
    student, teacher, _ = logits()
    temperatures, weights = torch.arange(1.0, 7.0).double(), torch.arange(6.0).double()
    single = [
        softened_kl(student[[row]], teacher[[row]], float(temperatures[row])) for row in range(6)
    ]
    wanted = (weights * torch.stack(single)).sum() / weights.sum()
    torch.testing.assert_close(softened_kl(student, teacher, temperatures, weights), wanted)


@pytest.mark.parametrize("curriculum", ["global", "instance"])
@pytest.mark.parametrize("name", ["kd", "dkd"])
def test_half_precision_leaves_the_temperature_in_float32(name, curriculum):
    made = flat_method(name, temperature={"curriculum": curriculum})
    with torch.autocast("cpu", torch.bfloat16):
        terms = made.stages()[0].objective(batch(9))
    torch.stack(list(terms.values())).sum().backward()
    assert made.logged_values()["temperature"].dtype == torch.float32
    gradients = [p.grad for p in made.softening.parameters()]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert gradients[-1].abs().sum() > 0


def test_no_kept_row_leaves_the_temperature_in_the_graph():
    student, teacher, targets = logits()
    wrong = teacher.scatter(1, targets[:, None], -99.0)
    temperature = torch.tensor(3.0, requires_grad=True)
    loss = transformed_kl(student.requires_grad_(), wrong, targets, temperature, 0.0)
    assert loss == 0
    assert torch.autograd.grad(loss, temperature)[0] == 0


def test_the_instances_network_is_no_way_into_the_student():
    student, teacher, _ = logits()
    student.requires_grad_()
    made = InstanceTemperature(CurriculumTemperature(curriculum="instance"), 5).double()
    nn.init.normal_(made.layers[-1].weight)
    found = made(student, teacher, 3)
    assert found.shape == (6,)
    assert found.std() > 0
    assert torch.autograd.grad(found.sum(), student, allow_unused=True) == (None,)


@pytest.mark.parametrize("curriculum", ["global", "instance"])
def test_a_method_trains_it_undecayed(curriculum):
    made = flat_method(temperature={"curriculum": curriculum})
    (stage,) = made.stages()
    assert made.softening in stage.trained
    fit = FitSection(optimizer="sgd", weight_decay=0.3)
    groups = make_optimizer(stage.trained, fit).param_groups
    own = {id(p) for p in made.softening.parameters()}
    decays = {g["weight_decay"] for g in groups for p in g["params"] if id(p) in own}
    assert decays == {0.0}
    assert sum(len(group["params"]) for group in groups) == 2 + len(own)


def test_a_number_adds_nothing_to_train():
    made = flat_method(temperature=3)
    assert made.stages()[0].trained == (made.student,)
    assert made.logged_values() == {}
    assert not any("softening" in key for key in made.state_dict())


def test_at_the_first_step_it_is_the_fixed_temperature():
    start = 1 + 20 / (1 + math.exp(-1))
    fixed = flat_method(temperature=start).stages()[0].objective(batch())
    for curriculum in ("global", "instance"):
        made = flat_method(temperature={"curriculum": curriculum})
        found = made.stages()[0].objective(batch())
        torch.testing.assert_close(found, fixed)
        assert float(made.logged_values()["temperature"]) == pytest.approx(start)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "kd", "temperature": {"curriculm": "global"}}, "curriculm"),
        ({"name": "kd", "temperature": {"curriculum": "local"}}, "curriculum"),
        ({"name": "kd", "temperature": {"curriculum": "global", "epochs": 0}}, "epochs"),
        ({"name": "kd", "temperature": {"epochs": 3}}, "curriculum"),
        ({"name": "kd", "temperature": 0}, "temperature"),
        (
            {"name": "ssd_kd", "kd": 0, "transformed": 0, "temperature": {"curriculum": "global"}},
            "weight of kd or transformed",
        ),
        (
            {"name": "d_kd", "select": "objective", "temperature": {"curriculum": "global"}},
            "select `objective`",
        ),
    ],
)
def test_what_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        resolve_method(options)


def moved(curriculum: str, epoch: int, fit: FitSection, steps: int = 3) -> float:
    """How far one batch moves the temperature's last parameter in steps of one epoch."""
    made = flat_method(temperature={"curriculum": curriculum})
    (stage,) = made.stages()
    theta = list(made.softening.parameters())[-1]
    optimizer = make_optimizer(stage.trained, fit)
    schedule = one_cycle(optimizer, fit, steps)
    before = theta.detach().clone()
    for _ in range(steps):
        optimizer.zero_grad()
        torch.stack(list(stage.objective(batch(epoch)).values())).sum().backward()
        optimizer.step()
        schedule.step()
    return float((theta.detach() - before).norm())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("curriculum", ["global", "instance"])
def test_the_factor_matters_whatever_the_students_optimiser(curriculum, optimizer):
    """The first epoch's λ is a 41st of the last one's, and so are the steps."""
    shipped = load_recipe("ham10000-ssd-kd-curriculum").student.fit
    fit = msgspec.structs.replace(shipped, optimizer=optimizer)
    first, last = (moved(curriculum, epoch, fit) for epoch in (0, 9))
    assert last > 1e-4
    assert first / last == pytest.approx(-reversal(1), rel=0.1)


@pytest.mark.parametrize("schedule", ["one_cycle", "steps", "plateau"])
def test_its_rate_rises_and_falls_with_the_students(recipe, tmp_path, monkeypatch, schedule):
    fit = {"epochs": 3, "batch_size": 16, "schedule": schedule, "milestones": [1], "patience": 1}
    made = recipe(
        method={"name": "kd", "temperature": {"curriculum": "global", "learning_rate": 0.25}},
        student={"model": recipe().student.model, "fit": {**fit, "learning_rate": 0.01}},
    )
    rates: list[list[float]] = []
    step = StageModule.on_train_batch_end

    def noted(self: StageModule, *args: Any) -> None:
        if self.stage.name == "student":
            rates.append([group["lr"] for group in self.trainer.optimizers[0].param_groups])
        step(self, *args)

    monkeypatch.setattr(StageModule, "on_train_batch_end", noted)
    pipeline.distill(pipeline.RunRequest(made, tmp_path))
    assert len({tuple(each) for each in rates}) > (1 if schedule == "steps" else 0)
    for *students, own in rates:
        assert students == [students[0]] * 2
        assert own == pytest.approx(25 * students[0])


def test_the_shipped_recipe_is_ssd_kd_with_two_changed_lines():
    plain, curriculum = load_recipe("ham10000-ssd-kd"), load_recipe("ham10000-ssd-kd-curriculum")
    changed = {**plain.method, "temperature": {"curriculum": "global"}}
    assert curriculum == msgspec.structs.replace(plain, name=curriculum.name, method=changed)


def test_ssd_kd_under_a_curriculum_from_end_to_end(recipe, tmp_path):
    head = {"epochs": 1, "batch_size": 16, "optimizer": "adamw", "schedule": "one_cycle"}
    shipped = load_recipe("ham10000-ssd-kd-curriculum").method
    # The logits of networks that have hardly learnt differ by hundredths.
    learnt = {**shipped["temperature"], "learning_rate": 1e4}
    made = recipe(method={**shipped, "teacher_head": head, "temperature": learnt})
    pipeline.distill(pipeline.RunRequest(made, tmp_path))
    lines = (tmp_path / "student" / "history.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    temperatures = [float(row["temperature"]) for row in rows]
    assert len(temperatures) == 2
    assert 1 < temperatures[0] < 21
    assert temperatures[0] != temperatures[1]
    beside = ("epoch", "loss", "temperature", "waiting", "score")
    total = sum(float(value) for name, value in rows[0].items() if name not in beside)
    assert total == pytest.approx(float(rows[0]["loss"]), rel=1e-4)


def test_an_interrupted_run_learns_the_same_temperature(recipe, tmp_path, monkeypatch):
    made = recipe(method={"name": "kd", "temperature": {"curriculum": "instance"}})
    pipeline.distill(pipeline.RunRequest(made, tmp_path / "whole"))
    begin = StageModule.on_train_epoch_start

    def broken(self: StageModule) -> None:
        if self.stage.name == "student" and self.current_epoch == 1:
            raise KeyboardInterrupt
        begin(self)

    with monkeypatch.context() as patched:
        patched.setattr(StageModule, "on_train_epoch_start", broken)
        with pytest.raises(KeyboardInterrupt):
            pipeline.distill(pipeline.RunRequest(made, tmp_path / "broken"))
    pipeline.distill(pipeline.RunRequest(made, tmp_path / "broken"))
    whole, again = (tmp_path / run / "student" for run in ("whole", "broken"))
    assert history(whole) == history(again)
    assert (whole / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()


@pytest.mark.parametrize("curriculum", ["global", "instance"])
def test_two_processes_learn_the_temperature_that_one_learns(curriculum, pair):
    first, second = (each["curriculum_share"][curriculum] for each in pair)
    assert first.equal(second)
    torch.testing.assert_close(first, learnt(curriculum, 0, 1), atol=1e-6, rtol=1e-5)
    start = flat_method(temperature={"curriculum": curriculum}).softening
    before = torch.cat([p.detach().flatten() for p in start.parameters()])
    assert (first[-len(before) :] - before).abs().max() > 1e-3
