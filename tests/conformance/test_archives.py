"""Bundles made by hand."""

from __future__ import annotations

import io
import zipfile

import pytest

from edgekd.bundle import Bundle
from edgekd.conformance.archives import archive, document, packed, with_end
from edgekd.errors import ArtefactError
from edgekd.extensions.tasks import DEFAULT_TASK

FILES = {"model.onnx": b"weights"}


def test_the_smallest_manifest_is_a_bundle() -> None:
    with Bundle.open(packed(document(FILES, task=DEFAULT_TASK), FILES)) as bundle:
        assert bundle.read("model.onnx") == b"weights"


def test_an_archive_is_the_same_every_time() -> None:
    assert archive(FILES) == archive(FILES)
    with zipfile.ZipFile(io.BytesIO(archive(FILES))) as file:
        assert file.namelist() == ["model.onnx"]


def test_the_last_record_may_lie() -> None:
    raw = with_end(packed(document(FILES, task=DEFAULT_TASK), FILES), members=65)
    with pytest.raises(ArtefactError, match="more than 64 files"):
        Bundle.open(raw)
