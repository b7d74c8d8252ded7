"""The teacher of a training step: once for all terms, without gradient, in its precision."""

from __future__ import annotations

import pytest
import torch
from tiny_methods import batch, method, network, prepared, terms_of
from torch import nn

from edgekd.distill.methods import StepContext, method_names, resolve_method
from edgekd.distill.teachers.teacher import Teacher, TeacherSetup
from edgekd.errors import InputError

TAUGHT = [name for name in method_names() if resolve_method({"name": name})[0].needs_teacher]


def differentiates(name: str) -> bool:
    """Whether a method says that it takes gradients through its teacher."""
    kind, config = resolve_method({"name": name})
    return kind.teacher_by(config) == "gradients"


DIFFERENTIATED = [name for name in TAUGHT if differentiates(name)]


class Counted(nn.Module):
    """Counts the passes of the network in front of which it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0
        self.dtypes: list[torch.dtype] = []
        self.recorded: list[bool] = []

    def __call__(self, _module, arguments, output) -> None:
        self.passes += 1
        self.dtypes.append(output.dtype)
        self.recorded.append(torch.is_grad_enabled())


@pytest.mark.parametrize("name", [name for name in TAUGHT if name not in DIFFERENTIATED])
def test_the_teacher_is_run_once_a_step_and_without_gradient(name):
    made = method(name)
    counted = Counted()
    made.teacher.network.conv1.register_forward_hook(counted)
    for stage in map(prepared, made.stages()):
        before = counted.passes
        terms_of(stage)
        # Its assistants teach in its place; one of several experts has images in the batch.
        by_assistants = (name, stage.name) in (("assistants", "student"), ("ces_kd", "student"))
        assert counted.passes - before in ((0, 1) if by_assistants else (1,))
    assert counted.recorded == [False] * counted.passes


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_a_teacher_with_gradients_through_it_is_not_trained(name):
    """It is run as often as images are made, and at most once more, for the student."""
    made = method(name)
    counted = Counted()
    made.teacher.network.conv1.register_forward_hook(counted)
    before = {key: value.clone() for key, value in made.teacher.state_dict().items()}
    for stage in map(prepared, made.stages()):
        stage.set_trainable(made)
        passes = counted.passes
        terms_of(stage)
        step = counted.recorded[passes:]
        assert any(step)
        assert step.count(False) <= 1
    assert all(value.equal(before[key]) for key, value in made.teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in made.teacher.parameters())
    assert not any(module.training for module in made.teacher.modules())


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("auto", torch.bfloat16), ("fp32", torch.float32), ("bf16", torch.bfloat16),
     ("fp16", torch.float16)],
)  # fmt: skip
def test_the_precision_of_the_teacher_is_its_own(precision, expected):
    of = network(1, 4, 8, 8, 16).eval()
    counted = Counted()
    of.network.conv1.register_forward_hook(counted)
    teacher = Teacher(of, TeacherSetup(precision))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = teacher.outputs(batch())
        features = teacher.features(batch())
    assert counted.dtypes == [expected] * 2
    torch.testing.assert_close(outputs, features.logits)
    auto = Teacher(of, TeacherSetup()).outputs(batch())  # outside of the run's precision
    assert auto.dtype == torch.float32


def test_other_images_than_those_of_the_batch():
    of = network(1, 4, 8, 8, 16).eval()
    sample = batch()
    with torch.no_grad():
        expected = of(sample.raw), of(sample.pixels)
    teacher = Teacher(of, TeacherSetup())
    torch.testing.assert_close(teacher.outputs(sample, sample.raw), expected[0])
    torch.testing.assert_close(teacher.outputs(sample), expected[1])
    assert not expected[0].equal(expected[1])


def test_images_of_a_generator_keep_their_graph():
    made = torch.zeros(2, 3, 32, 32, requires_grad=True)
    sample = StepContext(2, torch.device("cpu")).batch(made * 2)
    outputs = Teacher(network(1, 4, 8, 8, 16).eval(), TeacherSetup()).outputs(sample)
    assert not outputs.requires_grad
    assert sample.pixels.requires_grad


def test_outputs_may_be_inputs_of_a_trained_layer():
    features = Teacher(network(1, 4, 8, 8, 16).eval(), TeacherSetup()).features(batch())
    layer = nn.Linear(features.pooled.shape[1], 2)
    layer(features.pooled).sum().backward()  # inference tensors would be refused here
    assert layer.weight.grad is not None


def test_a_network_of_classes_has_no_subclass_logits():
    with pytest.raises(InputError, match="predicts classes, not subclasses"):
        Teacher(network(1, 4, 8, 8, 16), TeacherSetup(), head=True)


def test_what_methods_take_from_their_teacher():
    taken = {name: resolve_method({"name": name}) for name in TAUGHT}
    assert {name: kind.teacher_by(config) for name, (kind, config) in taken.items()} == {
        "at": "maps", "crckd_cross": "pooled", "d_kd": "maps", "dkd": "outputs", "fitnet": "maps",
        "kd": "outputs", "rkd": "pooled", "skd": "outputs", "ssd_kd": "maps",
        "amal": "outputs", "assistants": "outputs", "ces_kd": "outputs", "cgdd": "gradients",
        "fastdfkd": "gradients",
    }  # fmt: skip
    kind, config = resolve_method({"name": "d_kd", "channel": 0})
    assert kind.teacher_by(config) == "pooled"
