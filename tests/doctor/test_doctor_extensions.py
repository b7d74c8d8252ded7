"""What the doctor says of the extensions of third parties: which load, and why others do not."""

from __future__ import annotations

import inspect
import json
from importlib import import_module, metadata
from importlib.metadata import EntryPoints
from pathlib import Path

import pytest
import third_party

from edgekd.cli import main
from edgekd.doctor import examine_extensions, extensions
from edgekd.errors import MissingDependencyError
from edgekd.extensions.tasks import LAYERS
from edgekd.targets import load_target, target_names


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extensions of a third party, some of which cannot be loaded."""
    third_party.install(tmp_path / "third-party", monkeypatch)


@pytest.mark.usefixtures("others")
def test_target_that_does_not_load_ends_no_other_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "torn" in target_names()  # known by name: nothing of it was imported
    with pytest.raises(MissingDependencyError, match=r"target torn of third-party-backends 1\.0"):
        load_target("torn")
    monkeypatch.setattr("edgekd.doctor.examine", lambda targets: [])
    assert main(["doctor", "--json"]) == 0
    findings = {one["ability"]: one for one in json.loads(capsys.readouterr().out)}
    assert not findings["use the target torn"]["works"]
    assert "target torn of third-party-backends 1.0" in findings["use the target torn"]["detail"]
    assert findings["use the backend sound"]["detail"] == "of third-party-backends 1.0"
    assert not findings["use the backend undescribed"]["works"]


@pytest.mark.usefixtures("others")
def test_every_extension_is_loaded_and_those_that_crash_or_fail_are_findings() -> None:
    findings = {finding.ability: finding for finding in examine_extensions()}
    of_backends = {name for name in findings if name.startswith("use the backend ")}
    assert {f"use the backend {name}" for name in ("sound", "unimportable", "unfit")} < of_backends
    sound = findings["use the backend sound"]
    assert (sound.works, sound.needed) == (True, False)
    unfit = findings["use the backend unfit"]
    assert (unfit.works, unfit.package) == (False, "third-party-backends")
    assert "the lowering of the backend unfit of third-party-backends 1.0 is" in unfit.detail
    assert "third_party_of_none" in findings["use the backend unimportable"].detail


def test_without_third_parties_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda group: EntryPoints())
    monkeypatch.setattr(extensions, "try_each", None)
    assert examine_extensions() == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("task", "multilabel"), ("backend", "onnx"), ("target", "cpu"), ("policy", "fundus"),
        ("data source", "csv"), ("method", "kd"),
    ],
)  # fmt: skip
def test_edgekds_own_extension_of_each_kind_loads(kind: str, name: str) -> None:
    assert extensions._failure(f"{kind}/{name}") == ""
    assert "there is no" in extensions._failure(f"{kind}/of-nobody")


def test_every_layer_of_a_task_has_its_abstract_class() -> None:
    assert extensions._LAYER_KINDS.keys() == set(LAYERS)
    for place in extensions._LAYER_KINDS.values():
        module, _, name = place.partition(":")
        assert inspect.isabstract(getattr(import_module(module), name)), place
