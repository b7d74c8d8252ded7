"""The images of each part are counted: classes, lesions, attributes; none is named."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgekd.bundle import DataRecord, PartRecord
from edgekd.data import Split
from edgekd.data.dataset import Sample, dataset_of
from edgekd.lower.evidence.data_record import data_record

SAMPLES = [
    Sample("1.png", "mel", "a", attributes={"sex": "f", "dx_type": "histo"}),
    Sample("2.png", "mel", "a", attributes={"sex": "f", "dx_type": "histo"}),
    Sample("3.png", "nv", "b", attributes={"sex": "m", "dx_type": "follow_up"}),
    Sample("4.png", "nv", "c", attributes={"sex": "unknown", "dx_type": "histo"}),
    Sample("5.png", "nv", "d", attributes={"sex": "m", "dx_type": "histo"}),
]


def split(*parts: str) -> Split:
    return Split(dataset_of("spots", Path(), SAMPLES, classes=("mel", "nv")), parts)


def test_every_part_is_counted() -> None:
    record = data_record(split("train", "train", "train", "validation", "unused"))
    assert record == DataRecord(
        name="spots",
        parts={
            "train": PartRecord(
                images=3,
                groups=2,
                classes={"mel": 2, "nv": 1},
                attributes={"sex": {"f": 2, "m": 1}, "dx_type": {"follow_up": 1, "histo": 2}},
            ),
            "validation": PartRecord(
                images=1,
                groups=1,
                classes={"mel": 0, "nv": 1},
                attributes={"sex": {"unknown": 1}, "dx_type": {"histo": 1}},
            ),
        },
        unused=1,
    )


def test_no_image_and_no_patient_is_named() -> None:
    written = msgspec.json.encode(data_record(split(*["test"] * 5))).decode()
    assert ".png" not in written
    assert msgspec.json.decode(written)["parts"]["test"]["groups"] == 4
