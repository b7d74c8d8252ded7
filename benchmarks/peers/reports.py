"""What the results of all comparisons say about the checkout and the machine."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

from edgekd.bench.measure.load import CpuSeconds, cpu_seconds
from edgekd.bench.measure.sysfs import text

__all__ = ["REPOSITORY", "available_bytes", "plain", "processor_seconds", "revision"]

REPOSITORY = Path(__file__).resolve().parents[2]


def revision() -> str | None:
    """The revision of the checkout; None outside of one."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=REPOSITORY, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip() or None


def processor_seconds() -> CpuSeconds:
    """CPU seconds of the whole machine; `process` is this process with its ended children."""
    found = cpu_seconds() or CpuSeconds(0.0, 0.0, 0.0, 0.0)
    return found._replace(process=sum(os.times()[:4]))


def available_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Memory that processes can still take; None where the system does not tell."""
    lines = (text(meminfo) or "").splitlines()
    words = next((line.split() for line in lines if line.startswith("MemAvailable:")), None)
    return int(words[1]) * 1024 if words else None


def plain(value: Any) -> Any:
    """Data classes as dictionaries; an aim with whether it was met."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return plain(fields | ({"met": value.met} if hasattr(value, "met") else {}))
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value
