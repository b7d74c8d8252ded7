"""A page in a moment: the files that `make browser` builds, without what they do."""

from __future__ import annotations

from pathlib import Path

from edgekd.files import pretty_json
from edgekd.page.folder import ENGINES, RUNNER

__all__ = ["make_page"]


def make_page(folder: Path) -> Path:
    """A page with two engines, of which a bundle needs one."""
    engines = {"onnx": "onnxruntime", "tflite": "litert"}
    for name in engines.values():
        (folder / name).mkdir(parents=True)
        (folder / name / "engine.wasm").write_bytes(b"\0asm\x01\0\0\0")
    (folder / ENGINES).write_bytes(pretty_json(engines))
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / RUNNER).write_text("<!doctype html><title>runner</title>")
    (folder / "assets").mkdir()
    for name in ("runner-1a2b.js", "site-3c4d.js"):
        (folder / "assets" / name).write_text("")
    (folder / "sw.js").write_text("const { version, files } = self.EDGEKD;\n")
    return folder
