"""`edgekd verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import emit_json
from edgekd.cli.options import Json
from edgekd.errors import ArtefactError

__all__ = ["verify"]


def verify(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder or .edgekd file.")],
    backend: Annotated[
        str | None, typer.Option(help="Engine to use instead of the bundle's own.")
    ] = None,
    json: Json = False,
) -> None:
    """Check a bundle's hashes and run its self-test vectors on this machine."""
    from edgekd.runtime import Classifier

    with Classifier.open(bundle, backend=backend) as classifier:
        files = len(classifier.manifest.files)
        report = classifier.selftest()
    if json:
        emit_json({"bundle": str(bundle), "files": files, "selftest": asdict(report)})
    if not report.passed:
        message = (
            f"the self-test of {bundle} fails on this machine: a logit is off by "
            f"{report.max_difference:.3g}, more than {report.tolerance:.3g}"
        )
        raise ArtefactError(message, "do not use it here; report the machine and the engine")
    if not json:
        print(
            f"{bundle}: {files} files as hashed, {report.images} self-test vectors within "
            f"{report.tolerance:.3g} (largest difference {report.max_difference:.3g})"
        )
