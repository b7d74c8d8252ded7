"""Optimisers: their groups, their kernels, their state."""

from __future__ import annotations

import msgspec
import pytest
import timm
import torch
from torch import nn

from edgekd.distill.training.early_stop import stop_reason
from edgekd.distill.training.optimisation import OwnSGD, ScheduledOptimizer, make_optimizer
from edgekd.distill.training.schedules import rate_of_epoch
from edgekd.recipe import AdamSection, FitSection, OptimiserSection

PAPER = FitSection(optimizer="sgd", learning_rate=1e-3, schedule="plateau", patience=2)


def test_today_is_the_default():
    fit = FitSection()
    assert isinstance(make_optimizer([nn.Linear(2, 2)], fit), torch.optim.AdamW)
    assert rate_of_epoch(fit, [0.1, 0.2], "max") is None
    assert stop_reason(fit, [0.5] * 100, "max") is None


def test_decay_spares_biases_and_norms():
    modules = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)]
    optimizer = make_optimizer(modules, msgspec.structs.replace(PAPER, weight_decay=0.1))
    assert isinstance(optimizer, torch.optim.SGD)
    found = [(len(g["params"]), g["weight_decay"], g["momentum"]) for g in optimizer.param_groups]
    assert found == [(1, 0.1, 0.9), (3, 0.0, 0.9)]


def channels_last(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3, groups=2))
    return network.to(memory_format=torch.channels_last)


def take_steps(network: nn.Module, optimizer: torch.optim.Optimizer, *seeds: int) -> None:
    for seed in seeds:
        draw = torch.Generator().manual_seed(seed)
        pixels = torch.rand(4, 3, 8, 8, generator=draw).to(memory_format=torch.channels_last)
        optimizer.zero_grad()
        network(pixels).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_fused_steps_are_those_of_the_plain_optimiser(kind):
    fit = FitSection(optimizer=kind, learning_rate=1e-2)
    fused, plain = channels_last(), channels_last()
    optimizer = make_optimizer([fused], fit)
    assert all(group["fused"] for group in optimizer.param_groups)
    reference = make_optimizer([plain], fit)
    for group in reference.param_groups:
        group["fused"] = False
    for seed in range(5):
        draw = torch.Generator().manual_seed(seed)
        for a, b in zip(fused.parameters(), plain.parameters(), strict=True):
            gradient = torch.randn(a.shape, generator=draw)
            a.grad, b.grad = (torch.empty_like(p).copy_(gradient) for p in (a, b))
        optimizer.step()
        reference.step()
    for a, b in zip(fused.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_gradients_have_the_layout_of_their_weights():
    """The fused kernels for processors walk through memory, whatever the strides are."""
    network = channels_last()
    network(torch.rand(2, 3, 8, 8)).square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.stride() == parameter.stride()


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
@pytest.mark.parametrize("by_sgd", [False, True])
def test_an_interrupted_optimiser_continues_bit_for_bit(tmp_path, kind, by_sgd):
    fit = FitSection(optimizer=kind, learning_rate=1e-2)
    through, cut, resumed = channels_last(), channels_last(), channels_last(1)
    if by_sgd:
        for network in (through, cut, resumed):
            network[0].own_sgd = OwnSGD(1e-3, 0.9)
    parts = [list(network) for network in (through, cut, resumed)]
    take_steps(through, make_optimizer(parts[0], fit), 0, 1, 2, 3)
    first = make_optimizer(parts[1], fit)
    take_steps(cut, first, 0, 1)
    torch.save((cut.state_dict(), first.state_dict()), tmp_path / "state")
    weights, state = torch.load(tmp_path / "state", weights_only=True)
    resumed.load_state_dict(weights)
    second = make_optimizer(parts[2], fit)
    second.load_state_dict(state)
    take_steps(resumed, second, 2, 3)
    for a, b in zip(through.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert a.equal(b)


def test_a_gradient_scaler_unscales_before_the_step():
    """A fused optimiser would unscale in its kernel: gradients would be clipped while scaled."""
    assert not make_optimizer([nn.Linear(2, 2)], FitSection())._step_supports_amp_scaling


def scheduled(fit: FitSection) -> tuple[nn.Module, ScheduledOptimizer]:
    network = nn.Linear(2, 1, bias=False)
    network.weight.grad = torch.tensor([[3.0, 4.0]])
    return network, ScheduledOptimizer([network], fit, 10)


@pytest.mark.parametrize(
    ("clip", "limit", "norm"),
    [(0.0, None, 5.0), (1.0, None, 1.0), (1.0, 2.0, 2.0), (1.0, 0.0, 5.0)],
)
def test_gradients_are_clipped_to_a_norm(clip, limit, norm):
    network, optimizer = scheduled(FitSection(clip=clip))
    optimizer.clip_gradient(limit)
    assert float(network.weight.grad.norm()) == pytest.approx(norm, rel=1e-4)


def test_what_trains_by_sgd_is_not_clipped():
    network = nn.Linear(2, 1, bias=False)
    network.own_sgd = OwnSGD(1e-3)
    other = nn.Linear(2, 1, bias=False)
    optimizer = ScheduledOptimizer([network, other], FitSection(clip=1.0), 10)
    for module in (network, other):
        module.weight.grad = torch.tensor([[3.0, 4.0]])
    optimizer.clip_gradient()
    assert float(network.weight.grad.norm()) == 5.0
    assert float(other.weight.grad.norm()) == pytest.approx(1.0, rel=1e-4)


def test_layers_near_the_input_learn_slower():
    network = timm.create_model("resnet10t", num_classes=3, channels=(4, 4, 8, 8), stem_width=4)
    optimizer = make_optimizer([network], FitSection(layer_decay=0.5, learning_rate=1.0))
    rate = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rate.keys() == set(network.parameters())
    assert rate[network.fc.weight] == rate[network.fc.bias] == 1.0
    assert rate[network.conv1[0].weight] == min(rate.values()) < 0.1


def test_a_rate_by_epochs_keeps_the_ratios_of_layers():
    network = timm.create_model("resnet10t", num_classes=3, channels=(4, 4, 8, 8), stem_width=4)
    fit = FitSection(layer_decay=0.5, schedule="steps", milestones=(1,), learning_rate=1.0)
    optimizer = ScheduledOptimizer([network], fit, 10)
    before = [group["lr"] for group in optimizer.optimizer.param_groups]
    optimizer.set_rate([0.5], "max")
    after = [group["lr"] for group in optimizer.optimizer.param_groups]
    assert after == pytest.approx([0.1 * rate for rate in before])


def test_adam_of_a_generator_has_its_own_betas_and_a_constant_rate():
    module = nn.Linear(2, 2)
    scheduled = ScheduledOptimizer((module,), AdamSection(learning_rate=0.3), 10)
    assert scheduled.scheduler is None
    for group in scheduled.optimizer.param_groups:
        assert group["betas"] == (0.5, 0.999)
        assert (group["lr"], group["weight_decay"]) == (0.3, 0.0)
    (ordinary, *_) = make_optimizer((module,), OptimiserSection()).param_groups
    assert ordinary["betas"] == (0.9, 0.999)
