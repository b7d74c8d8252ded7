"""The signature of a bundle: Ed25519 (RFC 8032) over the exact bytes of `manifest.json`.

The manifest has the SHA-256 of every other file, so that its signature covers them all. The
signature is stored beside the manifest as `manifest.sig`, its 64 bytes in base64. OpenSSL can
verify it too:

    base64 -d manifest.sig > raw.sig
    openssl pkeyutl -verify -rawin -pubin -inkey key.pub.pem -in manifest.json -sigfile raw.sig
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.files import make_folder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

__all__ = [
    "SIGNATURE",
    "PublicKey",
    "generate_key",
    "load_private_key",
    "load_public_key",
    "sign_manifest",
    "verify_signature",
]

SIGNATURE = "manifest.sig"
MAX_KEY_BYTES = 64 << 10
_RAW_KEY_BYTES, _SIGNATURE_BYTES = 32, 64

PublicKey = str | Path | bytes
"""A PEM file's path, the bytes of one, or the 32 raw bytes of the key."""


def sign_manifest(manifest_bytes: bytes, key: Ed25519PrivateKey) -> bytes:
    """The text of `manifest.sig`; it is deterministic, since Ed25519 draws no random numbers.

    Source: RFC 8032, section 5.1.6 (pure Ed25519, no context).
    """
    return base64.b64encode(key.sign(manifest_bytes)) + b"\n"


def verify_signature(
    manifest_bytes: bytes, signature_text: bytes | None, public_key: PublicKey
) -> None:
    """Refuse a manifest that the owner of the key did not sign.

    Args:
        manifest_bytes: `manifest.json` as it stands in the bundle.
        signature_text: `manifest.sig` as it stands there; None where there is none.
        public_key: The key that the caller trusts.

    Raises:
        ArtefactError: The signature is missing, malformed or not of this key and manifest.
        InputError: The key cannot be read, or is not an Ed25519 key.
        MissingDependencyError: `cryptography` is not installed.

    Source: RFC 8032, section 5.1.7.
    """
    key = load_public_key(public_key)
    from cryptography.exceptions import InvalidSignature

    if signature_text is None:
        message = f"the bundle is not signed: it has no {SIGNATURE}"
        raise ArtefactError(message, "sign it with `edgekd sign`, or take it from who signs it")
    try:
        key.verify(_decoded(signature_text), manifest_bytes)
    except InvalidSignature as error:
        message = "the signature does not belong to this manifest and this key"
        raise ArtefactError(message, "do not use the bundle; take it from who signs it") from error


def load_public_key(source: PublicKey) -> Ed25519PublicKey:
    """The Ed25519 key of a PEM file (SubjectPublicKeyInfo), of its bytes, or of 32 raw bytes.

    Raises:
        InputError: It cannot be read, or is not an Ed25519 key.
        MissingDependencyError: `cryptography` is not installed.
    """
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    _refuse_other_types(source)
    raw = source if isinstance(source, bytes) else _read_key(Path(source))
    label = "the public key" if isinstance(source, bytes) else f"the public key {source}"
    if len(raw) == _RAW_KEY_BYTES:
        return Ed25519PublicKey.from_public_bytes(raw)
    try:
        key = load_pem_public_key(raw)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        message = f"{label} is not a public key in PEM"
        raise InputError(message, "give the .pub.pem that `edgekd sign --new-key` wrote") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _wrong_kind(label)
    return key


def load_private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """The Ed25519 key of a PEM file (PKCS#8), encrypted or not.

    Raises:
        InputError: It cannot be read, the passphrase is wrong, or it is not an Ed25519 key.
        MissingDependencyError: `cryptography` is not installed.
    """
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    raw, label = _read_key(path), f"the private key {path}"
    try:
        key = load_pem_private_key(raw, passphrase)
    except TypeError as error:
        fault = "is encrypted" if passphrase is None else "has no passphrase"
        hint = "give --passphrase-env" if passphrase is None else "leave --passphrase-env out"
        raise InputError(f"{label} {fault}", hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        what = "PEM" if passphrase is None else "PEM, or the passphrase is wrong"
        hint = "give the file that `edgekd sign --new-key` or `openssl genpkey` wrote"
        raise InputError(f"{label} is not a private key in {what}", hint) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _wrong_kind(label)
    return key


def generate_key(private: Path, public: Path, *, passphrase: bytes | None = None) -> None:
    """Make a new key: two PEM files, of which only `public` may be published.

    Args:
        private: PKCS#8, readable by its owner alone.
        public: SubjectPublicKeyInfo.
        passphrase: Encrypts the private key.

    Raises:
        InputError: One of the files is there already, or cannot be written.
        MissingDependencyError: `cryptography` is not installed.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    locked = pem.BestAvailableEncryption(passphrase) if passphrase else pem.NoEncryption()
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, locked)
    shown = key.public_key().public_bytes(
        pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    _write_new(private, secret, 0o600)
    try:
        _write_new(public, shown, 0o644)
    except BaseException:
        private.unlink()
        raise


def _decoded(signature_text: bytes) -> bytes:
    try:
        signature = base64.b64decode(signature_text.strip(), validate=True)
    except binascii.Error:
        signature = b""
    if len(signature) != _SIGNATURE_BYTES:
        message = f"{SIGNATURE} is not {_SIGNATURE_BYTES} bytes in base64"
        raise ArtefactError(message, "copy the bundle again, or have it signed again")
    return signature


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_KEY_BYTES)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read the key {path}: {why}", "give the path of a PEM") from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Create a file that must not exist yet, with its permissions set from the start."""
    make_folder(path.parent)
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(number, "wb") as stream:
            stream.write(content)
    except FileExistsError as error:
        message = f"{path} is there already; a key is never overwritten"
        raise InputError(message, "choose another name") from error
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise InputError(message, "choose another place for the key") from error


def _refuse_other_types(source: object) -> None:
    """Refuse a source of the wrong type, for callers that use no type checker."""
    if not isinstance(source, str | os.PathLike | bytes):
        message = f"a public key cannot be read from a {type(source).__name__}"
        raise InputError(message, "give the path of a PEM, its bytes, or the key's 32 bytes")


def _wrong_kind(label: str) -> InputError:
    return InputError(f"{label} is not an Ed25519 key", "make one with `edgekd sign --new-key`")


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        purpose = "sign a bundle or verify its signature"
        raise MissingDependencyError("cryptography", "signature", purpose) from error
