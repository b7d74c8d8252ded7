from __future__ import annotations

from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from edgekd.bundle.policy import CAPTURE_CODES, UNLIKE
from edgekd.errors import ArtefactError, InputError
from edgekd.policy import DEFAULT_POLICY, POLICIES, Policy, load_policy, policy_of_values

SHIPPED = ("dermoscopy", "fundus", "none")

POLICY = """
name = "mine"
title = "My clinic"
[critical]
mel = 0.05
[gate]
max_flips = 0.01
max_balanced_accuracy_drop = 0.01
max_sensitivity_drop = 0.05
max_ece_increase = 0.02
[floors]
noticed = 0.9
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(POLICY, encoding="utf-8")
    return file


@pytest.fixture
def mine(own: Path) -> Policy:
    return load_policy(own)


def test_shipped_policies() -> None:
    assert tuple(POLICIES.names()) == SHIPPED
    assert DEFAULT_POLICY == "dermoscopy"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_policy_loads(name: str) -> None:
    policy = load_policy(name)
    assert policy.name == name
    assert policy.gate.max_flips <= 0.05
    assert policy.gate.min_images == 50
    assert policy.floors.beyond_chance
    assert policy.floors.answered == 0.5
    assert 0.5 < policy.decision.refer_coverage <= 1.0


def test_dermoscopy_demands_melanoma_first() -> None:
    policy = load_policy("dermoscopy")
    assert policy.critical["mel"] == min(policy.critical.values())
    assert (policy.floors.noticed, policy.floors.answered) == (0.9, 0.5)
    assert policy.decision.critical_sensitivity >= policy.floors.noticed
    assert policy.words.ordered(("nv", "MEL", "bcc")) == ("MEL", "nv", "bcc")
    assert policy.words.group == "lesion or patient"
    assert set(policy.capture.measures) == set(CAPTURE_CODES)


def test_fundus_speaks_of_no_lesion() -> None:
    policy = load_policy("fundus")
    said = " ".join(f"{each.problem} {each.remedy}" for each in policy.capture.sentences.values())
    assert "lesion" not in said
    assert "skin" not in said
    assert policy.capture.measures == ("sharpness", "brightness", "glare")
    assert policy.words.group == "patient"


def test_none_has_no_critical_class() -> None:
    assert load_policy("none").critical == {}


@pytest.mark.parametrize(("wrong", "right"), [("dermscopy", "dermoscopy"), ("chest", None)])
def test_unknown_policy_suggests(wrong: str, right: str | None) -> None:
    with pytest.raises(InputError, match=f"there is no policy '{wrong}'") as caught:
        load_policy(wrong)
    assert (f"did you mean {right!r}?" in caught.value.hint) == (right is not None)
    assert "path of a .toml file" in caught.value.hint
    assert all(name in caught.value.hint for name in SHIPPED)


def test_policy_of_a_third_party(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Point(EntryPoint):
        def load(self) -> Any:
            return str(own)

    points = EntryPoints([Point("clinic", "somewhere:FILE", "edgekd.policies")])
    monkeypatch.setattr(metadata, "entry_points", lambda group: points.select(group=group))
    assert load_policy("clinic").title == "My clinic"
    assert "clinic" in POLICIES


def test_third_party_that_hands_in_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("odd", "math:pi", "edgekd.policies")])
    monkeypatch.setattr(metadata, "entry_points", lambda group: points.select(group=group))
    with pytest.raises(ArtefactError, match="the policy odd of math:pi is a float"):
        load_policy("odd")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title = "My clinic"', ""),
        ('title = "My clinic"', 'titel = "My clinic"'),
        ("max_flips = 0.01", "max_flips = 2"),
        ("max_flips = 0.01", "max_flips = 0.01\nmin_images = 0"),
        ("[gate]", "[gate"),
        ("mel = 0.05", "mel = 0"),
        ("noticed = 0.9", "notices = 0.9"),
        ("[floors]", "[words]\nfrist = ['mel']\n[floors]"),
        ("[floors]", "[teacher]\nmargin = 0\n[floors]"),
    ],
)
def test_wrong_file_is_named(own: Path, old: str, new: str) -> None:
    own.write_text(POLICY.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"the policy .*mine\.toml is wrong"):
        load_policy(own)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.toml is wrong: No such file"):
        load_policy(str(tmp_path / "gone.toml"))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('measures = ["sharpnes"]', "there is no measure 'sharpnes'"),
        ('measures = ["sharpness"]', "missing or needless: blurred, unlike"),
        ('sentences = {blurred = {problem = "a", remedy = "b"}}', "missing or needless: blurred"),
    ],
)
def test_sentences_fit_the_measures(own: Path, section: str, said: str) -> None:
    own.write_text(f"{POLICY}[capture]\n{section}\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        load_policy(own)


def test_every_problem_of_a_shipped_policy_has_a_sentence() -> None:
    for name in SHIPPED:
        rules = load_policy(name).capture
        codes = {code for each in rules.measures for code in CAPTURE_CODES[each] if code}
        assert set(rules.sentences) == codes | {UNLIKE}


def test_critical_classes_are_those_of_the_model() -> None:
    policy = load_policy("dermoscopy")
    assert policy.critical_of(("nv", "MEL", "bcc")) == {"MEL": 0.05, "bcc": 0.1}
    assert policy.critical_of(("0", "1")) == {}


def test_limits_can_be_tightened(mine: Policy) -> None:
    limits = {"max_flips": 0.005, "min_images": 80, "noticed": 0.95, "answered": 0.6}
    tight = mine.tightened(limits, {"bcc": 0.2})
    assert (tight.gate.max_flips, tight.gate.min_images) == (0.005, 80)
    assert (tight.floors.noticed, tight.floors.answered) == (0.95, 0.6)
    assert tight.critical == {"mel": 0.05, "bcc": 0.2}
    assert tight.gate.max_sensitivity_drop == 0.05
    assert tight.sha256() != mine.sha256()
    assert mine.tightened({}) == mine


@pytest.mark.parametrize(
    ("limits", "critical", "said"),
    [
        ({"max_flips": 0.02}, {}, "max_flips=0.02 is looser than the policy's 0.01"),
        ({"min_images": 10}, {}, "min_images=10 is looser than the policy's 50"),
        ({"noticed": 0.8}, {}, "noticed=0.8 is looser than the policy's 0.9"),
        ({"beyond_chance": 0}, {}, "beyond_chance=0 is looser than the policy's 1"),
        ({}, {"mel": 0.1}, "mel=0.1 is looser than the policy's 0.05"),
        ({}, {"MEL": 0.1}, "MEL=0.1 is looser than the policy's 0.05"),
        ({"max_flip": 0.01}, {}, "there is no limit 'max_flip'"),
        ({}, {"bcc": 1.5}, "bcc=1.5 is looser"),
        ({"max_flips": -0.1}, {}, "the limits are wrong"),
        ({"answered": 1.1}, {}, "the limits are wrong"),
    ],
)
def test_limits_are_not_loosened(
    mine: Policy, limits: dict[str, float], critical: dict[str, float], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        mine.tightened(limits, critical)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_checkpoint_keeps_the_whole_policy(name: str) -> None:
    policy = load_policy(name)
    assert policy_of_values(policy.values()) == policy


def test_a_checkpoint_without_a_policy_has_that_of_dermoscopy() -> None:
    assert policy_of_values(None) == load_policy("dermoscopy")


def test_a_damaged_policy_of_a_checkpoint_is_an_error() -> None:
    with pytest.raises(ArtefactError, match="the checkpoint's policy is damaged"):
        policy_of_values({"name": "mine"})
