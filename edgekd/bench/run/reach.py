"""Reaching the device of a run: its facts, and the files that the jobs need there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekd.bench.devices import find_device, runs_on
from edgekd.bench.measure.flags import Flag
from edgekd.bench.result import DeviceFacts
from edgekd.bench.run.journal import CachedDevice, Journal
from edgekd.bench.run.log import INTERRUPTED, RunLog
from edgekd.bench.run.progress import RunProgress
from edgekd.bench.run.request import BenchRequest
from edgekd.bundle import Bundle
from edgekd.errors import DeviceUnreachableError, MissingDependencyError

__all__ = ["DeviceLink"]


class DeviceLink:
    """The link to the device that a run measures.

    Args:
        request: Names the device and the bundles.
        journal: Keeps the answers of an incomplete run.
        log: Records what cannot be measured.

    Attributes:
        device: The device; None where it is not configured.
    """

    def __init__(self, request: BenchRequest, journal: Journal, log: RunLog) -> None:
        device = find_device(request.device, wheelhouse=request.wheelhouse)
        self.device = None if device is None else CachedDevice(device, journal)
        self._request = request
        self._log = log
        self._facts: dict[str, Any] = {}

    def reach(self, images: Sequence[Path], progress: RunProgress) -> dict[str, Any]:
        """Copy bundles and images to the device.

        Returns:
            Facts of the device, read before anything else; empty where it cannot be used.
        """
        device = self.device
        if device is None:
            return {}
        try:
            self._facts = device.facts()
            bundles = [path for path in self._request.bundles if self.is_for_device(path)]
            with progress.step(f"preparing {device.name}", 1) as step:
                device.prepare(bundles, images, progress.line)
                step(1)
        except (DeviceUnreachableError, MissingDependencyError) as error:
            self._log.lose(device.name, error)
            self._facts = {}
        except KeyboardInterrupt:
            self._log.interrupt(device.name)
            self._log.miss(
                device.name, Flag("interrupted", f"{INTERRUPTED} before anything was measured")
            )
            self._facts = {}
        return self._facts

    def is_for_device(self, bundle: Path) -> bool:
        """Whether the bundle's target is one that the device runs."""
        with Bundle.open(bundle, verify=False) as opened:
            target = opened.manifest.lowering.target
        return runs_on(target, self.device)

    def describe(self) -> DeviceFacts:
        """The device's entry in the result, with its temperatures after the run."""
        device = self.device
        if device is None:
            return DeviceFacts(name=self._request.device, kind="not-configured")
        facts = dict(self._facts)
        if self._log.lost is None and not self._log.interrupted:
            with suppress(DeviceUnreachableError):  # every number was measured before
                after = device.facts().get("temperatures_c")
                facts |= {"temperatures_after_c": after} if after is not None else {}
        return DeviceFacts(
            name=device.name,
            kind=device.kind,
            emulated=bool(facts) and self._log.lost is None and device.emulated,
            facts=facts,
        )

    def close(self) -> None:
        """Close the link."""
        if self.device is not None:
            self.device.close()
