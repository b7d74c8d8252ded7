"""Whether packages import, in another process: a crash there is a finding here.

All are imported in one process, since most of the time goes into what several of them share. One
that fails there, or ends the process, is tried once more alone before it is told of.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekd.doctor.finding import Finding

__all__ = ["Tried", "try_modules", "try_packages"]


@dataclass(frozen=True)
class Tried:
    """What came of an import.

    Attributes:
        version: Of the package; "" where it does not import.
        failure: Why it does not, or "".
    """

    version: str = ""
    failure: str = ""


def try_modules(names: Sequence[str]) -> dict[str, Tried]:
    """Import modules, each of them once, in as few processes as it takes."""
    found: dict[str, Tried] = {}
    waiting = list(dict.fromkeys(names))
    while waiting:
        seen, ending = _in_one_process(waiting)
        found |= seen
        waiting = waiting[len(seen) :]
        if waiting:  # the process died of the first that it did not come to an end with
            found[waiting.pop(0)] = Tried(failure=ending)
    failed = [name for name, tried in found.items() if tried.failure] if len(found) > 1 else []
    for name in failed:
        found |= try_modules([name])
    return found


def try_packages(
    ability: str,
    modules: Sequence[str],
    extra: str,
    *,
    needed: bool,
    tried: Mapping[str, Tried] | None = None,
) -> Finding:
    """What the modules are good for.

    Args:
        ability: What they are for; see `Finding`.
        modules: All of them are needed.
        extra: The extra that brings them.
        needed: See `Finding`.
        tried: What came of their imports; None tries them now.
    """
    tried = try_modules(modules) if tried is None else tried
    for module in modules:
        if failure := tried[module].failure:
            detail = f"{module} does not import ({failure}); pip install 'edgekd[{extra}]'"
            return Finding(ability, False, needed, detail, module.split(".")[0], extra)
    versions = (f"{module.split('.')[0]} {tried[module].version}" for module in modules)
    return Finding(ability, True, needed, ", ".join(versions), "", extra)


def _in_one_process(names: Sequence[str]) -> tuple[dict[str, Tried], str]:
    """What it said of each until it ended, and how it ended."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *names], capture_output=True, text=True, check=False
    )
    told = [line.removeprefix(_MARK) for line in done.stdout.splitlines() if _MARK in line]
    seen = {name: Tried(**json.loads(line)) for name, line in zip(names, told, strict=False)}
    ending = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return seen, ending


_MARK = "edgekd-doctor: "
_PROBE = f"""
import importlib, importlib.metadata, json, sys
from edgekd.runtime._telemetry import silence
silence()

def version_of(top):
    try:
        return importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        pass
    names = importlib.metadata.packages_distributions().get(top, [])
    if names:
        return importlib.metadata.version(names[0])
    return sys.modules[top].__version__  # one of the system's may not be of pip

for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        told = {{"version": version_of(name.split(".")[0])}}
    except BaseException as error:
        told = {{"failure": f"{{type(error).__name__}}: {{error}}".splitlines()[0]}}
    print("\\n{_MARK}" + json.dumps(told), flush=True)
"""
