"""An output that would replace an input, or another output, is refused before anything is done."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_bundles import write_tiny_bundle

from edgekd.bundle.writer import zip_bundle
from edgekd.cli import main

RECIPE = "name: r\nimage_size: 32\ndata: {source: csv, file: table.csv}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    zip_bundle_of(tmp_path)
    rng = np.random.default_rng(0)
    rows = ["image,label"]
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), rng.integers(0, 256, (32, 32, 3), np.uint8))
        rows.append(f"{number}.png,{('mel', 'nv')[number % 2]}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "bundle.edgekd", "--csv", "table.csv", "--json", "result.json"]) == 0
    (tmp_path / "link").symlink_to("table.csv")
    return tmp_path


def zip_bundle_of(folder: Path) -> None:
    write_tiny_bundle(folder / "made")
    zip_bundle(folder / "made", folder / "bundle.edgekd")
    shutil.rmtree(folder / "made")


EVAL = "eval bundle.edgekd --csv table.csv"


@pytest.mark.parametrize(
    "command",
    [
        f"{EVAL} --predictions table.csv",
        f"{EVAL} --predictions ./link",
        f"{EVAL} --json bundle.edgekd",
        "report result.json --html result.json",
        "report result.json --csv sub/../result.json",
        "data inspect recipe.yaml --sheet recipe.yaml",
        "data inspect recipe.yaml --sheet 3.png",
        "data inspect recipe.yaml --sheet table.csv",
        "report result.json --html out --markdown out",
        f"{EVAL} --json out --predictions ./out",
        f"{EVAL} --json - --predictions -",
        f"{EVAL} --json - --predictions /dev/stdout",
    ],
)
def test_one_place_is_not_used_twice(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    capsys.readouterr()
    assert main(command.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


def test_two_outputs_may_go_nowhere(folder: Path) -> None:
    assert main(["report", "result.json", "--html", "/dev/null", "--csv", "/dev/null"]) == 0
