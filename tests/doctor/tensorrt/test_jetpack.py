"""Which JetPack a release of Linux for Tegra belongs to, and whether edgekd can use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.doctor.tensorrt.jetpack import JETPACKS, jetpack_of

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("l4t", "name", "usable"),
    [
        ("32.7.4", "4.6", False),
        ("35.4.1", "5.0, 5.1", False),
        ("36.3", "6.0", False),
        ("36.4.3", "6.1, 6.2", True),
        ("36.5", "6.1, 6.2", True),
        ("38.2", "7.0, 7.1", True),
        ("39.1", "7.2", True),
    ],
)
def test_jetpack_of_a_release(l4t: str, name: str, usable: bool) -> None:
    row = jetpack_of(l4t)
    assert row is not None
    assert (row.name, row.advice == "") == (name, usable)
    assert bool(row.image) == usable


def test_a_release_that_is_not_known_yet() -> None:
    assert jetpack_of("42.1") is None


def test_the_readme_has_the_same_table() -> None:
    lines = (REPOSITORY / "targets/jetson/README.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    rows = {row[0]: row[1:] for row in cells}
    for jetpack in JETPACKS:
        l4t, tensorrt, cuda, python, image, *_ = rows[jetpack.name]
        assert (tensorrt, cuda, python) == (jetpack.tensorrt, jetpack.cuda, jetpack.python)
        assert image.strip("`–") == jetpack.image
        assert all(part.rstrip(".") in l4t for part in jetpack.l4t)


def test_a_release_belongs_to_one_row_and_rows_are_in_order() -> None:
    firsts = [min(int(begin.partition(".")[0]) for begin in row.l4t) for row in JETPACKS]
    assert firsts == sorted(firsts)
    for row in JETPACKS:
        for begin in row.l4t:
            assert jetpack_of(begin) is row
            assert jetpack_of(f"{begin}.9.9") is row
    assert jetpack_of("360.1") is None  # no release of 36
