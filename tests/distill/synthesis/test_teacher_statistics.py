"""What a teacher remembers of its images, and how far a batch is from it."""

from __future__ import annotations

import pytest
import torch
from loss_checks import close, drawn
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from edgekd.distill.synthesis.teacher_statistics import TeacherStatistics
from edgekd.errors import InputError


def teacher() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)
    )
    for layer in (network[1], network[4]):
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2.0)
    return network.double().eval().requires_grad_(False)


def by_hand(network: nn.Module, images: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Mean and biased variance of what each batch norm receives."""
    first = network[0](images)
    second = network[3](network[2](network[1](first)))
    rows = [maps.permute(1, 0, 2, 3).reshape(maps.shape[1], -1) for maps in (first, second)]
    return [(each.mean(1), ((each - each.mean(1, keepdim=True)) ** 2).mean(1)) for each in rows]


def test_distances_of_three_batches_with_momentum():
    network = teacher()
    remembered = TeacherStatistics(network, 0.9, "the method fastdfkd").double()
    kept: list[list[torch.Tensor]] = []
    for seed in range(3):
        images = drawn(5, 3, 8, 8, seed=seed).requires_grad_()
        with remembered.observed() as seen:
            network(images)
        found = remembered.distance(seen)
        now = [list(pair) for pair in by_hand(network, images)]
        if kept:
            now = [
                [0.1 * new + 0.9 * old for new, old in zip(*pair, strict=True)]
                for pair in zip(now, kept, strict=True)
            ]
        wanted = sum(
            (mean - layer.running_mean).square().sum().sqrt()
            + (variance - layer.running_var).square().sum().sqrt()
            for (mean, variance), layer in zip(now, (network[1], network[4]), strict=True)
        )
        close(found, wanted.detach())
        gradients = [torch.autograd.grad(each, images)[0] for each in (found, wanted)]
        close(gradients[0], gradients[1])
        remembered.remember(seen)
        kept = [[each.detach() for each in pair] for pair in now]
    close(remembered.mean, torch.cat([mean for mean, _ in kept]))
    close(remembered.variance, torch.cat([variance for _, variance in kept]))


def test_nothing_is_observed_outside_of_the_block_and_the_teacher_is_no_part():
    network = teacher()
    remembered = TeacherStatistics(network, 0.0, "cgdd")
    with remembered.observed() as seen:
        network(drawn(2, 3, 8, 8))
    network(drawn(2, 3, 8, 8))
    assert len(seen.means) == 2
    assert {name for name, _ in remembered.state_dict().items()} == {"mean", "variance", "batches"}


def test_frozen_batch_norm_remembers_too():
    remembered = TeacherStatistics(nn.Sequential(FrozenBatchNorm2d(3)), 0.0, "cgdd")
    assert len(remembered.mean) == 3


@pytest.mark.parametrize("norm", [nn.Identity(), nn.GroupNorm(1, 3), nn.InstanceNorm2d(3)])
def test_a_teacher_without_batch_norm_is_refused(norm):
    with pytest.raises(InputError, match="the teacher has no batch norm") as caught:
        TeacherStatistics(nn.Sequential(nn.Conv2d(3, 3, 3), norm), 0.9, "the method fastdfkd")
    assert "kd" in caught.value.hint


def test_the_first_layer_counts_as_often_as_it_is_weighted():
    network, images = teacher(), drawn(5, 3, 8, 8)
    distances = []
    for first in (0.0, 1.0, 10.0):
        remembered = TeacherStatistics(network, 0.0, "a search", first).double()
        with remembered.observed() as seen:
            network(images)
        distances.append(remembered.distance(seen))
    close(distances[2] - distances[0], 10 * (distances[1] - distances[0]))
    mean, variance = by_hand(network, images)[0]
    layer = network[1]
    close(
        distances[1] - distances[0],
        (mean - layer.running_mean).norm() + (variance - layer.running_var).norm(),
    )
