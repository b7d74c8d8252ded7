"""An app's sources with a bundle inside (edgekd/lower/app.py)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from manifests import make_manifest
from tiny_bundles import write_tiny_bundle

from edgekd.bundle import Bundle, generate_key, sign_bundle, zip_bundle
from edgekd.errors import ArtefactError, InputError
from edgekd.lower.app import check_app_place, write_app
from edgekd.resources import target_folders
from edgekd.targets import Target, load_target

WITH_APP = [
    target for target in (load_target(folder.name) for folder in target_folders()) if target.app
]
PHONE = load_target("android")


def bundle_for(target: Target, place: Path) -> Path:
    lowering = msgspec.structs.replace(make_manifest().lowering, backend=target.backend)
    return write_tiny_bundle(place, lowering=lowering)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("target", WITH_APP, ids=lambda target: target.name)
def test_the_app_is_the_target_s_with_the_bundle(target: Target, tmp_path: Path) -> None:
    assert target.app is not None
    bundle = bundle_for(target, tmp_path / "bundle")
    zip_bundle(bundle, tmp_path / "bundle.edgekd")
    (bundle / "patient.jpg").write_bytes(b"a face")  # of nobody's manifest
    write_app(target, bundle, tmp_path / "app")
    written = files_of(tmp_path / "app")
    content = written.pop(target.app.bundle)
    assert content == (tmp_path / "bundle.edgekd").read_bytes()
    with Bundle.open(content) as inside, Bundle.open(bundle) as given:
        assert inside.sha256 == given.sha256
    (home,) = [folder for folder in target_folders() if folder.name == target.name]
    assert set(written) == {
        name
        for name in files_of(home)
        if name.split("/")[0] in target.app.project
        and not {"build", "target", ".gradle", "node_modules"} & set(name.split("/"))
    }
    assert all((home / name).read_bytes() == content for name, content in written.items())


def test_a_zip_is_copied_byte_for_byte_with_its_key(tmp_path: Path) -> None:
    assert PHONE.app is not None
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    folder = bundle_for(PHONE, tmp_path / "bundle")
    sign_bundle(folder, tmp_path / "key.pem")
    bundle = tmp_path / "signed.edgekd"
    zip_bundle(folder, bundle)
    write_app(PHONE, bundle, tmp_path / "app", tmp_path / "key.pub.pem")
    assert (tmp_path / "app" / PHONE.app.bundle).read_bytes() == bundle.read_bytes()
    key = (tmp_path / "app" / PHONE.app.public_key).read_bytes()
    assert key == (tmp_path / "key.pub.pem").read_bytes()
    with Bundle.open(tmp_path / "app" / PHONE.app.bundle, public_key=key) as opened:
        assert opened.signature == "verified"


def test_nothing_is_left_where_the_bundle_is_refused(tmp_path: Path) -> None:
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    unsigned = bundle_for(PHONE, tmp_path / "unsigned")
    with pytest.raises(ArtefactError, match="not signed"):
        write_app(PHONE, unsigned, tmp_path / "app", tmp_path / "key.pub.pem")
    damaged = bundle_for(PHONE, tmp_path / "damaged")
    content = bytearray((damaged / "model.onnx").read_bytes())
    content[-1] ^= 1
    (damaged / "model.onnx").write_bytes(content)
    with pytest.raises(ArtefactError):
        write_app(PHONE, damaged, tmp_path / "app")
    other = write_tiny_bundle(tmp_path / "other")
    with pytest.raises(InputError, match="is for onnx, and the app has tflite"):
        write_app(PHONE, other, tmp_path / "app")
    assert not [path for path in tmp_path.iterdir() if "app" in path.name]


def test_what_is_there_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_app_place(PHONE, tmp_path / "empty")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "mine.txt").write_text("mine")
    for place in (tmp_path / "app", tmp_path / "app" / "mine.txt"):
        with pytest.raises(InputError, match="changes of yours"):
            write_app(PHONE, bundle_for(PHONE, tmp_path / "bundle"), place)
    assert files_of(tmp_path / "app") == {"mine.txt": b"mine"}


def test_a_target_without_an_app(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the target 'cpu' has no app"):
        check_app_place(load_target("cpu"), tmp_path / "app")


def test_products_of_a_build_stay_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "target"
    (home / "app" / "build").mkdir(parents=True)
    (home / "app" / "build" / "classes").write_text("")
    (home / "app" / "source.kt").write_text("")
    monkeypatch.setattr("edgekd.lower.app.target_folder", lambda name: home)
    assert PHONE.app is not None
    app = msgspec.structs.replace(PHONE.app, project=("app",))
    write_app(
        msgspec.structs.replace(PHONE, app=app),
        bundle_for(PHONE, tmp_path / "bundle"),
        tmp_path / "out",
    )
    assert set(files_of(tmp_path / "out")) == {"app/source.kt", PHONE.app.bundle}
