"""Backends of a third party, found by every process of a test through their entry points.

All of them lower as ONNX Runtime's backend does, but for what their name says.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from edgekd.targets import Target

__all__ = ["install", "target_of"]

_MODULE = """
import errno
import os
import signal
import time
from pathlib import Path

from edgekd.errors import MissingDependencyError
from edgekd.extensions.backends import BackendDescriptor, Requirement
from edgekd.lower.backends.base import converting
from edgekd.lower.backends.onnx import OnnxBackend


class Sound(OnnxBackend):
    pass


class Unlucky(OnnxBackend):
    def lower(self, graph, image_size, variant, calibration, out):
        with open(os.environ["THIRD_PARTY_NOTES"], "a") as notes:
            notes.write(f"{self.name}/{variant.precision}\\\\n")
        with converting("Unlucky's converter", "be unlucky"):
            try:
                raise RuntimeError("no lowering for torch.ops.aten.histc.default\\\\nand more")
            except RuntimeError as error:
                raise ValueError("step 3/3 failed") from error


class Crashing(OnnxBackend):
    def lower(self, graph, image_size, variant, calibration, out):
        with open(os.environ["THIRD_PARTY_NOTES"], "a") as notes:
            notes.write(f"{self.name}/{variant.precision}\\\\n")
        os.kill(os.getpid(), signal.SIGSEGV)


class Toolless(OnnxBackend):
    def lower(self, graph, image_size, variant, calibration, out):
        raise MissingDependencyError("toolkit", "lower", "lower for the toolless")


class Full(OnnxBackend):
    def lower(self, graph, image_size, variant, calibration, out):
        raise OSError(errno.ENOSPC, "No space left on device", str(out))


class Finishing(OnnxBackend):
    def finish(self, bundle, say, *, evidence=None):
        say(f"finishing {bundle.name} by {evidence}")
        return bundle / "manifest.json"


class Sleeping(OnnxBackend):
    def lower(self, graph, image_size, variant, calibration, out):
        Path(os.environ["THIRD_PARTY_NOTES"]).write_text(str(os.getpid()))
        time.sleep(600)


def described(kind, name="", **more):
    return BackendDescriptor(
        name=name or kind.lower(),
        title=kind,
        lowering=f"third_party_backends:{kind}",
        session="edgekd.runtime.sessions.onnx:open_file",
        engine=Requirement(("onnxruntime",), ("onnxruntime",)),
        model_file="model.onnx",
        **more,
    )


SOUND = described("Sound")
UNLUCKY = described("Unlucky")
CRASHING = described("Crashing")
TOOLLESS = described("Toolless")
FULL = described("Full")
FINISHING = described("Finishing", completion="finish-on-device")
SLEEPING = described("Sleeping")
UNFIT = described("Path", "unfit")
"""

_ENTRIES = """[edgekd.backends]
sound = third_party_backends:SOUND
unlucky = third_party_backends:UNLUCKY
crashing = third_party_backends:CRASHING
toolless = third_party_backends:TOOLLESS
full = third_party_backends:FULL
finishing = third_party_backends:FINISHING
sleeping = third_party_backends:SLEEPING
unimportable = third_party_of_none:BACKEND
unfit = third_party_backends:UNFIT
undescribed = third_party_backends:Sound

[edgekd.targets]
torn = third_party_of_none:FOLDER
"""


def install(home: Path, monkeypatch: pytest.MonkeyPatch, *, version: str = "1.0") -> Path:
    """Make them known to this process and those it starts; gives the file of their notes.

    Args:
        home: A folder for them, to be made.
        monkeypatch: Of the test.
        version: Of their distribution.
    """
    about = home / f"third_party_backends-{version}.dist-info"
    about.mkdir(parents=True)
    (home / "third_party_backends.py").write_text(_MODULE.replace("\\\\n", "\\n"))
    named = f"Metadata-Version: 2.1\nName: third-party-backends\nVersion: {version}\n"
    (about / "METADATA").write_text(named)
    (about / "entry_points.txt").write_text(_ENTRIES)
    notes = home / "notes"
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("PYTHONPATH", str(home))
    monkeypatch.setenv("THIRD_PARTY_NOTES", str(notes))
    monkeypatch.delitem(sys.modules, "third_party_backends", raising=False)
    return notes


def target_of(backend: str, like: Target, *ladder: str) -> Target:
    """A target that is lowered for by one of them."""
    return msgspec.structs.replace(like, name=backend, backend=backend, ladder=ladder)
