"""`fastdfkd`: synthesis, meta-learning and the student's loss, against a plain loop in float64."""

from __future__ import annotations

import copy
from typing import Any

import first_principles as paper
import pytest
import torch
import torch.nn.functional as F
from composed import OTHERS
from stepped import (
    BATCH,
    Stepped,
    augmented,
    close_terms,
    distance,
    in_float64,
    moments,
    same_choice,
    watched,
)
from torch import Tensor, nn

from edgekd.distill.methods import Method
from edgekd.distill.synthesis.generator import balanced_labels

SMALL: dict[str, Any] = {"latent": 8, "width": 4, "steps": 2, "iterations": 3, "warmup": 1}


class Plain:
    """The method in a plain loop: the paper's algorithm 1, as its code has it."""

    def __init__(self, method: Any) -> None:
        self.config, self.teacher = method.config, method.teacher
        self.student = copy.deepcopy(method.student).eval()
        self.slow = copy.deepcopy(method.generator).train()
        rate = self.config.generator_rate * self.config.iterations
        self.meta = torch.optim.Adam(self.slow.parameters(), rate, betas=(0.5, 0.999))
        self.kept: list[tuple[Tensor, Tensor]] = []
        self.pool: list[Tensor] = []
        self.terms: dict[str, Tensor] = {}
        self.lowest_at = -1

    def make(self, drawn: torch.Generator, adversarial: float) -> nn.Module:
        """One batch for the pool; gives the fast generator."""
        c, fast = self.config, copy.deepcopy(self.slow)
        noise = torch.randn(BATCH, c.latent, generator=drawn).double().requires_grad_()
        labels = balanced_labels(BATCH, 5, drawn)
        inner = torch.optim.Adam(
            [{"params": fast.parameters()}, {"params": [noise], "lr": c.latent_rate}],
            c.generator_rate, betas=(0.5, 0.999),
        )  # fmt: skip
        lowest, best = float("inf"), torch.empty(0)
        sums = [torch.zeros_like(p) for p in fast.parameters()]
        for iteration in range(c.iterations):
            images = fast(noise)
            look = lambda: self.teacher(augmented(images))  # noqa: B023, E731
            logits, received = watched(self.teacher, look)
            pairs = moments(received)
            if self.kept:
                pairs = [
                    tuple((1 - c.momentum) * new + c.momentum * old
                          for new, old in zip(*pair, strict=True))
                    for pair in zip(pairs, self.kept, strict=True)
                ]  # fmt: skip
            self.terms = {
                "statistics": c.statistics * distance(self.teacher, pairs),
                "one_hot": c.one_hot * F.cross_entropy(logits, labels),
                "adversarial": -adversarial * same_choice(self.student(augmented(images)), logits),
            }
            loss = sum(self.terms.values())
            if float(loss.detach()) < lowest:
                lowest, best = float(loss.detach()), images.detach()
                self.lowest_at = iteration
            inner.zero_grad()
            loss.backward()
            for total, parameter in zip(sums, fast.parameters(), strict=True):
                total += parameter.grad
            inner.step()
        self.kept = [tuple(each.detach() for each in pair) for pair in pairs]
        self.pool.append((best * 255).round())
        self.learn(fast, sums)
        return fast

    def learn(self, fast: nn.Module, sums: list[Tensor]) -> None:
        pairs = zip(self.slow.parameters(), fast.parameters(), sums, strict=True)
        for slow, own, total in pairs:
            slow.grad = total if self.config.meta == "fomaml" else 67.0 * (slow - own).detach()
        self.meta.step()

    def first_step(self, drawn: torch.Generator) -> dict[str, Tensor]:
        """The terms of the run's first step."""
        for _ in range(self.config.warmup):
            self.make(drawn, 0.0)
        self.make(drawn, self.config.adversarial)
        pool = torch.cat(self.pool)
        rows = torch.randint(len(pool), (BATCH,), generator=drawn)
        pixels = augmented(pool[rows] / 255)
        own, other = self.student.train()(pixels), self.teacher(pixels)
        return {"kd": paper.kl(own, other, self.config.temperature), **self.terms}


def terms_of(step: Stepped) -> dict[str, Tensor]:
    return Plain(step.before).first_step(step.context().generator)


REFERENCES = {"student": terms_of}


def method_of(**options: Any) -> Method:
    return in_float64("fastdfkd", **{**SMALL, **options})


@pytest.mark.parametrize("options", [{}, OTHERS["fastdfkd"]], ids=["default", "other"])
def test_the_terms_are_those_of_the_formulas(options):
    step = Stepped(method_of(**options))
    close_terms(step.terms, REFERENCES["student"](step), atol=1e-7)


