"""How much of the time a GPU has nothing to do, by nvidia-smi."""

from __future__ import annotations

import subprocess
from statistics import fmean
from types import TracebackType

__all__ = ["Usage", "idle_share"]

_COMMAND = (
    "nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=100",
    "--id=0",
)  # fmt: skip


class Usage:
    """Reads the utilisation of GPU 0 every tenth of a second while the block runs.

    The utilisation is the share of the driver's last sampling period in which a kernel ran.
    """

    def __enter__(self) -> Usage:
        self._process = subprocess.Popen(_COMMAND, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._lines, _ = self._process.communicate()

    def idle(self) -> dict[str, float]:
        """`{"idle": share}`; empty where nothing could be read."""
        share = idle_share(self._lines)
        return {} if share is None else {"idle": share}


def idle_share(lines: str) -> float | None:
    """The mean share of idleness from lines of per cent; None for no readings.

    Args:
        lines: What nvidia-smi printed: a number a line; the last one may be cut off.
    """
    whole = lines[: lines.rfind("\n") + 1].split("\n")
    readings = [float(line) for line in whole if line.strip().isdigit()]
    return 1 - fmean(readings) / 100 if readings else None
