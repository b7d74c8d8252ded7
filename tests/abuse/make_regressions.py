"""Makes `regressions/bundles/`: what the fuzz found, cut down to a file of some kilobytes each.

    PYTHONPATH=tests python -m abuse.make_regressions

New finds: `fuzz.py --only KIND:N --keep FILE`; an image goes to `regressions/images/` as it is, and
a bundle is made again here, since whole ones are larger than what is worth keeping.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np

from abuse.bundles import CLASSES, FILES, MODELS, SIZE, Parts, manifest_of, zip_of
from edgekd.bundle import MANIFEST, SELFTEST, Manifest
from edgekd.bundle.manifest import encode_manifest

FOLDER = Path(__file__).resolve().parent / "regressions" / "bundles"


def compact(backend: str, files: Mapping[str, bytes]) -> Parts:
    """A bundle without self-test vectors and limits for photos."""
    manifest = msgspec.structs.replace(manifest_of(backend, files), capture=None)
    text = json.dumps(json.loads(encode_manifest(manifest)), separators=(",", ":"))
    return {MANIFEST: text.encode(), **files}


def model_of(backend: str) -> Parts:
    return {name: (MODELS / name).read_bytes() for name in FILES[backend]}


def tensor_name_not_utf8() -> bytes:
    """LiteRT opens it, but cannot tell its tensors' names."""
    files = model_of("tflite")
    content = files["model.tflite"]
    broken = content.replace(b"serving_default_args_0", b"serving_default_args\xff0")
    assert broken != content
    return zip_of(compact("tflite", {"model.tflite": broken}))


def onnx_name_not_utf8() -> bytes:
    """ONNX Runtime printed to stdout that it falls back from the CPU to the CPU."""
    broken = model_of("onnx")["model.onnx"].replace(b"image", b"\xff\xff\xff\xff\xff")
    return zip_of(compact("onnx", {"model.onnx": broken}))


def openvino_message_not_utf8() -> bytes:
    """OpenVINO's error quoted the bytes, and Python could not read that error."""
    return _with_xml(b'type="Convolution"', b'type="Convol\xc9tion"')


def openvino_type_that_numpy_lacks() -> bytes:
    """The input's type has no dtype: `map::at`, said OpenVINO."""
    return _with_xml(b'element_type="u8"', b'element_type="dynamic"')


def _with_xml(old: bytes, new: bytes) -> bytes:
    files = model_of("openvino")
    whole = re.sub(rb">\s+<", b"><", files["model.xml"])
    changed = whole.replace(old, new, 1)
    assert changed != whole
    return zip_of(compact("openvino", {**files, "model.xml": changed}))


def name_of_12000_letters_in_a_header() -> bytes:
    """The error quoted what stood there: the model, which an app may have decrypted."""
    archive = bytearray(zip_of(compact("onnx", model_of("onnx"))))
    struct.pack_into("<H", archive, 26, 12_000)
    return bytes(archive)


def task_of_15000_letters() -> bytes:
    """The error was as long."""
    return _with_manifest(task="classification" * 1_000)


def task_of_two_lines() -> bytes:
    """The error had two lines, the second of the manifest's own choice."""
    return _with_manifest(task="x\nedgekd: the bundle is fine\x1b[2K")


def _with_manifest(**changes: str) -> bytes:
    files = model_of("onnx")
    content = compact("onnx", files)
    manifest = msgspec.json.decode(content[MANIFEST], type=Manifest)
    raw = msgspec.json.encode(msgspec.structs.replace(manifest, **changes))
    return zip_of({MANIFEST: raw, "model.onnx": b""})


def logits_of_strings() -> bytes:
    """The self-test subtracted the vectors' logits without a look at what they are."""
    buffer = io.BytesIO()
    images = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    logits = np.full((1, len(CLASSES)), b"x", "S2")
    np.savez_compressed(buffer, images=images, logits=logits, tolerance=np.float64(1))
    return zip_of(compact("onnx", {**model_of("onnx"), SELFTEST: buffer.getvalue()}))


def vectors_that_swell() -> bytes:
    """Self-test vectors of 1.2 GB in two kilobytes: zip members may be bzip2."""
    vectors = 100_000
    header, shape = io.BytesIO(), (vectors, SIZE, SIZE, 3)
    said = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, said)
    logits, tolerance = io.BytesIO(), io.BytesIO()
    np.save(logits, np.zeros((vectors, len(CLASSES)), np.float32))
    np.save(tolerance, np.float64(1))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("logits.npy", logits.getvalue())
        archive.writestr("tolerance.npy", tolerance.getvalue())
        with archive.open("images.npy", "w") as member:
            member.write(header.getvalue())
            for _ in range(vectors):
                member.write(bytes(SIZE * SIZE * 3))
    return zip_of(compact("onnx", {**model_of("onnx"), SELFTEST: buffer.getvalue()}))


MADE: Mapping[str, Callable[[], bytes]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        tensor_name_not_utf8,
        onnx_name_not_utf8,
        openvino_message_not_utf8,
        openvino_type_that_numpy_lacks,
        name_of_12000_letters_in_a_header,
        task_of_15000_letters,
        task_of_two_lines,
        logits_of_strings,
        vectors_that_swell,
    )
}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in MADE.items():
        (FOLDER / f"{name}.edgekd").write_bytes(make())
