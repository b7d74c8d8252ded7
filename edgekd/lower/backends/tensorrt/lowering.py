"""ONNX for TensorRT 10 and 11: `model.onnx`, from which the device builds its engine.

TensorRT 11 knows no precision flags and no calibrator: the precision stands in the ONNX, int8
as QuantizeLinear/DequantizeLinear pairs (signed, symmetric, zero point 0, weights per channel),
fp16 as the type of the tensors. Beside it may stand `model.pt2`, the same for torch-tensorrt.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekd.errors import ArtefactError
from edgekd.lower.backends._onnx_half import half_model
from edgekd.lower.backends._onnx_quantise import (
    Preset,
    Ranges,
    float_model,
    measured_of,
    prepared_model,
    quantise,
    recorded,
)
from edgekd.lower.backends.base import (
    Backend,
    Calibration,
    check_precision,
    check_request,
    quantising_by_ranges,
    versions_of,
)
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.lower.precision import Variant
from edgekd.runtime.telemetry import silence

if TYPE_CHECKING:
    from edgekd.bundle import EngineCheck, ProgramRecord
    from edgekd.lower.graph import DeployGraph

__all__ = ["TensorRtBackend"]

_QUANTISED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add")

# Only inputs of convolutions, linear layers and residual sums are quantised. A pair between a
# convolution and its ReLU, which ONNX Runtime would set too, keeps TensorRT from fusing them and
# rounds twice. Biases stay float, since an int32 DequantizeLinear is not known everywhere, and so
# do other constants that are added: TensorRT refuses an int8 scalar, as the 1 + erf of a GELU has.
_PRESET = Preset(
    operators=_QUANTISED,
    activations="QInt8",
    seven_bits=False,
    float_outputs=True,
    constant_sums=False,
    options={
        "ActivationSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": list(_QUANTISED),
    },
)


class TensorRtBackend(Backend):
    """Lowers by torch's ONNX exporter; ONNX Runtime's tools quantise, and convert to fp16.

    fp16 keeps in float32 what exceeds its range (see `half_model`): weights and sensitive operators
    always, activations where there are calibration images to measure them on.
    """

    precisions = ("fp32", "fp16", "int8-mixed", "int8")
    scanned = ("fp16",)
    via: ClassVar[tuple[str, ...]] = ("onnx-parser", "torch-tensorrt")

    def lower(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        calibration: Calibration | None,
        out: Path,
    ) -> dict[str, str]:
        """Write `model.onnx`; see `Backend.lower`.

        Raises:
            InputError: Also where a float layer is not in the graph.
            ArtefactError: The file would break one of TensorRT's rules (see `check_onnx`), or
                is to be fp16 of a student that gives NaN on calibration images.
        """
        check_request(self, image_size, variant, calibration)
        return self._write(graph, image_size, variant, calibration, out)

    def measure(
        self, graph: DeployGraph, image_size: int, variant: Variant, calibration: Calibration
    ) -> RecordedRanges:
        """See `RangedBackend.measure`."""
        check_request(self, image_size, variant, calibration)
        silence()
        return recorded(graph, image_size, calibration)

    def lower_by_ranges(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        ranges: RecordedRanges,
        out: Path,
    ) -> dict[str, str]:
        """See `RangedBackend.lower_by_ranges`."""
        check_precision(self, variant)
        with quantising_by_ranges("TensorRT"):
            return self._write(graph, image_size, variant, ranges, out)

    def _write(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        source: Calibration | RecordedRanges | None,
        out: Path,
    ) -> dict[str, str]:
        silence()
        model, file = float_model(graph, image_size, "lower for TensorRT"), out / self.model_file
        tools = ["torch", "onnx", "onnxscript"]
        if variant.calibrated and source is not None:
            measured = measured_of(graph, image_size, source)
            model = quantise(graph, image_size, measured, variant.float_layers, _PRESET)
            tools.append("onnxruntime")
        elif variant.precision == "fp16":
            scanned = _scanned(graph, image_size, source)
            model = half_model(prepared_model(graph, image_size), scanned)
            tools.append("onnxruntime")
        file.write_bytes(model.SerializeToString())
        _check(file)
        return versions_of(*tools)

    def check(self, file: Path, log: Path) -> EngineCheck:
        """See `CheckedBackend.check`."""
        from edgekd.lower.backends.tensorrt.check import check_engine

        return check_engine(file, log=log)

    def checkers(self) -> dict[str, str]:
        """See `CheckedBackend.checkers`."""
        from edgekd.lower.backends.tensorrt.check import checker_versions

        return checker_versions()

    def make_program(
        self,
        via: str,
        model: Path,
        images: Path,
        outputs: Path,
        out: Path,
        *,
        tolerance: float,
        log: Path,
        report: Callable[[str], None] = lambda state: None,
    ) -> ProgramRecord:
        """Write `model.pt2`; see `ProgramBackend.make_program` and `compare_program`."""
        from edgekd.bundle import ProgramRecord
        from edgekd.lower.backends.tensorrt.job import PROGRAM
        from edgekd.lower.backends.tensorrt.parity import ParityJob, compare_program

        job = ParityJob(onnx=str(model), images=str(images), outputs=str(outputs), out=str(out))
        parity = compare_program(job, log=log, report=report)
        return ProgramRecord(
            via=via,
            file=PROGRAM,
            images=parity.images,
            max_difference=parity.max_difference,
            tolerance=tolerance,
            pairs=parity.pairs,
        )

    def finish(
        self,
        bundle: Path,
        say: Callable[[str], None],
        *,
        evidence: Path | None = None,
        via: str | None = None,
    ) -> Path:
        """See `ProgramBackend.finish`, and `finish_on_device` for the errors."""
        from edgekd.lower.backends.tensorrt.finish import Toolchain, finish_on_device

        return finish_on_device(bundle, say, evidence=evidence, toolchain=Toolchain(via=via))


def _scanned(
    graph: DeployGraph, image_size: int, source: Calibration | RecordedRanges | None
) -> Ranges | None:
    """The ranges that fp16 is checked by; None without images."""
    if source is None or (not isinstance(source, RecordedRanges) and len(source) == 0):
        return None
    return measured_of(graph, image_size, source).ranges


def _check(file: Path) -> None:
    from edgekd.lower.backends.tensorrt.lint import check_onnx

    findings = check_onnx(file)
    if findings:
        message = f"TensorRT would refuse {file.name}: {'; '.join(findings)}"
        raise ArtefactError(message, "choose another student, or precision fp32")
