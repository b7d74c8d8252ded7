"""Limits in plain words, from the numbers."""

from __future__ import annotations

from dossier_facts import external, facts_of

from edgekd.dossier.limits import limit_lines


def test_few_images_unmet_floors_and_rare_patients_are_said() -> None:
    text = "\n".join(limit_lines(facts_of()))
    assert "A floor of the policy is not met" in text
    assert "mel is critical. Of 15 validation images 80.0% are named right, too few" in text
    assert "as few as 55.0%" in text
    assert "bkl: Of 5 validation images" in text
    assert "nv" not in text
    assert "Hardly learnt from: sex female (12) training images" in text
    assert "another hospital" in text


def test_what_is_no_limit_is_not_said() -> None:
    text = "\n".join(limit_lines(facts_of(external=external(), data=None, policy=None)))
    assert "another hospital" not in text
    assert "Hardly" not in text
    assert "critical" not in text
