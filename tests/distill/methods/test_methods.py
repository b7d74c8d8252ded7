"""What every method keeps to, and what SSD-KD and D-KD are made of."""

from __future__ import annotations

import copy
import importlib

import msgspec
import pytest
import torch
from composed import DEFAULTS, OTHERS, made
from tiny_methods import (
    SUBCLASS_OF,
    batch,
    make_context,
    method,
    network,
    prepared,
    terms_of,
)

from edgekd.distill.methods import method_names, resolve_method
from edgekd.errors import InputError
from edgekd.recipe import FitSection

TEACHED = [name for name in method_names() if resolve_method({"name": name})[0].needs_teacher]


@pytest.mark.parametrize("name", method_names())
def test_every_stage_moves_what_it_trains_and_nothing_else(name):
    made = method(name)
    for stage in map(prepared, made.stages()):
        stage.set_trainable(made)
        for module in stage.optimised:
            module.train()
        before = copy.deepcopy(made.teacher.state_dict()) if made.teacher else {}
        moved = {id(p) for module in stage.optimised for p in module.parameters()}
        weights = {name: p.clone() for name, p in made.named_parameters()}
        terms = terms_of(stage)
        assert all(term.isfinite() and term.ndim == 0 for term in terms.values())
        if stage.objective is not None:
            torch.stack(list(terms.values())).sum().backward()
            for module in stage.trained:
                assert any(p.grad is not None and p.grad.any() for p in module.parameters())
            # Several processes would wait for ever for the gradient of a parameter without one.
            assert all(p.grad is not None for p in made.parameters() if p.requires_grad)
        else:  # its players have taken their steps, and refuse what no loss reaches
            for module in stage.optimised:
                assert any(not p.equal(weights[n]) for n, p in made.named_parameters()
                           if id(p) in {id(q) for q in module.parameters()})  # fmt: skip
        for name, p in made.named_parameters():
            assert id(p) in moved or p.equal(weights[name])
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
    first, again = (terms_of(prepared(method(name).stages()[-1])) for _ in range(2))
    assert first == again


def train_untaught(name: str) -> None:
    kind, config = resolve_method({"name": name})
    divided = SUBCLASS_OF if kind.learns_subclasses else ()
    made = kind(config, network(0, 4, 4, 8, 8, subclass_of=divided), None, make_context())
    for stage in made.stages():
        terms_of(prepared(stage))


@pytest.mark.parametrize("name", TEACHED)
def test_a_method_without_its_teacher_says_so(name):
    with pytest.raises(InputError, match="needs a teacher"):
        train_untaught(name)


@pytest.mark.parametrize("name", TEACHED)
def test_no_module_is_registered_twice(name):
    made = method(name)
    networks = 2 + len(getattr(made, "assistants", ()))
    assert sum(key.endswith("network.conv1.0.weight") for key in made.state_dict()) == networks


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
