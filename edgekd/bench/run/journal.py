"""Answers of an incomplete run, so that the same command resumes it.

A key holds everything that an answer depends on: the device, the job with the content of its bundle
and images, the version of edgekd. Answers that failed are not kept.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import edgekd
from edgekd.bench.devices import Device
from edgekd.bench.measure.job import Answer, Job
from edgekd.files import sha256_of
from edgekd.seals import read_kept, write_sealed
from edgekd.streams import is_stream

__all__ = ["CachedDevice", "Journal"]

T = TypeVar("T")


class Journal:
    """Answers below a folder; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def for_output(cls, out: Path | None) -> Journal:
        """The journal of a run that writes `out`: a hidden folder next to that file."""
        if out is None or is_stream(out):
            return cls(None)
        return cls(out.with_name(f".{out.name}.parts"))

    def remember(self, key: Sequence[Any], kind: type[T], make: Callable[[], T]) -> T:
        """The value stored under `key`, else the result of `make`, which is then stored."""
        if self._folder is None:
            return make()
        named = hashlib.sha256(msgspec.json.encode([edgekd.__version__, *key])).hexdigest()
        file = self._folder / f"{named[:40]}.json"
        kept = read_kept(file, named)
        if kept is not None:
            with suppress(msgspec.DecodeError):  # such as NaN, which JSON does not have
                return msgspec.json.decode(kept, type=kind)
        made = make()
        write_sealed(file, msgspec.json.encode(made), named)
        return made

    def forget(self) -> None:
        """Remove all answers: the run is complete."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class CachedDevice:
    """A device that runs no job twice; see `edgekd.bench.devices.Device`."""

    def __init__(self, device: Device, journal: Journal) -> None:
        self._device = device
        self._journal = journal
        self.name, self.kind, self.targets = device.name, device.kind, device.targets

    @property
    def emulated(self) -> bool:
        """See `Device`; it may be known only after the first contact."""
        return self._device.emulated

    @property
    def identity(self) -> str:
        """See `Device`."""
        return self._device.identity

    @property
    def decides(self) -> bool:
        """See `Device`."""
        return self._device.decides

    def facts(self) -> dict[str, Any]:
        """See `Device`; facts are not kept."""
        return self._device.facts()

    def prepare(
        self, bundles: Sequence[Path], images: Sequence[Path], say: Callable[[str], None]
    ) -> None:
        """See `Device`."""
        self._device.prepare(bundles, images, say)

    def run(self, job: Job) -> Answer:
        """See `Device`; an answer that was kept is returned without running the job.

        A job that an external meter measures is always run: the meter's file covers the present
        run.
        """
        if job.metered:
            return self._device.run(job)
        key = (self._device.name, self._device.identity, *_identity(job))
        return self._journal.remember(key, Answer, lambda: self._device.run(job))

    def close(self) -> None:
        """Close the connection."""
        self._device.close()


def _identity(job: Job) -> tuple[Any, ...]:
    contents = [sha256_of(Path(image)) for image in job.images]
    plain = msgspec.structs.replace(job, images=[], output="", bundle=None, checkpoint=None)
    subject = [_content(Path(path)) for path in (job.bundle, job.checkpoint) if path]
    return (msgspec.to_builtins(plain), contents, subject)


def _content(path: Path) -> list[str]:
    """Hashes of a bundle's or a checkpoint's files."""
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    return [sha256_of(file) for file in files]
