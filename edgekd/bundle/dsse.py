"""Signed envelopes, DSSE v1.0.2: a payload with its type and Ed25519 signatures over both.

Sources: the DSSE protocol and envelope (secure-systems-lab), RFC 8032 for the signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

import msgspec

from edgekd.bundle.signature import PublicKey, load_public_key
from edgekd.errors import ArtefactError
from edgekd.files import pretty_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

__all__ = ["Envelope", "pre_authentication_encoding", "read_envelope", "seal"]


class EnvelopeSignature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature; `keyid` is a hint that no decision may rest on."""

    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An envelope as its JSON has it: payload and signatures in base64."""

    payload: str
    payload_type: str
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def body(self) -> bytes:
        """The payload's bytes."""
        return _decoded(self.payload)

    def verify(self, public_key: PublicKey) -> None:
        """Refuse an envelope that the owner of the key did not sign.

        Raises:
            ArtefactError: No signature is of this key, payload and type.
            InputError: The key cannot be read, or is not an Ed25519 key.
            MissingDependencyError: `cryptography` is not installed.
        """
        key = load_public_key(public_key)
        message = pre_authentication_encoding(self.payload_type, self.body)
        if not any(_is_valid(key, _decoded(each.sig), message) for each in self.signatures):
            problem = "no signature of the provenance belongs to its statement and this key"
            raise ArtefactError(problem, "do not rely on it; take it from who signs the bundle")


def pre_authentication_encoding(payload_type: str, body: bytes) -> bytes:
    """The bytes that are signed: PAE of the DSSE protocol, section "Signature Definition"."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def seal(payload_type: str, body: bytes, key: Ed25519PrivateKey) -> bytes:
    """The JSON of an envelope; it is deterministic, as Ed25519 is."""
    signature = key.sign(pre_authentication_encoding(payload_type, body))
    return pretty_json(
        Envelope(
            payload=base64.b64encode(body).decode(),
            payload_type=payload_type,
            signatures=(
                EnvelopeSignature(
                    sig=base64.b64encode(signature).decode(), keyid=_key_id(key.public_key())
                ),
            ),
        )
    )


def read_envelope(raw: bytes) -> Envelope:
    """The envelope of its JSON; unknown fields are ignored.

    Raises:
        ArtefactError: It is none, or something in it is not base64.
    """
    try:
        envelope = msgspec.json.decode(raw, type=Envelope)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        message = f"the provenance is not an envelope of DSSE: {error}"
        raise ArtefactError(message, _AGAIN) from error
    for text in (envelope.payload, *(each.sig for each in envelope.signatures)):
        _decoded(text)
    return envelope


_AGAIN = "copy the bundle again, or have it signed again"


def _decoded(text: str) -> bytes:
    """Base64 of either alphabet, as the protocol demands."""
    try:
        return base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except (binascii.Error, ValueError):
        raise ArtefactError("the provenance has a part that is not base64", _AGAIN) from None


def _is_valid(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _key_id(key: Ed25519PublicKey) -> str:
    """Hex SHA-256 of the public key (SubjectPublicKeyInfo)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()
