"""`edgekd verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgekd.bundle import Bundle, SignatureState
from edgekd.cli.console import emit_json, say
from edgekd.cli.options import Json
from edgekd.cli.places import Reads

__all__ = ["verify"]


def verify(
    bundle: Annotated[Path, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")],
    backend: Annotated[
        str | None, typer.Option(help="Engine to use instead of the bundle's own.")
    ] = None,
    public_key: Annotated[
        Path | None,
        Reads.PUBLIC_KEY,
        typer.Option(help="Ed25519 key as PEM that the bundle must be signed with."),
    ] = None,
    json: Json = False,
) -> None:
    """Check a bundle's hashes and signature, and run its self-test vectors on this machine."""
    from edgekd.runtime import Classifier

    with Classifier.open(
        bundle, backend=backend, public_key=public_key, selftest=False
    ) as classifier:
        files, warnings = len(classifier.manifest.files), classifier.warnings
        report = classifier.selftest()
    for warning in warnings:
        say(f"warning: {warning}")
    signature = _signature(bundle, public_key)
    if json:
        facts: dict[str, object] = {
            "bundle": str(bundle),
            "files": files,
            "signature": signature,
            "warnings": warnings,
        }
        emit_json(facts | {"selftest": asdict(report)})
    report.require_pass(str(bundle))
    if not json:
        print(
            f"{bundle}: {files} files as hashed, {_SIGNATURE_TEXTS[signature]}, {report.images} "
            f"self-test vectors within {report.tolerance:.3g} (largest difference "
            f"{report.max_difference:.3g})"
        )


_SIGNATURE_TEXTS: dict[SignatureState, str] = {
    "none": "not signed",
    "not checked": "signed, which was not checked for want of --public-key",
    "verified": "signature verified",
}


def _signature(bundle: Path, public_key: Path | None) -> SignatureState:
    """State of a bundle's signature; one given a key has been verified with it already."""
    if public_key is not None:
        return "verified"
    with Bundle.open(bundle, verify=False) as opened:
        return opened.signature
