"""The cache of compiled OpenVINO models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions.base import Session
from sessions.small_models import images


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path))
    monkeypatch.setenv("EDGEKD_OPENVINO_CACHE", "1")
    return tmp_path / "openvino"


def opened(files: dict[str, Path], state: str, accelerator: str | None = None) -> Session:
    session = open_session("openvino", files["openvino"], threads=1, accelerator=accelerator)
    assert session.facts["model_cache"] == state
    return session


def test_the_cache_is_off(
    files: dict[str, Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGEKD_OPENVINO_CACHE")
    opened(files, "off")
    assert not cache.exists()


def test_a_cached_model_gives_the_same_bits(files: dict[str, Path], cache: Path) -> None:
    made, used = opened(files, "made"), opened(files, "used")
    for image in images(4):
        np.testing.assert_array_equal(made.run(image), used.run(image))
    assert {**made.facts, "model_cache": 0} == {**used.facts, "model_cache": 0}
    assert len(list(cache.iterdir())) == 1


def test_other_settings_are_cached_apart(files: dict[str, Path], cache: Path) -> None:
    opened(files, "made")
    session = open_session("openvino", files["openvino"], threads=2)
    assert (session.facts["model_cache"], session.facts["threads"]) == ("made", 2)
    opened(files, "off", "AUTO")  # no device of its own, so nothing that it could be kept for


def test_a_damaged_cache_is_made_anew(files: dict[str, Path], cache: Path) -> None:
    expected = opened(files, "made").run(images(1)[0])
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (0, 40, 900, -2)]
    for content in (b"", whole[:100], whole[:-1], whole + b"0", *flipped):
        file.write_bytes(content)
        np.testing.assert_array_equal(opened(files, "made").run(images(1)[0]), expected)
    np.testing.assert_array_equal(opened(files, "used").run(images(1)[0]), expected)


def test_a_blob_of_another_openvino_is_made_anew(files: dict[str, Path], cache: Path) -> None:
    import hashlib

    opened(files, "made")
    (file,) = cache.iterdir()
    foreign = b"a blob of a later version"
    file.write_bytes(hashlib.sha256(foreign).digest() + foreign)
    opened(files, "made")


def test_a_cache_that_cannot_be_written(files: dict[str, Path], cache: Path) -> None:
    cache.write_bytes(b"a file where the folder would be")
    opened(files, "off")
