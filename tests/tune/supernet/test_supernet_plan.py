"""The file of a search by a supernet."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.errors import InputError
from edgekd.tune.supernet import plan
from edgekd.tune.supernet.plan import SupernetPlan, load_plan


def test_without_a_file_the_defaults() -> None:
    assert load_plan(None) == SupernetPlan()
    assert SupernetPlan().space.architectures > 1e6


def test_sections_may_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text((plan.__doc__ or "").partition("\n\n")[2])  # the example that is documented
    read = load_plan(str(file))
    assert read.space.stages[0].widths == (8, 12, 16)
    assert (read.synthesis.images, read.supernet.steps) == (2048, 4000)
    assert read.evolution.generations == 20
    assert read.evolution.population == SupernetPlan().evolution.population
    file.write_text("")
    assert load_plan(str(file)) == SupernetPlan()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("supernet: {step: 3}", "unknown key 'supernet.step'"),
        ("evolution: {probability: 2.0}", "probability"),
        ("space: {stages: []}", "stages"),
        ("held_out: 0", "held_out"),
        (": -", "not YAML"),
    ],
)
def test_wrong_files_are_refused(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        load_plan(str(file))


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(InputError, match="no file 'demo'"):
        load_plan("demo")
