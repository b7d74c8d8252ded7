"""Averaged outputs, against plain arithmetic."""

from __future__ import annotations

import torch

from edgekd.distill.teachers.averaging import mean_logits, mean_sigmoid, mean_softmax

OUTPUTS = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)


def test_averaged_logits():
    expected = sum(w * z for w, z in zip(WEIGHTS, OUTPUTS, strict=True))
    torch.testing.assert_close(mean_logits(OUTPUTS, WEIGHTS), expected)


def test_averaged_probabilities_of_exclusive_classes():
    expected = sum(w * z.softmax(1) for w, z in zip(WEIGHTS, OUTPUTS, strict=True))
    found = mean_softmax(OUTPUTS, WEIGHTS)
    torch.testing.assert_close(found.softmax(1), expected)
    assert not torch.allclose(found.softmax(1), mean_logits(OUTPUTS, WEIGHTS).softmax(1))


def test_averaged_probabilities_of_findings():
    expected = sum(w * z.sigmoid() for w, z in zip(WEIGHTS, OUTPUTS, strict=True))
    torch.testing.assert_close(mean_sigmoid(OUTPUTS, WEIGHTS).sigmoid(), expected)


def test_a_member_without_weight_counts_for_nothing():
    weights = torch.tensor([1.0, 0.0, 0.0])
    for mean in (mean_logits, mean_softmax, mean_sigmoid):
        found = mean(OUTPUTS, weights)
        assert found.isfinite().all()
        torch.testing.assert_close(found, mean(OUTPUTS[:1], torch.ones(1)))


def test_outputs_in_half_precision_are_averaged_in_float32():
    halves = OUTPUTS.to(torch.bfloat16)
    for mean in (mean_logits, mean_softmax, mean_sigmoid):
        torch.testing.assert_close(mean(halves, WEIGHTS), mean(halves.float(), WEIGHTS))
        assert mean(halves, WEIGHTS).dtype == torch.float32
