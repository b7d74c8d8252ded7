"""What a Jetson tells of itself, from trees of files as its kernel has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.doctor.tensorrt import board
from edgekd.doctor.tensorrt.diagnosis import examine_state


@pytest.fixture
def orin(tmp_path: Path) -> Path:
    """An Orin Nano at work: two clusters, a GPU whose clock is held, zram alone as swap."""
    files = {
        "proc/meminfo": "MemTotal: 7990000 kB\nMemAvailable: 700000 kB\nSwapTotal: 3900000 kB\n",
        "proc/swaps": "Filename Type Size Used Priority\n/dev/zram0 partition 650000 0 5\n",
        "sys/class/devfreq/17000000.gpu/cur_freq": "624750000",
        "sys/class/devfreq/17000000.gpu/min_freq": "624750000",
        "sys/class/devfreq/17000000.gpu/max_freq": "624750000",
        "sys/class/devfreq/17000000.gpu/governor": "nvhost_podgov",
        "sys/class/devfreq/15340000.vic/cur_freq": "115200000",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "48718",
        "sys/class/thermal/thermal_zone1/type": "cv0-thermal",
        "sys/class/thermal/thermal_zone1/temp": "-256000",
    }
    for policy, cores in (("policy0", "0 1 2 3"), ("policy4", "4 5")):
        folder = f"sys/devices/system/cpu/cpufreq/{policy}"
        files[f"{folder}/related_cpus"] = cores
        files[f"{folder}/scaling_governor"] = "schedutil"
        files[f"{folder}/scaling_cur_freq"] = "729600"
        files[f"{folder}/scaling_min_freq"] = "115200"
        files[f"{folder}/scaling_max_freq"] = "1510400"
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    return tmp_path


def nvpmodel(folder: Path, says: str) -> None:
    """A program of that name that says so."""
    program = folder / "nvpmodel"
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -q ] || exit 1\nprintf '{says}'\n")
    program.chmod(0o755)


def told(root: Path) -> dict[str, tuple[bool, str]]:
    return {finding.ability: (finding.works, finding.detail) for finding in examine_state(root)}


def test_clocks_of_the_clusters_and_of_the_gpu_alone(orin: Path) -> None:
    first, second, gpu = board.clocks(orin)
    assert first == board.Clock("CPU 0-3", 729, 115, 1510, "schedutil")
    assert second.name == "CPU 4-5"
    assert gpu == board.Clock("GPU 17000000.gpu", 624, 624, 624, "nvhost_podgov")
    assert (first.held, gpu.held) == (False, True)


@pytest.mark.parametrize(
    ("says", "mode"),
    [
        ("NV Power Mode: MAXN\\n0\\n", "MAXN"),
        ("NVPM WARN: fan mode is not set!\\nNV Power Mode: 15W\\n0\\n", "15W"),
        ("NVPM ERROR: cannot open\\n", None),
    ],
)
def test_power_mode(
    says: str, mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvpmodel(tmp_path, says)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert board.power_mode() == mode


def test_a_machine_without_nvpmodel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert board.power_mode() is None


def test_memory_swap_and_heat(orin: Path) -> None:
    assert board.memory(orin)["MemAvailable"] == 700000 << 10
    assert board.swaps(orin) == {"/dev/zram0": 650000 << 10}
    assert board.temperatures(orin) == {"cpu-thermal": pytest.approx(48.718)}


def test_what_is_wrong_is_told_with_its_remedy(
    orin: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path_factory.mktemp("programs")
    nvpmodel(programs, "NV Power Mode: 7W\\n1\\n")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    said = told(orin)
    assert said["power mode"][0] is False
    assert "7W, not the fastest: sudo nvpmodel" in said["power mode"][1]
    assert said["clock of GPU 17000000.gpu"] == (True, "624 MHz, held")
    assert said["clock of CPU 0-3"][0] is False
    assert "115 to 1510 MHz by schedutil; sudo jetson_clocks" in said["clock of CPU 0-3"][1]
    assert said["memory"][0] is False
    assert said["memory"][1].startswith("0.7 of 7.6 GiB are available; little")
    assert said["swap"][0] is False
    assert "/dev/zram0 0.6 GiB: compressed memory" in said["swap"][1]
    assert said["temperature"] == (True, "cpu-thermal 49 °C")


def test_a_board_in_order(orin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvpmodel(orin, "NV Power Mode: MAXN_SUPER\\n2\\n")
    monkeypatch.setenv("PATH", f"{orin}:/usr/bin:/bin")
    (orin / "proc/meminfo").write_text("MemTotal: 7990000 kB\nMemAvailable: 5000000 kB\n")
    with (orin / "proc/swaps").open("a") as swaps:
        swaps.write("/swapfile file 4194300 0 -2\n")
    for policy in (orin / "sys/devices/system/cpu/cpufreq").iterdir():
        (policy / "scaling_min_freq").write_text("1510400\n")
    assert [finding.ability for finding in examine_state(orin) if not finding.works] == []


def test_heat_is_told(orin: Path) -> None:
    (orin / "sys/class/thermal/thermal_zone0/temp").write_text("92500\n")
    works, detail = told(orin)["temperature"]
    assert not works
    assert "92 °C; it will soon slow down" in detail


def test_a_machine_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = told(tmp_path)
    assert said.keys() == {"power mode", "clocks", "memory", "swap"}
    assert not any(works for works, _ in said.values())
    assert said["memory"][1] == "the system does not report it"
