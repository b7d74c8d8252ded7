"""The bill of material against the official schema of CycloneDX 1.6."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manifests_of_bom import whole_manifest

from edgekd.bundle import Bundle, write_bundle
from edgekd.dossier.bom import bill_of_material
from edgekd.dossier.bom.document import problem_of
from edgekd.errors import MissingDependencyError

pytest.importorskip("cyclonedx", reason="needs pip install 'edgekd[dossier]'")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    write_bundle(path, whole_manifest(), {"model.onnx": b"weights", "card.md": b"card"})
    return path


def bill(path: Path, **options: Any) -> bytes:
    with Bundle.open(path) as bundle:
        return bill_of_material(bundle, **options)


def test_it_is_valid_and_says_what_is_in_the_bundle(bundle: Path) -> None:
    content = bill(bundle)
    assert problem_of(content) is None
    written = json.loads(content)
    assert (written["bomFormat"], written["specVersion"]) == ("CycloneDX", "1.6")
    model = written["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    assert model["modelCard"]["modelParameters"]["datasets"] == [{"ref": "data"}]
    parts = {each["bom-ref"]: each for each in written["components"]}
    entry = Bundle.open(bundle).manifest.files["card.md"]
    assert parts["file:card.md"]["hashes"] == [{"alg": "SHA-256", "content": entry.sha256}]
    assert parts["data"]["data"] == [{"type": "dataset", "name": "HAM10000"}]
    assert parts["data"]["licenses"][0]["license"]["id"] == "CC-BY-NC-4.0"
    (needs,) = [each for each in written["dependencies"] if each["ref"] == "model"]
    assert {"data", "device-runtime:onnxruntime", "file:model.onnx"} <= set(needs["dependsOn"])
    assert not any(name.startswith("lowering:") for name in needs["dependsOn"])


def test_the_same_bundle_has_the_same_serial_number(bundle: Path, tmp_path: Path) -> None:
    number = json.loads(bill(bundle))["serialNumber"]
    assert json.loads(bill(bundle))["serialNumber"] == number
    other = msgspec.structs.replace(whole_manifest(), description="another")
    write_bundle(tmp_path / "other", other, {"model.onnx": b"weights"})
    assert json.loads(bill(tmp_path / "other"))["serialNumber"] != number


def test_a_departure_from_the_schema_is_found(bundle: Path) -> None:
    written = json.loads(bill(bundle))
    written["metadata"]["component"]["modelCard"]["modelParameters"]["approach"] = {"type": "kd"}
    problem = problem_of(json.dumps(written).encode())
    assert problem is not None
    assert problem.startswith("metadata/component/modelCard/modelParameters/approach/type: 'kd'")


def test_without_the_library(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.output.json", None)
    with pytest.raises(MissingDependencyError, match="cyclonedx-python-lib is not") as caught:
        bill(bundle)
    assert caught.value.hint == "pip install 'edgekd[dossier]'"
