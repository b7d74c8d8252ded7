"""A made-up result of six classes for the tests of table and page."""

from __future__ import annotations

import numpy as np

from edgekd.bench.accuracy import compare, metrics_of
from edgekd.bench.result import (
    DataFacts,
    Device,
    Latency,
    Memory,
    Result,
    Row,
)
from edgekd.bench.statistics import summarise

CLASSES = ("akiec", "bcc", "bkl", "mel", "nv", "vasc")


def logits_of(skill: float, seed: int, n: int = 360) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose noise is shared: better ones are right where worse ones are not."""
    targets = np.arange(n) % len(CLASSES)
    logits = np.random.default_rng(7).normal(size=(n, len(CLASSES)))
    logits += 0.3 * np.random.default_rng(seed).normal(size=logits.shape)
    logits[np.arange(n), targets] += skill
    return logits, targets


def _latency(p50: float) -> Latency:
    generator = np.random.default_rng(0)
    model = p50 * generator.gamma(400, 1 / 400, 300)
    return Latency(
        model=summarise(model), end_to_end=summarise(model + 3.1), load_ms=40.0, first_ms=2 * p50
    )


def _row(name, role, skill, seed, *, p50=None, size, params, memory=None, flags=(), **what) -> Row:
    logits, targets = logits_of(skill, seed)
    teacher, _ = logits_of(2.4, 0)
    comparison = compare(teacher, logits, targets)
    import msgspec

    comparison = msgspec.structs.replace(
        comparison,
        speedup_p50=41.0 / p50 if p50 else None,
        size_ratio=94e6 / size,
        params_ratio=23.5e6 / params,
    )
    return Row(
        name=name,
        role=role,
        params=params,
        macs=params * 40,
        size_bytes=size,
        sha256="0" * 64,
        metrics=metrics_of(logits, targets, CLASSES),
        vs_teacher=None if role == "teacher" else comparison,
        latency_ms=_latency(p50) if p50 else None,
        memory=Memory(rss_peak_delta_bytes=memory, definition="VmHWM minus VmRSS")
        if memory
        else None,
        valid=not any(flag.startswith("drift") for flag in flags),
        flags=list(flags),
        **what,
    )


def sample_result(device: str = "cpu") -> Result:
    """Teacher, float student, two artefacts of this machine and one of a Pi."""
    pytorch = {"backend": "pytorch", "precision": "fp32"}
    cpu = {"target": "cpu", "backend": "openvino"}
    away = ["latency-not-measured: no rpi device is configured"]
    host = [*away, "accuracy-from-host: ai-edge-litert 2.3.0 on x86_64"]
    rows = [
        _row(
            "teacher resnet50",
            "teacher",
            2.4,
            0,
            p50=41.0,
            size=94_000_000,
            params=23_500_000,
            memory=620 << 20,
            **pytorch,
        ),
        _row(
            "student mobilenetv2_100",
            "student",
            2.3,
            1,
            p50=7.9,
            size=9_100_000,
            params=2_230_000,
            memory=480 << 20,
            **pytorch,
        ),
        _row(
            "cpu fp32",
            "artefact",
            2.3,
            1,
            p50=2.1,
            size=9_000_000,
            params=2_230_000,
            memory=88 << 20,
            precision="fp32",
            **cpu,
        ),
        _row(
            "cpu int8",
            "artefact",
            2.15,
            2,
            p50=1.2,
            size=2_600_000,
            params=2_230_000,
            memory=71 << 20,
            precision="int8",
            flags=["drift: model, last fifth 7% slower than the first"],
            **cpu,
        ),
        _row(
            "rpi int8",
            "artefact",
            2.1,
            3,
            size=2_500_000,
            params=2_230_000,
            precision="int8",
            target="rpi",
            backend="tflite",
            flags=host,
        ),
    ]
    return Result(
        created="2026-11-22T21:00:00+00:00",
        command="python benchmarks/run.py --device cpu --run runs/ham --preset quick",
        device=Device(
            name=device,
            kind="local",
            facts={
                "cpu": "Intel(R) Xeon(R) Processor",
                "cores": 2,
                "ram_bytes": 8 << 30,
                "kernel": "Linux 6.18",
                "python": "3.11.9",
                "packages": {"openvino": "2026.4.1"},
            },
        ),
        data=DataFacts(
            name="ham10000", split="test", n=360, sha256="a" * 64, classes=list(CLASSES)
        ),
        rows=rows,
        host={"threads": 2, "preset": "quick"},
    )
