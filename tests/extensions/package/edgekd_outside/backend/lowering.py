"""Lowering: torch's ONNX exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.lower.backends import Backend
from edgekd.lower.backends.base import Calibration, check_request, converting, versions_of
from edgekd.lower.precision import Variant


class ReferenceBackend(Backend):
    """Writes the float graph."""

    precisions = ("fp32",)

    def lower(
        self,
        graph: Any,
        image_size: int,
        variant: Variant,
        calibration: Calibration | None,
        out: Path,
    ) -> dict[str, str]:
        """Write `graph.onnx`; see `Backend.lower`."""
        check_request(self, image_size, variant, calibration)
        with converting(self.descriptor.title, "lower"):
            import torch

            image = torch.zeros(1, image_size, image_size, 3, dtype=torch.uint8)
            program = torch.onnx.export(graph, (image,), dynamo=True, verbose=False)
        program.save(out / self.model_file)
        return versions_of("torch", "onnx", "onnxscript")
