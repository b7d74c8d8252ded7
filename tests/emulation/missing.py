"""What this machine lacks for an emulated board, in words."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

TOOLS = {
    "unshare": "util-linux",
    "apt-get": "apt (a Debian machine)",
    "dpkg-deb": "dpkg (a Debian machine)",
    "tar": "tar",
}
_PROBE = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc"
_UNREACHABLE = ("network", "resolv", "connect", "dns error", "timed out", "unable to locate")


class MissingError(Exception):
    """Something is not there; the message says what, and how to get it."""


def check_machine() -> None:
    """Raise `MissingError` unless an emulated board can run here. Nothing is installed."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise MissingError(
            f"this is {platform.system()} {platform.machine()}: run it on x86-64 Linux"
        )
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise MissingError(f"there is no {tool}: install {package}")
    probe = subprocess.run(
        ["unshare", "-Ur", "-m", "--uts", "sh", "-c", _PROBE],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 0:
        raise MissingError(
            f"binfmt_misc cannot be mounted in a user namespace ({probe.stderr.strip()}): it takes "
            f"Linux 6.7 or newer (here {platform.release()}) and user namespaces switched on"
        )


def run_or_miss(command: list[str], purpose: str, *, cwd: Path | None = None) -> None:
    """Run a command that fetches something.

    Raises:
        MissingError: There is no way to it from here.
        RuntimeError: It failed for another reason.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode == 0:
        return
    last = "\n".join(done.stderr.strip().splitlines()[-5:])
    if any(word in last.lower() for word in _UNREACHABLE):
        raise MissingError(f"{purpose} is not possible from here: {last}")
    raise RuntimeError(f"{purpose} failed: {last}")
