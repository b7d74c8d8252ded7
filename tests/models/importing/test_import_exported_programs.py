from __future__ import annotations

from pathlib import Path

from model_files import write_exported

from edgekd.models.importing.exported_programs import read, recognises
from edgekd.models.importing.request import ImportRequest


def test_exported_program(tmp_path: Path) -> None:
    file = write_exported(tmp_path / "a.pt2", batch=2)
    assert recognises(file, file.read_bytes()[:64])
    model = read(ImportRequest(file))
    assert (model.kind, model.arch) == ("ExportedProgram", "ExportedProgram")
    assert model.shape is not None
    assert (model.shape.layout, model.shape.side, model.shape.batch) == ("NCHW", 32, 2)
    file.write_bytes(b"none of it")
    assert recognises(file, b"none of it")
    assert not recognises(tmp_path, b"")
