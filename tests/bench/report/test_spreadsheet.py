"""Every number of a result as CSV."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest
from bench_results import board_result, emulated_result, full_result, sample_result

from edgekd.bench.report import COLUMNS
from edgekd.bench.report.spreadsheet import csv_of


def lines_of(*results):
    return list(csv.DictReader(io.StringIO(csv_of(results))))


def test_one_line_per_row_and_device():
    lines = lines_of(sample_result(), board_result())
    assert [(line["device_name"], line["row_name"]) for line in lines[-4:]] == [
        ("cpu", "rpi int8"),
        ("derm-1", "teacher resnet50"),
        ("derm-1", "student mobilenetv2_100"),
        ("derm-1", "rpi int8"),
    ]
    assert lines[4]["file_sha256"] == lines[7]["file_sha256"]


def test_every_number_with_its_interval():
    row, line = full_result().rows[2], lines_of(full_result())[2]
    series = row.latency_ms.model
    assert float(line["latency_model_p90_ms"]) == pytest.approx(series.p90, rel=1e-5)
    bounds = [float(line[f"latency_model_p90_ms_interval_{end}"]) for end in ("low", "high")]
    assert bounds == pytest.approx(series.p90_interval, rel=1e-5)
    melanoma = row.metrics.per_class["mel"].sensitivity
    assert float(line["sensitivity_mel_interval_low"]) == pytest.approx(melanoma.low, rel=1e-5)
    assert float(line["decisions_referred"]) == 0.16
    assert line["thread_sweep"].split()[0].startswith("1:")
    assert len(line["sustained_minutes"].split()) == 10
    assert line["energy_sensor"] == "INA3221"


def test_the_blocks_of_a_run_are_told():
    row, line = full_result().rows[2], lines_of(full_result())[2]
    medians = row.latency_ms.model.block_medians
    told = [float(each) for each in line["latency_model_block_medians_ms"].split()]
    assert told == pytest.approx(medians, rel=1e-4)
    spread = float(line["latency_model_block_spread"])
    assert spread == pytest.approx(max(medians) / min(medians) - 1, rel=1e-4)
    old = msgspec.structs.replace(
        row.latency_ms, model=msgspec.structs.replace(row.latency_ms.model, block_medians=[])
    )
    rows = [msgspec.structs.replace(row, latency_ms=old)]
    (line,) = lines_of(msgspec.structs.replace(full_result(), rows=rows))
    assert line["latency_model_block_medians_ms"] == line["latency_model_block_spread"] == ""


def test_what_was_not_measured_is_empty():
    for result, index in ((sample_result(), 4), (emulated_result(), 2)):
        line = lines_of(result)[index]
        assert line["latency_model_p50_ms"] == line["memory_rss_peak_delta_bytes"] == ""
        assert line["sensitivity_mel"] != ""


def test_every_column_is_explained_and_every_cell_has_a_column():
    assert all(COLUMNS.values())
    heads = set(lines_of(full_result())[0])
    for name in full_result().data.classes:
        assert {
            f"sensitivity_{name}",
            f"specificity_{name}_interval_high",
            f"images_{name}",
        } <= heads
    assert set(COLUMNS) < heads
    assert None not in lines_of(full_result())[2]


def test_a_name_is_no_formula():
    row = msgspec.structs.replace(sample_result().rows[2], name="=HYPERLINK(1)")
    (line,) = lines_of(msgspec.structs.replace(sample_result(), rows=[row]))
    assert line["row_name"] == "'=HYPERLINK(1)"
    assert not line["balanced_accuracy_delta_to_teacher"].startswith("'")
