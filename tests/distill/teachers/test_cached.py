"""Outputs that are looked up."""

from __future__ import annotations

import torch
from test_soft_labels import LABELS

from edgekd.distill.teachers.cached import CachedOutputs

CACHE = CachedOutputs(LABELS, 9)
INDICES, VIEWS, ROWS = torch.tensor([7, 4, 4]), torch.tensor([1, 0, 1]), [2, 0, 0]


def test_outputs_by_image_and_view():
    assert CACHE.outputs(INDICES, VIEWS).equal(LABELS.logits[ROWS, VIEWS])


def test_features_by_image_and_view():
    features = CACHE.features(INDICES, VIEWS)
    assert features.pooled.equal(LABELS.pooled[ROWS, VIEWS])
    assert features.logits.equal(LABELS.logits[ROWS, VIEWS])
    assert features.features.numel() == 0
