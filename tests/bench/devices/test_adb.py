"""A phone by the system's adb: the real program, and a daemon of these tests' own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from adb.phone import Phone

from edgekd.bench.devices.adb import AdbMissingError, AdbTransport
from edgekd.bench.devices.store import Store, blob_of
from edgekd.bench.devices.transport import (
    DeviceFullError,
    DeviceRefusedError,
    DeviceSilentError,
)
from edgekd.errors import DeviceUnreachableError, MissingDependencyError

MEGABYTE = 1_000_000


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A file of ten megabytes: three blocks."""
    file = tmp_path / "content"
    file.write_bytes(os.urandom(10 * MEGABYTE))
    return file


def test_a_command_has_its_exit_code_and_both_outputs(transport: AdbTransport) -> None:
    done = transport.run("echo out; echo err >&2; exit 7")
    assert done == (7, b"out\n", b"err\n")


def test_bytes_are_exact_both_ways(transport: AdbTransport) -> None:
    data = bytes(range(256)) * 2000 + b"\r\n\n\r\0\x04"
    assert transport.run("cat", stdin=data) == (0, data, b"")
    assert transport.run("printf 'no end'").stdout == b"no end"


def test_no_input_is_an_empty_one(transport: AdbTransport) -> None:
    assert transport.run("wc -c").stdout.strip() == b"0"


def test_a_mistake_in_the_command_is_the_command_s(transport: AdbTransport) -> None:
    done = transport.run("if (")
    assert done.code != 0
    assert b"yntax" in done.stderr
    assert transport.run("kill -9 $$").code == 137
    assert transport.run("echo 'it'\"'\"'s'").stdout == b"it's\n"


def test_a_file_arrives_and_a_second_copy_moves_nothing(
    phone: Phone, transport: AdbTransport, content: Path
) -> None:
    told: list[tuple[int, int]] = []
    remote = f"{phone.home_there}/it's here"
    transport.send(content, remote, lambda done, size: told.append((done, size)))
    assert (phone.home / "it's here").read_bytes() == content.read_bytes()
    assert told[-1] == (10 * MEGABYTE, 10 * MEGABYTE)
    told.clear()
    transport.send(content, remote, lambda done, size: told.append((done, size)))
    assert told == []


def test_a_copy_goes_on_from_where_it_was_cut(
    phone: Phone, transport: AdbTransport, content: Path
) -> None:
    remote = f"{phone.home_there}/part"
    transport.run("true")
    phone.faults.cut_after = 6 * MEGABYTE
    with pytest.raises(DeviceUnreachableError):
        transport.send(content, remote)
    arrived = (phone.home / "part").stat().st_size
    assert 4 * MEGABYTE < arrived < 6 * MEGABYTE
    # What is there is not sent again: with one byte less of the rest, this would be cut as well.
    phone.faults.cut_after = int(1.1 * (10 * MEGABYTE - arrived))
    transport.send(content, remote)
    assert (phone.home / "part").read_bytes() == content.read_bytes()


