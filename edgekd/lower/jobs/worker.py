"""The process that runs one conversion job: `python -m edgekd.lower.jobs.worker job.json`."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.errors import InputError
from edgekd.files import pretty_json, whole_folder, write_atomically
from edgekd.lower.backends import Backend, get_backend
from edgekd.lower.backends.base import RangedBackend, reads_calibration
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.lower.jobs.conversion import (
    RANGES,
    REPORT,
    Conversion,
    ConversionJob,
    ConversionReport,
)
from edgekd.lower.jobs.process import announce, serve
from edgekd.lower.precision import Variant
from edgekd.runtime.telemetry import silence

if TYPE_CHECKING:
    from edgekd.lower.backends.base import Calibration
    from edgekd.lower.graph import DeployGraph

__all__ = ["run_job"]


def run_job(job: ConversionJob) -> None:
    """Lower to each variant of the job and write `report.json`.

    Raises:
        EdgekdError: See `load_checkpoint` and `Backend.lower`.
    """
    silence()
    backend = get_backend(job.backend)
    graph, image_size = _load_graph(job)
    calibration = _load_calibration(job)
    stem = _stem(graph, image_size)
    conversions = tuple(
        _convert(job, _Lowering(backend, graph, image_size, variant, stem, calibration))
        for variant in job.variants
    )
    report = ConversionReport(backend=job.backend, conversions=conversions)
    write_atomically(Path(job.out) / REPORT, pretty_json(report))


def _load_graph(job: ConversionJob) -> tuple[DeployGraph, int]:
    import torch

    from edgekd.lower.graph import FeatureNetwork, deploy_graph
    from edgekd.models import load_checkpoint

    if job.threads is not None:
        torch.set_num_threads(job.threads)
    checkpoint = load_checkpoint(Path(job.checkpoint))
    card = checkpoint.card
    print(f"[edgekd] loaded {job.checkpoint}: {len(card.classes)} classes", flush=True)
    if job.features:
        network = FeatureNetwork(checkpoint.network)
        return deploy_graph(network, card.mean, card.std), card.image_size
    graph = deploy_graph(
        checkpoint.network, card.mean, card.std, card.subclass_of,
        trained_in_int8=job.trained_in_int8 or card.training.finished_in_int8,
    )  # fmt: skip
    return graph, card.image_size


def _stem(graph: DeployGraph, image_size: int) -> str | None:
    from edgekd.lower.int8.stem import stem_of

    return stem_of(graph, image_size)


def _load_calibration(job: ConversionJob) -> Calibration | None:
    if job.calibration is None:
        return None
    import numpy as np

    try:
        images: Calibration = np.load(job.calibration, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        message = f"the calibration images at {job.calibration} cannot be read: {error}"
        raise InputError(message, "give a .npy file with uint8 [N, S, S, 3]") from error
    return images


@dataclass(frozen=True)
class _Lowering:
    """One variant to lower, with its first layer in float."""

    backend: Backend
    graph: DeployGraph
    image_size: int
    variant: Variant
    stem: str | None
    calibration: Calibration | None

    @property
    def effective(self) -> Variant:
        from edgekd.lower.int8.stem import with_float_stem

        return with_float_stem(self.variant, self.stem)

    def write(self, out: Path) -> dict[str, str]:
        """Lower by the calibration images, if there are any."""
        return self.backend.lower(
            self.graph, self.image_size, self.effective, self.calibration, out
        )

    def write_by_ranges(self, file: Path, out: Path) -> dict[str, str]:
        """Lower by recorded ranges."""
        ranges = RecordedRanges.load(file)
        backend = _ranged(self.backend)
        return backend.lower_by_ranges(self.graph, self.image_size, self.effective, ranges, out)

    def record(self, file: Path) -> None:
        """Record what the file takes from the calibration images."""
        if self.calibration is None or not reads_calibration(self.backend, self.variant):
            return
        backend = _ranged(self.backend)
        ranges = backend.measure(self.graph, self.image_size, self.effective, self.calibration)
        ranges.save(file)


def _ranged(backend: Backend) -> RangedBackend:
    if not isinstance(backend, RangedBackend):
        message = f"{backend.name} cannot record ranges, nor lower by recorded ones"
        raise InputError(message, "give calibration images")
    return backend


def _convert(job: ConversionJob, lowering: _Lowering) -> Conversion:
    backend, label, out = lowering.backend, lowering.variant.label, Path(job.out)
    announce(label)
    start = time.perf_counter()
    with whole_folder(out / label) as folder:
        ranges = job.ranges.get(label)
        if ranges is None:
            versions = lowering.write(folder)
        else:
            versions = lowering.write_by_ranges(Path(ranges), folder)
    if job.record:
        lowering.record(out / f"{label}{RANGES}")
    seconds = time.perf_counter() - start
    print(f"[edgekd] {backend.name} {label}: done in {seconds:.1f} s", flush=True)
    return Conversion(
        variant=lowering.variant,
        file=f"{label}/{backend.model_file}",
        size_bytes=sum(file.stat().st_size for file in (out / label).iterdir()),
        seconds=round(seconds, 3),
        versions=versions,
    )


if __name__ == "__main__":
    sys.exit(serve(ConversionJob, run_job, sys.argv[1:]))
