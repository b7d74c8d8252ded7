"""What the doctor examines for targets and for devices, and what its exit code is made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import third_party

from edgekd.cli import main
from edgekd.doctor import Finding, examine, examine_device
from edgekd.doctor.packages import ImportResult
from edgekd.errors import InputError
from edgekd.targets import Target, load_target


@pytest.fixture
def like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A target to change, beside the backends of a third party."""
    third_party.install(tmp_path / "third-party", monkeypatch)
    return load_target("cpu-onnx")


def test_doctor_asks_it_and_exits_by_it(
    like: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = msgspec.structs.replace(third_party.target_of("unimportable", like, "fp32"), name="bad")
    monkeypatch.setattr("edgekd.doctor._HOST", ())
    monkeypatch.setattr("edgekd.targets.load_target", lambda name: bad)
    assert [found.works for found in examine([bad])] == [False, False]
    assert main(["doctor", "--target", "bad", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [one["works"] for one in told[:2]] == [False, False]


def test_needs_of_own_backends_come_from_their_descriptors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tools in order to lower, the engine in order to run; each module is imported once."""
    imported: list[str] = []

    def import_modules(names: Sequence[str]) -> dict[str, ImportResult]:
        imported.extend(names)
        return {name: ImportResult(failure="gone" if name == "nncf" else "") for name in names}

    monkeypatch.setattr("edgekd.doctor.import_modules", import_modules)
    findings = {
        finding.ability: finding for finding in examine([load_target("cpu"), load_target("rpi")])
    }
    assert {"train and distil", "write the HTML report"} < findings.keys()
    lower = findings["lower for cpu"]
    assert (lower.works, lower.needed, lower.package, lower.extra) == (
        False, False, "nncf", "lower",
    )  # fmt: skip
    run = findings["run cpu bundles"]
    assert (run.works, run.needed, run.extra) == (True, True, "openvino")
    assert findings["lower for rpi"].works
    assert findings["run rpi bundles"].extra == "tflite"
    assert {"torch", "openvino", "nncf", "litert_torch", "ai_edge_quantizer"} <= set(imported)


def test_a_backend_with_a_diagnosis_is_examined_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT's own examination runs instead of an import of its engine."""
    by_diagnosis = Finding("run jetson bundles", True, True, "as examined")
    monkeypatch.setattr(
        "edgekd.doctor.tensorrt.diagnosis.examine_jetson",
        lambda target: [by_diagnosis] if target == "jetson" else [],
    )

    def import_modules(names: Sequence[str]) -> dict[str, ImportResult]:
        assert "tensorrt" not in names
        return {name: ImportResult("1") for name in names}

    monkeypatch.setattr("edgekd.doctor.import_modules", import_modules)
    findings = examine([load_target("jetson")])
    assert findings[-1] is by_diagnosis
    assert findings[-2].ability == "lower for jetson"


def test_a_device_that_is_no_section_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"no device 'bench-7' in any devices\.toml") as caught:
        examine_device("bench-7")
    assert "[bench-7]" in caught.value.hint
    for name in ("cpu", "browser"):
        with pytest.raises(InputError, match=f"{name} is this machine") as caught:
            examine_device(name)
        assert caught.value.hint == f"look at it with: edgekd doctor --target {name}"
