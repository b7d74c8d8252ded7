"""Keys in which plain values differ."""

from __future__ import annotations

from edgekd.recipe.differences import Difference, differences


def test_keys_of_sections_in_their_order() -> None:
    first = {"seed": 0, "fit": {"epochs": 3, "rate": 0.1}, "model": None, "sizes": [1, 2]}
    second = {"seed": 0, "fit": {"epochs": 5, "rate": 0.1}, "model": {"arch": "x"}, "sizes": [1]}
    assert list(differences(first, second)) == [
        Difference("fit.epochs", 3, 5),
        Difference("model", None, {"arch": "x"}),
        Difference("sizes", [1, 2], [1]),
    ]
    assert list(differences(first, first)) == []


def test_keys_that_one_lacks() -> None:
    assert [each.key for each in differences({"a": 1}, {"b": 2})] == ["a", "b"]


def test_words() -> None:
    text = Difference("fit.epochs", 3, None).text("there", "here")
    assert text == "fit.epochs is 3 there and none here"
    assert len(Difference("k", "x" * 999, 0).text("there", "here")) < 100
