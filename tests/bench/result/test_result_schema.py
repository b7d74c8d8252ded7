"""The typed result: differences by key, and missing numbers as text."""

from __future__ import annotations

import re
from pathlib import Path

from edgekd.bench import result
from edgekd.bench.result import SCHEMA_VERSION, Estimate, Missing, TeacherComparison


def test_a_difference_is_looked_up_by_its_key() -> None:
    kappa, own = Estimate(value=0.1), Estimate(value=0.2)
    comparison = TeacherComparison(quadratic_kappa_delta=kappa, deltas={"dice": own})
    assert comparison.delta("quadratic_kappa") == kappa
    assert comparison.delta("dice") == own
    assert comparison.delta("balanced_accuracy") is comparison.delta("none") is None


def test_missing_numbers_as_text() -> None:
    assert str(Missing(row="cpu int8", code="drift", detail="x")) == "cpu int8: drift: x"
    assert str(Missing(row=None, code="interrupted")) == "interrupted"


def test_every_name_is_exported_by_the_room() -> None:
    assert re.fullmatch(r"1\.\d+", SCHEMA_VERSION)
    source = Path(result.__file__).with_name("schema.py").read_text()
    public = set(re.findall(r"^class ([A-Z]\w+)", source, re.MULTILINE))
    assert public <= set(result.__all__)
