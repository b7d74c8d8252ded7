"""What this machine can do, found out by importing the packages in a process of their own.

And what a device of devices.toml can do, found out by asking it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.doctor.finding import Finding
from edgekd.doctor.jetson import examine_jetson
from edgekd.doctor.packages import Tried, try_modules, try_packages
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
    "onnx": ("onnxruntime",),
}


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
    """Import what each ability needs in another process: a crash there is a finding here."""
    wanted = [name for _, modules, _ in _HOST for name in modules]
    for target in targets:
        wanted += [*_LOWER.get(target.backend, ()), *_RUN.get(target.backend, ())]
    tried = try_modules(wanted)
    found = [
        try_packages(ability, modules, extra, needed=False, tried=tried)
        for ability, modules, extra in _HOST
    ]
    for target in targets:
        found += _examine_target(target, tried)
    return found


def _examine_target(target: Target, tried: Mapping[str, Tried]) -> list[Finding]:
    """What edgekd's own backends need is known; any other one has to show what it can."""
    if target.backend not in _LOWER:
        from edgekd.doctor.third_party import examine_third_party

        return examine_third_party(target)
    packages = _LOWER[target.backend]
    ability = f"lower for {target.name}"
    lower = try_packages(ability, packages, "lower", needed=False, tried=tried)
    return [lower, *_examine_run(target, tried)]


def _examine_run(target: Target, tried: Mapping[str, Tried]) -> list[Finding]:
    if target.backend == "tensorrt":
        return examine_jetson(target.name)
    packages = _RUN[target.backend]
    ability = f"run {target.name} bundles"
    return [try_packages(ability, packages, target.extra, needed=True, tried=tried)]
