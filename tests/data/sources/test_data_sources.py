from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekd.data import load_dataset
from edgekd.errors import InputError
from edgekd.extensions.sources import SOURCES


def refusal(**section: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_dataset(section)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def table(tmp_path: Path, draw: Any) -> Path:
    """Four images in a CSV table, one named without its suffix and one below images/."""
    for number, name in enumerate(("a.png", "b.jpg", "images/c.png", "d.BMP")):
        draw(tmp_path / name, 40 * number)
    rows = [
        "image,label,patient,site",
        "a.png,mel,P1,back",
        "b,nv,P1,arm",
        "c,nv,P2,",
        "d.BMP,nv ,P3,leg",
    ]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def test_unknown_source_suggests() -> None:
    error = refusal(source="ham1000", root="x")
    assert "did you mean 'ham10000'?" in error.hint
    assert all(name in error.hint for name in SOURCES.names())
    assert "there is no data source ''" in refusal(root="x").message


@pytest.mark.parametrize(
    ("source", "wrong", "right"),
    [("csv", "label_colum", "label_column"), ("folder", "rot", "root"),
     ("ham10000", "roots", "root"), ("synthetic", "image", "images")],
)  # fmt: skip
def test_unknown_key_suggests(source: str, wrong: str, right: str) -> None:
    error = refusal(source=source, **{wrong: "x"})
    assert f"data source {source}: unknown key {wrong!r}" in error.message
    assert error.hint == f"did you mean {right!r}?"


def test_section_is_not_changed(table: Path) -> None:
    section = {"source": "csv", "file": str(table)}
    load_dataset(section)
    assert section == {"source": "csv", "file": str(table)}


# csv


# folder


# ham10000 and synthetic


# whatever the source
