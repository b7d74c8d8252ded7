"""Who trains is told what became of the data."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekd.distill import pipeline
from edgekd.errors import InputError
from edgekd.recipe import Recipe, convert


@pytest.mark.parametrize("run", [lambda r: pipeline.train(r, "teacher"), pipeline.distill])
def test_training_says_the_notes_of_its_data(run, tmp_path: Path) -> None:
    lines = ["image,label,patient"]
    for number in range(24):
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 20, 3), number, np.uint8))
        lines.append(f"{number}.png,{'ab'[number % 2]},{'NA' if number < 9 else f'P{number}'}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    data = {"source": "csv", "file": str(tmp_path / "t.csv"), "group_column": "patient"}
    roles = {role: {"model": {"arch": "no-such-network"}} for role in ("teacher", "student")}
    recipe = convert({"name": "x", "image_size": 16, "data": data, **roles}, Recipe, "here")
    said: list[str] = []
    with pytest.raises(InputError, match="no-such-network"):
        run(pipeline.RunRequest(recipe, tmp_path / "out", said.append))
    assert said[0] == (
        "note: 9 images without a lesion or patient (9 'NA') stand alone in the split"
    )
