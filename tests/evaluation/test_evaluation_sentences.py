"""Sentences made from numbers."""

from __future__ import annotations

import pytest
from scripted import CLASSES, POLICY, answered, data_of, mixed, validation_of

from edgekd.evaluation import sentences
from edgekd.evaluation.document import (
    GapFacts,
    LabelFacts,
    LeakFacts,
    Renamed,
    Share,
    Validation,
)
from edgekd.metrics import Estimate

NB = "\N{NO-BREAK SPACE}"
LABELS = ["mel"] * 20 + ["nv"] * 20
ANSWERS = ["mel"] * 12 + ["nv"] * 28
VERDICTS = ["answer"] * 10 + ["refer"] * 3 + ["retake"] + ["answer"] * 26


def model_of(answers=ANSWERS, verdicts=VERDICTS, labels=LABELS, **columns):
    data = data_of(labels, **columns)
    validation = validation_of(data, answered(data, answers, verdicts))
    return validation.result.validation.models[0]


def plain(text: str) -> str:
    return text.replace(NB, " ")


def test_what_is_missed_and_what_is_referred():
    model = model_of()
    text = plain(sentences.missed_sentence("mel", model.outcomes["mel"], decides=True))
    assert text == (
        "Of 20 images of mel, 6 were answered as something else (30.0 %, 95 % interval 14.5–51.9); "
        "3 were referred, 1 is to be taken again, 10 were answered right."
    )
    text = plain(sentences.overall_sentence(model.overall, decides=True))
    assert text.startswith("Of all 40 images, 6 were answered wrong (15.0 %")


def test_a_checkpoint_refers_nothing():
    model = model_of(verdicts=None)
    text = plain(sentences.missed_sentence("nv", model.outcomes["nv"], decides=False))
    assert text.startswith("Of 20 images of nv, none was answered as something else (0.0 %")
    assert text.endswith("20 were answered right (a checkpoint refers no image).")


def test_a_device_that_practically_answers_one_class():
    model = model_of(["mel"] + ["nv"] * 39, ["refer"] + ["answer"] * 39)
    assert plain(sentences.answered_sentence(model)) == (
        "The device practically answers 1 of the 2 classes that occur: nv. Fewer than 5 % of the "
        "images are answered right of mel (0 of 20)."
    )
    assert sentences.answered_sentence(model_of()) == ""


def gap(**changes) -> GapFacts:
    share = Share(value=0.4, low=0.3, high=0.5, count=32, n=80)
    higher = Share(value=0.9, low=0.8, high=0.95, count=72, n=80)
    facts = {
        "attribute": "sex", "measure": "sensitivity", "member": "mel", "lower": "female",
        "higher": "male", "lower_share": share, "higher_share": higher,
        "difference": Estimate(value=0.5, low=0.21, high=0.7),
    }  # fmt: skip
    return GapFacts(**{**facts, **changes})


def test_a_gap_with_its_interval():
    assert plain(sentences.gap_sentence(gap())) == (
        "sensitivity for mel is 40.0 % (32 of 80) where sex is female and 90.0 % (72 of 80) where "
        "it is male, a difference of 50.0 points (21.0 to 70.0)."
    )
    text = sentences.gap_sentence(gap(member=None, measure="not answered"))
    assert text.startswith("the share without an answer is")


def test_the_planted_failure_is_the_first_sentence_about_subgroups():
    validation = mixed()
    model = validation.result.validation.models[0]
    (text,) = sentences.gap_sentences(model)
    assert text.startswith(f"The largest certain difference among {model.comparisons} pairs of")
    assert "where sex is female" in text


def test_a_certain_gap_of_a_critical_class_is_named_though_another_is_larger():
    model = mixed(480).result.validation.models[0]
    shown = [(gap.member, gap.attribute) for gap in model.gaps if gap.shown]
    assert shown[0] == ("bkl", "sex")
    assert set(shown) == {("bkl", "sex"), ("mel", "sex"), ("nv", "sex")}
    largest, critical = sentences.gap_sentences(model, ["mel"])
    assert "sensitivity for bkl is" in largest
    assert critical.startswith("Certain too: sensitivity for mel is")
    assert critical.endswith(" 1 further gap is certain.")
    (largest,) = sentences.gap_sentences(model)
    assert largest.endswith(" 2 further gaps are certain.")


def test_chance_alone_is_not_called_a_difference():
    model = model_of(sex=["f", "m"] * 20)
    (text,) = sentences.gap_sentences(model)
    assert text.startswith("No difference between subgroups is certain among 3 pairs of subgroups.")
    assert sentences.gap_sentences(model_of()) == []


@pytest.mark.parametrize(
    ("leaks", "start"),
    [
        (LeakFacts(model="rpi", state="none"), ""),
        (
            LeakFacts(model="rpi", state="not checked", reason="it lists none"),
            "Whether rpi was made with some of these images is not known: it lists none.",
        ),
        (
            LeakFacts(model="rpi", state="found", by_part={"train": 10, "validation": 2}),
            "12 of the 300 images are not new to rpi: it was trained on 10 and fitted on 2 of",
        ),
    ],
)
def test_leaks(leaks, start):
    text = sentences.leak_sentence(leaks, 300)
    assert text.startswith(start)
    assert bool(text) == bool(start)


def test_absent_renamed_and_dropped():
    labels = LabelFacts(
        renamed={"Common Nevus": Renamed(label="nv", images=80)},
        dropped={"Atypical": 1},
        absent=["df", "vasc"],
    )
    validation = Validation(labels=labels, leaks=[], models=[])
    assert sentences.absent_sentence(validation) == (
        "No image shows df or vasc: nothing was measured of them."
    )
    assert sentences.label_sentences(validation) == [
        "Labels: 'Common Nevus' was read as nv (80 images).",
        "Left out on request: 1 image of 'Atypical'.",
    ]
    bare = Validation(labels=LabelFacts(), leaks=[], models=[])
    assert (sentences.absent_sentence(bare), sentences.label_sentences(bare)) == ("", [])


def test_critical_classes_come_first_and_all_of_it_in_a_terminal():
    validation = mixed()
    model = validation.result.validation.models[0]
    assert sentences.first_classes(model, POLICY) == ["mel"]
    first, *_ = sentences.model_sentences(model, POLICY)
    assert first.startswith("Of 80 images of mel, ")
    lines = sentences.plain_text(validation.result)
    assert [line.split(":")[0] for line in lines if " images of mel, " in line] == [
        "rpi int8", "jetson fp16", "student resnet",
    ]  # fmt: skip
    assert CLASSES[0] == "mel"


def test_many_names_are_cut():
    model = model_of(
        ["c0"] * 40,
        ["answer"] * 40,
        [f"c{n % 10}" for n in range(40)],
        classes=tuple(f"c{n}" for n in range(10)),
    )
    assert "c5 (0 of 4) and 4 more." in sentences.answered_sentence(model)
