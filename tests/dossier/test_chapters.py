"""The chapters: what the bundle knows stands there, what nobody said is open."""

from __future__ import annotations

from dossier_facts import external, facts_of

from edgekd.dossier.chapters import Chapter, chapters, open_items
from edgekd.dossier.questions import all_questions


def by_key(every: list[Chapter]) -> dict[str, str]:
    return {chapter.key: "\n".join(chapter.lines) for chapter in every}


def test_every_question_is_open_until_it_is_answered() -> None:
    items = [text for _, text in open_items(chapters(facts_of()))]
    assert all(any(f"(`{key}`)" in text for text in items) for key in all_questions())
    answered = {key: (f"answer to {key}",) for key in all_questions()}
    every = chapters(facts_of(answered, external()))
    assert [text for _, text in open_items(every) if "(`" in text] == []
    texts = "\n".join(by_key(every).values()).replace("\\", "")
    assert all(f"answer to {key}" in texts for key in all_questions())


def test_patients_of_each_part() -> None:
    every = by_key(chapters(facts_of()))
    text = every["data"]
    assert "| sex: female | 12 (0.6%) | 0 (0.0%) |" in text
    assert "| lesions | 1,500 | 40 |" in text
    assert "dx" not in text
    assert "7 images of the data set are in no part" in text
    assert "| dx\\_type: histo | 1,900 (95.0%) | 0 (0.0%) |" in every["reference"]
    assert "| camera: A | 2,000 (100.0%)" in every["acquisition"]


def test_an_older_bundle_invents_no_patients() -> None:
    every = chapters(facts_of(data=None))
    items = " ".join(text for _, text in open_items(every))
    assert "numbers of each part" in items
    assert "how each diagnosis was made" in items
    assert "| images |" not in by_key(every)["data"]


def test_an_external_validation_on_known_images_stays_open() -> None:
    items = [text for _, text in open_items(chapters(facts_of(external=external("found"))))]
    assert any("images that are new to the bundle: 3 of the 240" in text for text in items)
    items = [text for _, text in open_items(chapters(facts_of(external=external())))]
    assert not any("external validation" in text or "new to the bundle" in text for text in items)
    items = [text for _, text in open_items(chapters(facts_of()))]
    assert any(text.startswith("external validation: none was given") for text in items)


def test_an_answer_cannot_break_the_chapter() -> None:
    answer = {"use.purpose": ("x\n\n> **Open:** <script>alert(1)</script>",)}
    (chapter,) = [each for each in chapters(facts_of(answer)) if each.key == "use"]
    assert "\\<script\\>" in "\n".join(chapter.lines)
    assert not any("alert" in text for text in chapter.open)
