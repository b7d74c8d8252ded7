"""The record of a bundle's data in the manifest."""

from __future__ import annotations

from manifests import make_manifest

from edgekd.bundle import DataRecord, FileEntry, PartRecord
from edgekd.bundle.manifest import decode_manifest, encode_manifest


def test_attributes_of_all_parts_in_their_order() -> None:
    parts = {
        "train": PartRecord(images=1, groups=1, attributes={"sex": {"f": 1}}),
        "test": PartRecord(images=1, groups=1, attributes={"age": {"1": 1}, "sex": {"m": 1}}),
    }
    data = DataRecord(name="spots", parts=parts)
    assert data.attributes == ["sex", "age"]
    files = {"model.onnx": FileEntry(sha256="0", size=1)}
    manifest = make_manifest(data=data, files=files)
    assert decode_manifest(encode_manifest(manifest)).data == data
