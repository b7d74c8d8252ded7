"""What a recipe says of its teachers."""

from __future__ import annotations

from typing import Any

import pytest

from edgekd.errors import InputError
from edgekd.recipe import Recipe, convert

TWO = [{"checkpoint": "a"}, {"checkpoint": "b"}]


def read(**sections: Any) -> Recipe:
    return convert({"name": "x", "data": {"source": "csv"}, **sections}, Recipe, "here")


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"teachers": TWO, "teacher": {"checkpoint": "c"}}, "a `teacher`, or `teachers`"),
        ({"teachers": TWO[:1]}, "two at least"),
        ({"teachers": TWO, "teacher": {"weights": [1, 2, 3]}}, "3 `teacher.weights` of 2"),
        ({"teachers": TWO, "teacher": {"weights": [0, 0]}}, "all 0"),
        ({"teachers": TWO, "teacher": {"weights": [1, -1]}}, ">= 0"),
        ({"teacher": {"checkpoint": "c", "weights": "fitted"}}, "there are none"),
        ({"teacher": {"checkpoint": "c", "views": 3}}, "3"),
    ],
)
def test_what_fits_no_teachers_is_refused(sections, why):
    with pytest.raises(InputError, match=why):
        read(**sections)


def test_networks_of_the_teachers():
    assert [each.checkpoint for each in read(teachers=TWO).teacher_networks] == ["a", "b"]
    run = read(teachers=TWO, teacher={"views": 4, "weights": "fitted", "average": "logits"})
    assert len(run.teacher_networks) == 2
    (only,) = read(teacher={"checkpoint": "c", "precision": "bf16"}).teacher_networks
    assert only.checkpoint == "c"
    assert read().teacher_networks == ()
