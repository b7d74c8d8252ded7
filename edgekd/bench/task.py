"""The report layer of a task: its columns, headline numbers, words and pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgekd.bench.result import Estimate, Metrics, PolicyFacts, TeacherComparison
from edgekd.extensions.tasks import load_layer

__all__ = ["METRIC_MEANINGS", "MetricColumn", "ReportTask", "policy_order", "report_task"]

METRIC_MEANINGS = {
    "accuracy": "Share of images with the right answer",
    "balanced_accuracy": "Balanced accuracy: mean over classes, as the task defines it",
    "macro_f1": "Mean of the F1 of all classes",
    "macro_auroc": "Mean area under the ROC curve, one class against the rest",
    "ece": "Expected calibration error",
    "quadratic_kappa": "Agreement of grades, weighted by the square of their distance",
}
"""Every field of `Metrics` that is an estimate, with its meaning; all are shares, 0…1."""


@dataclass(frozen=True)
class MetricColumn:
    """One number of a report's tables, with its interval.

    Attributes:
        key: Field of `Metrics`, key of its `measures`, or field of `ClassMetrics`.
        title: Heading on the page and in Markdown, without the unit.
        short: Heading in a terminal, without the unit.
        member: Class or finding that the number belongs to; None for the whole.
        percent: Whether the number is a share, which is shown as a percentage.
    """

    key: str
    title: str
    short: str
    member: str | None = None
    percent: bool = True

    @property
    def unit(self) -> str:
        """`%`, or empty where the number is shown as it is."""
        return "%" if self.percent else ""

    def estimate(self, metrics: Metrics | None) -> Estimate | None:
        """The number of a row; None where it was not measured or the data lack the class."""
        if metrics is None:
            return None
        if self.member is None:
            return metrics.measures.get(self.key) or getattr(metrics, self.key, None)
        member = metrics.per_class.get(self.member)
        estimate: Estimate | None = getattr(member, self.key, None)
        return estimate

    def delta(self, comparison: TeacherComparison | None) -> Estimate | None:
        """The paired difference to the teacher; None where it was not computed."""
        if comparison is None or self.member is not None:
            return None
        return comparison.delta(self.key)


class ReportTask(ABC):
    """The report layer of a task.

    The defaults report every metric that the task has, each with its interval; the first is the
    accuracy axis of the pictures.
    """

    member_title: str = ""
    """Heading of the table by class or finding, as `Sensitivity of each class`; empty for none."""

    member_metrics: tuple[str, ...] = ()
    """Fields of `ClassMetrics` in that table; its picture shows the first."""

    @property
    @abstractmethod
    def changed_answer(self) -> str:
        """The heading of changed images: `Images whose … is not the float student's`."""

    def headline(self, metrics: Metrics, policy: PolicyFacts) -> list[MetricColumn]:
        """The columns of every table, in order.

        Args:
            metrics: Metrics of any row.
            policy: Says which classes are named first.
        """
        return self.all_columns(metrics)

    def details(self, metrics: Metrics) -> list[MetricColumn]:
        """Further columns, for the page's table of all other numbers."""
        return []

    def all_columns(self, metrics: Metrics) -> list[MetricColumn]:
        """A column for every estimate that the metrics have, the task's own measures first."""
        own = [_plain_column(key, percent=False) for key in metrics.measures]
        known = [key for key in METRIC_MEANINGS if getattr(metrics, key) is not None]
        return [*own, *(_plain_column(key, percent=True) for key in known)]

    def regression_columns(self, metrics: Metrics) -> list[MetricColumn]:
        """The metrics of which a regression check compares a new result with an old one."""
        return self.all_columns(metrics)

    def critical_columns(self, critical: Sequence[str]) -> list[MetricColumn]:
        """The column of each critical class that a regression check compares."""
        return []

    def scores(self, outputs: NDArray[Any], classes: Sequence[str]) -> dict[str, float]:
        """Scores of one image by name, from its calibrated outputs; empty where none are shown.

        Args:
            outputs: Calibrated outputs of one image, without the batch axis.
            classes: Names of the network's outputs.
        """
        return {}

    def answer(self, scores: Mapping[str, float]) -> frozenset[str]:
        """The names (classes or findings) that the scores of one image give as the answer."""
        return frozenset()

    def label_names(self, label: str) -> frozenset[str]:
        """The names (classes or findings) that a label stands for."""
        return frozenset({label})

    def thresholds(self, decision: Any, name: str) -> dict[str, float]:
        """The thresholds that a bundle's decision has for a class or finding, by their effect.

        Args:
            decision: The section `decision` of the manifest.
            name: The class or finding.
        """
        return {}

    def refer_below(self, decision: Any) -> float | None:
        """The probability of the answer below which a bundle refers; None without such a rule."""
        return None


def policy_order(names: Sequence[str], policy: PolicyFacts) -> list[str]:
    """The names in the order of reports: first those that the policy lists as `first`."""
    ranks = {name.casefold(): rank for rank, name in enumerate(policy.first)}
    return sorted(names, key=lambda name: ranks.get(name.casefold(), len(ranks)))


def report_task(name: str) -> ReportTask:
    """The report layer of a task; see `load_layer` for errors."""
    layer: ReportTask = load_layer(name, "report", ReportTask)
    return layer


def _plain_column(key: str, *, percent: bool) -> MetricColumn:
    title = key.replace("_", " ")
    title = title[:1].upper() + title[1:]
    return MetricColumn(key, title, title, percent=percent)
