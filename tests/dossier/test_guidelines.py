"""The guidelines: sources, topics that lead to chapters and questions that exist."""

from __future__ import annotations

import re

from dossier_facts import facts_of

from edgekd.dossier.chapters import chapters
from edgekd.dossier.guidelines import Topic, guidelines, open_parts
from edgekd.dossier.questions import all_questions


def test_each_guideline_has_its_source_with_a_year() -> None:
    assert [each.key for each in guidelines()] == [
        "CLEAR Derm", "MI-CLAIM", "Model Cards", "GMLP", "MDR", "AI Act",
    ]  # fmt: skip
    assert all(re.search(r"\b20\d\d\b", each.source) for each in guidelines())
    counts = {each.key: len(each.topics) for each in guidelines()}
    # Mitchell et al. have nine sections, GMLP ten principles, Annex IV nine points.
    assert (counts["Model Cards"], counts["GMLP"], counts["AI Act"]) == (9, 10, 9)


def test_topics_lead_somewhere() -> None:
    keys, questions = {chapter.key for chapter in chapters(facts_of())}, all_questions()
    for guideline in guidelines():
        for topic in guideline.topics:
            assert topic.chapter in keys - {"items"}, topic
            assert set(topic.fill) <= set(questions), topic
            assert topic.has or topic.fill, topic


def test_what_of_a_topic_is_open() -> None:
    topic = Topic(name="x", chapter="use", has=["manifest", "validation"], fill=["use.purpose"])
    assert open_parts(topic, {"manifest"}, set()) == ["validation", "use.purpose"]
    assert open_parts(topic, {"manifest", "validation"}, {"use.purpose"}) == []
