from __future__ import annotations

from pathlib import Path

from model_files import write_onnx

from edgekd.models.card import OUTPUTS_ALONE
from edgekd.models.foreign import FOREIGN, open_foreign


def test_every_kind_that_a_card_names_can_be_opened(tmp_path: Path) -> None:
    assert set(FOREIGN) == set(OUTPUTS_ALONE)
    assert open_foreign("ONNX", write_onnx(tmp_path / "a.onnx")).title == "ONNX"
