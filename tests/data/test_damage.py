from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekd.cli import main
from edgekd.data import Sample, Split, dataset_of, decoded_images
from edgekd.data.inspection import inspect_split
from edgekd.errors import ImageError

PARTS = ("train", "train", "train", "validation", "test", "test")


@pytest.fixture
def split(tmp_path: Path, draw: Any) -> Split:
    """Six different images; the first four are `mel`, of two lesions."""
    samples = [Sample(f"{n}.png", "mel" if n < 4 else "nv", str(n // 2)) for n in range(6)]
    for number, sample in enumerate(samples):
        draw(tmp_path / "set" / sample.image, 20 + 30 * number)
    return Split(dataset_of("mine", tmp_path / "set", samples), PARTS)


@pytest.fixture
def damaged(split: Split) -> Split:
    """Image 1 is cut, 2 is empty, 5 is text."""
    paths = split.dataset.paths()
    paths[1].write_bytes(paths[1].read_bytes()[:40])
    paths[2].write_bytes(b"")
    paths[5].write_text("not found", encoding="utf-8")
    return split


def test_all_damaged_images_are_listed(damaged: Split) -> None:
    found = inspect_split(damaged, 32)
    assert list(found.damaged) == ["1.png", "2.png", "5.png"]
    for path, why in found.damaged.items():
        assert path in why
        assert f"damaged: {why}" in found.text()


def test_training_names_all_damaged_images_at_once(damaged: Split, cache: Path) -> None:
    with pytest.raises(ImageError, match=r"3 of 6 images cannot be used: .*1\.png") as caught:
        decoded_images(damaged.dataset, 32)
    assert "2.png" in caught.value.message
    assert "5.png" in caught.value.message
    assert "edgekd data inspect" in caught.value.hint
    assert not list(cache.rglob("*.npy"))


def test_the_command_tells_damage_and_ends_with_2(
    tmp_path: Path, draw: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        draw(tmp_path / "set" / ("mel", "nv")[number % 2] / f"{number}.png", 20 * number)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: x\nimage_size: 32\ndata: {{source: folder, root: {tmp_path / 'set'}}}"
    )
    sheet = tmp_path / "sheet.png"
    assert main(["data", "inspect", str(recipe)]) == 0
    assert "note: no lesion or patient is known" in capsys.readouterr().out
    (tmp_path / "set" / "mel" / "0.png").write_bytes(b"")
    (tmp_path / "set" / "nv" / "3.png").write_bytes(b"")
    assert main(["data", "inspect", str(recipe), "--sheet", str(sheet)]) == 2
    told = capsys.readouterr()
    assert told.out.count("damaged: ") == 2
    assert "error: 2 of 12 images cannot be decoded" in told.err
    assert sheet.is_file()
    assert main(["data", "inspect", str(recipe), "--json"]) == 2
    assert set(json.loads(capsys.readouterr().out)["damaged"]) == {"mel/0.png", "nv/3.png"}
