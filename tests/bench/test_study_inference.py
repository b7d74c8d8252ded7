"""`benchmarks/study/inference.py`: larger images and several views, without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from study_design import TEACHER, importing

from edgekd.data import load_dataset, split_dataset
from edgekd.data.decoded import decode_images
from edgekd.metrics import balanced_accuracy, macro_auroc
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import load_recipe


def test_each_line_is_of_its_size_and_its_views(
    tmp_path: Path, make_checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    file, root = tmp_path / "recipe.yaml", tmp_path / "data"
    file.write_text(TEACHER)
    recipe = load_recipe(file)
    dataset = load_dataset({**recipe.data, "root": str(root)}, recipe.task)
    folder = make_checkpoint(classes=tuple(reversed(dataset.classes)))
    words = [str(folder), "--data", str(root), "--recipe", str(file)]
    for module in importing():
        script = module("inference")
        assert script.main([*words, "--sizes", "32,48", "--views", "1,4"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert script.main([*words, "--label", "wart"]) == 2
        assert "no class 'wart'" in capsys.readouterr().err
        for option, value, says in (("--views", "3", "1, 2, 4 and 8"), ("--sizes", "0", "pixels")):
            with pytest.raises(SystemExit):
                script.main([*words, option, value])
            assert f"{value!r}: " in (error := capsys.readouterr().err)
            assert says in error

    part = split_dataset(dataset, recipe.split).indices("validation")
    targets = dataset.targets()[part]
    network = load_checkpoint(folder).normalised(classes=dataset.classes)
    expected = []
    for size, views, cost in ((32, 1, "1.0"), (32, 4, "4.0"), (48, 1, "2.2"), (48, 4, "9.0")):
        images = decode_images(dataset.paths(part), size)
        turns = [np.rot90(images, quarters, (1, 2)) for quarters in range(views)]
        outputs = np.mean([logits_of(network, each) for each in turns], axis=0)
        outputs = outputs.astype(np.float16).astype(np.float32)  # as the study keeps logits
        scores = (balanced_accuracy(outputs, targets), macro_auroc(outputs, targets))
        expected.append((str(size), str(views), *(f"{100 * each:.1f}" for each in scores), cost))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [(*row[:3], *row[5:]) for row in cells] == expected
    assert len({row[2] for row in expected} | {row[3] for row in expected}) > 2, "all are alike"
