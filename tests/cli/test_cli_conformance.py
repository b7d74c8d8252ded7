"""`edgekd conformance`."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd import conformance
from edgekd.cli import main
from edgekd.conformance.format import Vectors


def test_it_writes_and_says_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The writing itself is tested where it is; here a folder of no cases is written."""
    empty = Vectors(edgekd="0", rule="r", manifest_version="1", engines={})
    monkeypatch.setattr(conformance, "write_vectors", lambda out: empty)
    assert main(["conformance", "--out", str(tmp_path / "vectors")]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "0 photos, 0 planes, 0 captures, 0 decisions, 0 bundles, 0 predictions" in said.err
    assert "no engine is installed here" in said.err


def test_a_file_in_its_place_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert main(["conformance", "--out", str(tmp_path / "file")]) == 2
    assert (tmp_path / "file").read_text() == "mine"
    assert "Traceback" not in capsys.readouterr().err
