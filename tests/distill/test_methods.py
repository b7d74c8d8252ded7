"""What every method keeps to, and what SSD-KD and D-KD are made of."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from edgekd.distill.losses import class_weights, softened_kl, weighted_cross_entropy
from edgekd.distill.methods import Batch, Method, MethodContext, method_names, resolve_method
from edgekd.distill.methods.adapters import map_adapter
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.methods.d_kd import relation_terms
from edgekd.distill.methods.ssd_kd import rotated_views
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork
from edgekd.models.taps import Features
from edgekd.recipe import FitSection

TEACHED = [name for name in method_names() if resolve_method({"name": name})[0].needs_teacher]
COUNTS = (40, 20, 10, 5, 5)


SUBCLASS_OF = (0, 0, 1, 2, 3, 3, 4)


def network(seed: int, *channels: int, subclass_of: tuple[int, ...] = ()) -> NormalisedNetwork:
    torch.manual_seed(seed)
    outputs = len(subclass_of) or 5
    plain = timm.create_model("resnet10t", num_classes=outputs, channels=channels, stem_width=4)
    return NormalisedNetwork(plain, (0.5,) * 3, (0.5,) * 3, subclass_of)


def make_context(fit: FitSection | None = None) -> MethodContext:
    """Of 80 images, of which the even ones of classes 0 and 3 have a subclass of their own."""
    labels = torch.arange(80) % 5
    first = torch.tensor([SUBCLASS_OF.index(label) for label in range(5)])
    own = first[labels] + (torch.isin(labels, torch.tensor([0, 3])) & (torch.arange(80) % 2 == 0))
    return MethodContext(
        COUNTS, class_weights(COUNTS, "full"), 80, 32, fit or FitSection(),
        training_labels=labels, subclasses=Subclasses(SUBCLASS_OF, own, torch.ones(7)),
    )  # fmt: skip


def method(
    name: str, *, student: Any = None, fit: FitSection | None = None, **options: Any
) -> Method:
    kind, config = resolve_method({"name": name, **options})
    divided = SUBCLASS_OF if kind.learns_subclasses else ()
    teacher = network(1, 4, 8, 8, 16, subclass_of=divided) if kind.needs_teacher else None
    student = student or network(0, 4, 4, 8, 8, subclass_of=divided)
    return kind(config, student, teacher, make_context(fit)).eval()


def batch(epoch: int = 0, size: int = 6, seed: int = 0) -> Batch:
    drawn = torch.Generator().manual_seed(seed)
    raw = torch.rand(size, 3, 32, 32, generator=drawn)
    targets = torch.arange(size) % 5
    return Batch(raw, targets, torch.arange(size), epoch, lambda p: 0.9 * p, drawn)


# Every method ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", method_names())
def test_every_stage_moves_what_it_trains_and_nothing_else(name):
    made = method(name)
    for stage in made.stages():
        stage.set_trainable(made)
        for module in stage.trained:
            module.train()
        before = copy.deepcopy(made.teacher.state_dict()) if made.teacher else {}
        terms = stage.objective(batch())
        torch.stack(list(terms.values())).sum().backward()
        assert all(term.isfinite() and term.ndim == 0 for term in terms.values())
        for module in stage.trained:
            assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
        # Several processes would wait for ever for the gradient of a parameter without one.
        assert all(p.grad is not None for p in made.parameters() if p.requires_grad)
        after = made.teacher.state_dict() if made.teacher else {}
        assert all(tensor.equal(before[key]) for key, tensor in after.items())
        assert all(p.grad is None for p in made.parameters() if not p.requires_grad)
        made.zero_grad(set_to_none=True)
        made.eval()


@pytest.mark.parametrize("name", method_names())
def test_a_stage_is_judged_in_one_way(name):
    for stage in method(name).stages():
        assert stage.evaluated is not None or stage.criterion is not None
        if stage.criterion is not None:
            with torch.no_grad():
                first, again = (stage.criterion(batch(seed=1)) for _ in range(2))
            assert first == again


@pytest.mark.parametrize("name", method_names())
def test_equal_draws_give_equal_terms(name):
    stage = method(name).stages()[-1]
    with torch.no_grad():
        assert stage.objective(batch()) == stage.objective(batch())


def train_untaught(name: str) -> None:
    kind, config = resolve_method({"name": name})
    divided = SUBCLASS_OF if kind.learns_subclasses else ()
    made = kind(config, network(0, 4, 4, 8, 8, subclass_of=divided), None, make_context())
    made.stages()[-1].objective(batch())


@pytest.mark.parametrize("name", TEACHED)
def test_a_method_without_its_teacher_says_so(name):
    with pytest.raises(InputError, match="needs a teacher"):
        train_untaught(name)


@pytest.mark.parametrize("name", TEACHED)
def test_no_module_is_registered_twice(name):
    keys = list(method(name).state_dict())
    assert sum(key.endswith("network.conv1.0.weight") for key in keys) == 2


def test_an_unknown_method_is_told_its_neighbour():
    with pytest.raises(InputError) as caught:
        resolve_method({"name": "ssdkd"})
    assert "ssd_kd" in caught.value.hint


@pytest.mark.parametrize("name", ["ssd_kd", "d_kd"])
def test_an_unknown_key_is_refused(name):
    with pytest.raises(InputError, match="temprature"):
        resolve_method({"name": name, "temprature": 2})


def test_pixels_are_augmented_once_and_only_when_asked_for():
    calls = []

    def change(pixels: Tensor) -> Tensor:
        calls.append(len(pixels))
        return pixels

    sample = Batch(torch.rand(2, 3, 4, 4), torch.zeros(2), torch.zeros(2), augment=change)
    assert calls == []
    assert sample.pixels is sample.pixels
    assert calls == [2]


@pytest.mark.parametrize(("epochs", "whole"), [(10, 5), (40, 20), (6, 3)])
def test_decoupled_terms_warm_up_over_a_share_of_the_run(epochs, whole):
    objective = method("dkd", fit=FitSection(epochs=epochs), warmup=0.5).stages()[0].objective
    with torch.no_grad():
        first, before, last = (objective(batch(epoch)) for epoch in (0, whole - 2, whole - 1))
        end = objective(batch(epochs - 1))
    for term in ("target", "others"):
        assert end[term] > 1e-4
        assert last[term] == end[term]
        torch.testing.assert_close(whole * first[term], end[term])
        torch.testing.assert_close(whole / (whole - 1) * before[term], end[term])
    assert first["ce"] == end["ce"]


def test_decoupled_terms_are_whole_within_a_short_run():
    """Twenty epochs of two hundred and forty are less than one of ten."""
    objective = method("dkd", fit=FitSection(epochs=10)).stages()[0].objective
    with torch.no_grad():
        assert objective(batch(0)) == objective(batch(9))


@pytest.mark.parametrize("epochs", [1, 20])
def test_a_warmup_in_epochs_is_refused(epochs):
    with pytest.raises(InputError, match=f"{epochs} is not a share of the epochs"):
        resolve_method({"name": "dkd", "warmup": epochs})


def test_fitnet_takes_the_hint_first():
    first, second = method("fitnet", hint_epochs=3).stages()
    assert (first.name, first.fit.epochs, first.criterion is not None) == ("hint", 3, True)
    assert second.fit is None


# D-KD ------------------------------------------------------------------------------------------


def taps(g: dict[str, Tensor], side: str) -> Features:
    return Features(g[f"feat_map_{side}"], g[f"pool_{side}"], g[f"logits_{side}"])


def load(module: nn.Module, *tensors: Tensor) -> nn.Module:
    """Copies tensors into a module's parameters, in their order."""
    with torch.no_grad():
        for parameter, tensor in zip(module.parameters(), tensors, strict=True):
            parameter.copy_(tensor)
    return module


