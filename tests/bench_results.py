"""A made-up result of six classes for the tests of table and page."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from edgekd.bench.compare.margin import margin_of
from edgekd.bench.compare.teacher import comparison_of
from edgekd.bench.measure.flags import Flag
from edgekd.bench.result import (
    DataFacts,
    Decisions,
    DeviceFacts,
    Energy,
    Estimate,
    Flip,
    Latency,
    Memory,
    Minute,
    Missing,
    PolicyFacts,
    Result,
    ResultRow,
    ThreadPoint,
)
from edgekd.bench.result.statistics import summarise
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.task import metrics_task

CLASSES = ("akiec", "bcc", "bkl", "mel", "nv", "vasc")
POLICY = PolicyFacts(
    name="dermoscopy",
    sha256="0" * 64,
    critical=["mel"],
    first=["mel", "melanoma"],
    group="lesion or patient",
    groups="lesions or patients",
    margin=0.05,
)


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


def _row(
    name, role, skill, seed, *, p50=None, size, params, memory=None, flags=(), **what
) -> ResultRow:
    logits, targets = logits_of(skill, seed)
    teacher, _ = logits_of(2.4, 0)
    metrics = metrics_task(DEFAULT_TASK)
    comparison = comparison_of(metrics.difference(teacher, logits, targets, CLASSES))
    comparison = msgspec.structs.replace(
        comparison,
        margin=margin_of(comparison, None, POLICY),
        speedup_p50=41.0 / p50 if p50 else None,
        size_ratio=94e6 / size,
        params_ratio=23.5e6 / params,
    )
    return ResultRow(
        name=name,
        role=role,
        params=params,
        macs=params * 40,
        size_bytes=size,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        metrics=metrics.evaluate(logits, targets, CLASSES),
        vs_teacher=None if role == "teacher" else comparison,
        latency_ms=_latency(p50) if p50 else None,
        memory=Memory(rss_peak_delta_bytes=memory, definition="VmHWM minus VmRSS")
        if memory
        else None,
        valid=not any(flag.code == "drift" for flag in flags),
        flags=list(flags),
        **what,
    )


def sample_result(device: str = "cpu") -> Result:
    """Teacher, float student, two artefacts of this machine and one of a Pi."""
    pytorch = {"backend": "pytorch", "precision": "fp32"}
    cpu = {"target": "cpu", "backend": "openvino"}
    away = [Flag("latency-not-measured", "no rpi device is configured")]
    host = [*away, Flag("accuracy-from-host", "ai-edge-litert 2.3.0 on x86_64")]
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
            flags=[Flag("drift", "model, last fifth 7% slower than the first")],
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
        device=DeviceFacts(
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
        policy=POLICY,
        host={"threads": 2, "preset": "quick"},
    )


def full_result(images: tuple[str, ...] = ("images/a.jpg", "images/b.jpg")) -> Result:
    """The sample with every optional part: sweep, minutes, energy, decisions, flips."""
    result = sample_result()
    rows = [
        msgspec.structs.replace(row, **_extras(row, images)) if row.role == "artefact" else row
        for row in result.rows
    ]
    missing = [
        Missing(row="rpi int8", code="latency-not-measured", detail="the connection was lost")
    ]
    return msgspec.structs.replace(result, rows=rows, missing=missing)


def _extras(row: ResultRow, images: tuple[str, ...]) -> dict[str, object]:
    extras: dict[str, object] = {
        "decisions": Decisions(
            answered=Estimate(value=0.81, low=0.77, high=0.85),
            referred=Estimate(value=0.16, low=0.13, high=0.2),
            retaken=Estimate(value=0.03, low=0.02, high=0.05),
        ),
        "flipped": 2 + len(images),
        "flips": [_flip(name, index) for index, name in enumerate(images)],
    }
    if row.latency_ms is not None:
        p50 = row.latency_ms.model.p50
        extras["sweep"] = [
            ThreadPoint(threads=n, p50=p50 * 2 / n**0.8, p90=p50 * 2.2 / n**0.8, n=64)
            for n in (1, 2, 4)
        ]
        extras["sustained"] = [
            Minute(
                minute=minute,
                p50=p50 * (1 + 0.02 * minute),
                p90=p50 * (1.1 + 0.03 * minute),
                n=900,
                temperatures_c={"cpu": 45.0 + 2 * minute},
            )
            for minute in range(1, 11)
        ]
        extras["energy"] = Energy(
            joules_per_inference=4e-3 * p50, active_watts=6.1, idle_watts=2.1, sensor="INA3221"
        )
    return extras


def _flip(name: str, index: int) -> Flip:
    rest = dict.fromkeys(CLASSES, 0.02)
    label = "mel" if index % 2 == 0 else "nv"
    return Flip(
        image=name,
        label=label,
        student=rest | {"mel": 0.55, "nv": 0.37},
        artefact=rest | {"mel": 0.41, "nv": 0.51},
    )


def board_result() -> Result:
    """The artefact of the Pi measured on a Pi, beside the same teacher."""
    result = sample_result()
    rows = [msgspec.structs.replace(row, latency_ms=None, memory=None) for row in result.rows]
    pi = msgspec.structs.replace(rows[4], latency_ms=_latency(23.0), flags=[])
    device = DeviceFacts(name="derm-1", kind="ssh", facts={"model": "Raspberry Pi 5", "cores": 4})
    host = [Flag("latency-not-measured", "it runs on the host, and this run is about derm-1")]
    references = [msgspec.structs.replace(row, flags=host) for row in rows[:2]]
    return msgspec.structs.replace(result, device=device, rows=[*references, pi], missing=[])


def emulated_result() -> Result:
    """A result of an emulated board whose file nevertheless holds times."""
    result = board_result()
    device = DeviceFacts(name="rpi4", kind="emulated", emulated=True)
    return msgspec.structs.replace(result, device=device)


def other_images() -> Result:
    """The same files on other images."""
    result = sample_result()
    data = msgspec.structs.replace(result.data, name="clinic", sha256="b" * 64)
    return msgspec.structs.replace(result, data=data)
