"""Names in pictures."""

from __future__ import annotations

from edgekd.evaluation.pictures.words import cut


def test_a_name_is_cut_where_there_is_no_room() -> None:
    assert cut("nevus", 100) == "nevus"
    assert cut("seborrhoeic keratosis", 62) == "seborrhoe…"
    assert cut("nevus", 1) == "n…"