def golden_adapter(g: dict[str, Tensor]) -> nn.Module:
    adapter = nn.Sequential(nn.Conv2d(10, 14, 1), nn.BatchNorm2d(14), nn.ReLU()).to(g["pool_s"])
    return load(adapter, g["conv_weight"], g["conv_bias"], g["bn_gamma"], g["bn_beta"]).train()


def golden_head(g: dict[str, Tensor], side: str) -> nn.Module:
    width = g[f"pool_{side}"].shape[1]
    layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
    parts = (g[f"head_{side}_{part}"] for part in ("w1", "b1", "w2", "b2"))
    return load(layers.to(g["pool_s"]), *parts)


def test_d_kd_totals_the_golden(golden, precision):
    g = golden("d_kd")
    made = method("d_kd")
    made.class_weights, made.adapter = g["class_weight"].float(), golden_adapter(g)
    terms = made.terms(taps(g, "s"), taps(g, "t"), g["target"])
    total = sum(float(term.detach()) for term in terms.values())
    assert total == pytest.approx(float(g["total"]), rel=1e-6)  # hard labels are float32


def test_d_kd_without_relations_is_kd():
    plain = method("kd", temperature=5.0, weight=0.5).stages()[0].objective(batch())
    diverse = method("d_kd", distance=0, angle=0, channel=0)
    assert diverse.adapter is None
    found = diverse.stages()[0].objective(batch())
    assert found.keys() == plain.keys()
    for name, term in found.items():
        torch.testing.assert_close(term, plain[name])


def test_d_kd_without_any_distillation_is_the_hard_label():
    made = method("d_kd", distance=0, angle=0, channel=0, weight=0)
    terms = made.stages()[0].objective(batch())
    assert terms["kd"] == 0
    logits = made.student(batch().pixels)
    wanted = weighted_cross_entropy(logits, batch().targets, made.class_weights)
    torch.testing.assert_close(terms["ce"], wanted)


@pytest.mark.parametrize("name", ["d_kd", "ssd_kd"])
def test_the_papers_criterion_is_an_option(name):
    assert method(name).stages()[-1].criterion is None
    stage = method(name, select="objective").stages()[-1]
    assert stage.criterion(batch()).keys() >= {"ce"}


# SSD-KD ----------------------------------------------------------------------------------------


