"""The process that runs one conversion job: `python -m edgekd.lower.jobs.worker job.json`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.errors import InputError
from edgekd.files import pretty_json, whole_folder, write_atomically
from edgekd.lower.backends import Backend, get_backend
from edgekd.lower.jobs.conversion import REPORT, Conversion, ConversionJob, ConversionReport
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
        _convert(backend, graph, image_size, variant, stem, calibration, Path(job.out))
        for variant in job.variants
    )
    report = ConversionReport(backend=job.backend, conversions=conversions)
    write_atomically(Path(job.out) / REPORT, pretty_json(report))


def _load_graph(job: ConversionJob) -> tuple[DeployGraph, int]:
    import torch

    from edgekd.lower.graph import deploy_graph
    from edgekd.models import load_checkpoint

    if job.threads is not None:
        torch.set_num_threads(job.threads)
    checkpoint = load_checkpoint(Path(job.checkpoint))
    card = checkpoint.card
    print(f"[edgekd] loaded {job.checkpoint}: {len(card.classes)} classes", flush=True)
    graph = deploy_graph(checkpoint.network, card.mean, card.std, card.subclass_of)
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


def _convert(
    backend: Backend,
    graph: DeployGraph,
    image_size: int,
    variant: Variant,
    stem: str | None,
    calibration: Calibration | None,
    out: Path,
) -> Conversion:
    from edgekd.lower.int8.stem import with_float_stem

    announce(variant.label)
    start = time.perf_counter()
    with whole_folder(out / variant.label) as folder:
        effective = with_float_stem(variant, stem)
        versions = backend.lower(graph, image_size, effective, calibration, folder)
    seconds = time.perf_counter() - start
    print(f"[edgekd] {backend.name} {variant.label}: done in {seconds:.1f} s", flush=True)
    return Conversion(
        variant=variant,
        file=f"{variant.label}/{backend.model_file}",
        size_bytes=sum(file.stat().st_size for file in (out / variant.label).iterdir()),
        seconds=round(seconds, 3),
        versions=versions,
    )


if __name__ == "__main__":
    sys.exit(serve(ConversionJob, run_job, sys.argv[1:]))
