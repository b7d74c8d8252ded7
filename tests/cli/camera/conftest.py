"""One small bundle and a video of five frames."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_bundles import ANSWER, REFER, RETAKE, write_tiny_bundle, write_video


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "video.avi", [ANSWER, RETAKE, RETAKE, REFER, ANSWER])
