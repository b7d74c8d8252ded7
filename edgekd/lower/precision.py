"""Precisions that a student can be lowered to, and the variants that become files."""

from __future__ import annotations

import msgspec

__all__ = ["CALIBRATED", "FINE_TUNED", "FLOAT", "LADDER", "MIXED", "Variant"]

LADDER = ("int8", "int8-mixed", "int8-weights", "fp16", "fp32")
"""The precision ladder, the fewest bits first.

- `int8`: int8 weights (per channel) and activations; the first layer stays in float.
- `int8-mixed`: the same, but the layers most sensitive to int8 stay in float.
- `int8-weights`: int8 weights, float arithmetic.
- `fp16`: half-precision weights; the arithmetic is the engine's choice.
- `fp32`: as trained.
"""

MIXED = "int8-mixed"
"""The precision whose float layers a ladder chooses, rung by rung."""

CALIBRATED = frozenset({"int8", MIXED})
"""Precisions that need calibration images."""

FLOAT = "fp32"
"""The precision of the float student's own file."""

FINE_TUNED = "int8"
"""The precision that quantisation-aware fine-tuning trains the weights for."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One file that a student is lowered to.

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
