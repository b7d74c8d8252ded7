"""Runs the steps of a Dockerfile in the arm64 userland, where Docker and the base images are not.

Debian stands in for the base image. Two kinds of step need a stand-in there:

- `apt-get install`: the userland has no apt and its packages are unpacked, not configured. The very
  packages that the step names are fetched for arm64 by this machine's apt and unpacked.
- `pip`: it runs on the board as the step says, but takes the wheels from a folder instead of a
  network: this machine's pip fetches them for the board before.

All else runs as written. Users and groups are those of a container's root without a second user:
a process cannot become `USER` there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from emulation import userland as userlands
from emulation.board import Board
from emulation.dockerfile import Instruction, Stage, expand, sections
from emulation.missing import MissingError, run_or_miss
from emulation.userland import REPOSITORY, Userland

__all__ = ["ImageBoard", "copy_userland", "fetch_wheels", "named_by_apt"]

BASE = ("base-passwd", "grep", "passwd")
"""What every base image has and the userland has not."""
WHEELS = "opt/wheels"
"""Where the wheels are put, below the root of the userland."""
WRITABLE = "writable"
"""The file that tells `enter.sh` to leave a userland writable."""


class ImageBoard:
    """A stage of a Dockerfile, as far as it was carried out.

    Args:
        userland: A copy of the stage's own; see `copy_userland`.
        folder: An empty or missing folder.
        arguments: Of the build, by name: what `--build-arg` or a default says.

    Attributes:
        board: Where it is carried out.
        environment: What the instructions so far have set.
        ran: The commands of the `RUN` steps that were run as written.
    """

    def __init__(self, userland: Userland, folder: Path, arguments: dict[str, str]) -> None:
        self.board = Board(userland, "jetson-nano", folder)
        self.environment = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.ran: list[str] = []
        self._arguments, self._known = arguments, dict[str, str]()
        self._cwd = "/"

    @property
    def root(self) -> Path:
        """`/` of the stage, on this machine."""
        return self.board.userland.rootfs

    def carry_out(self, stage: Stage, others: dict[str, ImageBoard]) -> None:
        """Carry out the instructions of a stage; `others` are those it may copy from."""
        for one in stage.instructions:
            if one.keyword in ("ARG", "ENV"):
                self._set(one)
            elif one.keyword == "WORKDIR":
                self._cwd = one.text
                self._there(one.text).mkdir(parents=True, exist_ok=True)
            elif one.keyword == "COPY":
                self._copy(one.words, others)
            elif one.keyword == "RUN" and not named_by_apt(one):
                self._run(one.text)

    def seal(self) -> None:
        """From here on nothing can be written outside of /tmp and the board's home."""
        # Byte code is written on this machine, where it takes a moment; pip was told not to.
        userlands._compile(self.board.userland)
        (self.board.userland.folder / WRITABLE).unlink()

    def run(
        self, argv: Sequence[str], *, env: dict[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the image, in its environment and its folder."""
        everything = self.environment | (env or {})
        return self.board.run(argv, env=everything, cwd=self._cwd, timeout=timeout)

    def _set(self, one: Instruction) -> None:
        given = {name: expand(value, self._variables()) for name, value in sections(one).items()}
        if one.keyword == "ENV":
            self.environment |= given
        else:
            names = [word.partition("=")[0] for word in one.words]
            given |= {name: self._arguments[name] for name in names if name in self._arguments}
            self._known |= given

    def _variables(self) -> dict[str, str]:
        return self._known | self.environment

    def _run(self, command: str) -> None:
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"/{WHEELS}"}
        offline |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_COMPILE": "0"}
        done = self.run(["sh", "-c", command], env=self._known | offline)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        self.ran.append(command)

    def _copy(self, words: list[str], others: dict[str, ImageBoard]) -> None:
        flags = [word for word in words if word.startswith("--")]
        *sources, target = [word for word in words if not word.startswith("--")]
        base = REPOSITORY
        if flags:
            (name,) = (flag.removeprefix("--from=") for flag in flags)
            base = others[name].root
        there = self._there(target)
        for source in sources:
            found = base / source.lstrip("/")
            into = there / found.name if target.endswith("/") and found.is_file() else there
            _copy(found, into)

    def _there(self, path: str) -> Path:
        return self.root / Path(self._cwd, path).relative_to("/")


def named_by_apt(one: Instruction) -> list[str]:
    """The packages that a `RUN` step installs with apt."""
    words = one.text.split()
    if "apt-get" not in words:
        return []
    named = words[words.index("install") + 1 :]
    named = named[: named.index("&&")] if "&&" in named else named
    return [word for word in named if not word.startswith("-")]


def copy_userland(userland: Userland, folder: Path, packages: list[str]) -> Userland:
    """A userland of one's own that can be written, with more Debian packages in it."""
    own = Userland(folder)
    environments = shutil.ignore_patterns("litert", "tflite")
    shutil.copytree(userland.rootfs, own.rootfs, symlinks=True, ignore=environments)
    shutil.copy2(userland.folder / "qemu-aarch64", folder)
    (folder / WRITABLE).touch()
    for archive in userlands._fetch(folder / "apt", "arm64", [*BASE, *packages]):
        userlands._unpack(archive, own.rootfs)
    for name in ("passwd", "group"):  # as the script of base-passwd does
        shutil.copy2(own.rootfs / f"usr/share/base-passwd/{name}.master", own.rootfs / "etc" / name)
    userlands._compile(own)
    return own


def fetch_wheels(folder: Path, python: str, packages: list[str]) -> None:
    """Wheels of packages and of all they need, for arm64 and a version of Python.

    Raises:
        MissingError: They cannot be reached from here.
    """
    try:
        version("pip")  # its import would be caught by setuptools, where torch was imported before
    except PackageNotFoundError:
        raise MissingError("there is no pip beside this Python: make setup") from None
    constraints = folder.with_suffix(".txt")
    pins = (REPOSITORY / "constraints.txt").read_text().splitlines()
    # JetPack 6 has CUDA 12; what CI tests on a host is of CUDA 13.
    constraints.write_text("\n".join(pin for pin in pins if not pin.startswith("cuda")))
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(folder)]
    command += ["-c", str(constraints)]
    command += ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
    for tag in ("abi3", "none", f"cp{python.replace('.', '')}"):
        command += ["--abi", tag]
    for minor in range(36, 16, -1):  # pip does not take a tag to stand for older ones
        command += ["--platform", f"manylinux_2_{minor}_aarch64"]
    run_or_miss([*command, "--platform", "manylinux2014_aarch64", *packages], "fetching wheels")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignored)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
