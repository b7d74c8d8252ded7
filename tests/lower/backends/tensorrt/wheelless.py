"""A Python environment like this one, but without the wheels of the extra `tensorrt-check`."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

_WHEELS = ("onnxruntime_ep_nv_tensorrt_rtx", "tensorrt_rtx")
_REPOSITORY = Path(__file__).resolve().parents[4]


def make_python(folder: Path) -> Path:
    """Its interpreter: a venv whose site-packages are links to those that are here."""
    command = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for entry in sorted(Path(sysconfig.get_path("purelib")).iterdir()):
        if not entry.name.startswith(_WHEELS) and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    (site / "checkout.pth").write_text(f"{_REPOSITORY}\n")
    return folder / "bin" / "python"
