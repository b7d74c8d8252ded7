"""All pictures of a validation, on the page and as files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scripted import CLASSES, answered, data_of, mixed, validation_of

from edgekd.evaluation.cases import Case, ModelCases
from edgekd.evaluation.figures import Figures, figures_of, write_figures
from edgekd.evaluation.pictures import map_picture


@pytest.fixture(scope="module")
def figures() -> Figures:
    return figures_of(mixed())


def test_each_model_and_class_has_its_pictures(figures: Figures) -> None:
    assert len(figures.decisions) == len(figures.reliability) == len(figures.confusions) == 3
    assert [curves.name for curves in figures.curves] == list(CLASSES)
    assert all("rpi int8: answered at" in curves.roc for curves in figures.curves)
    assert "cannot be excluded from 0.2" in figures.curves[0].roc
    assert "refer band 0.60" in figures.coverage
    titles = [title for title, _ in figures.subgroups]
    assert titles[0] == "Sensitivity for mel"
    assert titles[-1] == "Without an answer"
    assert "before calibration" in figures.reliability[0]
    assert "before calibration" not in figures.reliability[2]  # a checkpoint has no temperature


def test_a_checkpoint_has_no_columns_of_referred_images(figures: Figures) -> None:
    bundle, _, checkpoint = figures.confusions
    assert "referred" in bundle
    assert "referred" not in checkpoint


def test_files_are_svg_by_themselves(figures: Figures, tmp_path: Path) -> None:
    write_figures(tmp_path / "pictures", figures)
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {
        "confusion-A.svg", "decisions-A.svg", "reliability-A.svg", "coverage.svg", "roc-mel.svg",
        "precision-recall-nv.svg", "subgroups-sensitivity-for-mel.svg", "decisions-S.svg",
    } <= names  # fmt: skip
    for path in (tmp_path / "pictures").iterdir():
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        text = path.read_text()
        assert "class=" not in text
        assert "var(" not in text


def test_maps_are_files_too(figures: Figures, tmp_path: Path) -> None:
    picture = map_picture(np.eye(7), "AAAA", "nv")
    case = Case("a.jpg", "mel", "nv", "nv", 0.9, "answer", picture)
    write_figures(tmp_path, figures, [ModelCases([case] * 2, 5, [case])] * 3)
    maps = sorted(path.name for path in tmp_path.glob("map-A-*"))
    assert maps == ["map-A-missed-1.svg", "map-A-missed-2.svg", "map-A-other-1.svg"]
    assert b"data:image/jpeg;base64,AAAA" in (tmp_path / maps[0]).read_bytes()


def test_findings_without_subgroups() -> None:
    data = data_of(["mel;nv", "none", "bkl", "nv"], task="multilabel")
    figures = figures_of(
        validation_of(data, answered(data, ["mel", "nv", "bkl", "nv"], ["answer"] * 4))
    )
    assert figures.confusions == [None]
    assert figures.subgroups == []
    assert "confusion-A.svg" not in dict(figures.files())
