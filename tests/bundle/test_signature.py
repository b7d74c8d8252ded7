"""Ed25519 over the manifest: what is not signed with the key is refused before it is believed."""

from __future__ import annotations

import base64
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgekd.bundle import (
    MANIFEST,
    SIGNATURE,
    Bundle,
    generate_key,
    sign_bundle,
    verify_signature,
    write_bundle,
    zip_bundle,
)
from edgekd.bundle.signature import load_private_key, load_public_key, sign_manifest
from edgekd.errors import ArtefactError, InputError

pytest.importorskip("cryptography")

# RFC 8032, section 7.1, TEST 3: secret key, public key, message, signature.
RFC_SECRET = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
RFC_PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
RFC_MESSAGE = bytes.fromhex("af82")
RFC_SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `key.pem`, `key.pub.pem`, `other.pem` and `other.pub.pem`."""
    home = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        generate_key(home / f"{name}.pem", home / f"{name}.pub.pem")
    return home


@pytest.fixture(params=["folder", "zipped"])
def signed(request: pytest.FixtureRequest, keys: Path) -> Path:
    path: Path = request.getfixturevalue(request.param)
    sign_bundle(path, keys / "key.pem")
    return path


def refused(source: Path | bytes, key: str | Path | bytes, words: str, verify: bool = True) -> None:
    with pytest.raises(ArtefactError, match=words) as caught:
        Bundle.open(source, public_key=key, verify=verify)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def openssl(*arguments: str | Path) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt install openssl")
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_vector_of_the_rfc() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(RFC_SECRET)
    text = sign_manifest(RFC_MESSAGE, key)
    assert base64.b64decode(text) == RFC_SIGNATURE
    verify_signature(RFC_MESSAGE, text, RFC_PUBLIC)
    with pytest.raises(ArtefactError, match="does not belong"):
        verify_signature(RFC_MESSAGE + b"\n", text, RFC_PUBLIC)


def test_signed_bundle_opens_with_the_key_in_each_form(signed: Path, keys: Path) -> None:
    path = keys / "key.pub.pem"
    raw = load_public_key(path).public_bytes_raw()
    for key in (path, str(path), path.read_bytes(), raw):
        with Bundle.open(signed, public_key=key) as bundle:
            assert bundle.signature == "verified"
    assert Bundle.open(signed).signature == "not checked"
    if signed.is_file():
        assert Bundle.open(signed.read_bytes(), public_key=raw).signature == "verified"


def test_signature_is_not_among_the_files(signed: Path) -> None:
    assert SIGNATURE not in Bundle.open(signed).manifest.files


def test_bundle_that_is_not_signed(folder: Path, keys: Path) -> None:
    refused(folder, keys / "key.pub.pem", "not signed: it has no manifest.sig")


def test_another_key(signed: Path, keys: Path) -> None:
    refused(signed, keys / "other.pub.pem", "does not belong to this manifest and this key")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"hello",
        b"*" * 88,
        base64.b64encode(bytes(63)),
        bytes(64),
        b"A" * 5000,
        b"*" + base64.b64encode(bytes(64)),
    ],
)
def test_malformed_signature(folder: Path, keys: Path, text: bytes) -> None:
    (folder / SIGNATURE).write_bytes(text)
    refused(folder, keys / "key.pub.pem", "not 64 bytes in base64")


def test_zero_signature(folder: Path, keys: Path) -> None:
    (folder / SIGNATURE).write_bytes(base64.b64encode(bytes(64)))
    refused(folder, keys / "key.pub.pem", "does not belong")


def test_signature_is_checked_before_the_manifest_is_decoded(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem")
    (folder / MANIFEST).write_bytes(b"not even JSON")
    refused(folder, keys / "key.pub.pem", "does not belong")


def test_every_byte_of_the_manifest_counts(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem")
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes() + b"\n")
    Bundle.open(folder).close()
    refused(folder, keys / "key.pub.pem", "does not belong")


def test_hashes_are_checked_with_a_key_whatever_was_asked(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem")
    (folder / "model.bin").write_bytes(bytes(2048))
    Bundle.open(folder, verify=False).close()
    refused(folder, keys / "key.pub.pem", "model.bin does not have the hash", verify=False)


def test_signature_may_not_be_a_link(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem")
    (folder / SIGNATURE).rename(folder.parent / "elsewhere")
    (folder / SIGNATURE).symlink_to(folder.parent / "elsewhere")
    refused(folder, keys / "key.pub.pem", "not signed")


def test_damaged_bundle_is_not_signed(folder: Path, keys: Path) -> None:
    (folder / "model.bin").write_bytes(bytes(2048))
    with pytest.raises(ArtefactError, match="hash"):
        sign_bundle(folder, keys / "key.pem")
    assert not (folder / SIGNATURE).exists()


def test_zip_of_the_signed_is_the_signed_zip(folder: Path, zipped: Path, keys: Path) -> None:
    sign_bundle(zipped, keys / "key.pem")
    once = zipped.read_bytes()
    sign_bundle(zipped, keys / "key.pem")
    assert zipped.read_bytes() == once
    sign_bundle(folder, keys / "key.pem")
    zip_bundle(folder, folder.parent / "again.edgekd")
    assert (folder.parent / "again.edgekd").read_bytes() == once


def test_signing_again_replaces_the_signature(signed: Path, keys: Path) -> None:
    sign_bundle(signed, keys / "other.pem")
    Bundle.open(signed, public_key=keys / "other.pub.pem").close()
    refused(signed, keys / "key.pub.pem", "does not belong")


def test_writing_anew_leaves_no_stale_signature(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem")
    with Bundle.open(folder) as bundle:
        files = {name: bundle.read(name) for name in bundle.manifest.files}
        write_bundle(folder, bundle.manifest, files)
    assert Bundle.open(folder).signature == "none"


def test_openssl_verifies_the_signature(folder: Path, keys: Path, tmp_path: Path) -> None:
    sign_bundle(folder, keys / "key.pem")
    raw = tmp_path / "raw.sig"
    raw.write_bytes(base64.b64decode((folder / SIGNATURE).read_bytes()))
    arguments = ["-inkey", keys / "key.pub.pem", "-in", folder / MANIFEST, "-sigfile", raw]
    said = openssl("pkeyutl", "-verify", "-rawin", "-pubin", *arguments)
    assert "Verified Successfully" in said


def test_keys_of_openssl_are_read(folder: Path, tmp_path: Path) -> None:
    key, public = tmp_path / "own.pem", tmp_path / "own.pub.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    sign_bundle(folder, key)
    assert Bundle.open(folder, public_key=public).signature == "verified"


def test_new_keys_are_private_and_never_overwritten(tmp_path: Path) -> None:
    private, public = tmp_path / "made" / "key.pem", tmp_path / "made" / "key.pub.pem"
    generate_key(private, public)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    before = private.read_bytes(), public.read_bytes()
    with pytest.raises(InputError, match=r"key\.pem is there already"):
        generate_key(private, public)
    with pytest.raises(InputError, match=r"key\.pub\.pem is there already"):
        generate_key(tmp_path / "new.pem", public)
    assert not (tmp_path / "new.pem").exists()
    assert (private.read_bytes(), public.read_bytes()) == before


def test_new_keys_differ(keys: Path) -> None:
    assert (keys / "key.pub.pem").read_bytes() != (keys / "other.pub.pem").read_bytes()


def test_encrypted_key(folder: Path, tmp_path: Path, keys: Path) -> None:
    private, public = tmp_path / "locked.pem", tmp_path / "locked.pub.pem"
    generate_key(private, public, passphrase=b"a secret")
    assert b"ENCRYPTED" in private.read_bytes()
    sign_bundle(folder, private, passphrase=b"a secret")
    assert Bundle.open(folder, public_key=public).signature == "verified"
    with pytest.raises(InputError, match="is encrypted"):
        load_private_key(private)
    with pytest.raises(InputError, match="the passphrase is wrong"):
        load_private_key(private, b"another")
    with pytest.raises(InputError, match="has no passphrase"):
        load_private_key(keys / "key.pem", b"a secret")


def test_key_of_another_kind(folder: Path, tmp_path: Path) -> None:
    key, public = tmp_path / "rsa.pem", tmp_path / "rsa.pub.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    with pytest.raises(InputError, match=r"rsa\.pem is not an Ed25519 key"):
        sign_bundle(folder, key)
    with pytest.raises(InputError, match=r"rsa\.pub\.pem is not an Ed25519 key"):
        Bundle.open(folder, public_key=public)


def test_what_is_no_key(folder: Path, tmp_path: Path, keys: Path) -> None:
    (tmp_path / "text").write_bytes(b"hello")
    for wrong in (tmp_path / "text", keys / "key.pem", b"", b"x" * 31, b"x" * 33):
        with pytest.raises(InputError, match="is not a public key in PEM"):
            Bundle.open(folder, public_key=wrong)
    for wrong in (tmp_path / "text", keys / "key.pub.pem"):
        with pytest.raises(InputError, match="is not a private key in PEM"):
            sign_bundle(folder, wrong)
    for wrong in (tmp_path / "absent", tmp_path, "nul\x00byte"):
        with pytest.raises(InputError, match="cannot read the key"):
            Bundle.open(folder, public_key=wrong)


def test_key_is_looked_at_before_the_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the key"):
        Bundle.open(tmp_path / "no bundle", public_key=tmp_path / "no key")


BLOCKED = """
import sys
sys.modules["cryptography"] = None
from pathlib import Path
from edgekd.bundle import Bundle, generate_key, sign_bundle
from edgekd.errors import MissingDependencyError
bundle, key = map(Path, sys.argv[1:])
assert Bundle.open(bundle).signature == "not checked"
for work in (
    lambda: Bundle.open(bundle, public_key=key),
    lambda: sign_bundle(bundle, key),
    lambda: generate_key(key.with_name("a"), key.with_name("b")),
):
    try:
        work()
    except MissingDependencyError as error:
        assert error.hint == "pip install 'edgekd[signature]'"
        continue
    raise SystemExit("no error")
"""


def test_without_cryptography_only_signatures_are_missing(signed: Path, keys: Path) -> None:
    command = [sys.executable, "-c", BLOCKED, signed, keys / "key.pub.pem"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
