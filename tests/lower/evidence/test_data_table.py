"""The table of the parts: numbers with their shares, and no cell that breaks it."""

from __future__ import annotations

from edgekd.bundle import DataRecord, PartRecord
from edgekd.bundle.policy import PolicyWords
from edgekd.lower.evidence.data_table import markdown_cell, part_table

DATA = DataRecord(
    name="spots",
    parts={
        "train": PartRecord(
            images=2000, groups=1500, classes={"mel": 500, "nv": 1500},
            attributes={"sex": {"f": 800, "m": 1200}},
        ),
        "test": PartRecord(
            images=8, groups=8, classes={"mel": 2, "nv": 6}, attributes={"sex": {"m": 8}},
        ),
    },
)  # fmt: skip


def test_all_lines() -> None:
    assert list(
        part_table(DATA, PolicyWords(groups="lesions"), counts=True, attributes=["sex"])
    ) == [
        "| | train | test |",
        "|---|---|---|",
        "| images | 2,000 | 8 |",
        "| lesions | 1,500 | 8 |",
        "| mel | 500 (25.0%) | 2 (25.0%) |",
        "| nv | 1,500 (75.0%) | 6 (75.0%) |",
        "| sex: f | 800 (40.0%) | 0 (0.0%) |",
        "| sex: m | 1,200 (60.0%) | 8 (100.0%) |",
    ]


def test_chosen_attributes_alone() -> None:
    assert len(list(part_table(DATA, PolicyWords(), attributes=["sex"]))) == 4
    assert len(list(part_table(DATA, PolicyWords()))) == 2


def test_a_value_cannot_break_the_table() -> None:
    assert markdown_cell("a|b\n*c* <img>") == "a\\|b \\*c\\* \\<img\\>"
