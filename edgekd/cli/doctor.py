"""`edgekd doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from edgekd.cli.console import emit_json
from edgekd.cli.options import Json
from edgekd.errors import MissingDependencyError

__all__ = ["doctor"]


def doctor(
    target: Annotated[str, typer.Option(help="A target, several with commas, or `all`.")] = "all",
    json: Json = False,
) -> None:
    """What this machine can train, lower and run, and what to install for the rest."""
    from edgekd.doctor import examine
    from edgekd.targets import resolve_targets

    findings = examine(resolve_targets(target))
    if json:
        emit_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "ok     " if finding.works else "missing"
            print(f"{mark} {finding.ability}: {finding.detail}")
    lacking = [finding for finding in findings if finding.needed and not finding.works]
    if target != "all" and lacking:
        first = lacking[0]
        raise MissingDependencyError(first.package, first.extra, first.ability)
