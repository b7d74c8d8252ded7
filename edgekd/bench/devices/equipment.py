"""Installation of the device part of edgekd, packages, bundles and images on a board."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekd.bench.devices.package import pack_runner
from edgekd.bench.devices.probe import BASE, BoardFacts, DeviceLacksError, ask_board
from edgekd.bench.devices.store import Blob, Say, Store, blob_of
from edgekd.bench.devices.transport import DeviceRefusedError, Transport, quoted_path
from edgekd.bench.devices.wheels import Wheel, choose_wheels, first_of, read_wheelhouse
from edgekd.errors import InputError
from edgekd.extensions.backends import Requirement

__all__ = ["Equipment"]

_LOADING_SECONDS = 300.0

_UNPACK = """
import os, shutil, sys, zipfile
target, archives = sys.argv[1], sys.argv[2:]
beside = target + ".new"
shutil.rmtree(beside, ignore_errors=True)
for archive in archives:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(beside)
for name in os.listdir(beside):
    if name.endswith(".data"):  # PyPA, binary distribution format: what goes beside the packages
        for part in ("purelib", "platlib"):
            folder = os.path.join(beside, name, part)
            if os.path.isdir(folder):
                shutil.copytree(folder, beside, dirs_exist_ok=True)
os.rename(beside, target)
"""


class Equipment:
    """Everything that edgekd has put on a board, in one folder; no file is sent twice.

    Args:
        name: Name of the device, as the user wrote it.
        transport: The link.
        python: Command of its Python.
        folder: A folder that edgekd may write to there.
        wheelhouse: Wheels for packages that it lacks, or None.
    """

    def __init__(
        self, name: str, transport: Transport, python: str, folder: str, wheelhouse: Path | None
    ) -> None:
        self.store = Store(transport, folder)
        self._name = name
        self._transport = transport
        self._python = python
        self._wheelhouse = wheelhouse
        self._board: BoardFacts | None = None
        self._runner = ""
        self._site = ""
        self._there: dict[str, str] = {}
        self._blobs: dict[Path, Blob] = {}

    @property
    def path(self) -> str:
        """The board's PYTHONPATH."""
        return ":".join(part for part in (self._runner, self._site) if part)

    def place_of(self, path: str) -> str | None:
        """Path on the board of a bundle or image of this machine; None where it was not copied."""
        return self._there.get(path)

    def forget(self) -> None:
        """Discard the record of what is on the board: the folder was removed."""
        self._runner = self._site = ""
        self._there.clear()

    def board(self) -> BoardFacts:
        """Facts from the board's bare Python, read once.

        Raises:
            DeviceUnreachableError: It does not answer.
            DeviceLacksError: It has no Python that can run edgekd.
        """
        if self._board is None:
            self._board = ask_board(self._transport, self._python)
        return self._board

    def equip(self, needs: Sequence[Requirement], say: Say) -> None:
        """Install the device part of edgekd and packages; only the base packages are required."""
        board = self.board()
        if not self._runner:
            self._runner = self._put_runner(say)
        requirements = (*BASE, *needs)
        if board.lacks(requirements) and self._wheelhouse is not None and not self._site:
            self._site = self._put_site(read_wheelhouse(self._wheelhouse), requirements, say)
            board = self._board = ask_board(self._transport, self._python, path=self._site)
        if lacking := board.lacks(BASE):
            raise self._lacks(lacking)

    def _put_runner(self, say: Say) -> str:
        with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
            archive = Path(folder, "runner.zip")
            archive.write_bytes(pack_runner())
            blob = blob_of(archive)
            self.store.put([blob], say)
        # Unpacked, since Python caches no byte code of modules in an archive.
        return self._unpacked(f"runner-{blob.sha256}", [blob])

    def _put_site(self, wheels: Sequence[Wheel], needs: Sequence[Requirement], say: Say) -> str:
        requirements = [first_of(need, wheels) for need in needs]
        chosen, foreign = choose_wheels(wheels, requirements, self.board())
        if foreign:
            raise self._foreign(foreign)
        if not chosen:
            return ""
        blobs = [self._blob(wheel.path) for wheel in chosen]
        self.store.put(blobs, say)
        key = hashlib.sha256("".join(sorted(blob.sha256 for blob in blobs)).encode()).hexdigest()
        return self._unpacked(f"site-{key}", blobs)

    def _unpacked(self, name: str, archives: Sequence[Blob]) -> str:
        target = f"{self.store.folder}/{name}"
        sources = shlex.join(self.store.path(blob.sha256) for blob in archives)
        quoted = shlex.quote(target)
        unpack = f"{quoted_path(self._python)} - {quoted} {sources}"
        command = f"test -d {quoted} || {unpack}"
        done = self._transport.run(command, stdin=_UNPACK.encode(), timeout=_LOADING_SECONDS)
        if done.code != 0:
            raise DeviceRefusedError(
                f"{self._transport.name}: what edgekd needs cannot be unpacked: {done.last_line}",
                "see whether its disk is full; --clean-device removes what edgekd put there",
            )
        return target

    def _foreign(self, names: Sequence[str]) -> DeviceLacksError:
        board = self.board()
        place = f"Python {board.python[0]}.{board.python[1]} on {board.machine}"
        place += f" with glibc {board.glibc_version or 'unknown'}"
        message = f"the wheels of {', '.join(names)} in {self._wheelhouse} do not fit {self._name}"
        hint = f"fetch those for {place}: pip download --only-binary :all: --platform …"
        return DeviceLacksError(f"{message} ({place})", hint, names[0])

    def _lacks(self, needs: Sequence[Requirement]) -> DeviceLacksError:
        names = [need.distributions[0] for need in needs]
        message = f"{self._name}: its {self._python} has no {', no '.join(names)}"
        hint = f"there: {self._python} -m pip install {' '.join(names)}"
        hint += "; or give a folder of wheels with --wheelhouse"
        return DeviceLacksError(message, hint, names[0])

    def deploy(self, bundles: Sequence[Path], images: Sequence[Path], say: Say) -> None:
        """Copy bundles and images to the board.

        Raises:
            InputError: A file is not on this machine.
            DeviceUnreachableError: The connection failed, or there is no room.
        """
        trees = {bundle: self._files_of(bundle) for bundle in bundles}
        blobs = [blob for files in trees.values() for blob in files.values()]
        blobs += [self._blob(image) for image in images]
        self.store.put(blobs, say)
        for image in images:
            self._there[str(image)] = self.store.path(self._blob(image).sha256)
        for bundle, files in trees.items():
            alone = not bundle.is_dir()
            there = self.store.path(files[""].sha256) if alone else self.store.tree(files)
            self._there[str(bundle)] = there

    def _files_of(self, bundle: Path) -> dict[str, Blob]:
        if not bundle.is_dir():
            return {"": self._blob(bundle)}
        files = (path for path in sorted(bundle.rglob("*")) if path.is_file())
        return {path.relative_to(bundle).as_posix(): self._blob(path) for path in files}

    def _blob(self, path: Path) -> Blob:
        if path not in self._blobs:
            if not path.is_file():
                raise InputError(f"there is no file {path}", "correct the path")
            self._blobs[path] = blob_of(path)
        return self._blobs[path]
