"""A made-up result of findings that may stand together, for tests of reports."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
from bench_results import POLICY, _latency

from edgekd.bench.compare.margin import margin_of
from edgekd.bench.compare.teacher import comparison_of
from edgekd.bench.result import DataFacts, DeviceFacts, Flip, Result, ResultRow
from edgekd.bench.task import report_task
from edgekd.metrics.task import metrics_task

TASK = "multilabel"
FINDINGS = ("streaks", "network", "globules")


def logits_of(skill: float, seed: int, n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, K] that share their noise, and the targets [N, K]."""
    generator = np.random.default_rng(3)
    targets = (generator.random((n, len(FINDINGS))) < (0.3, 0.5, 0.4)).astype(np.float32)
    logits = generator.normal(size=targets.shape)
    logits += 0.3 * np.random.default_rng(seed).normal(size=targets.shape)
    return (logits + skill * (2 * targets - 1)).astype(np.float32), targets


def findings_result() -> Result:
    """A teacher and two artefacts, one of them far worse; one image changed its findings."""
    teacher, targets = logits_of(1.6, 0)
    metrics = metrics_task(TASK)
    rows = [
        ResultRow(
            name="teacher resnet50",
            role="teacher",
            backend="pytorch",
            size_bytes=94_000_000,
            latency_ms=_latency(41.0),
            sha256="t" * 64,
            metrics=metrics.evaluate(teacher, targets, FINDINGS),
        )
    ]
    for name, skill, p50 in (("cpu fp32", 1.55, 2.1), ("cpu int8", 0.4, 1.2)):
        logits, _ = logits_of(skill, 1)
        comparison = comparison_of(metrics.difference(teacher, logits, targets, FINDINGS))
        margin = margin_of(comparison, None, POLICY)
        rows.append(
            ResultRow(
                name=name,
                role="artefact",
                target="cpu",
                backend="openvino",
                precision=name.split()[1],
                size_bytes=9_000_000,
                sha256=hashlib.sha256(name.encode()).hexdigest(),
                metrics=metrics.evaluate(logits, targets, FINDINGS),
                vs_teacher=msgspec.structs.replace(comparison, margin=margin),
                latency_ms=_latency(p50),
                flipped=1,
                flips=[_flip()],
            )
        )
    return Result(
        created="2026-11-22T21:00:00+00:00",
        command="edgekd bench",
        device=DeviceFacts(name="cpu", kind="local"),
        data=DataFacts(
            name="criteria", split="test", n=240, sha256="c" * 64, classes=list(FINDINGS)
        ),
        rows=rows,
        task=TASK,
        policy=POLICY,
    )


def _flip() -> Flip:
    scores = report_task(TASK).scores
    before, after = np.array([2.0, 1.0, -1.0]), np.array([2.0, -0.4, 0.3])
    return Flip(
        image="a.jpg",
        label="streaks;network",
        student=scores(before, FINDINGS),
        artefact=scores(after, FINDINGS),
    )
