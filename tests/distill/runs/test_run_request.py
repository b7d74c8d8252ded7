"""What a run is asked to do with what its folder has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekd.distill.runs.request import RunRequest
from edgekd.recipe import Recipe


@pytest.mark.parametrize(
    ("resume", "force", "replaces"),
    [(True, False, False), (True, True, True), (False, False, True)],
)
def test_a_finished_run_is_replaced_on_demand_alone(
    recipe: Callable[..., Recipe], tmp_path: Path, resume: bool, force: bool, replaces: bool
) -> None:
    assert RunRequest(recipe(), tmp_path, resume=resume, force=force).replaces == replaces
