"""The loss on the labels and the softened loss, as every method gets them from its base."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_methods import (
    COUNTS,
    make_context,
    network,
    prepared,
    terms_of,
)

from edgekd.distill.losses import (
    adjusted_logits,
    balanced_teacher,
    balancing_class_weights,
    focal_loss,
    multi_weighted_focal_loss,
    softened_kl,
    weighted_cross_entropy,
)
from edgekd.distill.methods import Method, load_method, method_names, resolve_method
from edgekd.distill.task import TrainingTask
from edgekd.errors import InputError
from edgekd.recipe import FitSection, LossSection
from edgekd.tasks.multilabel.training import Training as Multilabel

LOGITS = torch.tensor([[1.0, -1.0, 0.5, 2.0, 0.0], [0.2, 0.1, -0.4, 0.0, 3.0]])
TARGETS = torch.tensor([3, 1])
ADJUSTMENT = torch.tensor([0.4, 0.2, 0.1, 0.05, 0.05]).log()


def made(name: str = "none", options: Any = None, **facts: Any) -> Method:
    kind, config = resolve_method({"name": name, **(options or {})})
    divided = (0, 0, 1, 2, 3, 3, 4) if kind.learns_subclasses else ()
    teacher = network(1, 4, 8, 8, 16, subclass_of=divided) if kind.needs_teacher else None
    context = replace(make_context(), **facts)
    return kind(config, network(0, 4, 4, 8, 8, subclass_of=divided), teacher, context).eval()


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        ("cross_entropy", lambda w: weighted_cross_entropy(LOGITS, TARGETS, w)),
        ("focal", lambda w: focal_loss(LOGITS, TARGETS, w, 2.0)),
        (
            LossSection(name="focal", gamma=0.7), lambda w: focal_loss(LOGITS, TARGETS, w, 0.7),
        ),
        (
            LossSection(name="multi_weighted_focal", gamma=1.0, beta=0.3),
            lambda w: multi_weighted_focal_loss(LOGITS, TARGETS, w, 1.0, 0.3),
        ),
    ],
)  # fmt: skip
def test_the_recipe_chooses_the_loss(loss: Any, wanted: Any) -> None:
    method = made(fit=FitSection(loss=loss))
    torch.testing.assert_close(method.hard_label(LOGITS, TARGETS), wanted(method.class_weights))


def test_logit_adjustment_is_added_in_the_loss_alone() -> None:
    plain, adjusted = made(), made(adjustment=ADJUSTMENT)
    wanted = weighted_cross_entropy(
        adjusted_logits(LOGITS, ADJUSTMENT), TARGETS, plain.class_weights
    )
    torch.testing.assert_close(adjusted.hard_label(LOGITS, TARGETS), wanted)
    assert not wanted.isclose(plain.hard_label(LOGITS, TARGETS))
    pixels = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(adjusted.student(pixels), plain.student(pixels), rtol=0, atol=0)
    assert adjusted.stages()[-1].evaluated is adjusted.student
    assert adjusted.state_dict().keys() == plain.state_dict().keys()


def without_hard_labels(stage: Any) -> bool:
    return stage.name in ("hint", "teacher_head", "contrast")


@pytest.mark.parametrize("name", method_names())
@pytest.mark.parametrize("change", ["loss", "adjustment"])
def test_no_method_leaves_the_loss_on_labels_out(name: str, change: str) -> None:
    """The sum of the terms of every stage that learns from labels changes with the recipe's key.

    A method without images has no labels, nor a prior of classes, and refuses the key: but that of
    the loss where it learns the classes that its images are made for.
    """
    facts: dict[str, Any] = {"fit": FitSection(loss="focal")}
    if change == "adjustment":
        facts = {"adjustment": ADJUSTMENT}
    kind = load_method(name)
    if not kind.needs_images and (change == "adjustment" or not kind.learns_preset_classes):
        refused = {"loss": "it takes no loss on", "adjustment": "nothing for logit adjustment"}
        with pytest.raises(InputError, match=f"the method {name} .*{refused[change]}"):
            made(name, **facts)
        return
    plain, changed = made(name), made(name, **facts)
    changed.load_state_dict(plain.state_dict())
    for before, after in zip(plain.stages(), changed.stages(), strict=True):
        if without_hard_labels(before) or (name, before.name) == ("ssl_kd", "student"):
            continue  # the latter learns from labels by `weight` alone
        losses = [terms_of(prepared(stage)).values() for stage in (before, after)]
        total, other = (float(sum(terms).detach()) for terms in losses)
        assert total != pytest.approx(other, rel=1e-4), before.name


@pytest.mark.parametrize("name", ["kd", "d_kd", "fitnet"])
def test_the_teacher_is_balanced_where_the_method_says_so(name: str) -> None:
    student, teacher = LOGITS, LOGITS.flip(1)
    method = made(name, {"balance": "full"})
    weights = balancing_class_weights(COUNTS, "full")
    wanted = softened_kl(student, balanced_teacher(teacher, weights, 3.0), 3.0)
    torch.testing.assert_close(method.softened_loss(student, teacher, 3.0), wanted)
    plain = made(name).softened_loss(student, teacher, 3.0)
    torch.testing.assert_close(plain, softened_kl(student, teacher, 3.0))


def test_findings_are_balanced_by_absent_over_present() -> None:
    facts = {"task": Multilabel(), "training_images": 100}
    method = made("kd", {"balance": "full"}, **facts)
    torch.testing.assert_close(method.balancing, torch.tensor([(100 - n) / n for n in COUNTS]))


class Unbalanced(TrainingTask):
    """A task whose classes have no prior."""

    outputs = hard_label_loss = class_weights = sampling_weights = None  # type: ignore[assignment]


def test_a_task_without_a_class_prior_has_nothing_to_balance() -> None:
    with pytest.raises(InputError, match=r"`method\.balance` needs a task with outputs whose"):
        made("kd", {"balance": "sqrt"}, task=Unbalanced())
    with pytest.raises(NotImplementedError, match="Unbalanced has no focal loss"):
        Unbalanced().focal_loss(LOGITS, TARGETS, LOGITS, LossSection())


def test_classes_are_not_balanced_twice() -> None:
    with pytest.raises(InputError, match="correct the same imbalance; choose one"):
        resolve_method({"name": "kd", "balance": "full", "weigh_classes": True})


def test_the_teachers_head_of_ssd_kd_takes_no_loss_on_labels() -> None:
    for keys in ({"loss": "focal"}, {"logit_adjustment": 1.0, "class_weights": "none"}):
        with pytest.raises(InputError, match="learns without labels"):
            resolve_method({"name": "ssd_kd", "teacher_head": keys})
