"""One number for each image."""

from edgekd.extensions.tasks import TaskDescriptor

TASK = TaskDescriptor(
    name="regression",
    title="one number for each image",
    layers={
        "data": "edgekd_outside.task.data:Data",
        "training": "edgekd_outside.task.training:Training",
        "metrics": "edgekd_outside.task.metrics:Metrics",
        "manifest": "edgekd_outside.task.manifest:Manifest",
        "device": "edgekd_outside.task.device:Device",
        "evidence": "edgekd_outside.task.evidence:Evidence",
        "report": "edgekd_outside.task.report:Report",
    },
)
