"""Which rows may stand in one picture, and how they are told apart."""

from __future__ import annotations

import msgspec
from bench_results import board_result, emulated_result, other_images, sample_result

from edgekd.bench.report.markdown import markdown_of
from edgekd.bench.report.marked_rows import marked_rows_of, parts_of, presentable
from edgekd.bench.report.page import render_page
from edgekd.bench.result import SCHEMA_VERSION


def sections(*results):
    return parts_of(marked_rows_of(results))


def timed(result, span):
    rows = [
        msgspec.structs.replace(
            row, latency_ms=msgspec.structs.replace(row.latency_ms, model_span=span)
        )
        if row.latency_ms
        else row
        for row in result.rows
    ]
    device = msgspec.structs.replace(result.device, name="elsewhere")
    return msgspec.structs.replace(result, rows=rows, device=device)


def test_devices_with_the_same_images_and_spans_stand_in_one_picture():
    (section,) = sections(sample_result(), board_result())
    assert len(section.results) == 2
    assert section.apart == ()
    assert section.places == ["cpu", "derm-1"]


def test_other_images_stand_apart():
    first, second = sections(sample_result(), other_images())
    assert first.apart == ()
    assert second.apart == (
        "Not in one picture with part 1: other images (360 of clinic/test, list bbbbbbbb here, "
        "360 of ham10000/test, list aaaaaaaa there).",
    )


def test_another_timed_span_stands_apart():
    _, second = sections(sample_result(), timed(sample_result(), "GPU kernels alone"))
    assert "another span was timed (GPU kernels alone" in second.apart[0]


def test_another_schema_stands_apart():
    newer = msgspec.structs.replace(board_result(), schema_version="2.0")
    _, second = sections(sample_result(), newer)
    assert f"it is written in schema 2.0, that one in {SCHEMA_VERSION}" in second.apart[0]


def test_each_part_is_told_apart_from_every_part_before():
    third = timed(other_images(), "GPU kernels alone")
    *_, last = sections(sample_result(), other_images(), third)
    assert "part 1: other images" in last.apart[0]
    assert "part 2: another span" in last.apart[1]


def test_a_result_without_times_joins_the_first_with_its_images():
    untimed = emulated_result()
    (section,) = sections(untimed, sample_result())
    assert [result.device.name for result in section.results] == ["rpi4", "cpu"]


def test_the_reasons_stand_on_the_page_and_in_markdown():
    results = [sample_result(), timed(sample_result(), "GPU kernels alone")]
    assert "another span was timed (GPU kernels alone" in render_page(results)
    assert "another span was timed (GPU kernels alone" in markdown_of(results)


def test_the_same_file_has_the_same_letter_and_colour_on_every_device():
    entries = marked_rows_of([sample_result(), board_result()])
    here, there = [entry for entry in entries if entry.row.name == "rpi int8"]
    assert here.row.sha256 == there.row.sha256
    assert (here.mark.letter, there.mark.letter) == ("C1", "C2")
    assert here.mark.colour == there.mark.colour
    assert (here.label, there.label) == ("rpi int8 on cpu", "rpi int8 on derm-1")


def test_marks_of_one_result():
    marks = [entry.mark for entry in marked_rows_of([sample_result()])]
    assert [mark.letter for mark in marks] == ["T", "S", "A", "B", "C"]
    assert [mark.shape for mark in marks] == ["square", "triangle", *["circle"] * 3]
    assert len({mark.colour for mark in marks}) == 5


def test_many_artefacts_have_letters_of_their_own():
    row = sample_result().rows[2]
    rows = [msgspec.structs.replace(row, name=str(n), sha256=str(n)) for n in range(60)]
    entries = marked_rows_of([msgspec.structs.replace(sample_result(), rows=rows)])
    letters = [entry.mark.letter for entry in entries]
    assert len(set(letters)) == 60
    assert not {"T", "S"} & set(letters)


def test_runs_on_one_device_have_names_of_their_own():
    again = msgspec.structs.replace(sample_result(), created="2026-11-23T08:00:00+00:00")
    places = {entry.place for entry in marked_rows_of([sample_result(), again])}
    assert places == {"cpu (2026-11-22 21:00)", "cpu (2026-11-23 08:00)"}
    places = {entry.place for entry in marked_rows_of([sample_result(), other_images()])}
    assert places == {"cpu (ham10000)", "cpu (clinic)"}
    same_minute = msgspec.structs.replace(sample_result(), command="another")
    places = {entry.place for entry in marked_rows_of([sample_result(), same_minute])}
    assert places == {"cpu (run 1)", "cpu (run 2)"}


def test_the_same_result_twice_counts_once():
    assert len(marked_rows_of([sample_result(), sample_result()])) == len(sample_result().rows)


def test_nothing_of_an_emulated_device_that_it_cannot_know():
    assert emulated_result().rows[2].latency_ms is not None
    row = presentable(emulated_result()).rows[2]
    assert row.latency_ms is None
    assert row.vs_teacher.speedup_p50 is None
    assert row.metrics == emulated_result().rows[2].metrics
    assert any(str(flag).startswith("emulated: ") for flag in row.flags)
    assert presentable(board_result()) == board_result()
