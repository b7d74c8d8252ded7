"""Bundles and checkpoints by one interface."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bench.measure.subject import open_bundle, open_checkpoint

TASK = "multilabel"


def check(subject, image: bytes) -> str:
    pixels = subject.preprocess(image)
    assert (pixels.shape, pixels.dtype) == ((32, 32, 3), np.uint8)
    outputs = subject.logits(pixels)
    assert (outputs.shape, outputs.dtype) == ((3,), np.float32)
    assert "engine" in subject.facts
    answer = subject.predict(image)
    subject.close()
    return answer if isinstance(answer, str) else answer.label


def test_a_bundle(data, make_bundle) -> None:
    image = data.paths[0].read_bytes()
    assert check(open_bundle(str(make_bundle()), backend=None, threads=1), image) == "mel"


def test_a_checkpoint(data, teacher) -> None:
    image = data.paths[0].read_bytes()
    assert check(open_checkpoint(str(teacher), threads=1), image) in data.classes


@pytest.mark.parametrize("backend", ["onnx", None])
def test_a_bundle_of_findings(data, make_bundle, backend) -> None:
    bundle = make_bundle(task=TASK)
    image = data.paths[0].read_bytes()
    label = check(open_bundle(str(bundle), backend=backend, threads=1), image)
    assert label == "mel;nv;bkl"  # means of colours are positive logits
