"""Facts of a phone, by its shell alone."""

from __future__ import annotations

from pathlib import Path

import adb
import pytest
from adb.phone import Phone

from edgekd.bench.devices.adb import AdbTransport
from edgekd.bench.devices.android import android_facts

RECORDINGS = Path(adb.__file__).parent / "recordings"

PROPERTIES = """[ro.board.platform]: [kalama]
[ro.build.version.release]: [14]
[ro.build.version.sdk]: [34]
[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a]
[ro.product.manufacturer]: [Example]
[ro.product.model]: [Phone 5 (dual)]
[ro.soc.manufacturer]: [QTI]
[ro.soc.model]: [SM8550]
[persist.sys.note]: []
"""
BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  level: 81
  scale: 100
  voltage: 4213
  temperature: 305
"""


@pytest.fixture
def android(phone: Phone) -> Phone:
    """A phone that answers as Android does."""
    (phone.home / "properties").write_text(PROPERTIES)
    (phone.home / "battery").write_text(BATTERY)
    phone.program("getprop", f"cat {phone.home}/properties")
    phone.program(
        "dumpsys",
        f"case $1 in battery) cat {phone.home}/battery;; "
        f"thermalservice) cat {RECORDINGS}/thermalservice.txt;; *) exit 1;; esac",
    )
    return phone


def test_a_phone_says_what_it_is(android: Phone, transport: AdbTransport) -> None:
    before = len(android.asked)
    transport.run("true")
    facts = android_facts(transport)
    assert facts["model"] == "Example Phone 5 (dual)"
    assert facts["soc"] == "QTI SM8550"
    assert facts["system"] == "Android 14 (API 34)"
    assert facts["abis"] == ["arm64-v8a", "armeabi-v7a"]
    assert facts["throttling"] == "moderate"
    assert (facts["battery_percent"], facts["charging"]) == (81, True)
    assert facts["cores"] > 0
    assert facts["ram_bytes"] > 2**20
    assert facts["kernel"].startswith("Linux ")
    assert "virtual_machine" not in facts
    assert len(android.asked) == before + 2, "one question is one command"


def test_temperatures_are_the_current_ones_and_no_volts(
    android: Phone, transport: AdbTransport
) -> None:
    degrees = android_facts(transport)["temperatures_c"]
    assert degrees["CPU"] == 57.9
    assert degrees["SKIN"] == 34.351
    assert degrees["battery"] == 30.5
    assert not {"NPU", "vbat", "ibat", "fan"} & degrees.keys()


def test_what_a_phone_does_not_tell_is_left_out(phone: Phone, transport: AdbTransport) -> None:
    facts = android_facts(transport)
    assert not {"model", "soc", "system", "battery_percent", "throttling"} & facts.keys()
    assert facts["machine"]


def test_an_emulator_admits_to_be_one(android: Phone, transport: AdbTransport) -> None:
    (android.home / "properties").write_text(f"{PROPERTIES}[ro.kernel.qemu]: [1]\n")
    assert android_facts(transport)["virtual_machine"] is True
