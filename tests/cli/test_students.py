"""`edgekd students`, and the names of students wherever a checkpoint is expected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import refused

from edgekd.cli import main

NAME = "tiny-student"


@pytest.fixture
def known(students: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The students by name, from another folder."""
    monkeypatch.setenv("EDGEKD_STUDENTS", str(students))
    monkeypatch.chdir(tmp_path)
    return students / NAME


def test_all_students_are_listed(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["students"]) == 0
    (line,) = [row for row in capsys.readouterr().out.splitlines() if row.startswith(NAME)]
    assert "resnet10t, 64 px, 7 classes of synthetic" in line
    assert "certified: cpu-onnx int8" in line
    assert main(["students", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert listed[NAME]["certified"] == {"cpu-onnx": "int8"}
    assert listed[NAME]["folder"] == str(known)


def test_a_name_shows_the_card(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["students", NAME]) == 0
    assert capsys.readouterr().out == (known / "card.md").read_text()
    assert main(["students", NAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arch"] == "resnet10t"


def test_an_unknown_name_lists_the_known_ones(
    known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, ["students", "ham"], 2, "there is no student 'ham'", NAME)
    words = ["--target", "cpu-onnx", "--out", "out"]
    refused(capsys, ["build", "--model", "ham", *words], 2, "no checkpoint at ham", NAME)
    Path("labels.csv").write_text("image,label\n")
    refused(capsys, ["eval", "ham", "--csv", "labels.csv"], 2, "checkpoint at ham", NAME)


def test_without_students_nothing_is_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgekd.resources._PACKAGE", tmp_path)
    monkeypatch.delenv("EDGEKD_STUDENTS", raising=False)
    assert main(["students"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no student ships" in said.err
    refused(capsys, ["students", "ham"], 2, "ships none")
    refused(
        capsys, ["build", "--model", "ham", "--target", "cpu", "--out", "o"], 2, "check the path"
    )


@pytest.mark.slow
def test_a_name_is_built_and_evaluated(
    known: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundles"
    assert main(["build", "--target", "cpu-onnx", "--model", NAME, "--out", str(out)]) == 0
    assert f"certified with {NAME}" in capsys.readouterr().out
    lines = (known / "split.csv").read_text().splitlines()
    header, rows = lines[0], [line for line in lines if line.endswith(",test")][:24]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join([header, *rows]))
    where = ["--csv", str(table), "--image-root", str(small_run / "data")]
    results = {}
    for model in (NAME, str(small_run / "student"), str(out / "cpu-onnx")):
        file = tmp_path / "result.json"
        assert main(["eval", model, *where, "--json", str(file)]) == 0
        results[model] = json.loads(file.read_text())["rows"][0]
    assert results[NAME]["role"] == "student"
    assert results[NAME]["metrics"] == results[str(small_run / "student")]["metrics"]
    assert results[str(out / "cpu-onnx")]["research"] is False


def test_what_is_at_the_path_comes_before_a_name(
    known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(NAME).mkdir()
    words = ["build", "--target", "cpu-onnx", "--model", NAME, "--out", "out"]
    refused(capsys, words, 2, "model.json is missing")


def test_a_damaged_student_is_exit_6(
    known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import shutil

    copy = shutil.copytree(known, tmp_path / "mine" / NAME)
    (copy / "card.md").write_text("better")
    monkeypatch.setenv("EDGEKD_STUDENTS", str(tmp_path / "mine"))
    refused(capsys, ["students", NAME], 6, "card.md")
    refused(capsys, ["students"], 6, "card.md")
