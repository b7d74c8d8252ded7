"""What methods without images refuse, in words."""

from __future__ import annotations

import pytest
import timm
from tiny_methods import make_context, network

from edgekd.distill.methods import resolve_method
from edgekd.distill.methods.data_free import evaluating
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork
from edgekd.recipe import FitSection

METHODS = pytest.mark.parametrize("name", ["cgdd", "fastdfkd"])


@METHODS
def test_a_teacher_without_batch_norm_is_refused(name):
    kind, config = resolve_method({"name": name})
    plain = timm.create_model("convnext_atto", num_classes=5, depths=(1, 1, 1, 1), dims=(4,) * 4)
    teacher = NormalisedNetwork(plain, (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(InputError, match=f"the method {name} .* no batch norm"):
        kind(config, network(0, 4, 4, 8, 8), teacher, make_context())


@METHODS
def test_batches_that_cannot_show_every_class_are_refused(name):
    kind, config = resolve_method({"name": name})
    context = make_context(FitSection(batch_size=4))
    with pytest.raises(InputError, match="4 images cannot show all 5 classes") as caught:
        kind(config, network(0, 4, 4, 8, 8), network(1, 4, 8, 8, 16), context)
    assert "5 or more" in caught.value.hint


@METHODS
def test_no_images_are_needed_but_the_gradients_of_a_teacher(name):
    kind, config = resolve_method({"name": name})
    assert not kind.needs_images
    assert kind.teacher_by(config) == "gradients"
    assert resolve_method({"name": "kd"})[0].needs_images


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_evaluated_within_the_block_alone(training):
    student = network(0, 4, 4, 8, 8).train(training)
    with evaluating(student):
        assert not any(module.training for module in student.modules())
    assert student.training == training


def test_each_module_has_its_own_mode_again():
    student = network(0, 4, 4, 8, 8).train()
    student.network.bn1.eval()
    modes = [module.training for module in student.modules()]
    with pytest.raises(KeyError), evaluating(student):
        raise KeyError
    assert [module.training for module in student.modules()] == modes
