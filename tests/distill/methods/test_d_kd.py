"""D-KD: the released code's total, its limiting cases, and the loss against its formulas."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
import torch
from composed import ALL_OPTIONS, Step, check
from golden_modules import golden_adapter, taps
from tiny_methods import batch, method
from torch import Tensor

from edgekd.distill.losses import weighted_cross_entropy
from edgekd.distill.methods.d_kd import relation_terms
from edgekd.models.features import Features


def test_d_kd_totals_the_golden(golden, precision):
    g = golden("d_kd")
    made = method("d_kd")
    made.class_weights, made.adapter = g["class_weight"].float(), golden_adapter(g)
    terms = made.terms(taps(g, "s"), taps(g, "t"), g["target"])
    total = sum(float(term.detach()) for term in terms.values())
    assert total == pytest.approx(float(g["total"]), rel=1e-6)  # hard labels are float32


def test_d_kd_without_relations_is_kd():
    plain = method("kd", temperature=5.0, weight=0.5).stages()[0].objective(batch())
    diverse = method("d_kd", distance=0, angle=0, channel=0)
    assert diverse.adapter is None
    found = diverse.stages()[0].objective(batch())
    assert found.keys() == plain.keys()
    for name, term in found.items():
        torch.testing.assert_close(term, plain[name])


def test_d_kd_without_any_distillation_is_the_hard_label():
    made = method("d_kd", distance=0, angle=0, channel=0, weight=0)
    terms = made.stages()[0].objective(batch())
    assert terms["kd"] == 0
    logits = made.student(batch().pixels)
    wanted = weighted_cross_entropy(logits, batch().targets, made.class_weights)
    torch.testing.assert_close(terms["ce"], wanted)


@pytest.mark.parametrize("name", ["d_kd", "ssd_kd"])
def test_the_papers_criterion_is_an_option(name):
    assert method(name).stages()[-1].criterion is None
    stage = method(name, select="objective").stages()[-1]
    assert stage.criterion(batch()).keys() >= {"ce"}


def test_relations_without_an_adapter_leave_out_the_channels():
    made = method("d_kd", channel=0)
    pooled = torch.rand(4, 3)
    same = Features(pooled, pooled, pooled)
    assert relation_terms(same, same, made.adapter, made.config).keys() == {"distance", "angle"}


def d_kd_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student), step.see(method.teacher)
    related = paper.relations(own, guide, method.adapter)
    return {
        "ce": (1 - c.weight) * step.hard(own.outputs),
        "kd": c.weight * paper.kl(own.outputs, guide.outputs, c.temperature),
        **{name: getattr(c, name) * term for name, term in related.items()},
    }


REFERENCES = {"student": d_kd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("d_kd", stage, REFERENCES[stage], options)
