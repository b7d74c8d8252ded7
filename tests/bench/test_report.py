"""The report's table and words: complete, and nothing that was not measured."""

from __future__ import annotations

import inspect
import io
import re

import msgspec
from results import board_result, emulated_result, full_result, sample_result
from rich.console import Console

from edgekd.bench.report import print_table
from edgekd.bench.report.words import (
    DASH,
    accuracy_verdict,
    amount,
    count,
    headline,
    joules,
    kappa_points,
    milliseconds,
    percent_interval,
    plain_flags,
    plain_missing,
    plain_number,
    ratio,
    speed,
    summary,
    time_verdict,
    weaker_classes,
    why_not,
)
from edgekd.bench.result import Estimate, validity


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
    assert "Mel." in text
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
    assert "Mel." not in table(msgspec.structs.replace(sample_result(), rows=rows))


def test_table_tells_what_is_missing():
    assert "rpi int8: Speed was not measured: the connection was lost." in table(full_result())


def test_table_shows_no_time_of_an_emulated_device():
    assert "23.0" in table(board_result())
    assert "23.0" not in table(emulated_result())


def flagged(flags_of_rows):
    pairs = zip(sample_result().rows, flags_of_rows, strict=False)
    return [(row.name, msgspec.structs.replace(row, flags=list(flags))) for row, flags in pairs]


def test_each_flag_once_with_its_rows():
    flags = plain_flags(flagged([["smoke: x", "odd {thing}: y"]] * 5))
    assert [flag.sentence for flag in flags] == [
        "The times show that the chain works and are no measurement: x.",
        "odd {thing}: y",
    ]
    assert all(len(flag.rows) == 5 and not flag.names_rows for flag in flags)


def test_flags_that_differ_by_row_name_the_rows():
    drifts = [["drift: model, 7%", "drift: whole, 8%"], [], ["drift: model, 9%"]]
    (flag,) = plain_flags(flagged(drifts))
    assert flag.sentence == (
        "The times drifted while they were taken: model, 7% (teacher resnet50); "
        "whole, 8% (teacher resnet50); model, 9% (cpu fp32)."
    )
    assert flag.rows == ("teacher resnet50", "cpu fp32")
    assert flag.stem == "The times drifted while they were taken"
    assert flag.details == (
        ("model, 7%; whole, 8%", ("teacher resnet50",)),
        ("model, 9%", ("cpu fp32",)),
    )


def test_every_flag_of_the_harness_has_plain_words():
    source = inspect.getsource(validity)
    codes = set(re.findall(r'yield f?"([a-z-]+)(?:"|: )', source))
    codes |= set(re.findall(r'f"([a-z-]+): \{?[A-Za-z]', source)) - {"code"}
    assert {"drift", "swap", "governor", "accelerator", "partitions"} <= codes
    for code in codes:
        (flag,) = plain_flags(flagged([[f"{code}: why"]]))
        assert flag.sentence.endswith(": why."), code
        assert not flag.sentence.startswith(code)


def test_what_is_missing_in_plain_words():
    told = plain_missing("a b: memory-not-measured: no room")
    assert told == "a b: Memory was not measured: no room."
    assert plain_missing("rpi does not answer: timed out") == "rpi does not answer: timed out"
    said = "rpi does not answer: threads: 5"  # an error's own words, and no flag
    assert plain_missing(said) == said


def test_why_a_number_is_null():
    row = sample_result().rows[4]
    assert why_not(row, "latency") == why_not(row, "memory") == "no rpi device is configured"
    assert why_not(row, "accuracy") == ""
    row = msgspec.structs.replace(row, flags=[*row.flags, "emulated: by qemu"])
    assert why_not(row, "latency") == "by qemu"


def test_speed_against_a_teacher_with_flagged_times_is_marked():
    result = sample_result()
    rows = [msgspec.structs.replace(result.rows[0], valid=False), *result.rows[1:]]
    doubtful = msgspec.structs.replace(result, rows=rows)
    assert (speed(rows[2], result), speed(rows[2], doubtful)) == ("20×", "20×!")
    assert speed(rows[4], doubtful) == DASH
    assert "flagged below" in headline(rows[2], doubtful)[0]


def test_headline():
    result = sample_result()
    lead, accuracy, melanoma, agreement = headline(result.rows[3], result)
    assert lead.startswith("1.20 ms per image, 34× as fast")
    assert "flagged" in lead
    assert "a loss beyond chance" in accuracy
    assert melanoma.startswith("Melanoma sensitivity 73.3")
    assert "360 images" in agreement
    assert headline(result.rows[4], result)[0].endswith("speed not measured.")


def with_delta(low, high):
    row = sample_result().rows[2]
    delta = Estimate(value=(low + high) / 2, low=low, high=high)
    versus = msgspec.structs.replace(row.vs_teacher, balanced_accuracy_delta=delta)
    return msgspec.structs.replace(row, vs_teacher=versus)


def test_verdicts():
    assert accuracy_verdict(with_delta(-0.03, -0.01)) == ("bad", "below teacher")
    assert accuracy_verdict(with_delta(-0.03, 0.01)) == ("good", "no loss shown")
    assert accuracy_verdict(with_delta(0.01, 0.02)) == ("good", "above teacher")
    assert accuracy_verdict(sample_result().rows[0]) == ("none", "not compared")
    kappa = Estimate(value=-0.2, low=-0.3, high=-0.1)
    graded = with_delta(-0.03, 0.01)
    versus = msgspec.structs.replace(graded.vs_teacher, quadratic_kappa_delta=kappa)
    graded = msgspec.structs.replace(graded, vs_teacher=versus)
    assert accuracy_verdict(graded) == ("bad", "below teacher")
    assert kappa_points(graded) == "−20.0 (−30.0 to −10.0)"
    bare = msgspec.structs.replace(sample_result().rows[2], metrics=None)
    assert accuracy_verdict(bare) == ("none", "accuracy not measured")
    rows = sample_result().rows
    assert [time_verdict(row)[0] for row in rows[2:]] == ["good", "doubt", "none"]


def test_classes_below_the_teachers_interval_are_named_melanoma_first():
    teacher, *_, pi = sample_result().rows
    assert weaker_classes(pi, teacher) == ["mel", "bkl"]
    assert weaker_classes(teacher, teacher) == weaker_classes(pi, None) == []


def test_summary_counts_the_artefacts():
    assert summary(sample_result().rows) == (
        "Of 3 files: 3 lost accuracy beyond chance. Times: 1 valid, 1 flagged, 1 not measured."
    )
    assert summary(sample_result().rows[:2]) == ""


def test_numbers():
    assert percent_interval(Estimate(value=0.5)) == "50.0"
    assert percent_interval(Estimate(value=None)) == percent_interval(None) == DASH
    assert [milliseconds(x) for x in (None, 123.4, 12.34, 1.234, 0.1234)] == [
        DASH,
        "123",
        "12.3",
        "1.23",
        "0.123",
    ]
    assert [amount(x) for x in (None, 12, 2_600_000, 650_000_000)] == [
        DASH,
        "12 B",
        "2.6 MB",
        "650 MB",
    ]
    assert [count(x) for x in (None, 9, 2_230_000)] == [DASH, "9", "2.23 M"]
    assert [ratio(x) for x in (None, 34.2, 5.21, 0.5)] == [DASH, "34×", "5.2×", "0.50×"]
    assert [joules(x) for x in (None, 1.5, 0.0123)] == [DASH, "1.50 J", "12.3 mJ"]
    assert [plain_number(x) for x in (0.5, 20.0, 1500.0)] == ["0.5", "20", "1,500"]
