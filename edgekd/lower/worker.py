"""The process that runs one conversion job: `python -m edgekd.lower.worker job.json`."""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgekd.errors import EdgekdError, InputError
from edgekd.files import pretty_json, whole_folder, write_whole
from edgekd.lower.backends import Backend, get_backend
from edgekd.lower.conversion import (
    ERROR_MARK,
    REPORT,
    Conversion,
    ConversionJob,
    ConversionReport,
)
from edgekd.runtime._telemetry import silence

if TYPE_CHECKING:
    from edgekd.lower.backends.base import Calibration
    from edgekd.lower.graph import DeployGraph

__all__ = ["main", "run_job"]


def main(arguments: list[str]) -> int:
    """Run the job file; the exit code is 0, that of the EdgekdError, or 1."""
    try:
        job = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=ConversionJob)
        run_job(job)
    except EdgekdError as error:
        print(f"{ERROR_MARK}{error.message}", flush=True)
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        said = str(error).strip().splitlines() or [""]
        print(f"{ERROR_MARK}{type(error).__name__}: {said[0]}", flush=True)
        return 1
    return 0


def run_job(job: ConversionJob) -> ConversionReport:
    """Lower to each precision of the job and write `report.json`.

    Raises:
        EdgekdError: See `load_checkpoint` and `Backend.lower`.
    """
    silence()
    backend = get_backend(job.backend)
    graph, image_size = _load_graph(job)
    calibration = _load_calibration(job)
    conversions = tuple(
        _convert(backend, graph, image_size, precision, calibration, Path(job.out))
        for precision in job.precisions
    )
    report = ConversionReport(backend=job.backend, conversions=conversions)
    content = pretty_json(report)
    write_whole(Path(job.out) / REPORT, content)
    return report


def _load_graph(job: ConversionJob) -> tuple[DeployGraph, int]:
    import torch

    from edgekd.lower.graph import deploy_graph
    from edgekd.models import load_checkpoint

    if job.threads is not None:
        torch.set_num_threads(job.threads)
    checkpoint = load_checkpoint(Path(job.checkpoint))
    card = checkpoint.card
    print(f"[edgekd] loaded {job.checkpoint}: {len(card.classes)} classes", flush=True)
    return deploy_graph(checkpoint.network, card.mean, card.std), card.image_size


def _load_calibration(job: ConversionJob) -> Calibration | None:
    if job.calibration is None:
        return None
    import numpy as np

    try:
        images: Calibration = np.load(job.calibration, allow_pickle=False)
    except (OSError, ValueError) as error:
        message = f"the calibration images at {job.calibration} cannot be read: {error}"
        raise InputError(message, "give a .npy file with uint8 [N, S, S, 3]") from error
    return images


def _convert(
    backend: Backend,
    graph: DeployGraph,
    image_size: int,
    precision: str,
    calibration: Calibration | None,
    out: Path,
) -> Conversion:
    print(f"[edgekd] {backend.name} {precision}: start", flush=True)
    start = time.perf_counter()
    with whole_folder(out / precision) as folder:
        versions = backend.lower(graph, image_size, precision, calibration, folder)
    seconds = time.perf_counter() - start
    print(f"[edgekd] {backend.name} {precision}: done in {seconds:.1f} s", flush=True)
    return Conversion(
        precision=precision,
        file=f"{precision}/{backend.model_file}",
        size_bytes=sum(file.stat().st_size for file in (out / precision).iterdir()),
        seconds=round(seconds, 3),
        versions=versions,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
