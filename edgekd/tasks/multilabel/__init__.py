"""Findings that may occur together in an image."""

from __future__ import annotations

from edgekd.extensions.tasks import TaskDescriptor

__all__ = ["TASK"]

TASK = TaskDescriptor(
    name="multilabel",
    title="findings that may occur together in an image",
    layers={
        "data": "edgekd.tasks.multilabel.data:Data",
        "training": "edgekd.tasks.multilabel.training:Training",
        "metrics": "edgekd.tasks.multilabel.metrics:Metrics",
        "manifest": "edgekd.tasks.multilabel.manifest:Manifest",
        "device": "edgekd.tasks.multilabel.device:Device",
        "evidence": "edgekd.tasks.multilabel.evidence:Evidence",
        "report": "edgekd.tasks.multilabel.report:Report",
    },
)
