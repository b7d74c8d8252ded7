"""What is put on a board: only what is missing, and nothing that is half there."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest
from emulation.missing import MissingError
from emulation.sshd import Sshd, running_sshd

from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.ssh import SshTransport
from edgekd.bench.devices.store import Blob, Store, blob_of
from edgekd.bench.devices.transport import DeviceFullError, Progress
from edgekd.errors import DeviceUnreachableError


class Watched(SshTransport):
    """A real link that notes what it sends."""

    def __init__(self, sshd: Sshd) -> None:
        super().__init__(sshd.host, sshd.options)
        self.sent: list[Path] = []
        self.bytes_piped = 0
        self.commands = 0

    def run(self, command: str, *, stdin: bytes | None = None, timeout: float = 60.0):
        self.commands += 1
        self.bytes_piped += len(stdin or b"")
        return super().run(command, stdin=stdin, timeout=timeout)

    def send(self, content: Path, remote: str, progress: Progress | None = None) -> None:
        self.sent.append(content)
        super().send(content, remote, progress)


@pytest.fixture
def watched(sshd: Sshd):
    link = Watched(sshd)
    yield link
    link.close()


def _blobs(folder: Path, sizes: list[int]) -> list[Blob]:
    folder.mkdir(exist_ok=True)
    blobs = []
    for number, size in enumerate(sizes):
        file = folder / f"photo {number}.jpg"
        file.write_bytes(os.urandom(size))
        blobs.append(blob_of(file))
    return blobs


def _whole(store: Store) -> set[str]:
    folder = Path(store.folder) / "store"
    for file in folder.iterdir():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name
    return {file.name for file in folder.iterdir()}


@pytest.mark.slow
def test_many_small_files_travel_together_and_none_twice(watched: Watched, tmp_path: Path) -> None:
    blobs = _blobs(tmp_path / "images", [1000 + n for n in range(300)])
    store = Store(watched, str(tmp_path / "board"))
    told: list[str] = []
    store.put(blobs, told.append)
    assert _whole(store) == {blob.sha256 for blob in blobs}
    assert watched.sent == []
    assert watched.commands < 15
    assert told == [f"ssh board: copying 300 files, {sum(b.size for b in blobs) / 1e6:.1f} MB"]
    watched.commands, watched.bytes_piped = 0, 0
    Store(watched, str(tmp_path / "board")).put(blobs)
    assert (watched.commands, watched.bytes_piped) == (2, 0)
    more = _blobs(tmp_path / "more", [50])
    store.put([*blobs, *more])
    assert watched.sent == [more[0].path]


@pytest.mark.slow
def test_what_has_another_size_by_now_is_sent_again(watched: Watched, tmp_path: Path) -> None:
    (blob,) = _blobs(tmp_path / "images", [4000])
    store = Store(watched, str(tmp_path / "board"))
    store.put([blob])
    Path(store.path(blob.sha256)).write_bytes(b"cut by a power failure")
    store.put([blob])
    assert _whole(store) == {blob.sha256}


def test_a_broken_copy_goes_on_and_is_checked(watched: Watched, sshd: Sshd, tmp_path: Path) -> None:
    (blob,) = _blobs(tmp_path / "model", [32 << 20])
    store = Store(watched, str(tmp_path / "board"))
    told: list[str] = []

    def cut(line: str) -> None:
        told.append(line)
        if len(told) == 5:
            sshd.cut()

    with pytest.raises(DeviceUnreachableError):
        store.put([blob], cut)
    assert _whole(store) == set()
    (part,) = Path(store.folder).glob("incoming-*/*")
    arrived = part.stat().st_size
    assert 0 < arrived < blob.size
    told.clear()
    store.put([blob], told.append)
    assert _whole(store) == {blob.sha256}
    assert not part.exists()
    first = int(told[1].split(" of ")[0].split()[-1])
    assert first >= arrived // 1_000_000


def test_a_part_of_something_else_is_found_out_and_replaced(
    watched: Watched, tmp_path: Path
) -> None:
    (blob,) = _blobs(tmp_path / "model", [100_000])
    store = Store(watched, str(tmp_path / "board"))
    store.put([])
    (incoming,) = Path(store.folder).glob("incoming-*")
    (incoming / blob.sha256).write_bytes(os.urandom(60_000))
    store.put([blob])
    assert _whole(store) == {blob.sha256}
    assert len(watched.sent) == 2


def test_what_arrived_whole_before_the_cut_is_kept(watched: Watched, tmp_path: Path) -> None:
    blobs = _blobs(tmp_path / "images", [3000] * 8)
    store = Store(watched, str(tmp_path / "board"))
    store.put([])
    (incoming,) = Path(store.folder).glob("incoming-*")
    for blob in blobs[:7]:
        (incoming / blob.sha256).write_bytes(blob.path.read_bytes())
    store.put(blobs)
    assert watched.sent == [blobs[7].path]
    assert _whole(store) == {blob.sha256 for blob in blobs}


def test_a_tree_holds_the_files_by_their_names(watched: Watched, tmp_path: Path) -> None:
    first, second = _blobs(tmp_path / "bundle", [10, 20])
    store = Store(watched, str(tmp_path / "it's a board"))
    store.put([first, second])
    files = {"manifest.json": first, "sub folder/model's.bin": second}
    tree = Path(store.tree(files))
    assert store.tree(files) == str(tree)
    found = {str(p.relative_to(tree)): p.read_bytes() for p in tree.rglob("*") if p.is_file()}
    assert found == {name: blob.path.read_bytes() for name, blob in files.items()}
    assert store.tree({"manifest.json": second}) != str(tree)


def test_cleaning_removes_what_is_ours_alone(watched: Watched, tmp_path: Path) -> None:
    blobs = _blobs(tmp_path / "images", [10])
    store = Store(watched, str(tmp_path / "board"))
    store.put(blobs)
    (tmp_path / "board" / "thesis.tex").write_text("the user's own")
    store.clean()
    assert [path.name for path in (tmp_path / "board").iterdir()] == ["thesis.tex"]
    store.put(blobs)
    (tmp_path / "board" / "thesis.tex").unlink()
    store.clean()
    assert not (tmp_path / "board").exists()
    store.clean()


@pytest.mark.parametrize("sizes", [[3 << 20], [400_000] * 8], ids=["large", "small"])
def test_a_full_disk_is_told_and_left_as_it_was(tmp_path: Path, sizes: list[int]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        with running_sshd(tmp_path / "sshd", disk=disk) as server:
            link = SshTransport(server.host, server.options)
            store = Store(link, str(disk))
            with pytest.raises(DeviceFullError, match="disk of ssh board is full") as full:
                store.put(_blobs(tmp_path / "images", sizes))
            assert full.value.exit_code == 5
            assert "--clean-device" in full.value.hint
            left = link.run(f"ls {store.folder}/incoming-*").stdout
            free = store.free_bytes()
            link.close()
    except MissingError as missing:
        pytest.skip(str(missing))
    assert left == b""
    assert free is not None
    assert free > 100_000


def test_a_folder_that_cannot_be_made_is_told(link: SshTransport) -> None:
    with pytest.raises(DeviceUnreachableError, match="ssh board: mkdir") as refused:
        Store(link, "/proc/nowhere").put([])
    assert "/proc/nowhere" in refused.value.hint


PACKAGE = {"sha256sum": "coreutils", "shasum": "perl", "openssl": "openssl"}


@pytest.mark.parametrize("tool", list(PACKAGE))
def test_any_tool_that_hashes_will_do(tmp_path: Path, tool: str) -> None:
    """A board with a bare PATH, on which there is one of the three."""
    import shutil

    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool}: apt install {PACKAGE[tool]}")
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("sh", "mkdir", "pwd", "ls", "wc", "cat", "mv", "rm", "tar", "perl", tool):
        if found := shutil.which(name):
            (bare / name).symlink_to(found)
    link = CommandTransport("bare", ["env", "-i", f"PATH={bare}"])
    blobs = _blobs(tmp_path / "images", [100] * 6)
    store = Store(link, str(tmp_path / "board"))
    store.put(blobs)
    assert _whole(store) == {blob.sha256 for blob in blobs}
    assert sys.platform != "linux" or link.run("command -v python3").code != 0


def test_a_board_that_greets_everyone_is_understood(tmp_path: Path) -> None:
    """A line in ~/.bashrc that prints comes before the output of every command."""
    link = CommandTransport("talkative", ["sh", "-c", 'echo "Welcome to ward 3"; exec "$@"', "sh"])
    blobs = _blobs(tmp_path / "images", [100_000, *[100] * 5])
    store = Store(link, str(tmp_path / "board"))
    store.put([])
    (incoming,) = Path(store.folder).glob("incoming-*")
    (incoming / blobs[0].sha256).write_bytes(os.urandom(100_000))
    store.put(blobs)
    assert _whole(store) == {blob.sha256 for blob in blobs}
    assert store.free_bytes() > 1 << 20
