"""A bundle that is not certified, and labelled photos to certify it on, in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lenient
import msgspec
import numpy as np
from manifests import make_manifest
from tiny_bundles import MEANS, write_photo, write_tiny_bundle

from edgekd.bundle import Certificate, Rung
from edgekd.data import Dataset
from edgekd.evaluation.table import TableRequest, dataset_of_table, read_validation_table
from edgekd.lower.evidence.policy_check import blank_record
from edgekd.policy import load_policy

__all__ = [
    "CLASSES",
    "COLOURS",
    "lowered_weights",
    "read_labelled",
    "write_labelled",
    "write_uncertified",
]

CLASSES = ("bkl", "mel", "nv")
COLOURS = {"bkl": (230, 30, 30), "mel": (30, 230, 30), "nv": (30, 30, 230)}
"""The colour that the tiny network answers each class for."""


def lowered_weights(lost: float = 0.0) -> np.ndarray:
    """The tiny network's weights, a little off as a lowering leaves them.

    Args:
        lost: Share of what tells `mel` that is lost with it.
    """
    weights = MEANS * 0.97
    weights[:, 1] *= 1.0 - lost
    return weights.astype(np.float32)


def write_uncertified(
    out: Path, *, precision: str = "int8", lost: float = 0.0, **changes: Any
) -> Path:
    """A bundle that is not certified; that of another precision than fp32 has a float student."""
    rung = Rung(
        precision=precision, chosen=True, size_bytes=1, gate=None, failure="not certified: why"
    )
    lowering = msgspec.structs.replace(
        make_manifest().lowering, precision=precision, rungs=(rung,), tried=0
    )
    policy = blank_record(load_policy(str(lenient.POLICY)), CLASSES, research=True)
    certificate = Certificate(student="tiny", certified=False, reason="why", remedy="certify it")
    if precision != "fp32":
        changes = {"reference": MEANS, "weights": lowered_weights(lost)} | changes
    return write_tiny_bundle(
        out,
        **({"lowering": lowering, "policy": policy, "certificate": certificate} | changes),
    )


def read_labelled(table: Path, *, patients: bool = True) -> Dataset:
    """The data set of a table that `write_labelled` wrote, with its patients or without them."""
    request = TableRequest(table, group_column="patient" if patients else None)
    data = read_validation_table(request, CLASSES, task="classification")
    return dataset_of_table(data, table.parent)


def write_labelled(folder: Path, images: int = 90, *, patients: int | None = None) -> Path:
    """A table of photos, each of the colour of its class; returns the table.

    Args:
        folder: Gets the photos and `labels.csv` with columns image, label, patient.
        images: Number of photos, the classes in turn.
        patients: Number of patients; None gives each photo its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, lines = np.random.default_rng(0), ["image,label,patient"]
    for number in range(images):
        label = CLASSES[number % len(CLASSES)]
        shade = np.clip(np.array(COLOURS[label]) + rng.integers(-20, 21, 3), 0, 255)
        red, green, blue = (int(value) for value in shade)
        write_photo(folder / f"{number}.png", (red, green, blue))
        lines.append(f"{number}.png,{label},p{number % (patients or images)}")
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n")
    return table
