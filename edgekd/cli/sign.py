"""`edgekd sign`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.places import Reads, Writes
from edgekd.errors import InputError

__all__ = ["sign"]


def sign(
    bundle: Annotated[
        Path | None, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")
    ] = None,
    key: Annotated[
        Path | None,
        Reads.PRIVATE_KEY,
        typer.Option(help="Private Ed25519 key as PEM, to sign the bundle with."),
    ] = None,
    new_key: Annotated[
        Path | None,
        Writes.NEW_FILE,
        typer.Option(help="Make a new key here instead; its public half stands beside it."),
    ] = None,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance",
            help="Add a signed statement of how the bundle was built: in-toto, with SLSA's "
            "predicate, in provenance.json.",
        ),
    ] = False,
    builder: Annotated[
        str | None,
        typer.Option(metavar="URI", help="With --provenance: the build platform to vouch for."),
    ] = None,
    passphrase_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Environment variable with the private key's passphrase."
        ),
    ] = None,
) -> None:
    """Sign a bundle, so that a device can tell whose it is; or make a key for it."""
    from edgekd.bundle import generate_key, sign_bundle

    passphrase = _passphrase(passphrase_env)
    if builder is not None and not provenance:
        raise InputError("--builder is for --provenance", "give both, or leave --builder out")
    if new_key is not None and bundle is None and key is None:
        public = new_key.with_name(f"{new_key.name.removesuffix('.pem')}.pub.pem")
        generate_key(new_key, public, passphrase=passphrase)
        print(f"{new_key}: private, keep it to yourself\n{public}: public, for the devices")
    elif new_key is None and bundle is not None and key is not None:
        sign_bundle(bundle, key, passphrase=passphrase, provenance=provenance, builder=builder)
        print(f"{bundle}: signed with {key}")
    else:
        message = "give either a bundle and its --key, or --new-key alone"
        raise InputError(message, "edgekd sign BUNDLE --key key.pem")


def _passphrase(variable: str | None) -> bytes | None:
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        message = f"the environment variable {variable} is not set, or empty"
        raise InputError(message, f"export {variable} before the command")
    return os.fsencode(value)
