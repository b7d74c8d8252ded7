"""What the tests of several verbs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.cli import main


def photo_of(run: Path) -> Path:
    return next(iter(sorted((run / "data" / "images").glob("*.jpg"))))


def table(folder: Path, text: str) -> str:
    file = folder / "labels.csv"
    file.write_text(text)
    return str(file)


def refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, *words: str
) -> None:
    capsys.readouterr()
    assert main(arguments) == code
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.strip()]
    problem = [line for line in lines if line.startswith("error: ")]
    assert len(problem) == 1
    assert "Traceback" not in said.err
    assert said.out == ""
    for word in words:
        assert word in said.err
