"""`edgekd bom`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from commands import refused
from manifests import make_manifest

from edgekd.bundle import write_bundle
from edgekd.cli import main

pytest.importorskip("cyclonedx", reason="needs pip install 'edgekd[dossier]'")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", make_manifest(), {"model.onnx": b"weights"})
    return tmp_path / "bundle"


def test_it_writes_a_file(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bom.json"
    assert main(["bom", str(bundle), "--out", str(out), "--installed"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"wrote {out}\n")
    versions = {
        each["name"]: each.get("version") for each in json.loads(out.read_text())["components"]
    }
    assert versions["numpy"]


def test_mistakes(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "bom.json"
    words = ["bom", str(bundle), "--out", str(out)]
    monkeypatch.setitem(sys.modules, "cyclonedx.output.json", None)
    refused(capsys, words, 3, "cyclonedx-python-lib", "pip install 'edgekd[dossier]'")
    (bundle / "model.onnx").write_bytes(b"another")
    refused(capsys, words, 6, "model.onnx does not have the hash")
    assert not out.exists()
