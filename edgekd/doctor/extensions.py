"""The extensions of third parties: which there are, of which version, and whether they load.

They are loaded in another process, `python -m edgekd.doctor.extensions KIND/NAME …`, so that one
that crashes is a finding.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module

from edgekd.doctor.finding import Finding
from edgekd.doctor.packages import MARK, ImportResult, try_each
from edgekd.errors import EdgekdError
from edgekd.extensions.backends import BACKENDS
from edgekd.extensions.methods import METHODS
from edgekd.extensions.registry import Registry
from edgekd.extensions.sources import SOURCES
from edgekd.extensions.tasks import LAYERS, TASKS, Layer
from edgekd.policy import POLICIES
from edgekd.targets import TARGETS

__all__ = ["examine_extensions"]

_MODULE = "edgekd.doctor.extensions"  # this one; __name__ is __main__ in the other process
_LAYER_KINDS: Mapping[Layer, str] = {
    "data": "edgekd.data.task:DataTask",
    "training": "edgekd.distill.task:TrainingTask",
    "metrics": "edgekd.metrics.task:MetricsTask",
    "manifest": "edgekd.bundle.task:ManifestTask",
    "device": "edgekd.runtime.task:DeviceTask",
    "evidence": "edgekd.lower.task:EvidenceTask",
    "report": "edgekd.bench.task:ReportTask",
}
"""The abstract class of each layer of a task."""


def examine_extensions() -> list[Finding]:
    """One finding for each extension of a third party, by kind and name."""
    owners = {
        f"{registry.kind}/{name}": owner
        for registry, _ in _KINDS
        for name, owner in registry.owners().items()
    }
    if not owners:
        return []
    results = try_each([sys.executable, "-m", _MODULE], list(owners))
    return [_finding(key, owner, results[key]) for key, owner in owners.items()]


def _finding(key: str, owner: str, result: ImportResult) -> Finding:
    kind, _, name = key.partition("/")
    ability = f"use the {kind} {name}"
    if result.failure:
        return Finding(ability, False, False, result.failure, owner.split()[0])
    return Finding(ability, True, False, f"of {owner}")


def _load_task(name: str) -> None:
    from edgekd.extensions.tasks import load_layer

    for layer in LAYERS:
        module, attribute = _LAYER_KINDS[layer].split(":")
        load_layer(name, layer, getattr(import_module(module), attribute))


def _load_backend(name: str) -> None:
    from edgekd.lower.backends import get_backend
    from edgekd.runtime.sessions import check_backend

    get_backend(name)
    check_backend(name)


def _load_method(name: str) -> None:
    from edgekd.distill.methods import load_method

    load_method(name)


def _load_source(name: str) -> None:
    from edgekd.data.sources import load_source

    load_source(name)


def _load_target(name: str) -> None:
    from edgekd.targets import load_target

    load_target(name)


def _load_policy(name: str) -> None:
    from edgekd.policy import load_policy

    load_policy(name)


_KINDS: tuple[tuple[Registry, Callable[[str], None]], ...] = (
    (TASKS, _load_task),
    (BACKENDS, _load_backend),
    (TARGETS, _load_target),
    (POLICIES, _load_policy),
    (SOURCES, _load_source),
    (METHODS, _load_method),
)
"""Every kind of extension, and what loads one."""


def _failure(key: str) -> str:
    """Why an extension does not load, in one line; empty where it does."""
    kind, _, name = key.partition("/")
    load = next(load for registry, load in _KINDS if registry.kind == kind)
    try:
        load(name)
    except EdgekdError as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
    except BaseException as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(f"\n{MARK}{json.dumps({'failure': _failure(argument)})}", flush=True)
