"""What `mean_teacher`, `crckd` and `crckd_cross` do with a batch, a step and several processes."""

from __future__ import annotations

import copy
from typing import Any

import bank_share
import pytest
import torch
from composed import ALL_OPTIONS, Step, averaged, category, check, consistency
from tiny_methods import batch, method
from torch import Tensor

from edgekd.distill.methods import Method, resolve_method
from edgekd.distill.runs import pipeline
from edgekd.models import load_checkpoint
from edgekd.recipe import FitSection, load_recipe

FIT = FitSection(epochs=80)


SMALL = {"positives": 3, "negatives": 16, "embedding": 8}


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


def test_two_processes_have_the_same_banks(pair):
    first, second = (each["bank_share"] for each in pair)
    changed = [key for key in first if key != "losses"]
    assert {"category.banks.student", "category.banks.teacher", "category.banks.scale"} <= set(
        changed
    )
    assert all(first[key].equal(second[key]) for key in changed)
    assert not first["losses"].equal(second["losses"])  # each saw its own images


def test_two_processes_follow_the_run_of_one(pair):
    one = bank_share.trained(0, 1)
    first, second = (each["bank_share"] for each in pair)
    both = (first["losses"] + second["losses"]) / 2
    torch.testing.assert_close(both, one["losses"], atol=1e-5, rtol=1e-4)
    for key, tensor in one.items():
        if key != "losses":
            torch.testing.assert_close(first[key], tensor, atol=1e-4, rtol=1e-3)
    assert one["losses"].std() > 0.01


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
    assert recipe.student == sibling.teacher.network()
    for section in ("data", "split", "image_size"):
        assert getattr(recipe, section) == getattr(sibling, section)


def crckd_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, average = step.see(method.student), averaged(method, step, c)
    return {
        "ce": step.hard(own.outputs),
        "consistency": consistency(step, c, own.outputs, average.outputs),
        **category(method, step, c, own.pooled, average.pooled),
    }


REFERENCES = {"student": crckd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("crckd", stage, REFERENCES[stage], options)
