from __future__ import annotations

from pathlib import Path

from model_files import write_onnx

from edgekd.models.importing.onnx_models import read, recognises
from edgekd.models.importing.request import ImportRequest


def test_onnx(tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "a.onnx", size=48)
    assert recognises(file, file.read_bytes()[:64])
    model = read(ImportRequest(file))
    assert (model.kind, model.arch) == ("ONNX", "ONNX")
    assert model.shape is not None
    assert (model.shape.layout, model.shape.side, model.shape.batch) == ("NCHW", 48, None)
