"""The table of a search by a supernet."""

from __future__ import annotations

from pathlib import Path

import pytest
from supernet_results import result

from edgekd.tune.supernet.report import supernet_table


def test_generations_front_and_winner(tmp_path: Path) -> None:
    lines = supernet_table(result(tmp_path)).splitlines()
    assert lines[1].split() == ["0", "2", "0.700", "0.700"]
    assert lines[2].split() == ["1", "2", "0.700", "0.700"]
    (winner,) = [line for line in lines if line.startswith("* ") and "6/8/12" in line]
    assert winner.split()[1:4] == ["1", "0.700", "0.8000"]
    assert sum("recipes/" in line for line in lines) == 2
    assert "(0.5 M)" in supernet_table(result(tmp_path))


@pytest.mark.parametrize(("images", "words"), [("none", "no image of the recipe"),
                                               ("recipe", "test part was not read")])  # fmt: skip
def test_what_the_scores_are(images: str, words: str, tmp_path: Path) -> None:
    assert words in supernet_table(result(tmp_path, images=images, limit=None))
