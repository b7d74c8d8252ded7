"""`edgekd init`: a recipe of flags, or of answers on a terminal."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

import pytest
from commands import refused

from edgekd.cli import main
from edgekd.recipe import load_recipe


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    file = tmp_path / "t.csv"
    file.write_text("image,label,patient\na.jpg,mel,P1\nb.jpg,nv,P2\n")
    return file


class Terminal(StringIO):
    """Answers that are typed."""

    def isatty(self) -> bool:
        return True


def test_of_flags(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.yaml"
    flags = ["--data", str(table), "--teacher", "resnet50", "--target", "rpi", "--policy", "fundus"]
    assert main(["init", "--out", str(out), *flags]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"wrote {out}; next: edgekd data inspect {out}\n"
    recipe = load_recipe(str(out))
    assert recipe.name == "mine"
    assert recipe.policy == "fundus"
    assert recipe.data["group_column"] == "patient"
    assert recipe.teacher is not None
    assert recipe.teacher.model is not None
    assert (recipe.teacher.model.arch, recipe.teacher.model.pretrained) == ("resnet50", "hub")


def test_of_answers(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "mine.yaml"
    monkeypatch.setattr(sys, "stdin", Terminal(f"{table}\n{tmp_path}\n\n"))
    assert main(["init", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == ""  # questions go to stderr
    recipe = load_recipe(str(out))
    assert recipe.teacher is not None
    assert recipe.teacher.checkpoint == str(tmp_path)
    assert "--target all" in out.read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "give --data"),
        (["--data", "no.csv"], "no.csv"),
        (["--target", "fridge"], "fridge"),
        (["--policy", "fundsu"], "fundsu"),
        (["--label-column", "lable"], "lable"),
    ],
)
def test_what_is_wrong_writes_nothing(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    out = tmp_path / "mine.yaml"
    data = [] if not flags or "--data" in flags else ["--data", str(table)]
    refused(capsys, ["init", "--out", str(out), *data, *flags], 2, words)
    assert not out.exists()


def test_a_recipe_that_exists_stays(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.yaml"
    out.write_text("mine")
    refused(capsys, ["init", "--out", str(out), "--data", str(table)], 2, "exists")
    assert out.read_text() == "mine"
