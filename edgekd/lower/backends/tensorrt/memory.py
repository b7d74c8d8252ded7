"""Limits on the memory of a build.

A Jetson's GPU shares the system's memory, and an Orin Nano that runs out of it kills the build
(NVIDIA/TensorRT#1404, ultralytics/ultralytics#14751). Without a limit the workspace may be all of
the GPU's memory (NVIDIA TensorRT documentation, `IBuilderConfig::setMemoryPoolLimit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Budget", "budget_of", "read_memory", "swap_hint"]

_MEMINFO = Path("/proc/meminfo")
_LEAST, _MOST = 64 << 20, 1 << 30
_SHARE = 2  # half: the builder holds weights and kernels of its own beside the workspace
_LITTLE, _VERY_LITTLE = 2 << 30, 1 << 30


@dataclass(frozen=True)
class Budget:
    """Limits of one build.

    Attributes:
        workspace_bytes: Scratch memory of a kernel, at most.
        optimization_level: TensorRT's level, lower with little memory; None is its default.
    """

    workspace_bytes: int
    optimization_level: int | None


def budget_of(available: int | None) -> Budget:
    """The limits for an amount of available memory in bytes; None where it is not known.

    Half of it, between 64 MiB and 1 GiB: the feature maps of a student at 224 pixels are a few
    MiB, and scratch memory is of their order. With less than 2 GiB TensorRT searches less than it
    would (level 2), with less than 1 GiB still less (level 1). These are choices; no board was at
    hand to measure them on.
    """
    if available is None:
        return Budget(_MOST // 4, None)
    workspace = min(max(available // _SHARE, _LEAST), _MOST)
    if available >= _LITTLE:
        return Budget(workspace, None)
    return Budget(workspace, 2 if available >= _VERY_LITTLE else 1)


def read_memory(file: Path = _MEMINFO) -> dict[str, int]:
    """Bytes by name (`MemAvailable`, `SwapTotal`, …) as Linux reports them; else empty."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {
        words[0].removesuffix(":"): int(words[1]) << 10
        for words in pairs
        if len(words) >= 2 and words[1].isdigit()
    }


def swap_hint(memory: dict[str, int]) -> str:
    """Advice after the system killed a build."""
    available, swap = memory.get("MemAvailable", 0), memory.get("SwapTotal", 0)
    have = f"{available / 2**30:.1f} GiB are available and {swap / 2**30:.1f} GiB are swap"
    return (
        f"the system ran out of memory, it seems ({have}): end other programs, the desktop first "
        "(sudo systemctl isolate multi-user.target), or add swap (sudo fallocate -l 4G /swapfile; "
        "sudo chmod 600 /swapfile; sudo mkswap /swapfile; sudo swapon /swapfile), and start again"
    )
