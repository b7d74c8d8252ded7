"""`edgekd doctor`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json
from edgekd.cli.options import Json
from edgekd.cli.places import Reads
from edgekd.errors import DeviceUnreachableError, EdgekdError, MissingDependencyError

if TYPE_CHECKING:
    from edgekd.doctor import Finding

__all__ = ["doctor"]


def doctor(
    target: Annotated[str, typer.Option(help="A target, several with commas, or `all`.")] = "all",
    device: Annotated[
        str | None, typer.Option(help="Examine this device of devices.toml instead.")
    ] = None,
    wheelhouse: Annotated[
        Path | None,
        Reads.WHEELHOUSE,
        typer.Option(help="With --device: folder of wheels that could be installed there."),
    ] = None,
    json: Json = False,
) -> None:
    """What this machine or a device can train, lower and run; third parties' extensions."""
    if device is not None:
        _device(device, wheelhouse, json)
        return
    from edgekd.doctor import examine, examine_extensions
    from edgekd.targets import resolve_targets

    # A third-party target that does not load is listed as an extension, too.
    findings = [*examine(resolve_targets(target, {})), *examine_extensions()]
    if json:
        emit_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _line(_mark(finding), finding.ability, finding.detail)
    lacking = [finding for finding in findings if finding.needed and not finding.works]
    if target != "all" and lacking:
        raise _refusal(lacking[0])


def _mark(finding: Finding) -> str:
    if finding.works:
        return "ok"
    return "missing" if finding.package or finding.needed else "note"


def _refusal(finding: Finding) -> EdgekdError:
    """The error for a finding; its exit code is for scripts."""
    if finding.package:
        if finding.extra:
            return MissingDependencyError(finding.package, finding.extra, finding.ability)
        message = f"this machine cannot {finding.ability}"
        return MissingDependencyError(
            finding.package, "", finding.ability, message=message, hint=finding.detail
        )
    return DeviceUnreachableError(f"this machine cannot {finding.ability}", finding.detail)


def _device(name: str, wheelhouse: Path | None, json: bool) -> None:
    from edgekd.bench.devices.probe import DeviceLacksError
    from edgekd.doctor import examine_device

    try:
        report = examine_device(name, wheelhouse)
    except DeviceUnreachableError as error:
        if json:
            emit_json({"device": name, "reachable": False, "why": error.message})
        raise
    if json:
        emit_json({**asdict(report), "reachable": True})
    else:
        for seen in report.observations:
            mark = "ok" if seen.works else "missing" if seen.needed else "note"
            _line(mark, seen.subject, seen.detail)
    for seen in report.observations:
        if seen.needed and not seen.works:
            message = f"nothing can be measured on {name} yet: {seen.subject}"
            raise DeviceLacksError(message, seen.detail, seen.subject)


def _line(mark: str, subject: str, detail: str) -> None:
    print(f"{mark:7} {subject}: {detail}")
