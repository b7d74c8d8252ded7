"""Which machine is which device, and what is read of it."""

from __future__ import annotations

import pytest

from edgekd.bench import devices
from edgekd.bench.devices import check_device, find_device, runs_on
from edgekd.bench.measure import machine as local
from edgekd.errors import InputError


def test_this_machine_is_the_cpu():
    access = find_device("cpu")
    facts = access.facts()
    assert access.kind == "local"
    assert facts["cores"] >= 1
    assert facts["python"].startswith("3.")
    assert "numpy" in facts["packages"]
    assert None not in facts.values()


def test_devices_that_are_not_configured(monkeypatch):
    monkeypatch.setattr(devices, "device_tree_model", lambda: None)
    assert [find_device(name) for name in ("rpi", "android", "jetson", "else")] == [None] * 4


@pytest.mark.parametrize(
    ("model", "name", "other"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "rpi", "jetson"),
        ("NVIDIA Jetson Orin Nano Developer Kit", "jetson", "rpi"),
        ("NVIDIA Orin Nano Developer Kit", "jetson", "rpi"),
    ],
)
def test_a_board_knows_itself(monkeypatch, model, name, other):
    monkeypatch.setattr(devices, "device_tree_model", lambda: model)
    assert find_device(name).kind == "local"
    assert find_device(other) is None
    assert find_device("android") is None


def test_any_computer_serves_every_target_for_any_computer(monkeypatch):
    monkeypatch.setattr(devices, "device_tree_model", lambda: None)
    here = find_device("cpu")
    assert runs_on("cpu", here)
    assert runs_on("cpu-onnx", here)
    assert not runs_on("rpi", here)
    assert not runs_on("rpi", None)


def test_names():
    assert check_device("jetson") == "jetson"
    with pytest.raises(InputError, match="toaster"):
        check_device("toaster")


def test_temperatures_and_threads_of_a_board(tmp_path, monkeypatch):
    zone = tmp_path / "thermal_zone0"
    zone.mkdir()
    (zone / "temp").write_text("48312\n")
    (zone / "type").write_text("cpu-thermal\n")
    (tmp_path / "thermal_zone1").mkdir()
    monkeypatch.setattr(local, "_THERMAL", tmp_path)
    assert local.temperatures() == {"cpu-thermal": 48.312}
    for core, capacity in enumerate((1024, 1024, 400, 400)):
        folder = tmp_path / f"cpu{core}"
        folder.mkdir()
        (folder / "cpu_capacity").write_text(str(capacity))
    monkeypatch.setattr(local, "_CPUS", tmp_path)
    monkeypatch.setattr(local, "_usable_cores", lambda: 4)
    assert local.default_threads() == 2


def test_many_cores_give_four_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_CPUS", tmp_path)
    monkeypatch.setattr(local, "_usable_cores", lambda: 64)
    assert local.default_threads() == 4


def test_what_cannot_be_read_is_left_out(tmp_path, monkeypatch):
    for name in ("_CPUS", "_THERMAL", "_DEVICE_TREE"):
        monkeypatch.setattr(local, name, tmp_path / "nothing")
    facts = local.local_facts()
    assert "governor" not in facts
    assert "model" not in facts
    assert "temperatures_c" not in facts


def test_every_target_is_a_device() -> None:
    from edgekd.targets import target_names

    assert [check_device(name) for name in target_names()] == target_names()
