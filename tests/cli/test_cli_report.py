"""`edgekd report`: its outputs, by one small result."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from commands import refused
from mistakes.examples import HERE

from edgekd.cli import main


@pytest.fixture
def result(examples: Path) -> Path:
    return examples / HERE / "result.json"


def test_the_table_is_printed_and_every_file_is_written(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {kind: tmp_path / f"out.{kind}" for kind in ("html", "markdown", "csv")}
    flags = [word for kind, file in outputs.items() for word in (f"--{kind}", str(file))]
    capsys.readouterr()
    assert main(["report", str(result), *flags]) == 0
    printed = capsys.readouterr()
    assert "144 images of table/csv" in printed.out
    assert printed.err.splitlines() == [f"wrote {file}" for file in outputs.values()]
    assert "<html" in outputs["html"].read_text()
    with outputs["csv"].open() as stream:
        assert len(list(csv.DictReader(stream))) == 1


def test_the_columns_are_explained_without_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    from edgekd.bench.report import COLUMNS

    assert main(["report", "--csv-columns"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(COLUMNS)


def test_a_picture_that_is_no_svg_is_refused_before_the_results_are_read(
    tmp_path: Path, result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", str(result), "--pareto", str(tmp_path / "out.png")]
    refused(capsys, arguments, 2, "svg")
    assert not list(tmp_path.iterdir())
