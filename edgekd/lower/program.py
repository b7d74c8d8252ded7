"""The program of a bundle: its network for another library that the device can build via."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgekd.bundle import Manifest, ProgramRecord
from edgekd.errors import GateFailedError
from edgekd.lower.attempt import Measured
from edgekd.lower.backends.base import ProgramBackend
from edgekd.lower.context import BuildContext, saved_array
from edgekd.lower.selftest import tolerance_of

__all__ = ["BundleProgram", "bundle_program"]


@dataclass(frozen=True)
class BundleProgram:
    """What a build with `--via` adds to a bundle; nothing where it names the usual way.

    Attributes:
        record: Comparison of the program with the lowered file, or None.
        files: The program's file by its name.
    """

    record: ProgramRecord | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    def described(self, manifest: Manifest) -> Manifest:
        """The manifest with the record, and with the command that builds via this library."""
        if self.record is None:
            return manifest
        command = manifest.lowering.completion_command
        lowering = msgspec.structs.replace(
            manifest.lowering,
            program=self.record,
            completion_command=command and f"{command} --via {self.record.via}",
        )
        return msgspec.structs.replace(manifest, lowering=lowering)


def bundle_program(
    context: BuildContext, bundle: str, measured: Measured, via: str | None
) -> BundleProgram:
    """The program of a lowered file, compared with it on all validation images.

    Args:
        context: The build.
        bundle: Name of the bundle, for messages.
        measured: The lowered file with its outputs.
        via: The library, or None.

    Raises:
        GateFailedError: The program's outputs are not those of the file, which the gate saw.
        JobError: The file cannot be made a program of.
    """
    attempt = measured.attempt
    backend, label = attempt.backend, attempt.label
    if via is None or not isinstance(backend, ProgramBackend) or via == backend.via[0]:
        return BundleProgram()
    outputs = measured.answers.outputs
    out = context.work / f"{backend.name}-{via}" / label
    context.observer.state(backend.name, label, f"comparing with {via}")
    record = backend.make_program(
        via,
        measured.checked.lowered.model_file,
        context.validation_file(),
        saved_array(out.with_name(f"{label}.npy"), lambda: outputs),
        out,
        tolerance=tolerance_of(outputs, attempt.variant.precision),
        log=context.logs / backend.name / f"{via}-{label}.log",
    )
    _require_parity(record, attempt.variant.precision)
    context.observer.line(f"{bundle}: {record.summary}")
    return BundleProgram(record, {record.file: out / record.file})


def _require_parity(record: ProgramRecord, precision: str) -> None:
    if 0.0 <= record.max_difference <= record.tolerance:
        return
    difference = (
        f"differ by {record.max_difference:.3g}, more than {record.tolerance:.3g}"
        if record.max_difference >= 0
        else "are not finite"
    )
    message = f"outputs of {record.file} for {record.via} in {precision} {difference}"
    raise GateFailedError(message, "leave --via out, or take a safer --precision")
