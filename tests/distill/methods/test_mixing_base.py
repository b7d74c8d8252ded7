"""Methods on mixed images: their terms between those of the images and those of the partners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_methods import batch, make_context, method
from torch import Tensor

from edgekd.distill.losses import class_weights
from edgekd.distill.methods import Batch, Method, load_method, resolve_method
from edgekd.distill.samples.mixing import MixedTargets, Mixing, Mixture
from edgekd.distill.task import training_task
from edgekd.extensions.methods import METHODS
from edgekd.recipe import FitSection

MIXING = [name for name in METHODS.built_in if load_method(name).mixes]
PARTNERS = torch.tensor([2, 0, 4, 5, 1, 3])
OPTIONS: dict[str, dict[str, Any]] = {"kd": {"weigh_classes": True}, "skd": {"hard_label": "class"}}
SMOOTHED = FitSection(label_smoothing=0.1)


@dataclass(frozen=True)
class Fixed(Mixing):
    """A mixture of our choice."""

    share: float = 0.5

    def draw(self, count: int, size: int, generator: torch.Generator) -> Mixture:
        return Mixture(PARTNERS, self.share)


def mixed(share: float) -> Batch:
    return replace(batch(), mixing=Fixed(1.0, 0.0, share))


def terms(made: Method, stage: int, of: Batch) -> dict[str, Tensor]:
    with torch.no_grad():
        objective = made.stages()[stage].objective
        assert objective is not None
        return objective(of)


def close(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.allclose(first[name], second[name], rtol=1e-4) for name in first)


@pytest.mark.parametrize("name", MIXING)
def test_a_share_of_nothing_is_the_partner_and_of_everything_the_image(name):
    made = method(name, fit=SMOOTHED, **OPTIONS.get(name, {}))
    plain = batch()
    partner = replace(
        plain, raw=plain.raw[PARTNERS], raw_targets=plain.raw_targets[PARTNERS],
        indices=plain.indices[PARTNERS],
    )  # fmt: skip
    for stage in range(len(made.stages())):
        assert close(terms(made, stage, mixed(1.0)), terms(made, stage, plain))
        assert close(terms(made, stage, mixed(0.0)), terms(made, stage, partner))
        if "ce" in terms(made, stage, plain):
            half = terms(made, stage, mixed(0.5))
            assert not close(half, terms(made, stage, plain))


def test_the_terms_of_kd_are_those_of_the_formulas():
    """Class weights and smoothing in both labels, the teacher's outputs on the mixed pixels."""
    made: Any = method("kd", fit=SMOOTHED, weight=0.6, temperature=2.0, weigh_classes=True)
    of, share = mixed(0.3), 0.3
    with torch.no_grad():
        pixels = 0.9 * (share * of.raw + (1 - share) * of.raw[PARTNERS])
        student, teacher = made.student(pixels).double(), made.teacher(pixels).double()
    weights = made.class_weights.double()
    labels = F.one_hot(of.raw_targets, 5).double()
    blended = share * labels + (1 - share) * labels[PARTNERS]
    counted = (blended * weights).sum(dim=1)
    smooth = 0.9 * blended + 0.1 / 5
    hard = -(smooth * weights * student.log_softmax(1)).sum() / counted.sum()
    q, p = (student / 2).log_softmax(1), (teacher / 2).softmax(1)
    soft = 4 * (counted * (p * (p.log() - q)).sum(dim=1)).sum() / counted.sum()
    found = terms(made, 0, of)
    torch.testing.assert_close(found["ce"].double(), 0.4 * hard, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found["kd"].double(), 0.6 * soft, rtol=1e-4, atol=1e-6)


def test_the_labels_of_findings_are_blended():
    """Binary cross-entropy is linear in its labels: as if they were the blended ones."""
    kind, config = resolve_method({"name": "kd", "weigh_classes": True}, "multilabel")
    weights = torch.tensor([1.0, 2.0, 5.0, 0.5, 3.0])
    context = replace(make_context(SMOOTHED), task=training_task("multilabel"),
                      class_weights=weights)  # fmt: skip
    made = kind(config, torch.nn.Identity(), torch.nn.Identity(), context)
    logits = torch.randn(6, 5)
    findings = (torch.rand(6, 5) > 0.5).float()
    targets = MixedTargets(findings, findings[PARTNERS], torch.full((6,), 0.3))
    blended = 0.3 * findings + 0.7 * findings[PARTNERS]
    smooth = 0.9 * blended + 0.05
    expected = F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=weights)
    torch.testing.assert_close(made.hard_label(logits, targets), expected)
    torch.testing.assert_close(made.sample_weights(targets), blended * weights + (1.0 - blended))


@pytest.mark.parametrize("keys", [{"loss": "focal"}, {"loss": "multi_weighted_focal"}])
def test_other_losses_on_labels_are_weighted_by_the_shares(keys):
    fit = FitSection(**keys)
    made: Any = method("none", fit=fit)
    logits, labels = torch.randn(6, 5), torch.arange(6) % 5
    weights = class_weights((40, 20, 10, 5, 5), "full")
    rows = [
        (share * weights[label], made.hard_label(logits[row : row + 1], label[None]))
        for row in range(6)
        for share, label in ((0.3, labels[row]), (0.7, labels[PARTNERS][row]))
    ]
    expected = sum(weight * loss for weight, loss in rows) / sum(weight for weight, _ in rows)
    targets = MixedTargets(labels, labels[PARTNERS], torch.full((6,), 0.3))
    torch.testing.assert_close(made.hard_label(logits, targets), expected)
