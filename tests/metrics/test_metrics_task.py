from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.extensions.tasks import TASKS
from edgekd.metrics import Metrics
from edgekd.metrics.task import metrics_task


@pytest.mark.parametrize("name", sorted(TASKS.own))
def test_each_task_has_a_metrics_layer_with_a_selection_metric(name: str) -> None:
    assert metrics_task(name).selection_metric in Metrics.__struct_fields__


def test_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="there is no task 'multilable'") as caught:
        metrics_task("multilable")
    assert "did you mean 'multilabel'?" in caught.value.hint
