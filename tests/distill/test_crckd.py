"""What `mean_teacher`, `crckd` and `crckd_cross` do with a batch, a step and several processes."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from typing import Any

import bank_share
import pytest
import torch
from pair import trained_in_pair
from test_methods import batch, method
from torch import Tensor

from edgekd.distill import pipeline
from edgekd.distill.losses import ramp_up, softened_kl
from edgekd.distill.methods import Method, resolve_method
from edgekd.models import load_checkpoint
from edgekd.models.taps import features_of
from edgekd.recipe import FitSection, load_recipe

FIT = FitSection(epochs=80)
SMALL = {"positives": 3, "negatives": 16, "embedding": 8}
FOLLOWED = ("mean_teacher", "crckd")


def made(name: str, **options: Any) -> Method:
    if name != "mean_teacher":
        options["category"] = SMALL | options.get("category", {})
    return method(name, fit=FIT, **options)


def terms(method: Method, epoch: int = 0) -> dict[str, Tensor]:
    with torch.no_grad():
        found: dict[str, Tensor] = method.stages()[0].objective(batch(epoch))
    return found


@pytest.mark.parametrize(
    ("name", "first", "later"),
    [
        ("mean_teacher", {"ce"}, {"ce", "consistency"}),
        ("crckd", {"ce", "contrast"}, {"ce", "contrast", "consistency", "relation"}),
        ("crckd_cross", None, {"ce", "contrast", "consistency", "relation"}),
    ],
)
def test_what_counts_from_which_epoch(name, first, later):
    method = made(name)
    assert terms(method, 19).keys() == (first or later)
    assert terms(method, 20).keys() == later  # of 80, as in the released code


def test_each_term_of_the_cross_can_be_switched_off():
    assert "consistency" not in terms(made("crckd_cross", consistency=0))
    assert "relation" not in terms(made("crckd_cross", category={"relation": 0}))


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_consistency_rises_until_the_thirtieth_epoch_of_eighty(name):
    method = made(name, turn=False)
    for module in method.average.network.parameters():
        module.mul_(1.1)
    found = {epoch: terms(method, epoch)["consistency"] for epoch in (20, 29, 30, 79)}
    assert found[30] > 0
    assert found[79] == found[30]
    for epoch in (20, 29):
        torch.testing.assert_close(found[epoch], ramp_up(epoch, 30) * found[30])
    with torch.no_grad():
        pixels = batch().pixels
        wanted = softened_kl(method.student(pixels), method.average(pixels), 1.0)
    torch.testing.assert_close(found[30], wanted)


def test_before_its_start_a_mean_teacher_is_supervised_training():
    found, plain = terms(made("mean_teacher")), terms(method("none", fit=FIT))
    assert found == plain


def test_the_weights_count_once():
    halves = {"contrast": 0.05, "relation": 0.5}
    whole, half = terms(made("crckd"), 40), terms(made("crckd", category=halves), 40)
    for name in halves:
        torch.testing.assert_close(whole[name], 2 * half[name])
    # The released code squared the weight of the contrast once the relation had begun.
    torch.testing.assert_close(terms(made("crckd"), 0)["contrast"], whole["contrast"])


def test_the_average_sees_another_view():
    method = made("crckd", turn=True)
    view = method.other_view(batch())
    pixels = batch().pixels
    assert view.shape == pixels.shape
    assert not view.equal(pixels)
    for image, other in zip(view, pixels, strict=True):  # flipped or turned, and no more
        assert image.sum().isclose(other.sum(), rtol=1e-5)
    assert made("crckd", turn=False).other_view(batch()).equal(pixels)


@pytest.mark.parametrize("name", FOLLOWED)
def test_no_gradient_reaches_the_average(name):
    method = made(name)
    (stage,) = method.stages()
    method.requires_grad_(False)
    for module in stage.trained:
        module.requires_grad_(True)
    torch.stack(list(stage.objective(batch(40)).values())).sum().backward()
    assert all(p.grad is None for p in method.average.parameters())
    assert all(p.grad is not None for p in method.student.parameters())
    assert any(p.grad.any() for p in method.student.parameters())


@pytest.mark.parametrize("name", ["crckd", "crckd_cross"])
def test_banks_change_after_the_step_and_only_in_the_rows_that_were_seen(name):
    method = made(name)
    (stage,) = method.stages()
    banks = method.category.banks
    before = copy.deepcopy(banks.state_dict())
    terms(method, 40)
    assert all(tensor.equal(before[key]) for key, tensor in banks.state_dict().items())
    stage.after_step()
    seen, others = batch().indices, torch.arange(len(batch().indices), 80)
    assert len(banks) == 80
    for side in ("student", "teacher"):
        after = banks.state_dict()[side]
        assert after[others].equal(before[side][others])
        assert not (after[seen] == before[side][seen]).any(dim=1).any()
    assert (banks.scale > 0).all()
    moved = copy.deepcopy(banks.state_dict())
    stage.after_step()  # without a batch between
    assert all(tensor.equal(moved[key]) for key, tensor in banks.state_dict().items())


def test_the_average_follows_after_every_step():
    method = made("crckd")
    (stage,) = method.stages()
    network = method.average.network
    with torch.no_grad():
        for parameter in method.student.parameters():
            parameter.add_(1.0)
    stage.after_step()
    pairs = list(zip(network.parameters(), method.student.parameters(), strict=True))
    assert all(own.equal(student) for own, student in pairs)
    before = [own.clone() for own, _ in pairs]
    with torch.no_grad():
        for parameter in method.student.parameters():
            parameter.add_(1.0)
    stage.after_step()
    for (own, student), was in zip(pairs, before, strict=True):
        torch.testing.assert_close(own, 0.5 * was + 0.5 * student)


def test_the_average_normalises_by_its_own_batch():
    method = made("mean_teacher")
    (stage,) = method.stages()
    for module in stage.updated:
        module.train()
    before = copy.deepcopy(method.average.state_dict())
    terms(method, 40)
    after = method.average.state_dict()
    means = [key for key in after if key.endswith("running_mean")]
    assert means
    assert not any(after[key].equal(before[key]) for key in means)


def test_the_cross_holds_the_student_against_the_frozen_teacher():
    method = made("crckd_cross", category={"positives": 1})
    with torch.no_grad():
        student, teacher = (
            features_of(n, batch().pixels) for n in (method.student, method.required_teacher)
        )
        found = method.terms(student, teacher, batch())
    wanted = softened_kl(student.logits, teacher.logits, 1.0)
    torch.testing.assert_close(found["consistency"], wanted)
    assert student.pooled.shape[1] != teacher.pooled.shape[1]


def test_it_trains_what_it_is_given_to_train():
    """A few steps of CRCKD on one batch bring each of its terms down."""
    method = made("crckd", turn=False, consistency=1.0)
    (stage,) = method.stages()
    modules = [module.requires_grad_(True) for module in stage.trained]
    optimizer = torch.optim.Adam([p for m in modules for p in m.parameters()], 1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        found = stage.objective(batch(40))
        torch.stack(list(found.values())).sum().backward()
        optimizer.step()
        stage.after_step()
        losses.append({name: float(term.detach()) for name, term in found.items()})
    assert losses[-1]["ce"] < losses[0]["ce"]
    assert losses[-1]["contrast"] < losses[0]["contrast"]


def test_a_run_moves_the_average_and_the_banks_with_every_step(recipe, tmp_path, monkeypatch):
    kind, _ = resolve_method({"name": "crckd"})
    seen = []
    build = kind.__init__

    def noted(self, *args):
        build(self, *args)
        seen.append((self, copy.deepcopy(self.category.banks)))

    monkeypatch.setattr(kind, "__init__", noted)
    pipeline.distill(pipeline.RunRequest(recipe(method={"name": "crckd"}), tmp_path))
    method, before = seen[-1]  # the first one was only tried
    card = load_checkpoint(tmp_path / "student").card
    steps = card.data.images["train"] // 16  # the last, short batch is left out
    assert int(method.average.updates) == card.training.best_epoch * steps
    banks = method.category.banks
    assert len(banks) == card.data.images["train"]
    assert (banks.scale > 0).all()
    moved = (banks.student != before.student).any(dim=1)
    assert steps * 16 <= int(moved.sum()) <= len(banks)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    """What each of two processes came to."""
    return trained_in_pair(bank_share.__file__, tmp_path_factory.mktemp("pair"))


def test_two_processes_have_the_same_banks(pair):
    first, second = pair
    changed = [key for key in first if key != "losses"]
    assert {"category.banks.student", "category.banks.teacher", "category.banks.scale"} <= set(
        changed
    )
    assert all(first[key].equal(second[key]) for key in changed)
    assert not first["losses"].equal(second["losses"])  # each saw its own images


def test_two_processes_follow_the_run_of_one(pair):
    one = bank_share.trained(0, 1)
    both = (pair[0]["losses"] + pair[1]["losses"]) / 2
    torch.testing.assert_close(both, one["losses"], atol=1e-5, rtol=1e-4)
    for key, tensor in one.items():
        if key != "losses":
            torch.testing.assert_close(pair[0][key], tensor, atol=1e-4, rtol=1e-3)
    assert one["losses"].std() > 0.01


def test_a_run_of_two_processes(tmp_path):
    """Through the command and Lightning, the teacher and then the student."""
    recipe = tmp_path / "pair.yaml"
    recipe.write_text(PAIR)
    command = [sys.executable, "-m", "edgekd", "distill", str(recipe), "--out", str(tmp_path)]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert sum("epoch" in line for line in told) == 2 * 2  # one of them speaks
    assert sum(line.startswith("wrote") for line in told) == 1, done.stderr
    assert load_checkpoint(tmp_path / "student").card.training.method == "crckd_cross"


PAIR = """
name: pair
image_size: 32
data: {source: synthetic, images: 70, size: 32, seed: 1}
split: {validation: 0.25, test: 0.2}
trainer: {accelerator: cpu, devices: 2, precision: fp32, threads: 1}
teacher: &network
  model: {arch: resnet10t, options: {channels: [4, 4, 8, 8], stem_width: 4, act_layer: relu6}}
  fit: {epochs: 2, batch_size: 8, learning_rate: 1.0e-3}
student: *network
method: {name: crckd_cross}
"""


@pytest.mark.parametrize(
    "name", ["ham10000-mean-teacher", "ham10000-crckd", "ham10000-crckd-cross"]
)
def test_shipped_recipes_share_what_compare_wants_shared(name):
    recipe, sibling = load_recipe(name), load_recipe("ham10000-kd")
    for section in ("data", "split", "image_size", "student", "teacher"):
        assert getattr(recipe, section) == getattr(sibling, section)
    made_of = dict(recipe.method)
    assert made_of.pop("name") == name.removeprefix("ham10000-").replace("-", "_")


def test_the_recipe_of_a_better_teacher_has_the_siblings_teacher():
    recipe, sibling = load_recipe("ham10000-crckd-teacher"), load_recipe("ham10000-ssd-kd")
    assert recipe.student == sibling.teacher
    for section in ("data", "split", "image_size"):
        assert getattr(recipe, section) == getattr(sibling, section)
