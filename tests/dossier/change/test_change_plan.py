"""A plan of changes: an example that can be read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.dossier.change.plan import plan_template, read_plan
from edgekd.errors import InputError


def write(folder: Path, text: str) -> Path:
    file = folder / "plan.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_is_a_plan(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, plan_template()))
    assert plan.may_change == ["method", "lowering", "decision"]
    assert [margin.title for margin in plan.margins] == [
        "balanced accuracy", "sensitivity of mel", "answered wrong of mel", "not answered",
    ]  # fmt: skip


def test_areas_and_fields(tmp_path: Path) -> None:
    text = "name: a\nmay_change: [lowering, lineage.seed, decision.thresholds]\nmargins: []\n"
    plan = read_plan(write(tmp_path, text))
    assert plan.allows("lowering", "lowering.precision")
    assert plan.allows("method", "lineage.seed")
    assert plan.allows("decision", "decision.thresholds.mel")
    assert not plan.allows("decision", "decision.thresholdsx")
    assert not plan.allows("method", "lineage.method")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nmay_change: [methods]\nmargins: []\n", "'methods', which is no area"),
        ("image,dx\na.jpg,mel\n", "must be a mapping of keys to values"),
        ("name: a\nmay_change: []\nmargin: []\n", "is wrong"),
        ("may_change: []\nmargins: []\n", "is wrong"),
        ("name: a\nmay_change: []\nmargins: [{figure: sensitivity, worse: 0.1}]", "needs a class"),
        (
            "name: a\nmay_change: []\nmargins: [{figure: balanced_accuracy, of: mel, worse: 0.1}]",
            "is of all images",
        ),
        ("name: a\nmay_change: []\nmargins: [{figure: ece, worse: 2}]", "to be worse by 2"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_no_plan(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_plan(write(tmp_path, text))
    assert message in caught.value.message


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_plan(tmp_path / "none.yaml")
