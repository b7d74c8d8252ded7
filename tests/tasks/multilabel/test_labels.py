from __future__ import annotations

from edgekd.tasks.multilabel.data import Data
from edgekd.tasks.multilabel.labels import label_text


def test_findings_are_joined_and_none_has_a_name() -> None:
    assert label_text(["streaks", "veil"]) == "streaks;veil"
    assert label_text([]) == "none"


def test_label_of_an_answer_is_read_as_a_label_of_a_table() -> None:
    classes = ("network", "streaks", "veil")
    labels = [label_text(["streaks", "veil"]), label_text([])]
    assert Data().targets(labels, classes).tolist() == [[0, 1, 1], [0, 0, 0]]
