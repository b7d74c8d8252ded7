"""The table for a terminal: complete, of its width, and nothing that was not measured."""

from __future__ import annotations

import io

import msgspec
from bench_results import board_result, emulated_result, full_result, sample_result
from rich.console import Console

from edgekd.bench.report import print_table
from edgekd.bench.report.formats import DASH


def table(result, width=100) -> str:
    stream = io.StringIO()
    print_table(result, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def test_table_goes_to_stdout_by_default(capsys):
    print_table(sample_result())
    assert "cpu int8" in capsys.readouterr().out


def test_table_fits_and_tells_all():
    text = table(sample_result())
    assert max(map(len, text.splitlines())) <= 100
    (away,) = [line for line in text.splitlines() if line.strip().startswith("rpi int8")]
    assert away.split().count(DASH) == 3
    assert "1.20 / 1.28!" in text
    assert "34×" in text
    assert "Sens. mel" in text
    assert text.count("no rpi device is configured") == 1


def test_table_fits_a_narrow_terminal():
    text = table(sample_result(), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "Params" not in text
    assert "Speed" in text


def test_table_without_melanoma():
    rows = []
    for row in sample_result().rows:
        others = {k: v for k, v in row.metrics.per_class.items() if k != "mel"}
        metrics = msgspec.structs.replace(row.metrics, per_class=others)
        rows.append(msgspec.structs.replace(row, metrics=metrics))
    assert "Sens. mel" not in table(msgspec.structs.replace(sample_result(), rows=rows))


def test_table_tells_what_is_missing():
    assert "rpi int8: Speed was not measured: the connection was lost." in table(full_result())


def test_table_shows_no_time_of_an_emulated_device():
    assert "23.0" in table(board_result())
    assert "23.0" not in table(emulated_result())


def test_the_state_against_the_teacher_is_below_the_table():
    text = " ".join(table(sample_result()).split())
    assert "margin 0.05 of balanced accuracy (dermoscopy)" in text
    assert "not shown either way: student mobilenetv2_100, cpu fp32, cpu int8, rpi int8." in text


def test_a_bundle_below_a_floor_is_named():
    result = sample_result()
    floor = "sensitivity for mel, noticed: 0.46, at least 0.90"
    rows = [
        *result.rows[:3],
        msgspec.structs.replace(result.rows[3], research=True, below_floors=[floor]),
        result.rows[4],
    ]
    text = " ".join(table(msgspec.structs.replace(result, rows=rows)).split())
    assert f"cpu int8: for research, floor not met: {floor}" in text
    assert "for research" not in table(result)
