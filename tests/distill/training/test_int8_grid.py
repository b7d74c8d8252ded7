"""The grid of an int8 file, and the stage that trains a student on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_methods import batch, method, network, players_of, prepared, sample
from torch import Tensor, nn

from edgekd.distill.methods import Method, NoSamples, Player, Stage, method_names
from edgekd.distill.samples.batches import StepContext
from edgekd.distill.training.int8_grid import Int8Grid, stage_on_grid
from edgekd.lower.graph import deploy_graph
from edgekd.lower.int8.ranges import observe_ranges
from edgekd.models.simulated_int8 import quantisable_layers, simulated_int8
from edgekd.recipe import FinishSection, FitSection

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
PIXELS = torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255
SECTION = FinishSection(epochs=2, learning_rate=1e-3)


def on_grid(made: Method) -> tuple[Stage, Int8Grid]:
    grid = Int8Grid(made.student, IMAGES)
    made.int8_grid = grid
    return stage_on_grid(made, made.stages()[-1], grid, SECTION), grid


def statistics(module: nn.Module) -> dict[str, Tensor]:
    return {name: t.clone() for name, t in module.named_buffers() if "running" in name}


def test_ranges_are_those_that_lowering_observes() -> None:
    student = network(0, 4, 4, 8, 8).eval()
    lowered = observe_ranges(deploy_graph(student.network, (0.5,) * 3, (0.5,) * 3), IMAGES)
    grid = Int8Grid(student, IMAGES)
    assert list(grid.ranges) == list(lowered)
    np.testing.assert_allclose([*grid.ranges.values()], [*lowered.values()], rtol=1e-4, atol=1e-5)


def test_outputs_are_those_of_lowering_with_a_float_stem() -> None:
    student = network(0, 4, 4, 8, 8).eval()
    graph = deploy_graph(student.network, (0.5,) * 3, (0.5,) * 3)
    ranges = observe_ranges(graph, IMAGES)
    grid = Int8Grid(student, IMAGES)
    with torch.no_grad():
        with simulated_int8(graph.network, ranges, [*ranges][1:]):
            wanted = graph(torch.from_numpy(IMAGES))
        with grid.simulated():
            found = student(PIXELS)
        plain = student(PIXELS)
    torch.testing.assert_close(
        found, wanted, atol=5e-3, rtol=0.0
    )  # an input may round the other way
    assert not torch.allclose(found, plain, atol=1e-4)


def test_the_first_layer_is_float_and_all_others_are_rounded() -> None:
    student = network(0, 4, 4, 8, 8).eval()
    grid, seen = Int8Grid(student, IMAGES), {}
    layers = quantisable_layers(student.network)
    with grid.simulated():
        for name, layer in layers.items():
            seen[name] = "forward" in vars(layer)
    first = next(iter(grid.ranges))
    assert {name for name, rounded in seen.items() if not rounded} == {first}
    assert not any("forward" in vars(layer) for layer in layers.values())


@pytest.mark.parametrize("name", method_names())
def test_every_method_trains_its_student_on_the_grid(name: str) -> None:
    """Gradients reach the float weights; the statistics of batch norm stay."""
    made = method(name, fit=FitSection(epochs=4))
    for norm in (m for m in made.student.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.ones_(norm.weight)  # timm's last one in a block is 0 and lets nothing through
    stage, _ = on_grid(made)
    stage.set_trainable(made)
    for module in stage.updated:
        module.train()
    before = statistics(made.student)
    layers = quantisable_layers(made.student.network)
    weights = {layer: module.get_parameter("weight").clone() for layer, module in layers.items()}
    given = sample(made.stages()[-1].samples, 4, size=8)
    if stage.objective is not None:
        prepared(stage)
        torch.stack(list(stage.objective(given).values())).sum().backward()
    else:
        assert stage.step is not None
        stage.step(given, players_of(stage))
    for layer, module in layers.items():
        weight = module.get_parameter("weight")
        gradient = weight.grad if stage.objective is not None else weights[layer] - weight
        assert gradient is not None, layer
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0, layer
    after = statistics(made.student)
    assert all(before[name].equal(after[name]) for name in before)
    assert made.student.training


def test_the_objective_sees_the_rounded_student() -> None:
    made = method("kd")
    stage, _ = on_grid(made)
    last = made.stages()[-1]
    assert last.objective is not None
    assert stage.objective is not None
    made.eval()
    with torch.no_grad():
        plain, rounded = last.objective(batch()), stage.objective(batch())
    assert not rounded["ce"].isclose(plain["ce"], rtol=1e-5)


def test_float_arithmetic_on_the_grid_is_that_of_float32() -> None:
    """bfloat16 would move the values off the grid."""
    made = method("kd").eval()
    stage, grid = on_grid(made)
    assert stage.objective is not None
    assert stage.evaluated is not None
    with torch.no_grad():
        wanted = stage.objective(batch()), stage.evaluated(PIXELS)
        with torch.autocast("cpu", torch.bfloat16):
            grid.outdated.fill_(True)
            found = stage.objective(batch()), stage.evaluated(PIXELS)
    assert found[0].keys() == wanted[0].keys()
    assert all(found[0][name].equal(term) for name, term in wanted[0].items())
    assert found[1].equal(wanted[1])


def test_ranges_are_observed_again_after_training_and_not_before() -> None:
    made = method("none")
    stage, grid = on_grid(made)
    assert stage.objective is not None
    assert stage.evaluated is not None
    stage.objective(batch())
    before = dict(grid.ranges)
    with torch.no_grad():
        for parameter in made.student.parameters():
            parameter *= 1.5
    stage.objective(batch())
    assert grid.ranges == before  # within an epoch they stay
    stage.evaluated(PIXELS)
    assert grid.ranges != before


def test_a_resumed_grid_keeps_the_ranges_that_it_had() -> None:
    """In the middle of an epoch, when the weights have moved on since they were observed."""
    made = method("none")
    stage, grid = on_grid(made)
    assert stage.objective is not None
    stage.objective(batch())
    with torch.no_grad():
        for parameter in made.student.parameters():
            parameter *= 1.5
    resumed = Int8Grid(made.student, IMAGES)
    assert resumed.ranges != grid.ranges
    resumed.load_state_dict(grid.state_dict())
    assert resumed.ranges == grid.ranges
    assert resumed.outdated


def test_the_epochs_count_on() -> None:
    made = method("mean_teacher", fit=FitSection(epochs=8, stop_after=3, image_sizes=(16, 32)))
    stage, _ = on_grid(made)
    context = StepContext(4, torch.device("cpu"), epoch=1)
    loaded = [torch.from_numpy(IMAGES[:4]), torch.arange(4), torch.arange(4)]
    sample = stage.samples.batch(loaded, context)
    assert sample.epoch == 9
    assert stage.objective is not None
    assert "consistency" in stage.objective(sample)  # whose start is at a quarter of the epochs
    assert stage.fit is not None
    assert (stage.fit.epochs, stage.fit.learning_rate) == (2, 1e-3)
    assert (stage.fit.stop_after, stage.fit.image_sizes) == (0, ())


def test_the_finish_keeps_its_best_epoch_after_a_training_that_kept_its_last() -> None:
    stage, _ = on_grid(method("none", fit=FitSection(keep="last")))
    assert stage.fit is not None
    assert stage.fit.keep == "best"


def test_a_step_of_players_is_on_the_grid_too() -> None:
    made = method("none")
    student, other = made.student, nn.Linear(2, 2)
    rounded: list[bool] = []

    def step(batch: Any, players: Any) -> dict[str, Tensor]:
        rounded.append("forward" in vars(student.network.fc))
        return {}

    slow = FitSection(learning_rate=0.5)
    players = {"student": Player((student,), slow), "other": Player((other,), slow)}
    stage = Stage("play", evaluated=student, samples=NoSamples(), players=players, step=step)
    finished = stage_on_grid(made, stage, Int8Grid(student, IMAGES), SECTION)
    assert finished.step is not None
    finished.step(None, None)
    assert rounded == [True]
    assert finished.players["student"].optimiser is None  # then it is that of the stage
    assert finished.players["other"].optimiser is slow


def test_a_criterion_gives_way_to_the_metric_in_int8() -> None:
    made = method("none")
    last = made.stages()[-1]
    judged = replace(last, criterion=last.objective)
    stage = stage_on_grid(made, judged, Int8Grid(made.student, IMAGES), SECTION)
    assert stage.criterion is None
    assert stage.evaluated is not made.student
