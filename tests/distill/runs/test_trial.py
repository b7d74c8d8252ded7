"""What cannot be trained is refused before anything is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from method_share import DIVIDED
from small_runs import run

from edgekd.distill.methods import load_method
from edgekd.distill.runs import trial
from edgekd.distill.samples.run_samples import EpochSampler, load_samples
from edgekd.distill.task import Trait
from edgekd.errors import InputError
from edgekd.extensions.methods import METHODS
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.models import build_network
from edgekd.recipe import AugmentSection, FitSection, RoleSection

MIXING = {"none", "kd", "fitnet", "at", "rkd", "d_kd", "subclass", "skd", "born_again"}
"""Methods that look at the augmented images alone, and at labels through their losses alone."""

VIT = {"arch": "vit_tiny_patch16_224", "options": {"img_size": 32, "depth": 1}}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"student": {"fit": {"batch_size": 1}}}, "the stage student normalises by batches"),
        ({"student": {"model": VIT}, "method": {"name": "fitnet"}}, "no feature map"),
        ({"teacher": {"model": VIT}, "method": {"name": "at"}}, "no feature map"),
        ({"student": {"model": VIT}, "method": {"name": "rkd"}}, "no feature map"),
        ({"student": {"pretrained": "no.safetensors"}}, "there are no pretrained weights"),
        ({"method": {"name": "skd"}}, "needs subclass labels"),
        ({"student": {"fit": {"image_sizes": [16, 24]}}}, "`fit.image_sizes` end at 24, and the"),
        ({"student": {"model": VIT, "fit": {"image_sizes": [16, 32]}}}, "on images of 16 px"),
        ({"teacher": {"model": VIT}, "student": {"fit": {"image_sizes": [16, 32]}}}, "16 px"),
    ],
)
def test_what_cannot_be_trained_is_told_before_its_teacher_is(recipe, tmp_path, changed, wrong):
    raw = msgspec.to_builtins(recipe())
    for role in ("teacher", "student"):
        own = changed.get(role, {})
        raw[role]["model"] = own.get("model", raw[role]["model"])
        raw[role]["model"]["pretrained"] = own.get("pretrained", "none")
        raw[role]["fit"] |= own.get("fit", {})
    raw["method"] = changed.get("method", raw["method"])
    with pytest.raises(InputError, match=wrong):
        run(recipe(**raw), tmp_path)
    assert not list(tmp_path.iterdir())


def test_several_devices_do_not_wait_for_parameters_that_nothing_depends_on(
    recipe, tmp_path, monkeypatch
):
    def build(*args: Any) -> Any:
        built = build_network(*args)
        built.network.spare = torch.nn.Linear(2, 2)
        return built

    monkeypatch.setattr("edgekd.distill.runs.trial.build_network", build)
    trainer = msgspec.to_builtins(recipe().trainer) | {"devices": 2}
    with pytest.raises(InputError, match=r"2 parameters .*\(spare.weight first\)") as caught:
        run(recipe(trainer=trainer), tmp_path)
    assert "trainer.devices" in caught.value.hint
    run(recipe(method={"name": "none"}), tmp_path)  # alone it does


def test_a_loss_that_the_task_does_not_have_is_refused(monkeypatch):
    """By the trait alone: a third party's task may have neither."""
    few = SimpleNamespace(traits=frozenset({Trait.SOFTENED_OUTPUTS}))
    monkeypatch.setattr(trial, "training_task", lambda name: few)
    trial.refuse_loss(FitSection(), "boxes")
    with pytest.raises(InputError, match=r"`fit\.loss` focal needs a task with a focal loss"):
        trial.refuse_loss(FitSection(loss="focal"), "boxes")
    adjusted = FitSection(logit_adjustment=1.0, class_weights="none")
    with pytest.raises(InputError, match=r"`fit\.logit_adjustment` needs a task with outputs"):
        trial.refuse_loss(adjusted, "boxes")


@pytest.mark.parametrize("name", sorted(MIXING))
def test_methods_of_mixed_images_take_them(name):
    for section in (AugmentSection(mixup=0.2), AugmentSection(cutmix=1.0), AugmentSection()):
        trial.refuse_mixing(section, load_method(name), DEFAULT_TASK)


@pytest.mark.parametrize("name", sorted(set(METHODS.built_in) - MIXING))
def test_methods_that_read_each_label_refuse_mixed_images(name):
    trial.refuse_mixing(AugmentSection(), load_method(name), DEFAULT_TASK)
    with pytest.raises(
        InputError, match=rf"the method {name} reads .*`augment.cutmix` mixes"
    ) as no:
        trial.refuse_mixing(AugmentSection(cutmix=1.0), load_method(name), DEFAULT_TASK)
    assert "one of: none, kd" in no.value.hint
    with pytest.raises(InputError, match=r"`augment\.mixup` and `augment\.cutmix` mix"):
        trial.refuse_mixing(AugmentSection(mixup=1.0, cutmix=1.0), load_method(name), DEFAULT_TASK)


def test_a_task_of_masks_mixes_no_images(monkeypatch):
    monkeypatch.setattr(trial, "training_task", lambda name: SimpleNamespace(traits=frozenset()))
    with pytest.raises(InputError, match=r"`augment\.mixup` needs a task with one answer"):
        trial.refuse_mixing(AugmentSection(mixup=0.2), load_method("none"), "masks")


def test_mixing_is_refused_before_anything_is_trained(recipe, tmp_path):
    dkd = recipe(method={"name": "dkd"}, augment={"mixup": 0.2})
    with pytest.raises(InputError, match="the method dkd reads the label"):
        run(dkd, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sampling", ["none", "sqrt"])
def test_the_prior_is_that_of_the_batches_that_are_drawn(recipe, sampling):
    """Compared with what the sampler draws in many epochs."""
    samples = load_samples(divided := recipe(data=DIVIDED))
    fit = FitSection(logit_adjustment=2.0, class_weights="none", class_sampling=sampling)
    context = trial.context_of(divided, RoleSection(fit=fit), samples)
    part, epoch, drawn = samples.split.indices("train"), 0, []
    sampler = EpochSampler(len(part), samples.sampling_weights(sampling), 0, lambda: epoch)
    for epoch in range(400):  # noqa: B007 - the sampler reads it
        drawn += [part[position] for position in sampler]
    share = torch.bincount(torch.from_numpy(samples.targets)[drawn]).double() / len(drawn)
    prior = (context.adjustment / 2.0).exp().double()
    torch.testing.assert_close(prior, share, atol=0.01, rtol=0.0)


def test_without_logit_adjustment_there_is_none(recipe):
    context = trial.context_of(recipe(), RoleSection(), load_samples(recipe()))
    assert context.adjustment is None
    assert context.training_images == sum(context.class_counts)
