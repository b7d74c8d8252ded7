from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from edgekd import resources, targets
from edgekd.errors import InputError
from edgekd.lower.precision import LADDER
from edgekd.targets import load_target, resolve_targets, target_names

SHIPPED = {
    "android": "tflite", "cpu": "openvino", "cpu-onnx": "onnx", "jetson": "tensorrt",
    "rpi": "tflite",
}  # fmt: skip

TARGET = """
name = "watch"
title = "A watch"
backend = "tflite"
extra = "tflite"
ladder = ["int8", "fp32"]
[critical]
mel = 0.05
[gate]
max_flips = 0.01
max_balanced_accuracy_drop = 0.01
max_sensitivity_drop = 0.05
max_ece_increase = 0.02
"""


@pytest.fixture(autouse=True)
def shipped_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones, whatever another test of the session put in their place."""
    monkeypatch.setattr(targets, "target_folders", resources.target_folders)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A third party's target, known by its entry point."""
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "target.toml").write_text(TARGET, encoding="utf-8")

    class Point(EntryPoint):
        def load(self) -> Any:
            return str(folder)

    points = EntryPoints([Point("watch", "somewhere:FOLDER", "edgekd.targets")])
    monkeypatch.setattr(targets, "entry_points", lambda group: points.select(group=group))
    return folder / "target.toml"


def test_shipped_targets() -> None:
    assert set(SHIPPED) <= set(target_names())
    assert target_names() == sorted(target_names())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_target_loads(name: str) -> None:
    target = load_target(name)
    assert (target.name, target.backend) == (name, SHIPPED[name])
    assert (target.ladder[0], target.ladder[-1]) == ("int8", "fp32")
    assert [name for name in LADDER if name in target.ladder] == list(target.ladder)
    assert target.critical["mel"] <= min(target.critical.values())
    assert target.gate.max_flips <= 0.05
    assert target.gate.min_images == 50
    assert 0.5 < target.decision.refer_coverage <= 1.0


@pytest.mark.parametrize(("wrong", "right"), [("jetsn", "jetson"), ("RPI", None), ("rpi4", "rpi")])
def test_unknown_target_suggests(wrong: str, right: str | None) -> None:
    with pytest.raises(InputError, match=f"there is no target '{wrong}'") as caught:
        load_target(wrong)
    assert (f"did you mean {right!r}?" in caught.value.hint) == (right is not None)
    assert all(name in caught.value.hint for name in SHIPPED)


def test_list_of_targets_in_order_without_repeats() -> None:
    assert [target.name for target in resolve_targets("rpi, cpu,rpi")] == ["rpi", "cpu"]
    assert [target.name for target in resolve_targets("all")] == target_names()


@pytest.mark.parametrize("names", ["", "cpu,", "cpu,,rpi", "cpu rpi"])
def test_list_with_what_is_no_target(names: str) -> None:
    with pytest.raises(InputError, match="there is no target"):
        resolve_targets(names)


def test_target_of_a_third_party(own: Path) -> None:
    assert "watch" in target_names()
    assert load_target("watch").title == "A watch"
    assert load_target("watch").decision.refer_coverage == 1.0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title = "A watch"', ""),
        ('title = "A watch"', 'titel = "A watch"'),
        ("max_flips = 0.01", "max_flips = 2"),
        ("max_flips = 0.01", "max_flips = 0.01\nmin_images = 0"),
        ("[gate]", "[gate"),
        ("mel = 0.05", "mel = 0"),
        ('ladder = ["int8", "fp32"]', "ladder = []"),
    ],
)
def test_wrong_file_is_named(own: Path, old: str, new: str) -> None:
    own.write_text(TARGET.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"watch.target\.toml is wrong"):
        load_target("watch")


def test_missing_file_is_named(own: Path) -> None:
    own.unlink()
    with pytest.raises(InputError, match=r"watch.target\.toml is wrong"):
        load_target("watch")


def test_critical_classes_are_those_of_the_model(own: Path) -> None:
    target = load_target("rpi")
    assert target.critical_of(("nv", "MEL", "bcc")) == {"MEL": 0.05, "bcc": 0.1}
    assert target.critical_of(("0", "1")) == {}


def test_limits_can_be_tightened(own: Path) -> None:
    tight = load_target("watch").tightened({"max_flips": 0.005, "min_images": 80}, {"bcc": 0.2})
    assert (tight.gate.max_flips, tight.gate.min_images) == (0.005, 80)
    assert tight.critical == {"mel": 0.05, "bcc": 0.2}
    assert tight.gate.max_sensitivity_drop == 0.05


@pytest.mark.parametrize(
    ("gate", "critical", "said"),
    [
        ({"max_flips": 0.02}, {}, "max_flips=0.02 is looser than the target's 0.01"),
        ({"min_images": 10}, {}, "min_images=10 is looser than the target's 50"),
        ({}, {"mel": 0.1}, "mel=0.1 is looser than the target's 0.05"),
        ({}, {"MEL": 0.1}, "MEL=0.1 is looser than the target's 0.05"),
        ({"max_flip": 0.01}, {}, "there is no limit 'max_flip'"),
        ({}, {"bcc": 1.5}, "bcc=1.5 is looser"),
        ({"max_flips": -0.1}, {}, "the limits are wrong"),
    ],
)
def test_limits_are_not_loosened(
    own: Path, gate: dict[str, float], critical: dict[str, float], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_target("watch").tightened(gate, critical)
