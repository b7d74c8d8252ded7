"""Images whose answer is not the float student's."""

from __future__ import annotations

from rich.console import Console

from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest

QUIET = Console(quiet=True)


def run(request: BenchRequest):
    return run_benchmark(request, console=QUIET)


def by_role(result, role, target=None):
    return next(row for row in result.rows if row.role == role and row.target == target)


def test_decisions_and_flips_are_counted(data, make_checkpoint, make_bundle):
    student = make_checkpoint("student")
    bundle = make_bundle()
    result = run(BenchRequest(device="rpi", data=data, bundles=[bundle], student=student))
    row = by_role(result, "artefact", "cpu")
    assert (row.decisions.answered.value, row.decisions.retaken.value) == (1.0, 0.0)
    assert row.flipped > 0  # the student is untrained
    assert len(row.flips) == min(row.flipped, 24)
    first = row.flips[0]
    assert max(first.student, key=first.student.get) != max(first.artefact, key=first.artefact.get)
    assert first.image.endswith(".jpg")
    assert result.missing == []
