"""A table of HAM10000 in which diagnosis (`dx`) and kind of proof (`dx_type`) are findings."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

__all__ = ["RECIPE", "needs_ham10000", "write_table"]

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("EDGEKD_REAL_DATA") or _REPOSITORY / ".." / "shared" / "data")
_FOLDER = _DATA / "ham10000"
RECIPE = Path(__file__).with_name("ham10000-findings.yaml")

needs_ham10000 = pytest.mark.skipif(
    not (_FOLDER / "HAM10000_metadata.csv").is_file(),
    reason=f"HAM10000 (doi:10.7910/DVN/DBW86T) is not at {_FOLDER}: unpack it there, or name the "
    "folder above it in EDGEKD_REAL_DATA",
)


def write_table(out: Path, *, every: int = 1) -> Path:
    """Write `image,label,lesion_id` with labels as `nv;follow_up`.

    Args:
        out: Folder for the table, which names its images by absolute paths.
        every: Take only every n-th lesion.
    """
    with (_FOLDER / "HAM10000_metadata.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    lesions = set(sorted({row["lesion_id"] for row in rows})[::every])
    file = out / "ham10000-findings.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "label", "lesion_id"))
        for row in rows:
            if row["lesion_id"] in lesions:
                image = (_FOLDER / "images" / f"{row['image_id']}.jpg").resolve()
                writer.writerow((image, f"{row['dx']};{row['dx_type']}", row["lesion_id"]))
    return file
