"""An action is repeated over a connection that had worked, and not over one that never did."""

from __future__ import annotations

import pytest

from edgekd.bench.devices.retry import Retry
from edgekd.bench.devices.transport import DeviceRefusedError
from edgekd.errors import DeviceUnreachableError

LOST = DeviceUnreachableError("lost", "plug it in")


class Action:
    """Raises what it is given, one error a call, and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def reached() -> Retry:
    retry = Retry((0.0, 0.0))
    retry.call(Action())
    return retry


def test_a_lost_connection_is_tried_again() -> None:
    action = Action(LOST, LOST)
    assert reached().call(action) == "done"
    assert action.calls == 3


def test_the_pauses_are_the_limit() -> None:
    action = Action(LOST, LOST, LOST)
    with pytest.raises(DeviceUnreachableError):
        reached().call(action)
    assert action.calls == 3


def test_a_device_that_never_answered_is_tried_once() -> None:
    action = Action(LOST)
    with pytest.raises(DeviceUnreachableError):
        Retry((0.0, 0.0)).call(action)
    assert action.calls == 1


def test_a_refusal_is_final() -> None:
    action = Action(DeviceRefusedError("no", "ask"))
    with pytest.raises(DeviceRefusedError):
        reached().call(action)
    assert action.calls == 1
