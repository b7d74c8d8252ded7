"""`edgekd build --app`: what is refused, and a bundle that is there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from commands import refused
from manifests import make_manifest
from tiny_bundles import write_tiny_bundle

from edgekd.bundle import Bundle, generate_key, sign_bundle
from edgekd.cli import main
from edgekd.targets import load_target

APP = load_target("android").app


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    lowering = msgspec.structs.replace(make_manifest().lowering, backend="tflite")
    return write_tiny_bundle(tmp_path / "phone", lowering=lowering)


def test_a_signed_bundle_goes_into_the_app(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(bundle, tmp_path / "key.pem")
    app, key = tmp_path / "app", tmp_path / "key.pub.pem"
    words = ["--target", "android", "--bundle", str(bundle), "--app", str(app)]
    assert main(["build", *words, "--public-key", str(key)]) == 0
    captured = capsys.readouterr()
    assert "gradle :app:assembleDebug" in captured.err
    assert captured.out == ""
    assert APP is not None
    with Bundle.open(app / APP.bundle, public_key=app / APP.public_key) as opened:
        assert opened.signature == "verified"
    refused(capsys, ["build", *words], 2, "there is something at", "choose another place")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bundle", "B"], "--bundle and --public-key are for --app"),
        (["--app", "A", "--bundle", "B"], "--app is for one target"),
        (["--app", "A", "--bundle", "B", "--target", "android,cpu"], "--app is for one target"),
        (["--app", "A", "--bundle", "B", "--target", "cpu"], "the target 'cpu' has no app"),
        (["--app", "A", "--target", "android", "--public-key", "K"], "is not signed yet"),
        (["--app", "A", "--target", "android", "--precision", "fp32,int8"], "for one bundle"),
        (["--app", "A", "--target", "android"], "--target, --model and --out are needed"),
        (["--app", "A", "--target", "android", "--bundle", "B", "--out", "O"], "and --model and"),
        (["--app", "A", "--on-device", "B"], "do not go with --on-device"),
    ],
)
def test_options_that_do_not_belong_together(
    words: list[str],
    message: str,
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "key.pub.pem").write_text("")
    places = {
        "A": str(tmp_path / "app"),
        "B": str(bundle),
        "K": str(tmp_path / "key.pub.pem"),
        "O": str(tmp_path / "out"),
    }
    refused(capsys, ["build", *(places.get(word, word) for word in words)], 2, message)
    assert not (tmp_path / "app").exists()
    assert not (tmp_path / "out").exists()
