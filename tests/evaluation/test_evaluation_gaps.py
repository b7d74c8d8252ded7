"""Gaps between subgroups of scripted answers: a planted failure is named first."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import CLASSES, answers_of, data_of

from edgekd.evaluation.gaps import attribute_shares, gaps_of


def planted(images=360, *, degraded="female", rate=0.6, seed=0, groups=None, verdicts=True):
    """All answers are right nine times in ten, those for melanoma of one sex are not."""
    generator = np.random.default_rng(seed)
    labels = [CLASSES[n % 3] for n in range(images)]
    sex = generator.choice(["female", "male"], images).tolist()
    site = generator.choice(["back", "face", "foot", "arm", ""], images).tolist()
    wrong = [
        generator.random() < (rate if each == degraded and label == "mel" else 0.1)
        for each, label in zip(sex, labels, strict=True)
    ]
    given = ["nv" if label == "mel" else "mel" for label in labels]
    given = [other if bad else own for other, own, bad in zip(given, labels, wrong, strict=True)]
    data = data_of(labels, groups=groups, sex=sex, site=site)
    decided = ["answer"] * images if verdicts else None
    return data, answers_of(data, given, decided)


def test_a_planted_failure_of_one_sex_is_named_first():
    data, answers = planted()
    gaps = gaps_of(answers, data.attributes, CLASSES)
    first = gaps.largest[0]
    assert (first.attribute, first.measure, first.member) == ("sex", "sensitivity", "mel")
    assert (first.lower, first.higher) == ("female", "male")
    assert first.shown
    assert [gap.shown for gap in gaps.largest[1:]] == [False] * (len(gaps.largest) - 1)
    assert first.lower_share.n + first.higher_share.n == 120
    value = first.higher_share.value - first.lower_share.value
    assert first.difference.value == pytest.approx(value)


def test_without_a_failure_none_is_certain():
    data, answers = planted(rate=0.1)
    assert not any(gap.shown for gap in gaps_of(answers, data.attributes, CLASSES).largest)


def test_every_pair_is_counted():
    data, answers = planted()
    gaps = gaps_of(answers, data.attributes, CLASSES)
    assert len(gaps.largest) == 2 * 4  # sex and site, by three classes and by images not answered
    assert gaps.comparisons == 4 * 1 + 4 * 10  # site has five subgroups, one of missing values
    data, answers = planted(verdicts=False)
    assert len(gaps_of(answers, data.attributes, CLASSES).largest) == 2 * 3


def test_more_columns_make_the_same_gap_less_certain():
    data, answers = planted()
    both = gaps_of(answers, data.attributes, CLASSES).largest[0]
    alone = gaps_of(answers, data.attributes[:1], CLASSES).largest[0]
    assert alone.difference.value == both.difference.value
    assert alone.difference.low > both.difference.low


def test_patients_are_the_units():
    """Twenty patients of each sex with six images, which are all right or all wrong."""
    patients, right = np.repeat(np.arange(40), 6), np.arange(40) % 4 != 0
    right[20:] = np.arange(20) % 4 == 0
    given = np.where(right[patients], "mel", "nv").tolist()
    sex = np.where(patients < 20, "m", "f").tolist()
    bounds = []
    for groups in (None, [f"P{n}" for n in patients]):
        data = data_of(["mel"] * 240, groups=groups, sex=sex)
        answers = answers_of(data, given)
        (gap,) = gaps_of(answers, data.attributes, CLASSES).largest
        bounds.append(gap.difference)
    assert bounds[0].value == bounds[1].value == 0.5
    assert bounds[0].low > 0.35 > bounds[1].low > 0


def test_shares_of_an_attribute():
    data = data_of(["mel", "mel", "nv", "nv"], sex=["m", "m", "f", ""])
    answers = answers_of(data, ["mel", "nv", "nv", "mel"], ["answer", "answer", "refer", "answer"])
    shares = attribute_shares(answers, data.attributes[0], CLASSES)
    assert [each.name for each in shares.subgroups] == ["f", "m", "not known"]
    assert [list(each.sensitivity) for each in shares.subgroups] == [["nv"], ["mel"], ["nv"]]
    assert [each.not_answered.count for each in shares.subgroups] == [1, 0, 0]
    assert (shares.subgroups[1].sensitivity["mel"].count, shares.subgroups[1].images) == (1, 2)


def test_a_column_with_one_value_has_no_gap():
    data = data_of(["mel", "nv"], sex=["m", "m"])
    answers = answers_of(data, ["mel", "nv"], ["answer"] * 2)
    assert gaps_of(answers, data.attributes, CLASSES).largest == []
