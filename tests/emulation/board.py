"""A board on which commands can be run: an arm64 userland with the CPU of a real one."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulation.profiles import PROFILES, write_files
from emulation.userland import HERE, Userland

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "ORT_DISABLE_TELEMETRY": "1",
}


class Board:
    """A stand-in for a board; no number of time, power or peak memory from it means anything.

    The userland is shared and read-only; `home` is this board's own and can be written. Real
    aarch64 machine code runs in it, on the kernel of this machine. A process that empties its
    environment loses `QEMU_CPU`, and its children run on qemu's default CPU: keep it.

    Args:
        userland: From `open_userland()`.
        name: `rpi4`, `rpi5`, `jetson-nano`, or `max` (no board: a CPU with every extension).
        folder: An empty or missing folder of this board's own.
        home: Where the board sees its home: `/root`, or `/data/local/tmp` as on Android.

    Attributes:
        profile: The CPU.
        home: The board's home as this machine sees it.
        enter: A program of this machine that runs its arguments on the board, in its home and
            with a clean environment: what an sshd's ForceCommand or a fake adbd needs.
    """

    def __init__(self, userland: Userland, name: str, folder: Path, *, home: str = "/root") -> None:
        self.userland = userland
        self.name = name
        self.profile = PROFILES[name]
        self.home = folder / "home"
        self.home_there = home
        self.enter = folder / "enter"
        self.home.mkdir(parents=True, exist_ok=True)
        write_files(self.profile, folder)
        self._write_enter(folder)

    def command(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | None = None
    ) -> list[str]:
        """The command of this machine that runs `argv` on the board."""
        there = ["/usr/bin/env", "-C", cwd or self.home_there]
        there += [f"{name}={value}" for name, value in (env or {}).items()]
        return [str(self.enter), *there, *argv]

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        input: str | None = None,
        timeout: float = 300,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the board.

        Args:
            argv: The command, with paths as the board sees them.
            env: Added to a clean environment.
            cwd: Folder to run in; None is the board's home.
            input: Text for its standard input, which is empty by default.
            timeout: Seconds until it is killed (subprocess.TimeoutExpired).
            check: Raise subprocess.CalledProcessError where it fails.
        """
        return subprocess.run(
            self.command(argv, env=env, cwd=cwd),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )

    def copy_in(self, source: Path, name: str = "") -> str:
        """Copy a file or folder into the board's home.

        Args:
            source: On this machine.
            name: Its name there, which may have folders; the source's own by default.

        Returns:
            Its path as the board sees it.
        """
        target = self.home / (name or source.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
        return f"{self.home_there}/{target.relative_to(self.home)}"

    def _write_enter(self, folder: Path) -> None:
        clean = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
        command = ["env", "-i", *clean, f"HOME={self.home_there}"]
        command += ["unshare", "-Ur", "-m", "--uts", "sh", str(HERE / "enter.sh")]
        command += [str(self.userland.folder), str(folder), self.profile.qemu_cpu]
        command += [self.profile.hostname, self.home_there, "/usr/bin/env", "-C", self.home_there]
        self.enter.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        self.enter.chmod(0o755)
