"""OpenVINO's devices and its cache of compiled models, with the CPU that is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import images

from edgekd.errors import DeviceUnreachableError
from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions._openvino_device import device_shortfall
from edgekd.runtime.sessions.base import Session

openvino = pytest.importorskip("openvino")


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
    assert caught.value.hint.startswith("ask for one of CPU")


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
    assert file.read_bytes()[32:600] == whole[32:600]


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
