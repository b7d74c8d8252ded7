"""What to ship: a name that a command can have, and the policy that judges it."""

from __future__ import annotations

from pathlib import Path

import lenient
import msgspec
import pytest
from cards import make_card

from edgekd.errors import InputError
from edgekd.lower.shipped.shipment import Shipment
from edgekd.policy import load_policy


def shipment(**changes: object) -> Shipment:
    known: dict[str, object] = {"name": "ham10000-student", "targets": []}
    return Shipment(run=Path("run"), out=Path("out"), work=Path("work"), **(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "Ham", "a/b", "../up", "a--b", "a b", "-a", "a.b"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no name of a student"):
        shipment(name=name).check_name()
    shipment(name="ham10000-student2").check_name()


def test_the_policy_is_the_one_that_is_given_or_the_students() -> None:
    card = msgspec.structs.replace(make_card(), policy=load_policy("fundus").values())
    assert shipment().policy_of(card).name == "fundus"
    assert shipment(policy=lenient.POLICY).policy_of(card).name == "lenient"
    assert shipment().policy_of(make_card()).name == "dermoscopy"  # as cards without one say
    with pytest.raises(InputError):
        shipment(policy="no-such-policy").policy_of(card)
