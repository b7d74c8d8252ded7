"""`edgekd sign` and what `edgekd verify` says of a signature."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest
from manifests import make_manifest
from tiny_bundles import write_tiny_bundle

from edgekd.bundle import SIGNATURE, Bundle, write_bundle
from edgekd.bundle.reader import PROVENANCE
from edgekd.cli import main

pytest.importorskip("cryptography")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    assert main(["sign", "--new-key", str(path)]) == 0
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    write_bundle(path, make_manifest(), {"model.onnx": b"weights"})
    return path


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, word: str) -> None:
    capsys.readouterr()
    assert main(arguments) == code
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 2
    assert word in said.err
    assert said.out == ""


def test_new_key_has_its_public_half_beside_it(key: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PUBLIC KEY" in (tmp_path / "key.pub.pem").read_bytes()


def test_signs(bundle: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["sign", str(bundle), "--key", str(key)]) == 0
    assert "signed" in capsys.readouterr().out
    assert Bundle.open(bundle, public_key=tmp_path / "key.pub.pem").signature == "verified"


def test_passphrase_comes_from_the_environment(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SIGNING_SECRET", "geheim, à toi")
    locked = str(tmp_path / "locked.pem")
    assert main(["sign", "--new-key", locked, "--passphrase-env", "SIGNING_SECRET"]) == 0
    refused(capsys, ["sign", str(bundle), "--key", locked], 2, "--passphrase-env")
    arguments = ["sign", str(bundle), "--key", locked, "--passphrase-env"]
    assert main([*arguments, "SIGNING_SECRET"]) == 0
    assert Bundle.open(bundle, public_key=tmp_path / "locked.pub.pem").signature == "verified"
    monkeypatch.setenv("SIGNING_SECRET", "another")
    refused(capsys, [*arguments, "SIGNING_SECRET"], 2, "passphrase is wrong")
    refused(capsys, [*arguments, "NOT_SET_ANYWHERE"], 2, "NOT_SET_ANYWHERE is not set")


@pytest.mark.parametrize(
    "arguments", [[], ["BUNDLE"], ["--key", "k"], ["BUNDLE", "--new-key", "k"]]
)
def test_half_a_command(
    arguments: list[str], bundle: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = "--new-key" in arguments
    places = {"BUNDLE": str(bundle), "k": str(key.with_name("new.pem") if new else key)}
    words = [places.get(word, word) for word in arguments]
    refused(capsys, ["sign", *words], 2, "give either a bundle and its --key")


def test_mistakes(
    bundle: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = str(tmp_path / "nothing")
    refused(capsys, ["sign", nothing, "--key", str(key)], 2, "there is no bundle at")
    refused(capsys, ["sign", str(bundle), "--key", nothing], 2, "there is no private key at")
    refused(capsys, ["sign", "--new-key", str(key)], 2, "is there already")
    (bundle / "model.onnx").write_bytes(b"another")
    refused(capsys, ["sign", str(bundle), "--key", str(key)], 6, "hash")
    assert not (bundle / SIGNATURE).exists()


def test_provenance_is_signed_and_verified(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, public = write_tiny_bundle(tmp_path / "tiny"), str(tmp_path / "key.pub.pem")
    words = ["sign", str(bundle), "--key", str(key)]
    refused(capsys, [*words, "--builder", "urn:mine"], 2, "--builder is for --provenance")
    refused(capsys, [*words, "--provenance", "--builder", "mine"], 2, "'mine' is not a URI")
    assert not (bundle / SIGNATURE).exists()
    assert main([*words, "--provenance", "--builder", "urn:mine"]) == 0
    capsys.readouterr()
    assert main(["verify", str(bundle), "--public-key", public]) == 0
    assert "signature verified, provenance verified, 4 self-test" in capsys.readouterr().out
    assert main(["verify", str(bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"] == "not checked"
    (bundle / PROVENANCE).write_text("{}")
    refused(capsys, ["verify", str(bundle), "--public-key", public], 6, "not an envelope")


def said_of(bundle: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, str]:
    """What `edgekd verify` says of the signature, in words and in JSON."""
    capsys.readouterr()
    assert main(["verify", str(bundle), *options]) == 0
    words = capsys.readouterr().out
    assert main(["verify", str(bundle), "--json", *options]) == 0
    return words, json.loads(capsys.readouterr().out)["signature"]


def test_verify_tells_of_the_signature(
    bundles: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, public = tmp_path / "copy", str(tmp_path / "key.pub.pem")
    shutil.copytree(bundles / "rpi-int8", bundle)
    words, state = said_of(bundle, capsys)
    assert "not signed" in words
    assert state == "none"
    refused(capsys, ["verify", str(bundle), "--public-key", public], 6, "not signed")
    assert main(["sign", str(bundle), "--key", str(key)]) == 0
    words, state = said_of(bundle, capsys)
    assert "not checked" in words
    assert state == "not checked"
    words, state = said_of(bundle, capsys, "--public-key", public)
    assert "signature verified" in words
    assert state == "verified"
    other = tmp_path / "other.pem"
    assert main(["sign", "--new-key", str(other)]) == 0
    assert main(["sign", str(bundle), "--key", str(other)]) == 0
    refused(capsys, ["verify", str(bundle), "--public-key", public], 6, "does not belong")
