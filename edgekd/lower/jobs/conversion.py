"""Conversions: one process for each backend, which writes a folder for each variant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from edgekd.lower.jobs.process import run_in_process
from edgekd.lower.precision import Variant

__all__ = ["RANGES", "Conversion", "ConversionJob", "ConversionReport", "convert"]

REPORT = "report.json"
RANGES = ".ranges"
"""Suffix of the files of recorded ranges."""
_WORKER = "edgekd.lower.jobs.worker"
_IMPORTS = ("torch", "torchvision", "timm")


class ConversionJob(msgspec.Struct, frozen=True, kw_only=True):
    """The job of one worker.

    Attributes:
        backend: Name of the lowering backend.
        variants: Variants to lower to, one after the other in one process, so that the tools are
            imported once and ranges are measured once.
        checkpoint: Folder of the student.
        calibration: File (.npy) with uint8 [N, S, S, 3]; needed for int8 without ranges.
        ranges: Files of recorded ranges by label; such a variant is lowered by them alone.
        record: Whether the ranges of each variant are recorded, as `<label>.ranges`; only for
            variants that depend on the calibration images.
        out: Folder that gets one folder per variant, named by its label, and `report.json`.
        threads: Threads of torch; None leaves them to torch.
        features: Whether the files give the student's features instead of its outputs.
        trained_in_int8: Whether the weights were fine-tuned in simulated int8 after training, so
            that biases are not corrected; of a finish in training the model card tells.
    """

    backend: str
    variants: tuple[Variant, ...]
    checkpoint: str
    out: str
    calibration: str | None = None
    ranges: dict[str, str] = {}
    record: bool = False
    threads: int | None = None
    features: bool = False
    trained_in_int8: bool = False


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """One lowered file.

    Attributes:
        variant: The variant that it is of.
        file: The main file, relative to the job's `out`.
        size_bytes: Size of all files of this variant.
        seconds: Time it took, imports of the first one included.
        versions: Tools that took part.
    """

    variant: Variant
    file: str
    size_bytes: int
    seconds: float
    versions: dict[str, str]


class ConversionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a worker: one entry per variant, in the order of the job."""

    backend: str
    conversions: tuple[Conversion, ...]


# Made once: msgspec crashes where two threads (of backends) meet a type for the first time.
_REPORTS = msgspec.json.Decoder(ConversionReport)


def convert(
    job: ConversionJob, *, log: Path, report: Callable[[str], None] = lambda state: None
) -> ConversionReport:
    """Run the job in a process of its own.

    Each `out/<label>` appears whole or not at all; variants done before one that fails stay.

    Args:
        job: The variants and the checkpoint.
        log: File for the converter's output; the job is kept beside it.
        report: Takes the label of each variant when its turn comes.

    Raises:
        JobError: The worker failed.
    """
    title = f"{job.backend} {'/'.join(variant.label for variant in job.variants)}"
    result = Path(job.out) / REPORT
    raw = run_in_process(
        _WORKER, job, title=title, log=log, result=result, report=report, imports=_IMPORTS
    )
    return _REPORTS.decode(raw)
