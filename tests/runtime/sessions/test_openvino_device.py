"""Which device OpenVINO compiles for, and what a session reports where it is another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekd.errors import DeviceUnreachableError
from edgekd.runtime.sessions import open_session
from sessions.small_models import images


@pytest.mark.parametrize("device", ["AUTO", "AUTO:-GPU", "HETERO:CPU", "MULTI:CPU", "BATCH:CPU"])
def test_choosers_of_devices_run_on_what_is_there(device: str, files: dict[str, Path]) -> None:
    model = files["openvino"]
    session = open_session("openvino", model, threads=1, accelerator=device, require=True)
    plain = open_session("openvino", model, threads=1)
    assert session.facts["accelerator_asked"] == device
    assert session.facts["accelerator"] == "CPU"
    # What the device behind it has, not what the chooser was told.
    assert session.facts["precision_hint"] == "f32"
    assert session.facts["threads"] == 1
    np.testing.assert_array_equal(session.run(images(1)[0]), plain.run(images(1)[0]))


@pytest.mark.parametrize("device", ["GPU.7", "AUTO:GPU.7,CPU", "HETERO:GPU.7,CPU", "CPU.0"])
def test_absent_device(device: str, files: dict[str, Path]) -> None:
    session = open_session("openvino", files["openvino"], accelerator=device)
    (warning,) = session.warnings
    assert warning.startswith(f"{device} was requested, but OpenVINO sees only CPU")
    assert session.facts["accelerator"] == "CPU"
    with pytest.raises(DeviceUnreachableError) as caught:
        open_session("openvino", files["openvino"], accelerator=device, require=True)
    assert caught.value.hint.startswith("request one of CPU")
