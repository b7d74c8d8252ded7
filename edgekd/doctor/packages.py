"""Whether packages import, in another process: a crash there is a finding here.

All are imported in one process, since most of the time goes into modules that they share. One
that fails there, or ends the process, is tried once more alone before it is reported.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from edgekd.doctor.finding import Finding
from edgekd.extensions.backends import Requirement

__all__ = ["MARK", "ImportResult", "import_modules", "importable", "try_each", "try_packages"]

MARK = "edgekd-doctor: "
"""Prefix of the lines that hold a process's results, each the JSON of an `ImportResult`."""


@dataclass(frozen=True)
class ImportResult:
    """Result of one import.

    Attributes:
        version: Version of the package; "" where it does not import.
        failure: Why it does not import; "" where it does.
    """

    version: str = ""
    failure: str = ""


def import_modules(names: Sequence[str]) -> dict[str, ImportResult]:
    """Import modules, each of them once, in as few processes as it takes."""
    return try_each([sys.executable, "-c", _IMPORTS], names)


def try_each(command: Sequence[str], names: Sequence[str]) -> dict[str, ImportResult]:
    """Run a command that tries each of its arguments, in as few processes as it takes.

    Args:
        command: Writes one line that begins with `MARK` for each argument, in their order.
        names: The arguments.
    """
    results: dict[str, ImportResult] = {}
    waiting = list(dict.fromkeys(names))
    while waiting:
        answered, ending = _in_one_process(command, waiting)
        results |= answered
        waiting = waiting[len(answered) :]
        if waiting:  # the process died of the first name that it did not answer for
            results[waiting.pop(0)] = ImportResult(failure=ending)
    failed = [name for name, result in results.items() if result.failure]
    for name in failed if len(results) > 1 else []:
        results |= try_each(command, [name])
    return results


def importable(requirement: Requirement) -> tuple[str, ...]:
    """The module of a requirement to try: the first whose package is there, else the first."""
    there = [
        module
        for module, package in zip(requirement.modules, requirement.packages, strict=True)
        if find_spec(package) is not None
    ]
    return tuple(there[:1] or requirement.modules[:1])


def try_packages(
    ability: str,
    modules: Sequence[str],
    extra: str,
    *,
    needed: bool,
    results: Mapping[str, ImportResult] | None = None,
) -> Finding:
    """Whether this machine has an ability that needs modules.

    Args:
        ability: What they are for; see `Finding`.
        modules: All of them are needed.
        extra: The extra that installs them.
        needed: See `Finding`.
        results: Results of their imports; None imports them now.
    """
    results = import_modules(modules) if results is None else results
    for module in modules:
        if failure := results[module].failure:
            detail = f"{module} does not import ({failure}); pip install 'edgekd[{extra}]'"
            return Finding(ability, False, needed, detail, module.split(".")[0], extra)
    versions = (f"{module.split('.')[0]} {results[module].version}" for module in modules)
    return Finding(ability, True, needed, ", ".join(versions), "", extra)


def _in_one_process(
    command: Sequence[str], names: Sequence[str]
) -> tuple[dict[str, ImportResult], str]:
    """Results until the process ended, and its last line or exit code."""
    done = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
    lines = [line.removeprefix(MARK) for line in done.stdout.splitlines() if MARK in line]
    answered = {
        name: ImportResult(**json.loads(line)) for name, line in zip(names, lines, strict=False)
    }
    ending = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return answered, ending


_IMPORTS = f"""
import importlib, importlib.metadata, json, sys
from edgekd.runtime.telemetry import silence
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
        result = {{"version": version_of(name.split(".")[0])}}
    except BaseException as error:
        result = {{"failure": f"{{type(error).__name__}}: {{error}}".splitlines()[0]}}
    print("\\n{MARK}" + json.dumps(result), flush=True)
"""
