"""Compiling while a network trains: when it pays, and that it changes nothing but the time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn

from edgekd.distill.training import compiling
from edgekd.distill.training.compiling import CompileTrial, compiled, refuse_uncompiled
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork, create_network
from edgekd.models.features import features_of

TINY = {"channels": [4, 4, 8, 8], "stem_width": 4}
HOUR = 36_000  # steps of 0.1 s

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, g++"
)


def tiny() -> NormalisedNetwork:
    torch.manual_seed(0)
    return NormalisedNetwork(create_network("resnet10t", 3, TINY), (0.5,) * 3, (0.5,) * 3)


def steps_of(seconds: Sequence[float]) -> Callable[[], float]:
    left: Iterator[float] = iter(seconds)
    return lambda: next(left)


def clock_of(spent: float) -> Callable[[], float]:
    return steps_of([0.0, spent])


@pytest.mark.parametrize(
    ("seconds", "spent", "steps", "pays"),
    [
        ((0.1, 0.08, 0.08), 60.0, HOUR, True),
        ((0.1, 0.097, 0.097), 60.0, HOUR, False),  # by noise
        ((0.1, 0.2, 0.2), 60.0, HOUR, False),
        ((0.1, 0.08, 0.08), 400.0, HOUR, False),  # saves 720 s, and takes more than half of them
    ],
)
def test_it_has_to_pay_for_its_own_time(seconds, spent, steps, pays):
    trial = CompileTrial.of(tiny(), steps_of(seconds), steps, clock=clock_of(spent))
    assert trial.compiled is pays
    assert f"compiled {seconds[1]:.3f} s" in trial.reason
    assert trial.reason.startswith("compiled" if pays else "not compiled")


def test_a_short_training_is_not_tried():
    trial = CompileTrial.of(tiny(), steps_of([0.1]), 11_999)
    assert trial == CompileTrial(False, "not compiled: training takes less than 20 min")


def test_a_compiler_that_fails_is_told_in_a_line_and_the_network_is_as_before(monkeypatch):
    def broken(function: object) -> object:
        raise RuntimeError("no compiler\nand a long trace")

    monkeypatch.setattr(torch, "compile", broken)
    network = tiny()
    trial = CompileTrial.of(network, steps_of([0.1]), HOUR)
    assert trial == CompileTrial(False, "not compiled: no compiler")
    assert "forward_features" not in vars(network.network)
    with pytest.raises(InputError, match="does not work here: no compiler") as caught:
        refuse_uncompiled(network, steps_of([0.1]))
    assert "trainer.compile: never" in caught.value.hint


def test_only_training_runs_compiled_and_the_network_is_restored(monkeypatch):
    calls: list[str] = []

    def noted(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *a, **b: calls.append("compiled") or function(*a, **b)

    monkeypatch.setattr(torch, "compile", noted)
    network, pixels = tiny(), torch.rand(2, 3, 32, 32)
    names = list(network.state_dict())
    with compiled(network):
        network.eval()(pixels)
        assert calls == []
        network.train()(pixels)
        features_of(network, pixels)  # methods read features between the halves
        assert calls == ["compiled"] * 2
        assert list(network.state_dict()) == names
    network(pixels)
    assert calls == ["compiled"] * 2
    with compiled(nn.Linear(2, 2)) as _:
        pass  # a network without halves is compiled as a whole


@pytest.mark.slow
@needs_compiler
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_step_gives_the_same_gradients():
    pixels = torch.rand(4, 3, 32, 32)
    gradients = []
    for run_compiled in (False, True):
        network = tiny().train()

        def step(network: NormalisedNetwork = network) -> float:
            network(pixels).square().mean().backward()
            return 0.0

        if run_compiled:
            with compiled(network):
                step()
        else:
            step()
        gradients.append([p.grad for p in network.parameters()])
    for plain, quick in zip(*gradients, strict=True):
        torch.testing.assert_close(quick, plain, atol=1e-5, rtol=1e-4)
    assert compiling._first_line(ValueError()) == "ValueError"
