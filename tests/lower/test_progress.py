"""What a build reports while it runs."""

from __future__ import annotations

import msgspec

from edgekd.bundle import GateRecord, Rung
from edgekd.lower.progress import LineReporter, verdict_of

GATE = GateRecord(
    passed=True, reasons=(), images=100, max_logit_difference=0.25, flips=0.01,
    balanced_accuracy=0.81, balanced_accuracy_drop=0.02, limits={}, runtime={},
)  # fmt: skip
RUNG = Rung(precision="int8", chosen=False, size_bytes=1_500_000, gate=GATE)


def test_a_rung_is_one_line_with_its_numbers() -> None:
    lines: list[str] = []
    LineReporter(lines.append).rung("rpi", RUNG)
    assert lines == [
        "rpi: int8, 1.50 MB, balanced accuracy 0.810 (-0.020), flips 1.0%, largest logit "
        "difference 0.25: passed"
    ]


def test_a_task_without_balanced_accuracy_reports_its_own_numbers() -> None:
    lines: list[str] = []
    gate = msgspec.structs.replace(
        GATE, balanced_accuracy=None, balanced_accuracy_drop=None, measures={"mean_error": 0.125}
    )
    LineReporter(lines.append).rung("rpi", msgspec.structs.replace(RUNG, gate=gate))
    assert "mean error 0.125, flips" in lines[0]
    assert "balanced accuracy" not in lines[0]


def test_counts_of_images_are_not_a_line_each() -> None:
    lines: list[str] = []
    reporter = LineReporter(lines.append)
    for state in ("lowering", "running 0/900", "running 50/900", "ran"):
        reporter.state("onnx", "fp32", state)
    assert lines == ["onnx fp32: lowering", "onnx fp32: running", "onnx fp32: ran"]


def test_verdicts_in_words() -> None:
    refused = msgspec.structs.replace(GATE, passed=False, reasons=("a", "b"))
    remarked = msgspec.structs.replace(RUNG, chosen=True, notes=("slow",))
    assert verdict_of(msgspec.structs.replace(RUNG, gate=refused)) == "refused: a; b"
    assert verdict_of(remarked) == "taken (slow)"
    assert verdict_of(msgspec.structs.replace(RUNG, gate=None, failure="no")) == "failed: no"
