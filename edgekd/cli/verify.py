"""`edgekd verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgekd.bundle import Bundle, SignatureState
from edgekd.bundle.provenance import ProvenanceState, check_provenance
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
    """Check a bundle's hashes, signature and provenance, and run its self-test vectors here."""
    from edgekd.runtime import Classifier

    with Classifier.open(
        bundle, backend=backend, public_key=public_key, selftest=False
    ) as classifier:
        files, warnings = len(classifier.manifest.files), classifier.warnings
        report = classifier.selftest()
    for warning in warnings:
        say(f"warning: {warning}")
    with Bundle.open(bundle, public_key=public_key, verify=False) as opened:
        signature, provenance = opened.signature, check_provenance(opened, public_key)
    if json:
        facts: dict[str, object] = {
            "bundle": str(bundle),
            "files": files,
            "signature": signature,
            "provenance": provenance,
            "warnings": warnings,
        }
        emit_json(facts | {"selftest": asdict(report)})
    report.require_pass(str(bundle))
    if not json:
        print(
            f"{bundle}: {files} files as hashed, {_SIGNATURE_TEXTS[signature]}, "
            f"{_PROVENANCE_TEXTS[provenance]}{report.images} self-test vectors within "
            f"{report.tolerance:.3g} (largest difference {report.max_difference:.3g})"
        )


_SIGNATURE_TEXTS: dict[SignatureState, str] = {
    "none": "not signed",
    "not checked": "signed, which was not checked for want of --public-key",
    "verified": "signature verified",
}
_PROVENANCE_TEXTS: dict[ProvenanceState, str] = {
    "none": "",
    "not checked": "its provenance names them, whose signature was not checked, ",
    "verified": "provenance verified, ",
}
