"""Relational distillation: the loss against its formulas."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
from composed import ALL_OPTIONS, Step, check
from torch import Tensor


def relation_terms_of(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student), step.see(method.teacher)
    far = paper.huber(paper.distances(own.pooled), paper.distances(guide.pooled))
    bent = paper.huber(paper.cosines(own.pooled), paper.cosines(guide.pooled))
    ce = c.ce * step.hard(own.outputs)
    return {"ce": ce, "distance": c.distance * far, "angle": c.angle * bent}


REFERENCES = {"student": relation_terms_of}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("rkd", stage, REFERENCES[stage], options)
