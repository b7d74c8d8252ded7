"""`edgekd doctor`: how findings are printed, and the exit code that a script sees."""

from __future__ import annotations

import json

import pytest

from edgekd.cli import main
from edgekd.doctor.finding import Finding

WORKS = Finding("lower for cpu", True, True, "openvino 2025.1")
NO_PACKAGE = Finding("run cpu bundles", False, True, "pip install it", "openvino", "openvino")
NO_EXTRA = Finding("run jetson bundles", False, True, "comes with JetPack", "tensorrt")
NO_DEVICE = Finding("power mode", False, True, "nvpmodel does not answer")
NOTE = Finding("swap", False, False, "none is active")


def examined(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    """Let this be all that is found."""
    monkeypatch.setattr("edgekd.doctor.examine", lambda targets: list(findings))
    monkeypatch.setattr("edgekd.doctor.examine_extensions", list)


@pytest.mark.parametrize(
    ("finding", "code"), [(WORKS, 0), (NOTE, 0), (NO_PACKAGE, 3), (NO_EXTRA, 3), (NO_DEVICE, 5)]
)
def test_exit_code_of_one_target(
    finding: Finding, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examined(monkeypatch, finding)
    assert main(["doctor", "--target", "cpu"]) == code
    assert ("error: " in capsys.readouterr().err) == (code != 0)


def test_all_targets_are_a_survey_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examined(monkeypatch, WORKS, NO_PACKAGE, NO_DEVICE, NOTE)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "missing", "missing", "note"]
    assert lines[0] == "ok      lower for cpu: openvino 2025.1"


def test_json_has_every_field_of_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examined(monkeypatch, NO_PACKAGE)
    assert main(["doctor", "--json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)
    assert Finding(**finding) == NO_PACKAGE
