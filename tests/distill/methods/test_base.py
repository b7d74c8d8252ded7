"""What a stage may be declared as."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from edgekd.distill.methods import Player, Stage
from edgekd.errors import InputError


def objective(batch: Any) -> dict[str, Any]:
    return {}


def step(batch: Any, players: Any) -> dict[str, Any]:
    return {}


NETWORK = nn.Linear(2, 2)
PLAYERS = {"student": Player((NETWORK,))}


@pytest.mark.parametrize(
    ("declared", "fault", "hint"),
    [
        ({"objective": objective, "step": step}, "both an objective and a step", "exactly one"),
        ({}, "neither an objective nor a step", "exactly one"),
        ({"objective": objective}, "an objective but not its modules", "`trained`"),
        (
            {"objective": objective, "trained": (NETWORK,), "players": PLAYERS},
            "an objective but not its modules", "`trained`",
        ),
        ({"step": step}, "a step but not its players", "`players`"),
        ({"step": step, "trained": (NETWORK,)}, "a step but not its players", "`players`"),
        (
            {"step": step, "trained": (NETWORK,), "players": PLAYERS},
            "a step but not its players", "`players`",
        ),
        (
            {"step": step, "players": PLAYERS, "evaluated": None},
            "nothing to choose its best epoch by", "`criterion`",
        ),
    ],
)  # fmt: skip
def test_a_stage_that_contradicts_itself_is_refused(declared, fault, hint):
    with pytest.raises(InputError, match=f"the stage hint of the method has {fault}") as caught:
        Stage("hint", **{"evaluated": NETWORK, **declared})
    assert hint in caught.value.hint


def test_modules_of_a_stage():
    other, follower = nn.Linear(3, 3), nn.Linear(1, 1)
    stage = Stage("student", (NETWORK,), objective, NETWORK, followers=(follower,))
    assert stage.optimised == (NETWORK,)
    assert stage.updated == (NETWORK, follower)
    players = {**PLAYERS, "generator": Player((other,))}
    stage = replace(stage, trained=(), objective=None, step=step, players=players)
    assert stage.updated == (NETWORK, other, follower)
