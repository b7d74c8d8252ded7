"""A task from outside: a map of measurements [1, 2, H, W], answered by its two means."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.extensions.tasks import load_layer

__all__ = ["install"]

_MODULE = """
import msgspec
import numpy as np

from edgekd.bundle.task import ManifestTask
from edgekd.extensions.tasks import TaskDescriptor
from edgekd.runtime.reason import Reason
from edgekd.runtime.task import DeviceTask, Judgement


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    highest: float | None = None


class Manifest(ManifestTask):
    Decision = Decision

    def check(self, model, decision):
        return "highest must be positive" if (decision.highest or 1) <= 0 else ""


class Device(DeviceTask):
    def output_shape(self, classes):
        return (1, len(classes), 2, 2)

    def judge(self, outputs, decision, classes):
        means = outputs.mean(axis=(1, 2)).tolist()
        values = dict(zip(classes, means))
        limit = np.inf if decision.highest is None else decision.highest
        reasons = tuple(
            Reason("too-high", f"{name} is above {limit}")
            for name, value in values.items()
            if not value <= limit
        )
        label = ";".join(f"{value:.1f}" for value in means)
        return Judgement(label, "refer" if reasons else "answer", reasons, values=values)

    def calibrated(self, outputs, decision):
        return outputs

    def agree(self, one, other):
        return np.isclose(one, other).all(axis=(1, 2, 3))


TASK = TaskDescriptor(
    name="ploidy",
    title="two measurements for each image",
    layers={
        "manifest": f"{__name__}:Manifest",
        "device": f"{__name__}:Device",
        "metrics": f"{__name__}:Device",
    },
)
"""


def install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the task `ploidy` known to this process by an entry point."""
    about = home / "ploidy_task-2.1.dist-info"
    about.mkdir(parents=True)
    (home / "ploidy_task.py").write_text(_MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ploidy-task\nVersion: 2.1\n")
    (about / "entry_points.txt").write_text("[edgekd.tasks]\nploidy = ploidy_task:TASK\n")
    monkeypatch.syspath_prepend(str(home))
    load_layer.cache_clear()
