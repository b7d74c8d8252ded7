"""Flags and missing numbers in sentences, each kind once."""

from __future__ import annotations

import inspect
import re

import msgspec
import pytest
from bench_results import sample_result

from edgekd.bench.devices import benchmark_model
from edgekd.bench.measure.flags import NOT_MEASURED, Flag
from edgekd.bench.report.flags import (
    SENTENCES,
    missing_sentence,
    plain_flags,
    reason_for_null,
)
from edgekd.bench.result import Missing, validity
from edgekd.bench.run import passes, speed, threads


def flagged(flags_of_rows):
    pairs = zip(sample_result().rows, flags_of_rows, strict=False)
    return [(row.name, msgspec.structs.replace(row, flags=list(flags))) for row, flags in pairs]


def test_each_flag_once_with_its_rows():
    flags = plain_flags(flagged([[Flag("smoke", "x"), Flag("odd {thing}", "y")]] * 5))
    assert [flag.sentence for flag in flags] == [
        "The times show that the chain works and are no measurement: x.",
        "odd {thing}: y.",
    ]
    assert all(len(flag.rows) == 5 and not flag.names_rows for flag in flags)


def test_flags_that_differ_by_row_name_the_rows():
    drifts = [
        [Flag("drift", "model, 7%"), Flag("drift", "whole, 8%")],
        [],
        [Flag("drift", "model, 9%")],
    ]
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


@pytest.mark.parametrize("module", [validity, benchmark_model, passes, speed, threads])
def test_every_flag_of_the_harness_has_a_sentence(module):
    codes = set(re.findall(r'Flag\(\s*"([a-z-]+)"', inspect.getsource(module)))
    assert codes
    assert codes <= set(SENTENCES)


def test_every_missing_number_has_a_sentence():
    assert set(NOT_MEASURED.values()) <= set(SENTENCES)
    for sentence in SENTENCES.values():
        assert sentence.endswith(": {}.")


def test_a_missing_number_is_a_sentence():
    missing = Missing(row="a b", code="memory-not-measured", detail="no room")
    assert missing_sentence(missing) == "a b: Memory was not measured: no room."
    lost = Missing(row=None, code="unreachable", detail="rpi does not answer: threads: 5")
    assert missing_sentence(lost) == "rpi does not answer: threads: 5"


def test_why_a_number_is_null():
    row = sample_result().rows[4]
    assert (
        reason_for_null(row, "latency")
        == reason_for_null(row, "memory")
        == "no rpi device is configured"
    )
    assert reason_for_null(row, "accuracy") == ""
    row = msgspec.structs.replace(row, flags=[*row.flags, Flag("emulated", "by qemu")])
    assert reason_for_null(row, "latency") == "by qemu"
