"""The layer most sensitive to int8 comes first, and leaving it in float reduces the divergence."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from spotted import make_images
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.int8.ranges import observe_ranges
from edgekd.lower.int8.ranking import rank_layers
from edgekd.lower.int8.sensitivity import float_sets
from edgekd.models.simulated_int8 import fake_quantised_weight, simulated_int8

MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)  # as the fixture `student` is made
HARMED = "blocks.0.body.3"


def harmed(student: Any, factor: float = 128.0) -> DeployGraph:
    """The student with one channel into a layer far wider than its neighbours."""
    network = copy.deepcopy(student.network)
    body = network.get_submodule("blocks.0.body")
    with torch.no_grad():
        body.get_parameter("1.weight")[1:] /= factor
        body.get_parameter("1.bias")[1:] /= factor
        body.get_parameter("3.weight")[:, 1:] *= factor
    return deploy_graph(network, MEAN, STD)


def quiet(line: str) -> None:
    del line


def divergence(plain: Tensor, changed: Tensor) -> float:
    log_p, log_q = plain.double().log_softmax(1), changed.double().log_softmax(1)
    return float((log_p.exp() * (log_p - log_q)).sum(1).mean())


def test_harmed_layer_comes_first(student: Any) -> None:
    ranking = rank_layers(harmed(student), student.calibration, say=quiet)
    assert ranking[0].layer == HARMED
    assert ranking[0].divergence > 100 * ranking[1].divergence
    assert [found.divergence for found in ranking] == sorted(
        (f.divergence for f in ranking), reverse=True
    )


def test_layer_in_float_takes_the_harm_away(student: Any) -> None:
    graph = harmed(student)
    (best,) = float_sets(rank_layers(graph, student.calibration, say=quiet))
    ranges = observe_ranges(graph, student.calibration)
    images = torch.from_numpy(make_images(64, seed=9)[0])

    def harm(kept: tuple[str, ...]) -> float:
        with torch.no_grad():
            plain = graph(images)
            with simulated_int8(
                graph.network, ranges, [name for name in ranges if name not in kept]
            ):
                return divergence(plain, graph(images))

    assert best == (HARMED,)
    assert harm(best) < 0.01 * harm(())


def mean_error(graph: DeployGraph, name: str, batch: Tensor) -> Tensor:
    """What rounding the weights of a layer adds to its outputs, by the outputs of all images."""
    layer, inputs = graph.network.get_submodule(name), []
    hook = layer.register_forward_pre_hook(lambda module, given: inputs.append(given[0]))
    graph(batch)
    hook.remove()
    rounded = copy.deepcopy(layer)
    rounded.weight = nn.Parameter(fake_quantised_weight(layer.get_parameter("weight")))
    error = torch.cat([rounded(each) - layer(each) for each in inputs])
    return error.mean((0, 2, 3), keepdim=True) if error.ndim == 4 else error.mean(0)


def plainly(graph: DeployGraph, images: NDArray[np.uint8]) -> dict[str, tuple[float, int]]:
    """Influence without any saving: the whole network for every layer."""
    ranges = observe_ranges(graph, images)
    batch = torch.from_numpy(images)
    found = {}
    with torch.no_grad():
        plain = graph(batch)
        for name in ranges:
            shift = 0 if graph.trained_in_int8 else mean_error(graph, name, batch)
            layer = graph.network.get_submodule(name)
            hook = layer.register_forward_hook(lambda *given, shift=shift: given[-1] - shift)
            with simulated_int8(graph.network, ranges, [name]):
                changed = graph(batch)
            hook.remove()
            flips = int((plain.argmax(1) != changed.argmax(1)).sum())
            found[name] = (divergence(plain, changed), flips)
    return found


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("arch", ["resnet10t", "mobilenetv3_small_050"])
def test_replay_changes_nothing(arch: str, trained: bool) -> None:
    """Residual sums and activations in place, squeeze-and-excite: as if all were recomputed."""
    torch.manual_seed(0)
    network = timm.create_model(arch, num_classes=5)
    graph = deploy_graph(network, MEAN, STD, trained_in_int8=trained)
    images = make_images(6, seed=3)[0]
    wanted = plainly(graph, images)
    ranking = rank_layers(graph, images, say=quiet, batch_size=6)
    assert {found.layer for found in ranking} == set(wanted)
    for found in ranking:
        assert found.divergence == pytest.approx(wanted[found.layer][0], rel=1e-4, abs=1e-12)
        assert found.flips == wanted[found.layer][1]


def test_layer_that_is_used_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Conv2d(3, 3, 1)
            self.between = nn.Conv2d(3, 3, 1)
            self.head = nn.Linear(3, 2)

        def forward(self, image: Tensor) -> Tensor:
            features = self.shared(self.between(self.shared(image)))
            return self.head(features.relu_().mean((2, 3)))

    torch.manual_seed(0)
    graph = deploy_graph(Twice(), MEAN, STD)
    images = make_images(4, seed=3)[0]
    wanted = plainly(graph, images)
    for found in rank_layers(graph, images, say=quiet):
        assert found.divergence == pytest.approx(wanted[found.layer][0], rel=1e-4)


class Even(nn.Module):
    """Gives 100 for whatever input."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.full_like(features, 100.0)


@pytest.mark.parametrize("trained", [True, False])
def test_errors_that_biases_take_back_make_no_layer_sensitive(trained: bool) -> None:
    """Here the rounded weights shift the first logit by 0.7, whatever the image."""
    last = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        weights = torch.tensor([[1.0, 0.0035, 0.0035], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        last.weight.copy_(weights[..., None, None])
    network = nn.Sequential(nn.Conv2d(3, 3, 1), Even(), last, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    graph = deploy_graph(network, MEAN, STD, trained_in_int8=trained)
    ranking = rank_layers(graph, make_images(4, seed=3)[0], say=quiet)
    (sensitive,) = [one.divergence for one in ranking if one.layer == "2"]
    assert (sensitive > 0.01) == trained
    assert trained or sensitive < 1e-6


def test_ranking_is_repeatable_and_leaves_the_graph_alone(student: Any) -> None:
    graph = harmed(student)
    images = torch.from_numpy(student.images)
    before = graph(images)
    first = rank_layers(graph, student.calibration, say=quiet)
    assert rank_layers(graph, student.calibration, say=quiet) == first
    assert torch.equal(graph(images), before)


def test_progress_names_the_worst(student: Any) -> None:
    lines: list[str] = []
    say: Callable[[str], None] = lines.append
    rank_layers(harmed(student), student.calibration[:8], say=say)
    assert HARMED in lines[-1]


def test_no_images_are_refused(student: Any) -> None:
    with pytest.raises(InputError, match="no images"):
        rank_layers(student.graph, student.calibration[:0], say=quiet)
