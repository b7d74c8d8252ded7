"""What every method keeps to, and what SSD-KD and D-KD are made of."""

from __future__ import annotations

import copy
import importlib

import msgspec
import pytest
import torch
from composed import DEFAULTS, OTHERS, made
from tiny_methods import SUBCLASS_OF, batch, make_context, method, network

from edgekd.distill.methods import method_names, resolve_method
from edgekd.errors import InputError
from edgekd.recipe import FitSection

TEACHED = [name for name in method_names() if resolve_method({"name": name})[0].needs_teacher]


MINIMISED = [
    name for name in method_names() if all(stage.objective for stage in method(name).stages())
]
"""Methods whose stages have an objective. Those that take their steps themselves are tested in the
files of their names, and by the trainer in test_every_method.py.
"""


@pytest.mark.parametrize("name", MINIMISED)
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


@pytest.mark.parametrize("name", MINIMISED)
def test_equal_draws_give_equal_terms(name):
    stage = method(name).stages()[-1]
    with torch.no_grad():
        assert stage.objective(batch()) == stage.objective(batch())


def train_untaught(name: str) -> None:
    kind, config = resolve_method({"name": name})
    divided = SUBCLASS_OF if kind.learns_subclasses else ()
    made = kind(config, network(0, 4, 4, 8, 8, subclass_of=divided), None, make_context())
    (stage, *_) = reversed(made.stages())
    assert stage.objective is not None
    stage.objective(batch())


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


def test_every_method_has_a_reference_for_each_of_its_stages():
    for name in method_names():
        stages = {stage.name for stage in made(name, FitSection(), {}).stages()}
        assert importlib.import_module(f"test_{name}").REFERENCES.keys() == stages
    assert set(method_names()) == DEFAULTS.keys() == OTHERS.keys()


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_options_of_a_recipe_that_names_the_method_alone(name: str) -> None:
    found = msgspec.to_builtins(resolve_method({"name": name})[1])
    for key in ("teacher_head", "generator"):  # how it is trained, not what it minimises
        found.pop(key, None)
    assert found == DEFAULTS[name]