def test_a_longer_file_is_begun_anew(phone: Phone, transport: AdbTransport, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    (phone.home / "file").write_bytes(b"much longer")
    transport.send(tmp_path / "new", f"{phone.home_there}/file")
    assert (phone.home / "file").read_bytes() == b"new"


def test_a_slow_cable_is_no_error(phone: Phone, transport: AdbTransport, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(MEGABYTE))
    transport.run("true")
    phone.faults.pause = 0.002
    transport.send(tmp_path / "file", f"{phone.home_there}/file")
    assert (phone.home / "file").stat().st_size == MEGABYTE


def test_a_full_disk_is_told_and_left_clean(
    phone: Phone, transport: AdbTransport, content: Path
) -> None:
    # What is written there fails as on a full disk, in the kernel itself.
    (phone.home / "full").symlink_to("/dev/full")
    with pytest.raises(DeviceFullError, match="No space left on device"):
        transport.send(content, f"{phone.home_there}/full")
    assert not (phone.home / "full").is_symlink()


def test_an_old_phone_without_room_for_input_says_so(new_phone: Callable[..., Phone]) -> None:
    phone = new_phone(old=True)
    transport = AdbTransport(phone.serial, folder=phone.home_there)
    phone.faults.room = 1000
    with pytest.raises(DeviceFullError, match=f"disk of adb {phone.serial} is full"):
        transport.run("cat", stdin=bytes(2000))


def test_a_store_survives_a_cut(phone: Phone, transport: AdbTransport, content: Path) -> None:
    store, blob = Store(transport, f"{phone.home_there}/edgekd"), blob_of(content)
    assert store.folder == f"{phone.home_there}/edgekd"
    phone.faults.cut_after = 6 * MEGABYTE
    with pytest.raises(DeviceUnreachableError):
        store.put([blob])
    store.put([blob])
    assert Path(store.path(blob.sha256)).read_bytes() == content.read_bytes()
    folder = store.tree({"model/file.tflite": blob})
    assert Path(folder, "model/file.tflite").read_bytes() == content.read_bytes()


def test_a_link_that_breaks_under_a_command_is_no_answer(
    phone: Phone, transport: AdbTransport
) -> None:
    transport.run("true")
    phone.faults.cut_after = 100 * 1000
    with pytest.raises(DeviceUnreachableError, match=f"adb {phone.serial}: "):
        transport.run("cat >/dev/null; echo done", stdin=bytes(MEGABYTE))
    assert transport.run("echo again").stdout == b"again\n"


def test_adb_alone_takes_a_broken_link_for_success(phone: Phone, transport: AdbTransport) -> None:
    """Why every command tells its own exit code."""
    transport.run("true")
    phone.faults.cut_after = 100 * 1000
    command = ["adb", "-s", phone.serial, "shell", "cat >/dev/null; echo done; exit 9"]
    done = subprocess.run(command, input=bytes(MEGABYTE), capture_output=True, check=False)
    assert done.stdout == b""
    assert done.returncode != 9


def test_a_command_that_does_not_end_is_given_up(transport: AdbTransport) -> None:
    transport.run("true")
    with pytest.raises(DeviceSilentError, match="did not answer within"):
        transport.run("sleep 30", timeout=0.3)


def test_a_locked_phone_says_what_to_do_on_it(phone: Phone) -> None:
    phone.faults.locked = True
    transport = AdbTransport(phone.serial, folder=phone.home_there)
    with pytest.raises(DeviceRefusedError, match="does not let this computer in") as refused:
        transport.run("true")
    assert "allow USB debugging" in refused.value.hint
    assert refused.value.exit_code == 5
    phone.unlock()
    subprocess.run(["adb", "-s", phone.serial, "wait-for-device"], timeout=20, check=True)
    assert transport.run("echo in").stdout == b"in\n"


def test_a_phone_that_fell_silent_is_told(
    phone: Phone, transport: AdbTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport.run("true")
    phone.faults.mute, phone.faults.cut_after = True, 0
    monkeypatch.setenv("ANDROID_SERIAL", phone.serial)
    by_variable = AdbTransport(folder=phone.home_there)  # which does not connect by network
    with pytest.raises(DeviceUnreachableError):
        by_variable.run("true")
    with pytest.raises(DeviceUnreachableError, match="adb: the phone does not answer") as silent:
        by_variable.run("true")
    assert "adb reconnect offline" in silent.value.hint


def test_a_phone_that_is_not_there(own_adb: None) -> None:
    with pytest.raises(DeviceUnreachableError, match="there is no such phone") as absent:
        AdbTransport("R58M0000000").run("true")
    assert "adb devices" in absent.value.hint
    with pytest.raises(DeviceUnreachableError, match="there is no such phone") as absent:
        AdbTransport("127.0.0.1:9").run("true")
    assert absent.value.hint.endswith("adb connect 127.0.0.1:9")


def test_one_of_several_has_to_be_named(new_phone: Callable[..., Phone]) -> None:
    phones = [new_phone(), new_phone()]
    for phone in phones:
        AdbTransport(phone.serial).run("true")
    with pytest.raises(DeviceRefusedError, match="several devices") as several:
        AdbTransport().run("true")
    assert all(phone.serial in several.value.hint for phone in phones)


def test_no_adb_is_a_missing_program_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AdbMissingError, match="adb is not installed") as missing:
        AdbTransport("serial")
    assert isinstance(missing.value, MissingDependencyError)
    assert missing.value.exit_code == 3
    assert "apt install adb" in missing.value.hint
    assert "pip" not in missing.value.hint
