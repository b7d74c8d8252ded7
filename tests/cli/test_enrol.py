"""`edgekd enrol`: exit codes, what it prints, and JSON by itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from commands import refused
from enrolling import COLOURS, write_lessons, write_teachable
from tiny_bundles import write_tiny_bundle

from edgekd.bundle import generate_key, sign_bundle
from edgekd.cli import main


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_lessons(tmp_path / "lessons")


def words(bundle: Path, table: Path, out: Path, *more: str) -> list[str]:
    return ["enrol", str(bundle), "--csv", str(table), "--out", str(out),
            "--group-column", "lesion", *more]  # fmt: skip


def test_an_enrolled_bundle_is_verified_with_its_mark(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = write_teachable(tmp_path / "b"), tmp_path / "out"
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(bundle, tmp_path / "key.pem")
    assert main(words(bundle, table, out, "--public-key", str(tmp_path / "key.pub.pem"))) == 0
    printed = capsys.readouterr()
    assert "scar: 5 images of 5, right when left out 1.000 [0.566, 1.000]" in printed.out
    assert "balanced accuracy when left out: 1.000 [0.749, 1.000]" in printed.out
    assert f"{out}: enrolled, not certified" in printed.out
    assert "steps: 30/30" in printed.err
    assert f"sign it with `edgekd sign {out} --key KEY`" in printed.err
    assert main(["verify", str(out)]) == 0
    assert "warning: enrolled, not certified: taught 3 classes" in capsys.readouterr().err


def test_json_has_what_was_measured_by_itself(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = write_teachable(tmp_path / "b"), tmp_path / "out"
    assert main(words(bundle, table, out, "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["enrolled"], result["path"]) == (True, str(out))
    assert result["balanced_accuracy"]["value"] == 1.0
    assert result["classes"]["scar"]["images"] == 5
    assert result["certificate"]["certified"] is False
    assert (result["error"], result["not_shown"], result["signature_lost"]) == (None, None, False)


def test_what_is_not_learnt_is_exit_4_with_its_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = write_teachable(tmp_path / "b"), tmp_path / "out"
    alike = write_lessons(
        tmp_path / "alike", colours=dict.fromkeys(("a", "b"), COLOURS["scar"]), seed=4
    )
    assert main(words(bundle, alike, out, "--json")) == 4
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["enrolled"], result["path"]) == (False, None)
    assert result["error"]["exit_code"] == 4
    assert "is not shown to exceed chance, 0.500" in printed.err
    assert not out.exists()
    assert main(words(bundle, alike, out, "--research")) == 0
    assert "warning: its balanced accuracy" in capsys.readouterr().err


def test_a_class_of_one_lesion_is_told_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_lessons(tmp_path / "one", groups={"scar": 1})
    bundle, out = write_teachable(tmp_path / "b"), tmp_path / "out"
    assert main(words(bundle, table, out)) == 4
    printed = capsys.readouterr()
    assert "scar: 5 images of 1, right when left out not measured" in printed.out
    assert "one more of each class is needed" in printed.err


def test_a_bundle_without_features_is_exit_2(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_tiny_bundle(tmp_path / "b")
    refused(capsys, words(bundle, table, tmp_path / "o"), 2, "has no features", "--features")


def test_a_missing_engine_is_exit_3(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    bundle = write_teachable(tmp_path / "b")
    refused(capsys, words(bundle, table, tmp_path / "o"), 3, "onnxruntime", "edgekd[onnx]")


def test_a_damaged_bundle_is_exit_6(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_teachable(tmp_path / "b")
    (bundle / "features" / "model.onnx").write_bytes(b"other")
    refused(capsys, words(bundle, table, tmp_path / "o"), 6, "features/model.onnx")


def test_images_below_another_folder_and_labels_left_out(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, out = write_teachable(tmp_path / "b"), tmp_path / "out"
    moved = tmp_path / "tables" / "labels.csv"
    moved.parent.mkdir()
    table.rename(moved)
    more = ("--image-root", str(table.parent), "--drop", "scar", "--json")
    assert main(words(bundle, moved, out, *more)) == 0
    result = json.loads(capsys.readouterr().out)
    assert (set(result["classes"]), result["images"]) == ({"angioma", "naevus"}, 10)
