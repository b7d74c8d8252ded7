"""DSSE against the example of its protocol, and what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from edgekd.bundle import generate_key
from edgekd.bundle.dsse import pre_authentication_encoding, read_envelope, seal
from edgekd.bundle.signature import load_private_key
from edgekd.errors import ArtefactError

pytest.importorskip("cryptography")
KIND = "application/vnd.in-toto+json"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        generate_key(home / f"{name}.pem", home / f"{name}.pub.pem")
    return home


@pytest.fixture
def envelope(keys: Path) -> bytes:
    return seal(KIND, b'{"a": "\xc3\xa9"}', load_private_key(keys / "key.pem"))


def changed(envelope: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(envelope) | fields).encode()


def test_encoding_is_that_of_the_protocol() -> None:
    """Its section "Test Vectors"; and lengths are of bytes, not letters."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == expected
    assert pre_authentication_encoding("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_what_is_sealed_is_verified(envelope: bytes, keys: Path) -> None:
    read = read_envelope(envelope)
    read.verify(keys / "key.pub.pem")
    assert (read.body, read.payload_type) == (b'{"a": "\xc3\xa9"}', KIND)
    assert set(json.loads(envelope)) == {"payload", "payloadType", "signatures"}


def test_base64_of_either_alphabet(envelope: bytes, keys: Path) -> None:
    document = json.loads(envelope)
    (signature,) = document["signatures"]
    raw = base64.b64decode(signature["sig"])
    signature["sig"] = base64.urlsafe_b64encode(raw).decode()
    read_envelope(changed(envelope, signatures=[signature])).verify(keys / "key.pub.pem")


def test_one_valid_signature_of_several_is_enough(envelope: bytes, keys: Path) -> None:
    (signature,) = json.loads(envelope)["signatures"]
    several = [{"sig": base64.b64encode(bytes(64)).decode()}, signature | {"keyid": "wrong"}]
    read_envelope(changed(envelope, signatures=several)).verify(keys / "key.pub.pem")


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": base64.b64encode(b'{"a": "e"}').decode()},
        {"payloadType": "application/json"},
        {"signatures": []},
        {"signatures": [{"sig": base64.b64encode(bytes(64)).decode()}]},
        {"signatures": [{"sig": ""}]},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_a_change_is_refused(fields: dict[str, object], envelope: bytes, keys: Path) -> None:
    with pytest.raises(ArtefactError, match="no signature of the provenance"):
        read_envelope(changed(envelope, **fields)).verify(keys / "key.pub.pem")


def test_another_key_is_refused(envelope: bytes, keys: Path) -> None:
    with pytest.raises(ArtefactError, match="no signature of the provenance"):
        read_envelope(envelope).verify(keys / "other.pub.pem")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not an envelope"),
        (b"[]", "not an envelope"),
        (b'{"payload": "", "payloadType": ""}', "not an envelope"),
        (b'{"payload": "*", "payloadType": "", "signatures": []}', "not base64"),
        (b'{"payload": "", "payloadType": "", "signatures": [{"sig": "\xc3\xa9"}]}', "not base64"),
    ],
)
def test_no_envelope(raw: bytes, words: str) -> None:
    with pytest.raises(ArtefactError, match=words):
        read_envelope(raw)
