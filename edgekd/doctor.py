"""What this machine can do, found out by importing the packages in a process of their own.

And what a device of devices.toml can do, found out by asking it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.targets import Target

if TYPE_CHECKING:
    from edgekd.bench.devices.examine import Observation

__all__ = ["DeviceReport", "Finding", "examine", "examine_device"]

_HOST = (
    ("train and distil", ("torch", "timm", "lightning", "safetensors"), "distill"),
    ("write the HTML report", ("jinja2",), "report"),
)
_LOWER = {
    "openvino": ("openvino", "nncf"),
    "tflite": ("litert_torch", "ai_edge_quantizer"),
    "tensorrt": ("onnx", "onnxscript", "onnxruntime"),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
}
_RUN = {
    "openvino": ("openvino",),
    "tflite": ("ai_edge_litert.interpreter",),
    "tensorrt": ("tensorrt",),
    "onnx": ("onnxruntime",),
}


@dataclass(frozen=True)
class Finding:
    """One ability of this machine.

    Attributes:
        ability: What it is, as "…" in "this machine can …".
        works: Whether every package for it imports.
        needed: Whether the target cannot do without it on this machine.
        detail: Versions, or what fails and how to get it.
        package: The first package that fails, or "".
        extra: The extra that brings it.
    """

    ability: str
    works: bool
    needed: bool
    detail: str
    package: str
    extra: str


@dataclass(frozen=True)
class DeviceReport:
    """What was seen of a device.

    Attributes:
        device: Its name in devices.toml.
        kind: How it is reached.
        target: The target whose bundles run there.
        observations: What was looked at.
        facts: What the observations come from.
    """

    device: str
    kind: str
    target: str
    observations: list[Observation]
    facts: dict[str, Any]


def examine_device(name: str, wheelhouse: Path | None = None) -> DeviceReport:
    """Look at a device of devices.toml.

    Args:
        name: Its section.
        wheelhouse: Wheels that would be given for what it lacks, or None.

    Raises:
        InputError: There is no such section, or the file is wrong.
        DeviceUnreachableError: It does not answer.
        DeviceLacksError: It has no Python that can run edgekd.
    """
    from edgekd.bench.devices import is_any_computer
    from edgekd.bench.devices.config import AdbConfig, find_configured, how_to_add
    from edgekd.bench.devices.examine import examine_board, examine_phone
    from edgekd.bench.devices.open import transport_of
    from edgekd.errors import InputError

    found = find_configured(name)
    if found is None and is_any_computer(name):
        raise InputError(
            f"{name} is this machine", f"look at it with: edgekd doctor --target {name}"
        )
    if found is None:
        raise InputError(f"there is no device {name!r} in any devices.toml", how_to_add(name))
    config, link = found.config, transport_of(found)
    try:
        seen: list[Observation] = []
        facts: dict[str, Any] = {}
        program = config.benchmark_model if isinstance(config, AdbConfig) else None
        if isinstance(config, AdbConfig) and (program is not None or config.python is None):
            seen, facts = examine_phone(link, program, here=config.push)
        if config.python is not None:
            own, more = examine_board(link, config.python, config.folder, found.target, wheelhouse)
            seen, facts = [*seen, *own], facts | more
    finally:
        link.close()
    return DeviceReport(name, found.kind, found.target, seen, facts)


def examine(targets: Sequence[Target]) -> list[Finding]:
    """Import what each ability needs, each in a fresh process: a crash there is a finding here."""
    found = [_try(ability, modules, extra, needed=False) for ability, modules, extra in _HOST]
    for target in targets:
        lower, run = _LOWER.get(target.backend, ()), _RUN.get(target.backend, ())
        found.append(_try(f"lower for {target.name}", lower, "lower", needed=False))
        # A host without TensorRT still builds and checks a jetson bundle.
        needed = target.backend != "tensorrt"
        found.append(_try(f"run {target.name} bundles", run, target.extra, needed=needed))
    return found


def _try(ability: str, modules: Sequence[str], extra: str, *, needed: bool) -> Finding:
    versions = []
    for module in modules:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE.format(module=module)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            detail = f"{module} does not import ({said}); pip install 'edgekd[{extra}]'"
            return Finding(ability, False, needed, detail, module.split(".")[0], extra)
        versions.append(f"{module.split('.')[0]} {done.stdout.strip().splitlines()[-1]}")
    return Finding(ability, True, needed, ", ".join(versions), "", extra)


_PROBE = """
import importlib, importlib.metadata
from edgekd.runtime._telemetry import silence
silence()
importlib.import_module("{module}")
top = "{module}".split(".")[0]
names = importlib.metadata.packages_distributions().get(top, [top])
print(importlib.metadata.version(names[0]))
"""
