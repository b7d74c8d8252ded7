"""`edgekd compare`: its arguments, and the table of stored predictions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import refused
from mistakes.examples import make_predictions

from edgekd.cli import main


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ("0,x", "no whole numbers"),
        ("0.5", "no whole numbers"),
        ("-1", "no seeds"),
        ("4294967296", "no seeds"),
        ("1,2,1", "one twice"),
    ],
)
def test_wrong_seeds_are_refused_before_the_training(
    seeds: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", "demo", "--out", str(tmp_path / "out"), f"--seeds={seeds}"]
    refused(capsys, arguments, 2, words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folds", ["1", "-2"])
def test_fewer_than_two_folds_are_refused(
    folds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", "demo", "--out", str(tmp_path / "out"), f"--folds={folds}"]
    refused(capsys, arguments, 2, "give 2 or more")


@pytest.mark.parametrize(
    "arguments", [[], ["demo"], ["--out", "out"], ["--seeds", "1"]], ids=" ".join
)
def test_recipes_and_out_belong_together(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    refused(capsys, ["compare", *arguments], 2, "recipes and --out are needed")


@pytest.mark.parametrize("extra", [["demo"], ["--seeds", "1"], ["--set", "seed=1"]])
def test_stored_predictions_take_no_recipes(
    extra: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, ["compare", "--from", str(tmp_path), *extra], 2, "--from takes no recipes")


def test_the_table_of_stored_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_predictions(tmp_path)
    file, table = tmp_path / "predictions.npz", tmp_path / "table.md"
    capsys.readouterr()
    assert main(["compare", "--from", str(file), "--json", "-", "--markdown", str(table)]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]  # and nothing else
    assert [row["name"] for row in rows] == ["none", "kd"]
    assert "kd" in table.read_text()
    assert main(["compare", "--from", str(file)]) == 0
    assert capsys.readouterr().out == table.read_text()
