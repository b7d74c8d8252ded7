"""`edgekd dossier`: template, answers, an external validation, what is open."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from commands import refused
from tiny_bundles import ANSWER, REFER, write_photo, write_tiny_bundle

from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.cli import main
from edgekd.dossier.questions import all_questions


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    listed = SeenImages.of({"train": ["0" * 64]}, "split").encode()
    folder = tmp_path_factory.mktemp("dossier") / "bundle"
    return write_tiny_bundle(folder, files={SEEN_IMAGES: listed})


@pytest.fixture(scope="module")
def result(bundle: Path) -> Path:
    """What `edgekd eval` measured with the bundle."""
    lines, folder = ["image,label,sex"], bundle.parent
    for number in range(24):
        colour = (ANSWER, REFER)[number % 2]
        shade = tuple(max(0, part - number) for part in colour)
        write_photo(folder / f"{number}.png", shade)
        lines.append(f"{number}.png,{('bkl', 'mel', 'nv')[number % 3]},{'fm'[number // 2 % 2]}")
    (folder / "table.csv").write_text("\n".join(lines))
    words = ["--csv", str(folder / "table.csv"), "--by", "sex"]
    assert main(["eval", str(bundle), *words, "--json", str(folder / "result.json")]) == 0
    return folder / "result.json"


def test_from_the_template_to_a_dossier_without_open_questions(
    bundle: Path, result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["dossier", "--template"]) == 0
    raw = yaml.safe_load(capsys.readouterr().out)
    answers = {chapter: dict.fromkeys(names, "As agreed.") for chapter, names in raw.items()}
    (tmp_path / "answers.yaml").write_text(yaml.safe_dump(answers))
    words = ["--fill", str(tmp_path / "answers.yaml"), "--result", str(result)]
    out = tmp_path / "out"
    assert main(["dossier", str(bundle), *words, "--out", str(out)]) == 0
    card = (out / "card.md").read_text(encoding="utf-8")
    assert card.count("As agreed.") == len(all_questions()) + 1  # the product's name is the title
    assert "None of the images was used to make the bundle" in card
    assert "Decisions by class" in (out / "dossier.html").read_text(encoding="utf-8")
    head = card[: card.index("## 1. ")]
    assert not any(f"(`{key}`)" in head for key in all_questions())
    assert "numbers of each part" in head  # which this bundle has none of


def test_what_is_open_is_counted_and_refused_on_request(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["dossier", str(bundle), "--out", str(out)]) == 0
    assert "items are open; they are listed first" in capsys.readouterr().err
    words = ["dossier", str(bundle), "--out", str(out), "--strict"]
    refused(capsys, words, 4, "items of the dossier are open", "--fill")


def test_mistakes(
    bundle: Path, result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["dossier", str(bundle), "--out", str(out)]
    (tmp_path / "answers.yaml").write_text("use: {purpos: x}")
    error = "did you mean 'use.purpose'?"
    refused(capsys, [*words, "--fill", str(tmp_path / "answers.yaml")], 2, error)
    plain = json.loads(result.read_text()) | {"validation": None}
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    refused(capsys, [*words, "--result", str(tmp_path / "plain.json")], 2, "no external validation")
    other = write_tiny_bundle(tmp_path / "other", weights=np.eye(3, dtype=np.float32))
    words = ["dossier", str(other), "--out", str(out), "--result", str(result)]
    refused(capsys, words, 2, "is of other models than")
    refused(capsys, ["dossier", str(bundle), "--out", str(bundle)], 2, "as it was hashed")
    assert not out.exists()
