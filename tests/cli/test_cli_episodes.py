"""`edgekd eval --episodes`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import refused

from edgekd.cli import main
from edgekd.cli.episodes import protocol_of
from edgekd.errors import InputError


def test_ways_shots_and_the_number_of_episodes() -> None:
    usual = protocol_of("5x1")
    assert (usual.ways, usual.shots, usual.queries, usual.count) == (5, 1, 15, 600)
    assert protocol_of("3X5x40").count == 40


@pytest.mark.parametrize("text", ["5", "5x", "5x1x2x3", "fivexone", "5x-1", "5x²"])
def test_another_form_is_a_mistake(text: str) -> None:
    with pytest.raises(InputError, match="not of the form WAYSxSHOTS"):
        protocol_of(text)


def test_episodes_of_a_checkpoint_by_classes_that_are_new_to_it(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = examples / "examples"
    rows = [f"{n}.png,{('red', 'grey')[n % 2]},{n}\n" for n in range(144)]
    table = tmp_path / "new.csv"
    table.write_text(f"image,label,patient\n{''.join(rows)}")
    words = ["eval", str(base / "run/student"), "--csv", str(table), "--image-root",
             str(base / "images"), "--group-column", "patient"]  # fmt: skip
    assert main([*words, "--episodes", "2x1x20", "--json", "-"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["classes"] == {"grey": 72, "red": 72}
    assert result["accuracy"]["value"] == 1.0  # of one colour each
    assert (result["ways"], result["shots"], result["episodes"]) == (2, 1, 20)
    assert main([*words, "--episodes", "2x1x20"]) == 0
    assert "100.0 % [100.0, 100.0] right, 2 ways, 1 shots" in capsys.readouterr().out
    refused(capsys, [*words, "--episodes", "2x1", "--by", "patient"], 2, "--by says nothing")
    refused(capsys, [*words, "--episodes", "4x1"], 2, "2 classes have the 16 lesions")
