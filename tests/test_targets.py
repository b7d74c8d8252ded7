from __future__ import annotations

from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from edgekd.errors import EdgekdError, InputError, MissingDependencyError
from edgekd.lower.precision import LADDER
from edgekd.targets import load_target, resolve_targets, target_names

SHIPPED = {
    "android": "tflite", "browser": "tflite", "cpu": "openvino", "cpu-onnx": "onnx",
    "jetson": "tensorrt", "rpi": "tflite",
}  # fmt: skip

TARGET = """
name = "watch"
title = "A watch"
backend = "tflite"
extra = "tflite"
ladder = ["int8", "fp32"]
"""


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
    monkeypatch.setattr(metadata, "entry_points", lambda group: points.select(group=group))
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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title = "A watch"', ""),
        ('title = "A watch"', 'titel = "A watch"'),
        ('ladder = ["int8", "fp32"]', 'ladder = ["int8"'),
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


@pytest.mark.parametrize("section", ["critical", "gate", "decision"])
def test_sections_of_the_policy_are_refused(own: Path, section: str) -> None:
    own.write_text(f"{TARGET}[{section}]\nmel = 0.05\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"is wrong: \[{section}\] belong in a policy") as caught:
        load_target("watch")
    assert "--policy FILE" in caught.value.hint


def test_target_that_does_not_load_is_its_makers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("torn", "no_such_package:FOLDER", "edgekd.targets")])
    monkeypatch.setattr(metadata, "entry_points", lambda group: points.select(group=group))
    broken: dict[str, EdgekdError] = {}
    assert {target.name for target in resolve_targets("all", broken)} == set(SHIPPED)
    assert "the target torn of no_such_package:FOLDER does not import" in broken["torn"].message
    with pytest.raises(MissingDependencyError):
        resolve_targets("torn")
