"""One process at a time writes to a place, and a dead one holds nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgekd import locks
from edgekd.errors import InputError, MissingDependencyError
from edgekd.locks import hold, only_writer, unless_held, writer_in_turn

HOLD = """
import sys, time
from pathlib import Path
from edgekd.locks import hold, only_writer, unless_held, writer_in_turn
with only_writer(Path(sys.argv[1]), "trained"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(place)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_told_who_holds_the_place_and_a_killed_one_holds_nothing(
    tmp_path: Path,
) -> None:
    process = holder(tmp_path / "run")
    try:
        with pytest.raises(InputError) as caught, only_writer(tmp_path / "run", "trained"):
            pytest.fail("two hold it")
        assert f"process {process.pid} on {socket.gethostname()}, since 20" in caught.value.message
        assert caught.value.exit_code == 2
        assert caught.value.hint
        with only_writer(tmp_path / "other", "trained"):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    assert (tmp_path / ".run.lock").exists()  # left, and nobody's
    with only_writer(tmp_path / "run", "trained"):
        pass
    assert not list(tmp_path.iterdir())


def test_what_the_holder_has_started_and_left_behind_holds_nothing(tmp_path: Path) -> None:
    with only_writer(tmp_path / "run", "trained"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with only_writer(tmp_path / "run", "trained"):
            pass
    finally:
        child.communicate(b"\n")


def test_two_in_one_process(tmp_path: Path) -> None:
    with (
        only_writer(tmp_path / "run", "built"),
        pytest.raises(InputError, match=f"being built already by process {os.getpid()} "),
        only_writer(tmp_path / "run", "built"),
    ):
        pytest.fail("two hold it")


def test_a_place_by_another_name_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("run")
    for name in ("run", "link"):
        with (
            only_writer(tmp_path / "run", "built"),
            pytest.raises(InputError, match="already"),
            only_writer(Path(name), "built"),
        ):
            pytest.fail("two hold it")


def test_a_volume_whose_surroundings_cannot_be_written_is_locked_from_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    monkeypatch.setattr("os.access", lambda place, mode: place != tmp_path)
    with only_writer(volume, "trained"):
        assert [file.name for file in volume.iterdir()] == [".lock"]
        with pytest.raises(InputError, match="already"), only_writer(volume, "trained"):
            pytest.fail("two hold it")
    assert not list(volume.iterdir())


def test_an_error_lets_go_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "new" / "too" / "run"
    with pytest.raises(KeyboardInterrupt), only_writer(place, "trained"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    with only_writer(place, "trained"):
        place.mkdir()
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("content", [b"", b'{"host": "\xff"}', b"[" * 100_000])
def test_a_lock_file_that_says_nothing(tmp_path: Path, content: bytes) -> None:
    with only_writer(tmp_path / "run", "trained"):
        (tmp_path / ".run.lock").write_bytes(content)
        with (
            pytest.raises(InputError, match="by another process"),
            only_writer(tmp_path / "run", "trained"),
        ):
            pytest.fail("two hold it")


def test_a_place_that_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").mkdir()
    with pytest.raises(InputError, match="cannot be locked"), only_writer(tmp_path / "run", "made"):
        pytest.fail("held")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(MissingDependencyError), only_writer(tmp_path / "run", "trained"):
        pytest.fail("held")


USE = """
import sys, time
from pathlib import Path
from edgekd.locks import hold, writer_in_turn
kind, file = sys.argv[1], Path(sys.argv[2])
if kind == "hold":
    release = hold(file)
    print("held", flush=True)
    time.sleep(60)
with writer_in_turn(file, lambda: None):
    print("held", flush=True)
    sys.stdin.readline()
"""


def user(kind: str, file: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", USE, kind, str(file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def is_free(file: Path) -> bool:
    with unless_held(file) as free:
        return free


def test_what_a_process_holds_is_spared_until_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "entry" / ".use"
    release = hold(file)
    with user("hold", file) as process:
        assert not is_free(file)
        release()
        assert not is_free(file)
        process.kill()
        process.wait()
        assert is_free(file)


def test_a_hold_that_finds_its_file_removed_takes_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".use"
    opened = locks._opened

    def removed_once(place: Path) -> int | None:
        descriptor = opened(place)
        monkeypatch.setattr(locks, "_opened", opened)
        place.unlink()
        return descriptor

    monkeypatch.setattr(locks, "_opened", removed_once)
    release = hold(file)
    assert not is_free(file)
    release()
    assert is_free(file)


def test_a_hold_notes_the_time(tmp_path: Path) -> None:
    file = tmp_path / ".use"
    file.touch()
    os.utime(file, (1, 1))
    hold(file)()
    assert file.stat().st_mtime > 1


def test_writers_take_turns(tmp_path: Path) -> None:
    file, waited = tmp_path / ".build", []
    with user("write", file) as process:
        assert process.stdin is not None

        def waiting() -> None:
            waited.append(1)
            process.stdin.write("\n")
            process.stdin.flush()

        with writer_in_turn(file, waiting):
            assert process.wait(30) == 0
    assert waited
    assert file.exists()
