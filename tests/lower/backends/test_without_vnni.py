"""An x86 CPU without VNNI, whose sums of int8 products saturate in 16 bits: qemu's Haswell."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulation.missing import MissingError
from emulation.userland import open_userland

from backends.lowered_files import BUILT_IN, answers
from edgekd.lower.backends import get_backend

_ANSWER = """
import sys
from pathlib import Path
import numpy as np
from edgekd.runtime.sessions import open_session
name, file, images, out = sys.argv[1:]
session = open_session(name, Path(file), threads=1)
np.save(out, np.concatenate([session.run(image[None]) for image in np.load(images)]))
"""


@pytest.mark.emulated
@pytest.mark.parametrize("name", BUILT_IN)
def test_int8_answers_as_with_vnni(name: str, student: Any, lowered: Any, tmp_path: Path) -> None:
    """What was judged here holds on an older CPU, and what was judged there holds here."""
    qemu = old_cpu()
    folder, backend = lowered(name, "int8"), get_backend(name)
    images, out = tmp_path / "images.npy", tmp_path / "answers.npy"
    np.save(images, student.images)
    command = [qemu, "-cpu", "Haswell", "-0", sys.executable, Path(sys.executable).resolve()]
    command += ["-c", _ANSWER, backend.host_session, folder / backend.model_file, images, out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    here = answers(name, folder, student)[0]
    there = np.load(out)
    assert np.abs(there - here).max() <= 0.05  # those of saturated sums differ by two


def old_cpu() -> Path:
    if platform.machine() != "x86_64":
        pytest.skip(f"this machine is {platform.machine()}: qemu would translate all of its code")
    try:
        return open_userland().folder / "qemu-x86_64"
    except MissingError as missing:
        pytest.skip(str(missing))
