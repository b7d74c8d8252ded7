"""The picture of a search."""

from __future__ import annotations

from xml.etree import ElementTree

import searches

from edgekd.tune.outcome import TuneResult
from edgekd.tune.picture import picture

SVG = "{http://www.w3.org/2000/svg}"


def drawn(result: TuneResult) -> ElementTree.Element:
    svg = picture(result)
    assert svg is not None
    assert "var(--" not in svg  # a file of its own has no style sheet
    assert "class=" not in svg
    return ElementTree.fromstring(svg)


def titles(root: ElementTree.Element) -> list[str]:
    return [g.findtext(f"{SVG}title") or "" for g in root.iter(f"{SVG}g") if len(g) > 1]


def places(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Centres of the round marks by the beginning of their titles."""
    found = {}
    for group in root.iter(f"{SVG}g"):
        title, circle = group.findtext(f"{SVG}title"), group.find(f"{SVG}circle")
        if title and circle is not None:
            found[title.split(":")[0]] = (float(circle.get("cx")), float(circle.get("cy")))
    return found


def test_every_trial_with_a_result_is_a_mark_at_its_place() -> None:
    root = drawn(
        searches.result_with(
            searches.trial(0, 0.5, 2e6), searches.trial(1, 0.4, 1e6), searches.trial(2, 0.3, 4e6),
            searches.trial(3, 0.6, 1e6, state="refused"), searches.trial(4, None, None),
            front=[1, 0],
        )
    )  # fmt: skip
    marks = [title for title in titles(root) if title.startswith("trial ")]
    assert sorted(title.split(":")[0] for title in marks) == [f"trial {n}" for n in range(4)]
    where = places(root)
    (x1, y1), (x2, y2) = where["trial 1"], where["trial 2"]
    assert x1 < x2  # dearer to the right
    assert y1 < y2  # better above
    text = " ".join(element.text or "" for element in root.iter(f"{SVG}text"))
    assert "million multiply-accumulates" in text
    assert "validation balanced accuracy" in text
    assert "refused by its gate" in text
    dashed = [path for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray")]
    assert len(dashed) == 1


def test_marks_stay_inside_of_the_picture() -> None:
    root = drawn(
        searches.result_with(*(searches.trial(n, 0.1 * n, 1e6 * 3**n) for n in range(8)), front=[7])
    )
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places(root).values())


def test_one_trial_alone_is_drawn() -> None:
    root = drawn(searches.result_with(searches.trial(0, 0.0, 1e6), front=[0]))
    assert len([title for title in titles(root) if title.startswith("trial 0")]) == 1


def test_one_objective_is_drawn_over_the_trial() -> None:
    result = searches.result_with(
        searches.trial(0, 0.5, None), searches.trial(1, 0.7, None), front=[1], cost="none"
    )
    text = " ".join(element.text or "" for element in drawn(result).iter(f"{SVG}text"))
    assert "number of the trial" in text
    assert "log scale" not in text


def test_times_of_a_device_are_named_and_flagged_ones_hollow() -> None:
    result = searches.result_with(
        searches.trial(0, 0.5, 2.0), searches.trial(1, 0.4, 1.0, times_flagged=True),
        front=[1, 0], cost="latency", device="rpi", lowered="rpi",
    )  # fmt: skip
    root = drawn(result)
    text = " ".join(element.text or "" for element in root.iter(f"{SVG}text"))
    assert "milliseconds" in text
    assert "int8 file for rpi" in text
    fills = [circle.get("fill") for circle in root.iter(f"{SVG}circle")]
    assert "#ffffff" in fills


def test_without_any_result_there_is_no_picture() -> None:
    assert picture(searches.result_with(searches.trial(0, None, None), front=[])) is None
