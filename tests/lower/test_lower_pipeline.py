"""Attempts from lowering to outputs: what fails stops no other, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from cards import make_card

from edgekd.errors import MissingDependencyError
from edgekd.lower import pipeline
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.backends.base import UnconvertibleError
from edgekd.lower.context import BuildContext
from edgekd.lower.jobs.conversion import ConversionJob
from edgekd.lower.jobs.process import DISK_FULL, JobError
from edgekd.lower.jobs.trial import Answers, TrialJob
from edgekd.lower.pipeline import lower_variants
from edgekd.lower.precision import Variant
from edgekd.lower.progress import LineReporter
from edgekd.lower.store import Store

VARIANTS = [Variant(precision="int8"), Variant(precision="fp32")]


class Tools:
    """Stand-ins for the converter and the engine that write down their jobs.

    Attributes:
        lowering_error: Raised for a conversion to int8.
        running_error: Raised for a run of the int8 file.
        jobs: What was lowered, and what was run.
        conversions: The conversions among them.
    """

    def __init__(self) -> None:
        self.lowering_error: JobError | None = None
        self.running_error: JobError | None = None
        self.jobs: list[str] = []
        self.conversions: list[ConversionJob] = []

    def convert(self, job: ConversionJob, *, log: Path, report: Callable[[str], None]) -> Any:
        labels = [variant.label for variant in job.variants]
        self.jobs.append(f"lower {'+'.join(labels)}")
        self.conversions.append(job)
        if self.lowering_error is not None and "int8" in labels:
            raise self.lowering_error
        for label in labels:
            (Path(job.out) / label).mkdir(parents=True)
            (Path(job.out) / label / "model.onnx").write_text(label)
        return SimpleNamespace(
            conversions=[SimpleNamespace(variant=one, versions={}) for one in job.variants]
        )

    def try_files(
        self, job: TrialJob, *, log: Path, report: Callable[[str], None]
    ) -> dict[str, Answers]:
        self.jobs.append(f"run {'+'.join(job.files)}")
        if self.running_error is not None and "int8" in job.files:
            raise self.running_error
        return {label: Answers(np.zeros((3, 2), np.float32), np.ones(3), {}) for label in job.files}


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    tools = Tools()
    monkeypatch.setattr(pipeline, "convert", tools.convert)
    monkeypatch.setattr(pipeline, "try_files", tools.try_files)
    return tools


@pytest.fixture
def context(tmp_path: Path) -> BuildContext:
    source = SimpleNamespace(
        card=make_card(),
        folder=tmp_path,
        images_sha256="i",
        images=np.zeros((3, 2, 2, 3), np.uint8),
    )
    (tmp_path / "work").mkdir()
    return BuildContext(
        cast(Any, source), None, Store(tmp_path / "store"), tmp_path / "work", tmp_path / "logs",
        LineReporter(),
    )  # fmt: skip


def error(kind: str = "", code: int = 1) -> JobError:
    return JobError("the job failed", "see the log", code, kind=kind, cause="no operator")


def test_files_are_lowered_and_run_together_and_once(tools: Tools, context: BuildContext) -> None:
    for _ in range(2):
        files = lower_variants(context, "onnx", VARIANTS)
        assert [type(one) for one in files] == [Measured, Measured]
        assert [one.attempt.label for one in files] == ["int8", "fp32"]
        assert tools.jobs == ["lower int8+fp32", "run int8+fp32"]


def test_recorded_ranges_are_given_to_the_variants_that_they_are_of(
    tools: Tools, context: BuildContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, str]] = []

    def convert(job: ConversionJob, **options: Any) -> Any:
        given.append(job.ranges)
        return tools.convert(job, **options)

    monkeypatch.setattr(pipeline, "convert", convert)
    file = tmp_path / "ranges"
    file.write_bytes(b"ranges")
    ranges = {("onnx", VARIANTS[0]): file, ("tflite", VARIANTS[1]): file}
    lower_variants(replace(context, ranges=ranges), "onnx", VARIANTS)
    assert given == [{"int8": str(file)}]


def test_a_variant_that_cannot_be_lowered_stops_no_other(
    tools: Tools, context: BuildContext
) -> None:
    tools.lowering_error = error()
    failed, measured = lower_variants(context, "onnx", VARIANTS)
    assert isinstance(failed, Failed)
    assert (failed.stage, failed.made, failed.error) == ("lowering", None, tools.lowering_error)
    assert failed.failure == "the job failed; see the log"
    assert isinstance(measured, Measured)
    assert tools.jobs == ["lower int8+fp32", "lower int8", "lower fp32", "run fp32"]


def test_a_network_that_cannot_be_converted_is_tried_once(
    tools: Tools, context: BuildContext
) -> None:
    tools.lowering_error = error(kind=UnconvertibleError.__name__)
    attempts = lower_variants(context, "onnx", VARIANTS)
    assert [type(one) for one in attempts] == [Failed, Failed]
    assert tools.jobs == ["lower int8+fp32"]


def test_a_file_that_cannot_be_run_keeps_its_files(tools: Tools, context: BuildContext) -> None:
    tools.running_error = error()
    failed, measured = lower_variants(context, "onnx", VARIANTS)
    assert isinstance(failed, Failed)
    assert failed.stage == "running"
    assert failed.made is not None
    assert isinstance(measured, Measured)


@pytest.mark.parametrize(("kind", "code"), [("", MissingDependencyError.exit_code), (DISK_FULL, 2)])
def test_what_would_stop_every_variant_is_an_error(
    tools: Tools, context: BuildContext, kind: str, code: int
) -> None:
    tools.lowering_error = error(kind, code)
    with pytest.raises(JobError):
        lower_variants(context, "onnx", VARIANTS)


def test_fine_tuned_weights_are_marked_on_their_attempts(
    tools: Tools, context: BuildContext
) -> None:
    (measured,) = lower_variants(replace(context, quantisation_aware=True), "onnx", VARIANTS[:1])
    assert measured.attempt.quantisation_aware
    lower_variants(context, "onnx", VARIANTS[1:])
    assert [job.trained_in_int8 for job in tools.conversions] == [True, False]
