"""A task from outside: the diameter of a lesion, with measures of its own alone."""

from __future__ import annotations

import numpy as np

from edgekd.bench.task import ReportTask
from edgekd.data.task import DataTask
from edgekd.errors import InputError
from edgekd.extensions.tasks import TaskDescriptor
from edgekd.metrics.summary import Estimate
from edgekd.metrics.summary import Metrics as Summary
from edgekd.metrics.task import Difference, MetricsTask
from edgekd.runtime.task import DeviceTask, Judgement


class Data(DataTask):
    def label_of(self, values):
        raise InputError("one column has the diameter", "name it alone")

    def classes_of(self, labels, given):
        return ("diameter",)

    def targets(self, labels, classes):
        return np.array([[float(label)] for label in labels], np.float32)

    def strata(self, labels, classes):
        return ["all"] * len(labels)

    def counts(self, targets, classes):
        return (len(targets),)


class Metrics(MetricsTask):
    selection_metric = "closeness"

    def selection(self, outputs, targets):
        return -float(np.abs(outputs - targets).mean())

    def evaluate(self, outputs, targets, classes, *, ordered=False, groups=None):
        errors = np.abs(np.asarray(outputs) - targets).mean(axis=1)
        spread = 1.96 * float(errors.std()) / len(errors) ** 0.5
        mean = -float(errors.mean())
        closeness = Estimate(value=mean, low=mean - spread, high=mean + spread)
        return Summary(measures={"closeness": closeness}, per_class={})

    def difference(self, reference, outputs, targets, classes, *, ordered=False, groups=None):
        losses = np.abs(reference - targets) - np.abs(outputs - targets)
        spread = 1.96 * float(losses.std()) / len(losses) ** 0.5
        mean = float(losses.mean())
        delta = Estimate(value=mean, low=mean - spread, high=mean + spread)
        agree = np.abs(np.asarray(reference) - outputs) < 1.0
        return Difference(
            deltas={"closeness": delta},
            agreement=float(agree.mean()),
            flips=int((~agree).sum()),
        )


class Device(DeviceTask):
    def output_shape(self, classes):
        return (1, 1)

    def judge(self, outputs, decision, classes):
        return Judgement(label=f"{float(outputs[0]):.1f}", verdict="answer", reasons=())

    def calibrated(self, outputs, decision):
        return outputs

    def agree(self, one, other):
        return (np.abs(one - other) < 1.0).all(axis=1)


class Report(ReportTask):
    changed_answer = "Images whose diameter differs by a millimetre or more"


TASK = TaskDescriptor(
    name="diameter",
    title="diameter of a lesion in millimetres",
    layers={
        "data": "diameter_task:Data",
        "metrics": "diameter_task:Metrics",
        "device": "diameter_task:Device",
        "report": "diameter_task:Report",
    },
)
