"""Fine-tuning makes a student that int8 spoils withstand it, and leaves a robust one alone."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from spotted import make_images
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.int8.quantisation_aware import FineTuning, fine_tune_quantisation_aware
from edgekd.lower.int8.ranges import observe_ranges
from edgekd.lower.task import evidence_task
from edgekd.models.simulated_int8 import simulated_int8

MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)  # as the fixture `student` is made
TRAINED = make_images(160, seed=0)[0]
UNSEEN = torch.from_numpy(make_images(96, seed=9)[0])


def quiet(line: str) -> None:
    del line


def harm(student: Any, factor: float) -> DeployGraph:
    """The student with one channel into a layer far wider than its neighbours."""
    network = copy.deepcopy(student.network)
    body = network.get_submodule("blocks.0.body")
    with torch.no_grad():
        body.get_parameter("1.weight")[1:] /= factor
        body.get_parameter("1.bias")[1:] /= factor
        body.get_parameter("3.weight")[:, 1:] *= factor
    return deploy_graph(network, MEAN, STD)


@pytest.fixture(scope="module")
def harmed(student: Any) -> DeployGraph:
    return harm(student, 128)


fine_tune = partial(
    fine_tune_quantisation_aware, imitation_loss=evidence_task(DEFAULT_TASK).imitation_loss
)


class Answers(NamedTuple):
    plain: Tensor
    int8: Tensor


def answers(network: nn.Module) -> Answers:
    graph = deploy_graph(network, MEAN, STD)
    ranges = observe_ranges(graph, TRAINED)
    with torch.no_grad():
        plain = graph(UNSEEN)
        with simulated_int8(graph.network, ranges):
            return Answers(plain, graph(UNSEEN))


def divergence(wanted: Tensor, found: Tensor) -> float:
    log_p, log_q = wanted.log_softmax(1), found.log_softmax(1)
    return float((log_p.exp() * (log_p - log_q)).sum(1).mean())


def test_harmed_student_says_nearly_the_same_in_int8(harmed: DeployGraph) -> None:
    before = answers(harmed.network)
    settings = FineTuning(epochs=10, learning_rate=1e-3)
    after = answers(fine_tune(harmed, TRAINED, say=quiet, settings=settings))
    loss = divergence(before.plain, before.int8)
    assert loss > 1e-3
    assert divergence(before.plain, after.int8) < 0.5 * loss
    assert divergence(before.plain, after.plain) < 0.5 * loss


def test_badly_harmed_student_agrees_again(student: Any) -> None:
    """So harmed that most answers are others in int8; after the finish none, in float neither."""
    graph = harm(student, 1024)
    before = answers(graph.network)
    settings = FineTuning(epochs=4, learning_rate=1e-3)
    after = answers(fine_tune(graph, TRAINED, say=quiet, settings=settings))
    classes = before.plain.argmax(1)
    agreement = [float((part.argmax(1) == classes).float().mean()) for part in (*before, *after)]
    assert agreement[1] < 0.5
    assert min(agreement[2:]) > 0.97


def test_fewer_bits_are_harder_and_the_finish_knows(student: Any) -> None:
    first: dict[int, str] = {}
    for bits in (8, 3):
        lines: list[str] = []
        settings = FineTuning(epochs=1, bits=bits)
        fine_tune(student.graph, TRAINED, say=lines.append, settings=settings)
        first[bits] = lines[0]
    harms = {bits: float(line.split("loss ")[1].split(" ")[0]) for bits, line in first.items()}
    assert harms[3] > 100 * harms[8] > 0


def test_start_is_kept_where_nothing_is_better(student: Any) -> None:
    lines: list[str] = []
    settings = FineTuning(learning_rate=10.0)
    network = fine_tune(student.graph, TRAINED, say=lines.append, settings=settings)
    before = student.graph.network.state_dict()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert "kept" in lines[-1]


def test_finished_network_is_a_plain_one(harmed: DeployGraph) -> None:
    before = copy.deepcopy(harmed.state_dict())
    network = fine_tune(harmed, TRAINED, say=quiet)
    old, new = harmed.network.state_dict(), network.state_dict()
    assert list(new) == list(old)
    statistics = [key for key in new if "running" in key or "num_batches" in key]
    assert statistics
    assert all(torch.equal(new[key], old[key]) for key in statistics)
    assert not torch.equal(new["blocks.0.body.3.weight"], old["blocks.0.body.3.weight"])
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in harmed.state_dict().items())


def finished(graph: DeployGraph, images: NDArray[np.uint8], seed: int = 0) -> dict[str, Tensor]:
    settings = FineTuning(epochs=1, seed=seed)
    network = fine_tune(graph, images, say=quiet, settings=settings)
    weights: dict[str, Tensor] = network.state_dict()
    return weights


def test_same_seed_same_weights(harmed: DeployGraph, tmp_path: Path) -> None:
    """Whatever the global generator did, and from a file as from memory."""
    np.save(tmp_path / "images.npy", TRAINED)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    first = finished(harmed, TRAINED)
    torch.rand(7)
    second = finished(harmed, mapped)
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = finished(harmed, TRAINED, seed=1)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_too_few_images_are_refused(harmed: DeployGraph) -> None:
    with pytest.raises(InputError, match="too few"):
        fine_tune(harmed, TRAINED[:7], say=quiet)
