"""Requirements on a decision come from the policy and the student's validation images."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.evidence.decision import requirements_of, share_of
from edgekd.policy import DecisionRule, GateLimits, Policy

CLASSES = ("bkl", "df", "mel", "nv")
N = 300
TARGETS = np.arange(N) % 4
RULE = DecisionRule(refer_coverage=0.9, critical_sensitivity=0.9)


def test_requirements_have_the_critical_classes_of_the_model() -> None:
    limits = GateLimits(
        max_flips=0.1,
        max_balanced_accuracy_drop=0.1,
        max_sensitivity_drop=0.1,
        max_ece_increase=0.1,
    )
    policy = Policy(
        name="mine", title="", gate=limits, critical={"MEL": 0.05, "scc": 0.1, "bkl": 0.2},
        decision=RULE,
    )  # fmt: skip
    card = SimpleNamespace(
        classes=CLASSES, ordered=True, task=DEFAULT_TASK,
        data=SimpleNamespace(sha256="of-training"),
    )  # fmt: skip
    source = SimpleNamespace(
        card=card, data=SimpleNamespace(sha256="of-split"), targets=TARGETS,
        images_sha256="of-images", groups=np.arange(N) // 2,
    )  # fmt: skip
    requirements = requirements_of(cast(Any, source), policy)
    assert (requirements.rule, requirements.classes, requirements.ordered) == (RULE, CLASSES, True)
    assert requirements.critical == ("bkl", "mel")
    assert requirements.targets is TARGETS
    assert requirements.fitted_on == {
        "part": "validation", "images": N, "groups": (N + 1) // 2,
        "split_sha256": "of-split", "images_sha256": "of-images",
    }  # fmt: skip


def test_a_share_has_its_interval_where_there_are_images() -> None:
    share = share_of(np.array([True, True, False, True]))
    assert share["value"] == 0.75
    assert share["low"] == pytest.approx(0.3006, abs=1e-4)
    assert share_of(np.zeros(0, np.bool_))["value"] is None
