"""Markdown and CSV, and the command that writes them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from bench_results import board_result, full_result, sample_result
from typer.testing import CliRunner

from edgekd.bench.report import write_csv, write_markdown
from edgekd.bench.report.markdown import markdown_of
from edgekd.bench.result.file import write_result
from edgekd.cli import app
from edgekd.errors import InputError


def test_no_result_and_no_place(tmp_path):
    with pytest.raises(InputError):
        markdown_of([])
    (tmp_path / "file").write_text("")
    for write in (write_markdown, write_csv):
        with pytest.raises(InputError):
            write([sample_result()], tmp_path / "file" / "out")


@pytest.fixture
def files(tmp_path):
    for name, result in (("cpu", full_result(("a.jpg",))), ("derm", board_result())):
        write_result(tmp_path / f"{name}.json", result)
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), np.full((40, 60, 3), 120, np.uint8))
    return tmp_path


def test_command_writes_all_from_several_files(files):
    out = {name: files / f"out.{name}" for name in ("html", "markdown", "csv")}
    options = [part for name, path in out.items() for part in (f"--{name}", str(path))]
    results = [str(files / "cpu.json"), str(files / "derm.json")]
    found = CliRunner().invoke(
        app, ["report", *results, *options, "--images", str(files / "images")]
    )
    assert found.exit_code == 0, found.output
    assert "derm-1" in found.output
    assert "data:image/jpeg;base64," in out["html"].read_text()
    assert all("derm-1" in path.read_text() for path in out.values())


def test_command_explains_the_columns():
    found = CliRunner().invoke(app, ["report", "--csv-columns"])
    assert found.exit_code == 0, found.output
    assert "latency_model_p90_ms: Milliseconds per image" in found.output


def test_command_names_a_missing_folder(files):
    found = CliRunner().invoke(app, ["report", str(files / "cpu.json"), "--images", "nowhere"])
    assert isinstance(found.exception, InputError)
