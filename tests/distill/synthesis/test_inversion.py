"""Images fitted to a teacher: the terms by hand, the regions, the labels of later rounds."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close, drawn
from torch import nn

from edgekd.distill.losses import image_norm, total_variation
from edgekd.distill.synthesis.inversion import Inversion, InversionSettings, middle
from edgekd.errors import InputError

SETTINGS = InversionSettings(rounds=2, half=3, whole=8, margin=1.25)


def teacher(classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2),
        nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes),
    )  # fmt: skip
    for layer in (network[1], network[4]):
        layer.momentum = None
    smooth = F.interpolate(torch.rand(64, 3, 4, 4), size=32, mode="bilinear")
    network.train()(smooth)  # which it remembers from now on
    nn.init.normal_(network[-1].weight, std=3.0)
    return network.eval()


def inversion(settings: InversionSettings = SETTINGS, size: int = 32) -> Inversion:
    return Inversion(teacher(), size, 4, settings)


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("soft", [False, True])
def test_terms_by_hand(factor, soft):
    made = inversion()
    network = made.teacher.double()
    made.remembered.double()
    numbers = drawn(5, 3, 32, 32)
    target = drawn(5, 4, seed=1) if soft else torch.tensor([0, 1, 2, 3, 0])
    terms = made.image_terms(numbers, target, factor)
    shown = F.avg_pool2d(numbers, factor) if factor > 1 else numbers
    pixels = 0.5 + 0.25 * shown
    first = network[0](pixels)
    second = network[3](network[2](network[1](first)))
    distances = [
        (maps.mean((0, 2, 3)) - layer.running_mean).norm()
        + (maps.var((0, 2, 3), unbiased=False) - layer.running_var).norm()
        for maps, layer in ((first, network[1]), (second, network[4]))
    ]
    logits = network(pixels)
    log_p = logits - logits.exp().sum(1, keepdim=True).log()
    wanted = target.softmax(1) if soft else torch.eye(4, dtype=torch.float64)[target]
    close(terms["cross_entropy"], -(wanted * log_p).sum(1).mean())
    close(terms["statistics"], 0.01 * (10 * distances[0] + distances[1]))
    close(terms["variation"], 1e-4 * total_variation(shown))
    close(terms["norm"], 1e-5 * image_norm(shown))


def test_a_step_reaches_the_region_alone():
    made, canvases = inversion(), torch.zeros(2, 3, 40, 40, requires_grad=True)
    sides = set()
    for seed in range(20):
        region = made.region(canvases, drawing(seed))
        assert region.shape == (2, 3, 32, 32)
        (gradient,) = torch.autograd.grad(region.sum(), canvases)
        assert int(gradient.sum()) == 2 * 3 * 32**2
        rows = gradient[0, 0].sum(1).nonzero().flatten().tolist()
        assert rows == list(range(rows[0], rows[0] + 32))
        sides.add(rows[0])
    assert len(sides) > 3


def test_half_of_the_regions_are_mirrored():
    made = inversion()
    ramp = torch.arange(40.0).expand(1, 3, 40, 40)
    mirrored = [bool((made.region(ramp, drawing(n))[0, 0, 0].diff() < 0).all()) for n in range(60)]
    assert 15 < sum(mirrored) < 45


def test_images_become_what_the_teacher_takes_for_their_class():
    made = inversion(InversionSettings(rounds=1, half=0, whole=40, margin=1.0, statistics=0.001))
    images = made.batch(16, drawing())
    assert images.canvases.shape == (16, 3, 32, 32)
    assert float(images.canvases.min()) >= 0.0
    assert float(images.canvases.max()) <= 1.0
    assert sorted(images.labels.tolist()) == sorted([0, 1, 2, 3] * 4)
    assert images.agreement[0] >= 0.9
    close(images.outputs, made.teacher(images.canvases), atol=1e-4)


def test_statistics_come_nearer():
    far = inversion(InversionSettings(rounds=1, half=0, whole=1, margin=1.0, statistics=1.0))
    near = inversion(InversionSettings(rounds=1, half=0, whole=40, margin=1.0, statistics=1.0))
    distances = []
    for made in (far, near):
        canvases = made.batch(16, drawing()).canvases
        with made.remembered.observed() as seen:
            made.teacher(canvases)
        distances.append(float(made.remembered.distance(seen)))
    assert distances[1] < 0.5 * distances[0]


def test_later_rounds_are_fitted_to_the_outputs_for_the_images_before():
    made, targets = inversion(), []
    terms = made.image_terms

    def noted(numbers, target, factor=1):
        targets.append((target, factor))
        return terms(numbers, target, factor)

    made.image_terms = noted
    rounds = []
    fit = made._round

    def fitted(target, generator, report):
        canvases = fit(target, generator, report)
        rounds.append(canvases)
        return canvases

    made._round = fitted
    images = made.batch(8, drawing())
    assert [factor for _, factor in targets] == [2] * 3 + [1] * 8 + [2] * 3 + [1] * 8
    assert all(target.equal(images.labels) for target, _ in targets[:11])
    outputs = made.teacher(middle(rounds[0], 32))
    assert all(target.equal(outputs) for target, _ in targets[11:])
    assert images.canvases is rounds[1]
    assert not rounds[1].equal(rounds[0])


def test_equal_seeds_make_equal_images():
    first, again = (inversion().batch(8, drawing(3)) for _ in range(2))
    assert first.canvases.equal(again.canvases)
    assert not first.canvases.equal(inversion().batch(8, drawing(4)).canvases)


def test_the_best_images_are_kept_rather_than_the_last():
    """With a rate at which every step is a leap, the loss of what is kept is the lowest."""
    made = inversion(InversionSettings(rounds=1, half=0, whole=12, margin=1.0, rate=30.0))
    losses, terms = [], made.image_terms

    def noted(numbers, target, factor=1):
        found = terms(numbers, target, factor)
        losses.append(float(sum(found.values()).detach()))
        return found

    made.image_terms = noted
    images = made.batch(8, drawing())
    shown = (images.canvases - 0.5) / 0.25
    kept = [float(sum(terms(each, images.labels).values())) for each in (shown, shown.flip(-1))]
    assert min(abs(loss - min(losses)) for loss in kept) < 1e-4
    assert losses[-1] > min(losses)


def test_a_teacher_without_batch_norm_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(InputError, match=r"a search makes images .* no batch norm") as caught:
        Inversion(network, 32, 4, SETTINGS, "a search", "search with images")
    assert "search with images" in caught.value.hint


def test_the_middle():
    square = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert middle(square, 3)[0, 0, 0].tolist() == [6.0, 7.0, 8.0]
