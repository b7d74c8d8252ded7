"""An arm64 Debian userland with qemu and a device's packages, made once and kept.

Nothing is installed on this machine and nothing needs root: apt resolves and fetches into a
folder of our own, packages are unpacked and not configured (so that nothing is executed), and
qemu is one static file out of its package.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from emulation.missing import MissingError, check_machine, run_or_miss

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
# Read when the module is imported: the tests' own cache (tests/conftest.py) ends with them.
HOME = Path(os.environ.get("EDGEKD_CACHE") or REPOSITORY / ".edgekd-cache").resolve() / "emulation"

DEBIAN = ("python3", "dash", "bash", "coreutils", "libstdc++6", "procps", "tar", "gzip")
SSH = ("openssh-sftp-server", "openssh-client")  # the peers of scp and sftp
PINNED = ("numpy", "ai-edge-litert", "opencv-python-headless", "msgspec")  # by constraints.txt
OLD = ("numpy<2", "tflite-runtime==2.14.0", "opencv-python-headless", "msgspec")
OLD_PYTHON = "3.11"  # the last that tflite-runtime was built for
_NEWEST_GLIBC = 40  # the newest manylinux tag that uv knows

_PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True)
class Userland:
    """An unpacked userland below `folder`: `rootfs/` and `qemu-aarch64`.

    Beside them is `qemu-x86_64`, for programs of this machine on an older CPU.

    `rootfs/opt/litert` and `rootfs/opt/tflite` hold the packages of the two plain environments.
    """

    folder: Path

    @property
    def rootfs(self) -> Path:
        """What becomes `/`."""
        return self.folder / "rootfs"

    @property
    def python(self) -> str:
        """Its Python, such as `3.11`."""
        return (self.rootfs / "usr/bin/python3").readlink().name.removeprefix("python")

    def site(self, environment: str) -> str:
        """Where the packages of `litert` or `tflite` are, as the board sees it.

        Raises:
            MissingError: There are none for the Python of this userland.
        """
        if not (self.rootfs / "opt" / environment).is_dir():
            raise MissingError(
                f"{environment} wants Python {OLD_PYTHON}; this Debian has {self.python}"
            )
        return f"/opt/{environment}"


def open_userland(home: Path = HOME) -> Userland:
    """The userland of this source and these packages, made where it is not there yet.

    Args:
        home: Folder that keeps userlands; `make clean` empties the default one.

    Raises:
        MissingError: This machine cannot run it, or cannot reach a source of packages.
    """
    check_machine()
    home.mkdir(parents=True, exist_ok=True)
    folder = home / _key()
    with FileLock(home / f"{folder.name}.lock"):
        if not folder.is_dir():
            _build(home, folder)
    return Userland(folder)


def _key() -> str:
    """What the contents depend on; Debian's own point updates do not count."""
    sources = [Path(__file__), REPOSITORY / "constraints.txt"]
    text = (
        "".join(source.read_text() for source in sources) + platform.freedesktop_os_release()["ID"]
    )
    text += platform.freedesktop_os_release().get("VERSION_ID", "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _build(home: Path, folder: Path) -> None:
    """Build beside the final place, and appear there whole."""
    work = Path(tempfile.mkdtemp(prefix="building-", dir=home))
    try:
        _unpack_qemu(work)
        _unpack_debian(Userland(work))
        _install_packages(Userland(work))
        shutil.rmtree(work / "apt")
        work.chmod(0o755)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack_qemu(work: Path) -> None:
    (archive,) = _fetch(work / "apt/host", "", ["qemu-user-static"], alone=True)
    unpacked = work / "apt/qemu"
    _unpack(archive, unpacked)
    for name in ("qemu-aarch64", "qemu-x86_64"):
        binary = unpacked / f"usr/bin/{name}-static"
        if not binary.is_file():
            raise MissingError(
                f"the package qemu-user-static of this Debian carries no {name}-static"
            )
        shutil.move(binary, work / name)


def _unpack_debian(userland: Userland) -> None:
    root = userland.rootfs
    for name in ("bin", "sbin", "lib"):  # Debian's merged /usr
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for archive in _fetch(userland.folder / "apt/arm64", "arm64", [*DEBIAN, *SSH]):
        _unpack(archive, root)
    for name in ("proc", "dev", "sys", "tmp", "run", "root", "opt", "data/local/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    # What the packages' own scripts would have made.
    if not (root / "usr/bin/sh").exists():
        (root / "usr/bin/sh").symlink_to("dash")
    (root / "etc/passwd").write_text(_PASSWD)
    (root / "etc/group").write_text(_GROUP)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")


def _fetch(folder: Path, arch: str, packages: list[str], *, alone: bool = False) -> list[Path]:
    """Debian packages and (unless `alone`) all they depend on, from this machine's apt sources."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()  # nothing counts as installed
    options = {
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "Dir::State::status": folder / "status",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the user _apt cannot write here
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    if arch:
        options |= {"APT::Architecture": arch, "APT::Architectures": arch}
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    purpose = f"fetching Debian packages for {arch or 'this machine'}"
    run_or_miss([*apt, "update"], purpose)
    if alone:
        run_or_miss([*apt, "download", *packages], purpose, cwd=folder / "cache/archives")
    else:
        run_or_miss([*apt, "--yes", "--download-only", "install", *packages], purpose)
    return sorted((folder / "cache/archives").glob("*.deb"))


def _unpack(archive: Path, target: Path) -> None:
    """The files of a Debian package, owned by whoever runs this and without set-uid."""
    target.mkdir(parents=True, exist_ok=True)
    unpack = ["tar", "-x", "-C", str(target), "--no-same-owner", "--no-same-permissions"]
    unpack += ["--keep-directory-symlink", *(f"--exclude=./usr/share/{name}" for name in _UNREAD)]
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE
    ) as contents:
        subprocess.run(unpack, stdin=contents.stdout, check=True)
    if contents.returncode != 0:
        raise RuntimeError(f"{archive.name} is damaged")


_UNREAD = ("doc", "man", "locale")


def _install_packages(userland: Userland) -> None:
    constraints = ("-c", str(REPOSITORY / "constraints.txt"))
    _install(userland, "litert", [*constraints, *PINNED])
    if userland.python == OLD_PYTHON:
        _install(userland, "tflite", list(OLD))
    _compile(userland)


def _install(userland: Userland, environment: str, packages: list[str]) -> None:
    """Wheels for the board; uv picks them here, nothing runs there."""
    target = userland.rootfs / "opt" / environment
    command = [uv(), "pip", "install", "-q", "-p", sys.executable, "--target", str(target)]
    command += ["--only-binary", ":all:"]
    command += ["--python-version", userland.python]
    command += ["--python-platform", f"aarch64-manylinux_2_{_glibc(userland)}"]
    run_or_miss([*command, *packages], "fetching wheels for aarch64")


def _glibc(userland: Userland) -> int:
    (libc,) = (userland.folder / "apt/arm64/cache/archives").glob("libc6_*.deb")
    found = re.match(r"libc6_2\.(\d+)", libc.name)
    assert found, libc.name
    return min(int(found[1]), _NEWEST_GLIBC)


def _compile(userland: Userland) -> None:
    """Byte code, written here where it takes a second: emulated, each start would take twice."""
    if userland.python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return  # another Python's byte code would not be read
    root = userland.rootfs
    compile_all = [sys.executable, "-m", "compileall", "-q", "-j0", "-s", str(root), "-p", "/"]
    folders = [root / "usr/lib" / f"python{userland.python}", root / "opt"]
    # Some packages carry sources that are not for this Python; those stay as they are.
    subprocess.run([*compile_all, *folders], stdout=subprocess.DEVNULL, check=False)


def uv() -> str:
    """The uv that `make setup` installs.

    Raises:
        MissingError: There is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise MissingError("there is no uv: make setup")
    return found
