"""`edgekd certify`: exit codes, what it prints, and JSON by itself."""

from __future__ import annotations

import json
from pathlib import Path

import lenient
import pytest
from certifying import write_labelled, write_uncertified
from commands import refused

from edgekd.bundle import generate_key, sign_bundle
from edgekd.cli import main

WORDS = ("--policy", str(lenient.POLICY), "--group-column", "patient")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_labelled(tmp_path / "own", 60)


def certify(bundle: Path, table: Path, out: Path, *words: str) -> int:
    return main(["certify", str(bundle), "--csv", str(table), "--out", str(out), *WORDS, *words])


def test_a_certified_bundle_is_verified_and_its_signature_is_asked_for(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = write_uncertified(tmp_path / "b"), tmp_path / "out"
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(bundle, tmp_path / "key.pem")
    assert certify(bundle, table, out, "--public-key", str(tmp_path / "key.pub.pem")) == 0
    printed = capsys.readouterr()
    assert f"{bundle}: compared with reference/model.onnx on 60 images" in printed.out
    assert f"{out}: certified" in printed.out
    assert "images: 120/120" in printed.err
    assert f"sign it with `edgekd sign {out} --key KEY`" in printed.err
    assert main(["verify", str(out)]) == 0
    assert "not signed" in capsys.readouterr().out


def test_json_has_all_of_the_evidence_by_itself(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = write_uncertified(tmp_path / "b"), tmp_path / "out"
    assert certify(bundle, table, out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["certified"] is True
    assert result["path"] == str(out)
    assert result["gate"]["passed"] is True
    assert result["gate"]["images"] == 60
    assert result["certificate"]["certified"] is True
    assert result["metrics"]["artefact"]["balanced_accuracy"]["value"] == 1.0
    assert result["error"] is None
    assert result["signature_lost"] is False


def test_a_failed_gate_is_exit_4_with_its_evidence(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = write_uncertified(tmp_path / "b", lost=0.9), tmp_path / "out"
    words = ("--json", "--tighten", "max_flips=0.01")
    assert certify(bundle, table, out, *words) == 4
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["certified"], result["path"]) == (False, None)
    assert result["gate"]["per_class"]["mel"]["lost"] == 20
    assert result["error"]["exit_code"] == 4
    assert "of the decisions flip, more than 1.0%" in printed.err
    assert not out.exists()


def test_labels_are_mapped_and_dropped(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = table.read_text().replace(",mel,", ",Melanoma,").replace("0.png,bkl,", "0.png,doubt,")
    table.write_text(text)
    bundle, out = write_uncertified(tmp_path / "b"), tmp_path / "out"
    refused(
        capsys, ["certify", str(bundle), "--csv", str(table), "--out", str(out), *WORDS], 2,
        "Melanoma",
    )  # fmt: skip
    words = ("--map", "Melanoma=mel", "--drop", "doubt", "--json")
    assert certify(bundle, table, out, *words) == 0
    assert 50 < json.loads(capsys.readouterr().out)["gate"]["images"] < 60


def test_a_bundle_without_a_float_student_is_exit_2(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_uncertified(tmp_path / "b", reference=None)
    refused(
        capsys, ["certify", str(bundle), "--csv", str(table), "--out", str(tmp_path / "o"), *WORDS],
        2, "has no float student", "--research",
    )  # fmt: skip


def test_a_missing_engine_is_exit_3(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    bundle = write_uncertified(tmp_path / "b")
    refused(
        capsys, ["certify", str(bundle), "--csv", str(table), "--out", str(tmp_path / "o"), *WORDS],
        3, "onnxruntime", "edgekd[onnx]",
    )  # fmt: skip
