from __future__ import annotations

import numpy as np

from edgekd.bundle.task import manifest_task
from edgekd.runtime.task import device_task
from edgekd.tasks.classification.decision import judge
from edgekd.tasks.classification.device import Device
from edgekd.tasks.classification.manifest import Decision

CLASSES = ("bkl", "mel", "nv")


def test_layers_are_found_by_the_name_of_the_task() -> None:
    assert isinstance(device_task("classification"), Device)
    assert manifest_task("classification").Decision is Decision


def test_output_has_one_logit_for_each_class() -> None:
    assert Device().output_shape(CLASSES) == (1, 3)


def test_judgement_is_that_of_the_arithmetic() -> None:
    logits, decision = np.array([0.2, 1.4, -0.3], np.float32), Decision(thresholds={"nv": 0.1})
    judgement = Device().judge(logits, decision, CLASSES)
    assert judgement == judge(logits, decision, CLASSES)
    assert (judgement.label, judgement.findings, judgement.values) == ("mel", {}, {})


def test_outputs_agree_where_the_top_class_does() -> None:
    one = np.array([[1, 2, 3], [3, 2, 1], [1, 1, 0]], np.float32)
    other = np.array([[0, 0, 1], [0, 0, 1], [5, 5, 0]], np.float32)
    assert Device().agree(one, other).tolist() == [True, False, True]


def test_calibrated_logits_are_divided_by_the_temperature() -> None:
    calibrated = Device().calibrated(np.array([[2.0, -4.0]], np.float32), Decision(temperature=2.0))
    assert calibrated.tolist() == [[1.0, -2.0]]
