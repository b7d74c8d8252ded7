from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.errors import InputError
from edgekd.models.importing.kinds import kind_of
from edgekd.models.importing.request import ImportRequest


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pth", b"", "is empty"),
        ("a.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), "Keras"),
        ("a.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(40), "TensorFlow Lite"),
        ("a.html", b"<!doctype html><p>Sign in", "text, and no weights"),
    ],
)
def test_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        kind_of(tmp_path / name).read(ImportRequest(tmp_path / name))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "words"), [("model.json", "a checkpoint of edgekd"), ("saved_model.pb", "SavedModel")]
)
def test_folders_are_refused_by_name(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=words):
        kind_of(tmp_path).read(ImportRequest(tmp_path))
