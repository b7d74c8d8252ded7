"""What this machine can do, and what a device of devices.toml can do.

Packages are imported, and extensions of third parties are run, in processes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.doctor.extensions import examine_extensions
from edgekd.doctor.finding import Finding
from edgekd.doctor.packages import ImportResult, import_modules, importable, try_packages
from edgekd.extensions.backends import BACKENDS, BackendDescriptor, backend_named
from edgekd.targets import Target

if TYPE_CHECKING:
    from edgekd.bench.devices.examine import Observation

__all__ = ["DeviceReport", "Finding", "examine", "examine_device", "examine_extensions"]

_HOST = (
    ("train and distil", ("torch", "timm", "lightning", "safetensors"), "distill"),
    ("write the HTML report", ("jinja2",), "report"),
)


@dataclass(frozen=True)
class DeviceReport:
    """Result of examining a device.

    Attributes:
        device: Its name in devices.toml.
        kind: How it is reached.
        target: The target whose bundles run there.
        observations: One for each thing that was examined.
        facts: The readings that the observations come from.
    """

    device: str
    kind: str
    target: str
    observations: list[Observation]
    facts: dict[str, Any]


def examine_device(name: str, wheelhouse: Path | None = None) -> DeviceReport:
    """Examine a device of devices.toml.

    Args:
        name: Name of its section.
        wheelhouse: Folder of wheels that could be installed there, or None.

    Raises:
        InputError: There is no such section, or the file is wrong.
        DeviceUnreachableError: The device does not answer.
        DeviceLacksError: The device has no Python that can run edgekd.
    """
    from edgekd.bench.devices import find_device
    from edgekd.bench.devices.config import AdbConfig, find_configured, how_to_add
    from edgekd.bench.devices.examine import examine_board, examine_phone
    from edgekd.bench.devices.open import transport_of
    from edgekd.errors import InputError

    configured = find_configured(name)
    if configured is None and find_device(name) is not None:
        raise InputError(
            f"{name} is this machine", f"look at it with: edgekd doctor --target {name}"
        )
    if configured is None:
        raise InputError(f"there is no device {name!r} in any devices.toml", how_to_add(name))
    config, link = configured.config, transport_of(configured)
    try:
        seen: list[Observation] = []
        facts: dict[str, Any] = {}
        program = config.benchmark_model if isinstance(config, AdbConfig) else None
        if isinstance(config, AdbConfig) and (program is not None or config.python is None):
            seen, facts = examine_phone(link, program, is_local=config.push)
        if config.python is not None:
            target = configured.target
            board, more = examine_board(link, config.python, config.folder, target, wheelhouse)
            seen, facts = [*seen, *board], facts | more
    finally:
        link.close()
    return DeviceReport(name, configured.kind, configured.target, seen, facts)


def examine(targets: Sequence[Target]) -> list[Finding]:
    """Whether this machine can train, lower for the targets, and run their bundles.

    Imports and trials are done in other processes, so that a crash is a finding.
    """
    backends = {target.backend: _own_backend(target.backend) for target in targets}
    modules = [name for _, needed, _ in _HOST for name in needed]
    for backend in backends.values():
        if backend is not None:
            modules += [*backend.tools, *(() if backend.diagnosis else importable(backend.engine))]
    results = import_modules(modules)
    findings = [
        try_packages(ability, needed, extra, needed=False, results=results)
        for ability, needed, extra in _HOST
    ]
    for target in targets:
        backend = backends[target.backend]
        if backend is None:
            from edgekd.doctor.third_party import examine_third_party

            findings += examine_third_party(target)
        else:
            findings += _examine_own(target, backend, results)
    return findings


def _own_backend(name: str) -> BackendDescriptor | None:
    """The descriptor of one of edgekd's own backends; None for any other."""
    return backend_named(name) if name in BACKENDS.built_in else None


def _examine_own(
    target: Target, backend: BackendDescriptor, results: Mapping[str, ImportResult]
) -> list[Finding]:
    """Findings for one of edgekd's own backends, whose descriptor names what it needs."""
    ability = f"lower for {target.name}"
    lower = try_packages(ability, backend.tools, backend.tools_extra, needed=False, results=results)
    if backend.diagnosis:
        diagnose = BACKENDS.load_part(backend.name, "diagnosis", backend.diagnosis)
        return [lower, *diagnose(target.name)]
    ability = f"run {target.name} bundles"
    engine = importable(backend.engine)
    return [lower, try_packages(ability, engine, target.extra, needed=True, results=results)]
