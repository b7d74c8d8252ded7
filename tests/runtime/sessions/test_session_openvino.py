"""OpenVINO files on devices that cannot take them, or do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import images

from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions._openvino_device import device_shortfall

openvino = pytest.importorskip("openvino")


def test_a_device_that_cannot_take_the_file(files: dict[str, Path]) -> None:
    session = open_session("openvino", files["openvino"], accelerator="HETERO:")
    (warning,) = session.warnings
    assert "OpenVINO cannot compile for it: " in warning
    assert session.run(images(1)[0]).shape == (1, 3)


def test_a_file_that_runs_elsewhere_is_told(files: dict[str, Path]) -> None:
    compiled = openvino.Core().compile_model(str(files["openvino"]), "CPU")
    for device in ("CPU", "AUTO", "AUTO:GPU,CPU", "HETERO:CPU"):
        assert device_shortfall(compiled, device) is None
    for device in ("GPU", "NPU", "HETERO:GPU,CPU"):
        assert "OpenVINO runs the file on CPU" in str(device_shortfall(compiled, device))
