"""Precisions that a student can be lowered to, and the variant of one that a file is."""

from __future__ import annotations

import msgspec

__all__ = ["CALIBRATED", "LADDER", "RESCUED", "Variant"]

LADDER = ("int8", "int8-mixed", "int8-weights", "fp16", "fp32")
"""Every precision, the boldest first.

- `int8`: weights (per channel) and activations; the first layer stays in float.
- `int8-mixed`: the same, but the layers that int8 harms most stay in float.
- `int8-weights`: int8 weights, float arithmetic.
- `fp16`: half-precision weights; the arithmetic is the engine's choice.
- `fp32`: as trained.
"""

CALIBRATED = frozenset({"int8", "int8-mixed"})
"""Those that need calibration images."""

RESCUED = "int8"
"""The one that a rescue trains the weights for."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One file to make of a student.

    Attributes:
        precision: One of `LADDER`.
        float_layers: For `int8-mixed`: the further layers that stay in float, as names of modules
            (convolutions, linear layers) of the student's network, e.g. `blocks.0.0.conv_dw`.
    """

    precision: str
    float_layers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name for people and folders: `int8`, or `int8-mixed-4` for four float layers."""
        if not self.float_layers:
            return self.precision
        return f"{self.precision}-{len(self.float_layers)}"

    @property
    def calibrated(self) -> bool:
        """Whether calibration images are needed."""
        return self.precision in CALIBRATED
