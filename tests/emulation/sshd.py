"""A real sshd on loopback, which is the way to a board, or to this very machine as one.

Nothing is installed: where there is no sshd, Debian's is unpacked into the tests' own folder. What
it needs of the machine (its user, /run/sshd) it finds in mounts that no one else sees.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from emulation.missing import MissingError
from emulation.userland import HOME, _fetch, _unpack

_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
MaxSessions 10
"""
_CLIENT = """
Host board
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
"""
# As root, sshd wants a user of its own and an empty folder; a small disk can be had the same way.
_PRIVATE = """
set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
grep -v ^sshd: /etc/passwd >"$1/passwd"
echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >>"$1/passwd"
mount --bind "$1/passwd" /etc/passwd
test -z "$2" || mount -t tmpfs -o size=1m tmpfs "$2"
shift 2
exec "$@"
"""


class Sshd:
    """An sshd that serves the user who runs the tests.

    Attributes:
        folder: Its files.
        host: What to call it by `ssh`, with the `options`.
        options: Arguments of ssh: a configuration of our own, as a user's would be.
    """

    def __init__(
        self, folder: Path, *, enter: Path | None = None, disk: Path | None = None
    ) -> None:
        """Start it.

        Args:
            folder: An empty or missing folder.
            enter: A program that runs its arguments on the board; None is this machine.
            disk: A folder that becomes a disk of 1 MB for the sessions; only as root.

        Raises:
            MissingError: There is no sshd, or it cannot run here.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.host = folder, "board"
        self.options = ["-F", str(folder / "client")]
        port = _free_port()
        for name in ("host", "user"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(make, check=True)
        text = _CONFIG.format(folder=folder, port=port)
        if enter is not None:
            text += f'ForceCommand exec {enter} sh -c "$SSH_ORIGINAL_COMMAND"\n'
        (folder / "server").write_text(text)
        key = " ".join((folder / "host.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
        client = _CLIENT.format(folder=folder, port=port, user=getpass.getuser())
        (folder / "client").write_text(client)
        self._port = port
        self._process = self._start(disk)

    def cut(self) -> int:
        """Kill the processes of all connections, as if the board had vanished; their number."""
        children = self.connections()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return len(children)

    def connections(self) -> list[int]:
        """The processes of all connections."""
        return _children(self._process.pid)

    def stop(self) -> None:
        """End it and its connections."""
        if self._process.poll() is None:
            # Held first: a connection that is made between two kills would outlive both.
            os.kill(self._process.pid, signal.SIGSTOP)
            self.cut()
            self._process.kill()
            self._process.wait()

    def _start(self, disk: Path | None) -> subprocess.Popen[bytes]:
        program, libraries = _sshd()
        command = [str(program), "-D", "-e", "-f", str(self.folder / "server")]
        if os.geteuid() == 0:
            inside = ["unshare", "-m", "--propagation", "private", "sh", "-c", _PRIVATE, "sh"]
            command = [*inside, str(self.folder), str(disk or ""), *command]
        elif disk is not None:
            raise MissingError("a disk of 1 MB takes root")
        environment = os.environ | {"LD_LIBRARY_PATH": str(libraries)} if libraries else None
        log = self.folder / "log"
        with log.open("wb") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
        for _ in range(200):
            if "Server listening" in log.read_text():
                return process
            if process.poll() is not None:
                break
            time.sleep(0.02)
        process.kill()
        process.wait()
        raise MissingError(f"sshd does not run here: {log.read_text().strip() or 'it is silent'}")


@contextlib.contextmanager
def running_sshd(folder: Path, **options: Path | None) -> Iterator[Sshd]:
    """An sshd for a block."""
    sshd = Sshd(folder, **options)
    try:
        yield sshd
    finally:
        sshd.stop()


def _sshd() -> tuple[Path, Path | None]:
    """sshd, and the folder of the libraries that came with it."""
    for tool, package in {"ssh": "openssh-client", "ssh-keygen": "openssh-client"}.items():
        if shutil.which(tool) is None:
            raise MissingError(f"there is no {tool}: install {package}")
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is not None:
        return Path(found).resolve(), None
    folder = HOME / "sshd"
    with FileLock(_lock(folder)):
        if not folder.is_dir():
            _unpack_sshd(folder)
    (library,) = folder.rglob("libwrap.so.0")
    return folder / "usr/sbin/sshd", library.parent


def _lock(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder.with_suffix(".lock")


def _unpack_sshd(folder: Path) -> None:
    for tool in ("apt-get", "dpkg-deb", "unshare"):
        if shutil.which(tool) is None:
            raise MissingError(
                f"there is no sshd, and no {tool} to get one: install openssh-server"
            )
    work = folder.with_name("sshd-packages")
    shutil.rmtree(work, ignore_errors=True)
    try:
        for archive in _fetch(work, "", ["openssh-server", "libwrap0"], alone=True):
            _unpack(archive, work / "root")
        (work / "root").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
