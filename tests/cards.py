"""A student's card for tests that need one."""

from __future__ import annotations

import msgspec

from edgekd.models import ModelCard

ARCH, CLASSES, SIZE = "mobilenetv2_035", ("mel", "nv", "bkl"), 32


def make_card() -> ModelCard:
    """A card with what a conversion needs; the rest as empty as its types allow."""
    known = {
        "role": "student",
        "arch": ARCH,
        "classes": CLASSES,
        "image_size": SIZE,
        "resize": "any",
        "pretrained": "none",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "weights_sha256": "",
        "params": 1,
        "macs": 1,
        "data": {"name": "none", "root": "", "sha256": "", "images": {}},
        "training": {
            "method": "none",
            "seed": 0,
            "recipe_sha256": "",
            "stage_sha256": "",
            "epochs": 0,
            "best_epoch": 0,
        },
    }
    return msgspec.convert(known, ModelCard)
