"""One class for each image."""

from __future__ import annotations

from edgekd.extensions.tasks import TaskDescriptor

__all__ = ["TASK"]

TASK = TaskDescriptor(
    name="classification",
    title="one class for each image",
    layers={
        "data": "edgekd.tasks.classification.data:Data",
        "training": "edgekd.tasks.classification.training:Training",
        "metrics": "edgekd.tasks.classification.metrics:Metrics",
        "manifest": "edgekd.tasks.classification.manifest:Manifest",
        "device": "edgekd.tasks.classification.device:Device",
        "evidence": "edgekd.tasks.classification.evidence:Evidence",
        "report": "edgekd.tasks.classification.report:Report",
    },
)
