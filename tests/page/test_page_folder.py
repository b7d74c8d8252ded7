"""`edgekd.page.folder`: what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_bundles import write_tiny_bundle
from tiny_page import make_page

from edgekd.bundle import Bundle, generate_key, sign_bundle
from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.page import folder as page_module
from edgekd.page import page_folder, write_page
from edgekd.page.folder import write_engine


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return make_page(tmp_path / "page")


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def worker(folder: Path) -> dict[str, object]:
    first, rest = (folder / "sw.js").read_text().split("\n", 1)
    assert rest.startswith("const { version")
    head: dict[str, object] = json.loads(first.removeprefix("self.EDGEKD = ").removesuffix(";"))
    return head


def test_the_folder_has_one_engine_and_the_bundle(tmp_path: Path, page: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    write_page(bundle, tmp_path / "out", page=page)
    assert names(tmp_path / "out") == {
        "assets/site-3c4d.js", "bundle.edgekd", "engines.json", "index.html",
        "onnxruntime/engine.wasm", "site.json", "sw.js",
    }  # fmt: skip
    site = json.loads((tmp_path / "out" / "site.json").read_text())
    assert site == {"bundle": "bundle.edgekd", "key": None}
    with Bundle.open(bundle) as whole, Bundle.open(tmp_path / "out" / "bundle.edgekd") as packed:
        assert packed.sha256 == whole.sha256


def test_a_program_gets_the_runner_too(tmp_path: Path, page: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    runner = {"runner.html", "assets/runner-1a2b.js"}
    write_page(bundle, tmp_path / "driven", page=page, runner=True)
    assert runner <= names(tmp_path / "driven")
    write_engine("tflite", tmp_path / "engine", page=page)
    assert runner | {"litert/engine.wasm"} <= names(tmp_path / "engine")
    assert "onnxruntime/engine.wasm" not in names(tmp_path / "engine")
    with pytest.raises(ArtefactError, match="the model file has one of openvino"):
        write_engine("openvino", tmp_path / "other", page=page)


def test_the_worker_keeps_all_but_the_engine(tmp_path: Path, page: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    write_page(bundle, tmp_path / "one", page=page)
    write_page(bundle, tmp_path / "two", page=page)
    assert worker(tmp_path / "one") == worker(tmp_path / "two")
    files = [
        "./", "assets/site-3c4d.js", "bundle.edgekd", "engines.json", "index.html", "site.json",
    ]  # fmt: skip
    assert worker(tmp_path / "one")["files"] == files
    (page / "index.html").write_text("<!doctype html><title>other</title>")
    write_page(bundle, tmp_path / "two", page=page)
    assert worker(tmp_path / "one")["version"] != worker(tmp_path / "two")["version"]


def test_a_folder_with_anything_else_is_not_replaced(tmp_path: Path, page: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("the clinic's own page")
    with pytest.raises(InputError, match="holds no earlier page"):
        write_page(write_tiny_bundle(tmp_path / "bundle"), tmp_path / "www", page=page)
    assert names(tmp_path / "www") == {"index.html"}


def test_a_signed_bundle_stays_signed(tmp_path: Path, page: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    key = tmp_path / "key.pub.pem"
    generate_key(tmp_path / "key.pem", key)
    with pytest.raises(ArtefactError, match="not signed"):
        write_page(bundle, tmp_path / "out", page=page, public_key=key)
    assert not (tmp_path / "out").exists()
    sign_bundle(bundle, tmp_path / "key.pem")
    write_page(bundle, tmp_path / "out", page=page, public_key=key)
    assert json.loads((tmp_path / "out" / "site.json").read_text())["key"] == "key.pub.pem"
    with Bundle.open(tmp_path / "out" / "bundle.edgekd", public_key=key) as packed:
        assert packed.signature == "verified"


def test_a_bundle_of_another_engine_is_refused(tmp_path: Path, page: Path) -> None:
    (page / "engines.json").write_text('{"tflite": "litert"}')
    bundle = write_tiny_bundle(tmp_path / "bundle")
    with pytest.raises(ArtefactError, match="runs files of tflite"):
        write_page(bundle, tmp_path / "out", page=page)
    assert not (tmp_path / "out").exists()


def test_what_is_no_page_is_refused(tmp_path: Path, page: Path) -> None:
    with pytest.raises(InputError, match="is not a page"):
        page_folder(tmp_path)
    (page / "engines.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        write_page(write_tiny_bundle(tmp_path / "bundle"), tmp_path / "out", page=page)


def test_a_page_that_is_not_built_is_missing(
    tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "_BUILT", tmp_path / "built")
    with pytest.raises(MissingDependencyError, match="not built here") as caught:
        page_folder()
    assert "make browser" in caught.value.hint
    page.rename(tmp_path / "built")
    assert page_folder() == tmp_path / "built"