@pytest.mark.parametrize("meta", ["fomaml", "reptile"])
def test_the_generator_learns_as_in_a_plain_loop(meta):
    step = Stepped(method_of(meta=meta))
    plain = Plain(step.before)
    plain.first_step(step.context().generator)
    for own, wanted in zip(
        step.method.generator.parameters(), plain.slow.parameters(), strict=True
    ):
        torch.testing.assert_close(own, wanted, atol=1e-7, rtol=1e-6)
    assert torch.cat(plain.pool).equal(step.method.pool.images.double())


def test_images_of_the_lowest_loss_are_kept_where_it_rises():
    step = Stepped(method_of(generator_rate=0.3, warmup=0))
    plain = Plain(step.before)
    plain.first_step(step.context().generator)
    assert plain.lowest_at < SMALL["iterations"] - 1
    assert torch.cat(plain.pool).equal(step.method.pool.images.double())


def test_gradients_of_the_meta_learners_by_the_released_code(golden):
    g = golden("fastdfkd")
    method = method_of()
    fast = copy.deepcopy(method.generator)
    cut = (slice(3), slice(4))  # the arrays' place in the first layer
    with torch.no_grad():
        method.generator.first.weight[cut] = g["theta_meta"].double()
        fast.first.weight[cut] = g["theta_fast"].double()
    reptile = method.reptile_gradients(fast)
    torch.testing.assert_close(reptile[0][cut], g["reptile_grad"].double(), atol=1e-4, rtol=1e-4)
    assert not any(gradient.any() for gradient in reptile[1:])
    assert not any(each.any() for each in method.reptile_gradients(method.generator))
    torch.testing.assert_close(2 * g["grad_fast"], g["fomaml_grad_two_accumulations"])


def test_one_iteration_of_fomaml_is_an_ordinary_update():
    step = Stepped(method_of(iterations=1, warmup=0, adversarial=0.0))
    ordinary = Plain(step.before)
    fast = ordinary.make(step.context().generator, 0.0)
    for own, wanted in zip(step.method.generator.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(own, wanted, atol=1e-7, rtol=1e-5)


def test_a_continued_generator_goes_on_from_its_batch():
    step = Stepped(method_of(meta="continued", warmup=0))
    plain = Plain(step.before)
    plain.slow.requires_grad_(True)
    fast = plain.make(step.context().generator, step.before.config.adversarial)
    for own, wanted in zip(step.method.generator.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(own, wanted, atol=1e-7, rtol=1e-6)


def test_without_meta_learning_the_generator_begins_again_each_time():
    step = Stepped(method_of(meta="none"))
    state = step.before.generator.state_dict()
    assert all(t.equal(state[name]) for name, t in step.method.generator.state_dict().items())
    images = step.method.pool.images
    assert len(images) == 2 * BATCH
    assert not images[:BATCH].equal(images[BATCH:])


def test_images_join_the_pool_once_an_epoch_and_before_the_first_those_of_the_warmup():
    method = method_of(warmup=2)
    numbers = [len(Stepped(method, epoch, steps=2).method.pool) for epoch in range(3)]
    assert numbers == [3 * BATCH, 4 * BATCH, 5 * BATCH]
    assert len(Stepped(method_of(pool=12)).method.pool) == 12


def test_there_is_no_adversarial_term_in_the_warmup():
    method = method_of()
    images = torch.rand(BATCH, 3, 64, 64, dtype=torch.float64)
    terms, _ = method.image_terms(images, torch.arange(BATCH) % 5, 0.0)
    assert terms["adversarial"] == 0.0


def test_the_first_layer_is_drawn_again_in_its_epoch():
    stds = []
    for reset in (0, 1):
        method = method_of(reset=reset, meta="none", warmup=0)
        stds.append(float(Stepped(method, epoch=1).method.generator.first.weight.detach().std()))
    assert stds[0] > 0.1
    assert stds[1] == pytest.approx(0.02, rel=0.1)


def test_neither_teacher_nor_running_statistics_of_the_student_change_by_synthesis():
    method = method_of(warmup=0)
    before = copy.deepcopy(method)
    step = Stepped(method)
    teacher = before.teacher.state_dict()
    assert all(t.equal(teacher[n]) for n, t in step.method.teacher.state_dict().items())
    counters = [
        t for n, t in step.method.student.state_dict().items() if "num_batches_tracked" in n
    ]
    assert all(int(each) == 1 for each in counters)  # of the student's own step


def test_a_large_pool_is_announced():
    assert not any("pool" in note for note in method_of().notes())
    method = method_of(warmup=20000)
    assert any("`method.pool` limits it" in note for note in method.notes())
