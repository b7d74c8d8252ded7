"""Reports of tasks whose metrics have a sensitivity and specificity for each class."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.bench.result import Metrics, PolicyFacts
from edgekd.bench.task import MetricColumn, ReportTask, policy_order

__all__ = ["PerClassReport"]

_BALANCED_ACCURACY = MetricColumn("balanced_accuracy", "Balanced accuracy", "Bal. acc.")
_KAPPA = MetricColumn("quadratic_kappa", "Quadratic kappa", "κ²")
_DETAILS = (
    MetricColumn("accuracy", "Accuracy", "Acc."),
    MetricColumn("macro_f1", "Macro F1", "F1"),
    MetricColumn("macro_auroc", "Macro AUROC", "AUROC"),
    MetricColumn("ece", "ECE", "ECE"),
)


class PerClassReport(ReportTask):
    """Balanced accuracy, sensitivity of classes that the policy names first, kappa of grades."""

    member_title = "Sensitivity of each class"
    member_metrics = ("sensitivity", "specificity")

    def headline(self, metrics: Metrics, policy: PolicyFacts) -> list[MetricColumn]:
        """See `ReportTask`."""
        first = {name.casefold() for name in policy.first}
        named = [name for name in metrics.per_class if name.casefold() in first]
        balanced, *others = self.regression_columns(metrics)
        return [balanced, *self.critical_columns(policy_order(named, policy)), *others]

    def details(self, metrics: Metrics) -> list[MetricColumn]:
        """Accuracy, macro F1, macro AUROC and ECE."""
        return [column for column in _DETAILS if column.estimate(metrics) is not None]

    def regression_columns(self, metrics: Metrics) -> list[MetricColumn]:
        """Balanced accuracy and, of grades, the quadratic kappa."""
        return [_BALANCED_ACCURACY, *([_KAPPA] if metrics.quadratic_kappa is not None else [])]

    def critical_columns(self, critical: Sequence[str]) -> list[MetricColumn]:
        """The sensitivity of each critical class."""
        return [
            MetricColumn("sensitivity", f"Sensitivity for {name}", f"Sens. {name}", name)
            for name in critical
        ]
