"""`edgekd predict` on photos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_bundles import ANSWER, REFER, RETAKE, write_photo, write_tiny_bundle

from edgekd.cli import main


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle"))


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    colours = {"answer": ANSWER, "refer": REFER, "retake": RETAKE}
    return [str(write_photo(tmp_path / f"{name}.png", colour)) for name, colour in colours.items()]


def test_a_line_for_each_photo(
    bundle: str, photos: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", bundle, *photos]) == 0
    answer, refer, retake = capsys.readouterr().out.splitlines()
    assert answer.startswith(f"{photos[0]}: answer | bkl 1.00 (then ")
    assert answer.endswith("| not excluded: bkl")
    assert refer.startswith(f"{photos[1]}: refer | unsure: the top probability 0.95 is below")
    assert refer.endswith("| not excluded: bkl, nv")
    assert retake.startswith(f"{photos[2]}: retake | dark: the photo is too dark")
    assert "not excluded" not in retake  # of a photo that is no use nothing is told


def test_a_name_cannot_pass_for_a_decision(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a.png: answer | nv 1.00\n\x1b[2Kb.png"
    write_photo(tmp_path / "x.png", ANSWER).rename(tmp_path / name)
    assert main(["predict", str(bundle), str(tmp_path / name)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "nv 1.00\\n\\x1b[2Kb.png: answer | bkl" in line


def test_json_has_all_of_a_prediction(
    bundle: str, photos: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", bundle, *photos, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["decision"] for one in found] == ["answer", "refer", "retake"]
    assert set(found[0]) == {
        "image", "label", "probability", "probabilities", "decision", "reasons", "conformal_set",
        "quality", "logits", "timings_ms", "findings", "values",
    }  # fmt: skip
    assert found[2]["reasons"][0]["code"] == "dark"


@pytest.mark.parametrize("json_too", [False, True])
def test_a_bad_photo_does_not_keep_the_others_from_their_decision(
    bundle: str,
    photos: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    json_too: bool,
) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    wanted = [photos[0], str(tmp_path / "text.jpg"), "none.jpg", photos[1]]
    assert main(["predict", bundle, *wanted, *(["--json"] if json_too else [])]) == 2
    said = capsys.readouterr()
    problems = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert [name in line for name, line in zip(wanted[1:3], problems, strict=True)] == [True] * 2
    if not json_too:
        assert [line.split(":")[0] for line in said.out.splitlines()] == photos[:2]
        return
    found = json.loads(said.out)
    assert [one["image"] for one in found] == wanted
    assert ["error" in one for one in found] == [False, True, True, False]
    assert set(found[1]["error"]) == {"message", "hint"}


def test_no_quality_lets_any_photo_pass(
    bundle: str, photos: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", bundle, photos[2], "--no-quality", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["decision"] == "refer"
    assert found["quality"] is None


def test_no_selftest_opens_what_else_is_refused(
    photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = str(write_tiny_bundle(tmp_path / "wrong", wrong_by=1.0))
    assert main(["predict", wrong, photos[0]]) == 6
    assert "self-test" in capsys.readouterr().err
    assert main(["predict", wrong, photos[0], "--no-selftest"]) == 0


def test_what_is_asked_for_and_not_there_is_told_or_an_error(
    bundle: str, photos: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["predict", bundle, photos[0], "--accelerator", "CoreMLExecutionProvider"]
    assert main(asked) == 0
    assert "warning: " in capsys.readouterr().err
    assert main([*asked, "--require"]) == 5
    assert capsys.readouterr().out == ""


def test_a_key_is_asked_for(
    bundle: str, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    assert main(["predict", bundle, photos[0], "--public-key", str(tmp_path / "none.pem")]) == 2
    assert "none.pem" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "either photos or a camera"),
        (["a.jpg", "--camera", "0"], "either photos or a camera"),
        (["a.jpg", "--headless"], "are for --camera"),
        (["a.jpg", "--save", "out"], "are for --camera"),
        (["--camera", "0", "--screen", "large"], "no size of a screen"),
    ],
)
def test_contradictions_are_usage(
    bundle: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["predict", bundle, *arguments]) == 2
    assert words in capsys.readouterr().err