def test_ssd_kd_totals_the_golden(golden, precision):
    g = golden("ssd_kd")
    made = method("ssd_kd")
    made.class_weights, made.adapter = g["class_weight"].float(), golden_adapter(g)
    made.student_head, made.teacher_head = golden_head(g, "s"), golden_head(g, "t")
    terms = made.terms(taps(g, "s"), taps(g, "t"), g["target"])
    assert float(terms["similarity"].detach()) == pytest.approx(10 * float(g["loss4_ss"]), rel=1e-4)
    assert float(terms["transformed"].detach()) == pytest.approx(
        2.7 * float(g["loss3_tf"]), rel=1e-6
    )
    total = sum(float(term.detach()) for term in terms.values())
    assert total == pytest.approx(float(g["total"]), rel=1e-6)


OFF = {"transformed": 0, "similarity": 0, "relations": 0}


def test_ssd_kd_without_self_supervision_sees_the_normal_view_alone():
    made = method("ssd_kd", **OFF)
    assert made.teacher_head is made.student_head is made.adapter is None
    (stage,) = made.stages()
    sample = batch()
    terms = stage.objective(sample)
    views = made._views(batch())[::4]
    student, teacher = made.student(views), made.required_teacher(views)
    hard = weighted_cross_entropy(student, sample.targets, made.class_weights)
    torch.testing.assert_close(terms["ce"], 0.1 * hard)
    torch.testing.assert_close(terms["kd"], 0.9 * softened_kl(student, teacher, 4.0))
    assert terms.keys() == {"ce", "kd"}


@pytest.mark.parametrize(
    ("off", "gone"),
    [
        ({"kd": 0}, {"kd"}),
        ({"transformed": 0}, {"transformed"}),
        ({"similarity": 0}, {"similarity"}),
        ({"relations": 0}, {"distance", "angle", "channel"}),
        ({"relation": {"angle": 0}}, {"angle"}),
        ({"relation": {"distance": 0}}, {"distance"}),
        ({"relation": {"channel": 0}}, {"channel"}),
    ],
)
def test_each_term_can_be_switched_off(off, gone):
    every = set(method("ssd_kd").stages()[-1].objective(batch()))
    assert set(method("ssd_kd", **off).stages()[-1].objective(batch())) == every - gone


def test_views_are_turned_image_by_image():
    images = torch.rand(2, 3, 4, 4)
    views = rotated_views(images)
    assert views[0].equal(images[0])
    assert views[4].equal(images[1])
    for quarter in range(4):
        assert views[4 + quarter].equal(torch.rot90(images[1], quarter, (1, 2)))


def test_every_view_is_changed_by_its_own_draw_and_a_mirror_is_shared():
    drawn = torch.Generator().manual_seed(0)
    raw = torch.rand(1, 3, 4, 4, generator=drawn).repeat(16, 1, 1, 1)
    seen = []

    def change(pixels: Tensor) -> Tensor:
        seen.append(pixels)
        return pixels

    sample = Batch(raw, torch.zeros(16), torch.zeros(16), 0, change, drawn)
    method("ssd_kd")._views(sample)
    (views,) = seen  # one call: augmentation draws for each of its images
    assert len(views) == 64
    kinds = torch.unique(views[::4], dim=0)
    assert len(kinds) == 2  # mirrored or not
    assert views.equal(rotated_views(views[::4]))


def test_the_teachers_head_does_not_depend_on_the_student():
    first = method("ssd_kd", student=network(0, 4, 4, 8, 8))
    second = method("ssd_kd", student=network(3, 4, 8, 8, 12))
    state = second.teacher_head.state_dict()
    assert all(tensor.equal(state[key]) for key, tensor in first.teacher_head.state_dict().items())
    assert first.stages()[0].depends_on == second.stages()[0].depends_on


def test_the_teachers_head_is_trained_as_in_the_released_code():
    fit = method("ssd_kd", teacher_head={"epochs": 3}).stages()[0].fit
    assert (fit.epochs, fit.optimizer, fit.schedule, fit.learning_rate) == (3, "sgd", "steps", 1e-3)
    assert fit.milestones == (30, 45)


@pytest.mark.parametrize(("own", "wanted"), [(7, 7), (14, 7), (4, 8), (9, 7)])
def test_adapters_bring_a_map_to_the_teachers(own, wanted):
    student, teacher = torch.rand(2, 5, own, own), torch.rand(2, 8, wanted, wanted)
    nothing = torch.zeros(0)
    adapter = map_adapter(Features(student, nothing, nothing), Features(teacher, nothing, nothing))
    assert adapter(student).shape == teacher.shape
    assert (adapter(student) >= 0).all()


def test_a_map_that_is_too_small_is_refused():
    student, teacher = torch.rand(2, 5, 3, 3), torch.rand(2, 8, 7, 7)
    nothing = torch.zeros(0)
    with pytest.raises(InputError, match=r"3×3.*7×7"):
        map_adapter(Features(student, nothing, nothing), Features(teacher, nothing, nothing))


def test_relations_without_an_adapter_leave_out_the_channels():
    made = method("d_kd", channel=0)
    pooled = torch.rand(4, 3)
    same = Features(pooled, pooled, pooled)
    assert relation_terms(same, same, made.adapter, made.config).keys() == {"distance", "angle"}
