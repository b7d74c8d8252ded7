"""This machine as a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgekd.bench.devices.launch import run_job
from edgekd.bench.measure.energy import sensor_facts
from edgekd.bench.measure.job import Answer, Job
from edgekd.bench.measure.machine import local_facts

__all__ = ["LocalDevice"]


@dataclass(frozen=True)
class LocalDevice:
    """This machine; see `edgekd.bench.devices.Device`."""

    name: str
    kind: ClassVar[str] = "local"
    emulated: ClassVar[bool] = False
    decides: ClassVar[bool] = True

    @property
    def targets(self) -> tuple[str, ...]:
        """The target that the device is named after."""
        return (self.name,)

    @property
    def identity(self) -> str:
        """`local`, since there is only one such machine."""
        return self.kind

    def facts(self) -> dict[str, Any]:
        """Facts of this machine."""
        return local_facts() | sensor_facts()

    def prepare(
        self, bundles: Sequence[Path], images: Sequence[Path], say: Callable[[str], None]
    ) -> None:
        """Do nothing: there is nothing to copy."""

    def run(self, job: Job) -> Answer:
        """Run the job in a fresh process."""
        return run_job(job)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
